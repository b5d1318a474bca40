//! What it means that a completely read target says nothing of a question.
//!
//! "Nothing to ask" is claimed only where the rule or control is on, ran without error, and the recorder records each resource type that it
//! concerns. Everything else is "not assessed", with the reason.

use super::lines::Silence;
use crate::{
    catalog::{Ask, Check},
    model::{AccountId, ObservationStatus, Question, Region},
    observe::{ControlState, Observed, RESOURCE_COMPLIANCE, RuleState, Standing, TargetState, states},
};

pub(super) fn unknown(why: impl Into<String>) -> Silence {
    Silence { status: ObservationStatus::NotAssessed, why: why.into(), evidence: None }
}

/// Returns the rule or control whose standing in each target is the ground for reading silence about `question`.
pub(super) fn ground(check: &Check, question: &Question) -> Question {
    match &check.ask {
        Ask::State { of: Some(rule), state } if of_rule(state) => Question::ConfigRule(rule.clone()),
        _ => question.clone(),
    }
}

fn of_rule(state: &str) -> bool {
    state == states::REMEDIATION_CONFIGURED || state == states::REMEDIATION_EXECUTED
}

/// Explains the silence of a target in which no collector left a hole; `standing` is that of [`ground`] in the target.
pub(super) fn explain(
    observed: &Observed,
    check: &Check,
    (account, region): (&AccountId, &Region),
    standing: Option<&Standing>,
) -> Silence {
    let Some(state) = observed.targets.get(&(account.clone(), region.clone())) else {
        return unknown("nothing was read of the target");
    };
    let (deployed, known) = match standing {
        Some(Standing::Rule(rule)) => (Some(rule), None),
        Some(Standing::Control(control)) => (None, Some(control)),
        None => (None, None),
    };
    match &check.ask {
        Ask::ConfigRule { identifier } => rule(state, identifier, deployed, &check.resource_types),
        Ask::SecurityHub { control } => self::control(state, control, known, &check.resource_types),
        Ask::State { of: Some(of), state: name } if of_rule(name) => {
            let why = if deployed.is_some() { "its remediation was not described" } else { "the rule is not deployed" };
            Silence { evidence: state.rules_evidence.clone(), ..unknown(format!("{of}: {why}")) }
        }
        Ask::State { state, .. } => unknown(format!("{state} was not observed")),
        Ask::GuardedActions { .. } | Ask::ConformancePack { .. } | Ask::Product(_) => unknown("it is asked otherwise"),
    }
}

/// Explains the silence of a deployed rule, or of one that is not.
pub(super) fn rule(state: &TargetState, identifier: &str, rule: Option<&RuleState>, types: &[String]) -> Silence {
    if !state.rules_listed {
        return unknown("the deployed rules were not listed");
    }
    let Some(rule) = rule else {
        let why = format!("no rule of {identifier} is deployed");
        return Silence { evidence: state.rules_evidence.clone(), ..unknown(why) };
    };
    let evidence = Some(rule.evidence.clone());
    let types = if types.is_empty() { &rule.resource_types } else { types };
    let doubt = rule.doubts.first().cloned().or_else(|| {
        let needed = state.selected.then_some(RESOURCE_COMPLIANCE);
        unrecorded(state, needed, types)
    });
    match doubt {
        Some(why) => Silence { evidence, ..unknown(why) },
        None => nothing(&format!("{identifier} ran"), types, evidence),
    }
}

fn control(state: &TargetState, control: &str, known: Option<&ControlState>, types: &[String]) -> Silence {
    let Some(hub) = &state.hub else { return unknown("Security Hub was not described") };
    let Some(known) = known else {
        return unknown(format!("control {control} is in no enabled standard"));
    };
    let evidence = Some(known.evidence.clone());
    if !known.enabled {
        let reason = known.why.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
        return Silence { evidence, ..unknown(format!("control {control} is disabled{reason}")) };
    }
    match hub.doubt().or_else(|| unrecorded(state, None, types)) {
        Some(why) => Silence { evidence, ..unknown(format!("control {control} has no finding, and {why}")) },
        None => nothing(&format!("control {control} is enabled"), types, evidence),
    }
}

/// Returns why the recorder cannot vouch for the absence of resources of `types`.
fn unrecorded(state: &TargetState, needed: Option<&str>, types: &[String]) -> Option<String> {
    let Some(recorder) = &state.recorder else { return Some("the recorder was not described".to_owned()) };
    if types.is_empty() {
        return Some(
            "it is not said which resource types it concerns, so that their absence cannot be seen".to_owned(),
        );
    }
    let missing = needed.into_iter().chain(types.iter().map(String::as_str)).find(|kind| !recorder.records(kind))?;
    Some(match recorder.on {
        true => format!("the recorder does not record {missing}"),
        false => recorder.why.clone(),
    })
}

fn nothing(what: &str, types: &[String], evidence: Option<crate::model::EvidenceRef>) -> Silence {
    let why = format!("{what}, and the recorder, which records {}, has no such resource", types.join(", "));
    Silence { status: ObservationStatus::NotApplicable, why, evidence }
}

/// Explains the silence about the organisation as a whole.
pub(super) fn of_organization(observed: &Observed, check: &Check) -> Silence {
    match &check.ask {
        Ask::State { state, of: Some(service) } if state == states::DELEGATED_ADMINISTRATOR => {
            let Some(evidence) = observed.delegation.clone() else { return unknown("delegation was not read") };
            let why = format!("{service} has neither trusted access nor a delegated administrator");
            Silence { status: ObservationStatus::Fail, why, evidence: Some(evidence) }
        }
        _ => unknown("it was not observed"),
    }
}
