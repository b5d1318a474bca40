//! Every question that a run's evidence knows, answered as checks are but without a catalogue: what a period's timeline is made of.
//!
//! Global resources are answered Region by Region here: which Regions speak for which others is for whoever knows the check.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    lines::Asker,
    population::{CoverageRef, Population},
};
use crate::{
    catalog::{Ask, Check, Means, Severity},
    model::{AccountId, Collector, Coverage, ObservationStatus, PlannedTask, Question, Region, ResultLine},
    observe::{Observed, states},
};

/// One answer to a question; `line.check` is the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionLine {
    /// The answer.
    pub line: ResultLine,
    /// What the recorder records, where a control that is on has no finding: with the resource types that it concerns that says
    /// whether there is nothing to ask.
    pub silent: Option<String>,
}

/// Returns the questions that the evidence knows: those answered, and those of the rules and controls that are there.
pub fn known(observed: &Observed) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = observed.observations.iter().map(|o| o.question.to_string()).collect();
    for state in observed.targets.values() {
        let rules = state.rules.iter().flat_map(|rules| rules.keys());
        known.extend(rules.map(|rule| Question::ConfigRule(rule.clone()).to_string()));
        let controls = state.hub.iter().flat_map(|hub| hub.controls.keys());
        known.extend(controls.map(|control| Question::SecurityHub(control.clone()).to_string()));
    }
    let always = [
        states::CONFIG_RECORDER,
        states::REGION_COVERED,
        states::AGGREGATOR_COMPLETE,
        states::SECURITYHUB_ENABLED,
        states::ORGANIZATION_ALL_FEATURES,
        states::SCP_ENABLED,
    ];
    known.extend(always.map(|state| states::question(state, None).to_string()));
    known
}

/// Answers `questions` (texts; those that no check could ask are left out), in order of their texts, each one's lines sorted.
///
/// # Errors
/// As `each` fails.
pub fn answer<E>(
    questions: &BTreeSet<String>,
    observed: &Observed,
    plan: &[PlannedTask],
    coverage: &[Coverage],
    coverage_ref: CoverageRef<'_>,
    each: &mut dyn FnMut(QuestionLine) -> Result<(), E>,
) -> Result<(), E> {
    let asker = Asker { observed, population: Population::new(plan, coverage, observed, coverage_ref), policies: None };
    for question in questions {
        let Some(ask) = question.parse().ok().and_then(ask) else { continue };
        let check = bare(question, ask);
        for line in asker.lines(&check) {
            let line = line.line;
            let silent = silent(&asker, &check, &line);
            each(QuestionLine { line, silent })?;
        }
    }
    Ok(())
}

fn ask(question: Question) -> Option<Ask> {
    match question {
        Question::ConfigRule(identifier) => Some(Ask::ConfigRule { identifier }),
        Question::SecurityHub(control) => Some(Ask::SecurityHub { control }),
        Question::State(name) => {
            let (state, of) = name.split_once(':').map_or((name.as_str(), None), |(s, of)| (s, Some(of)));
            Some(Ask::State { state: state.to_owned(), of: of.map(str::to_owned) })
        }
        Question::GuardedAction(_) | Question::Product(_) | Question::Manual(_) => None,
    }
}

fn bare(question: &str, ask: Ask) -> Check {
    let nothing = String::new;
    Check {
        id: question.to_owned(),
        title: BTreeMap::new(),
        ask,
        severity: Severity::Informational,
        means: Means { pass: nothing(), fail: nothing(), not_applicable: nothing(), not_assessed: nothing() },
        remedy: nothing(),
        resource_types: Vec::new(),
        global: false,
    }
}

/// Returns what the recorder records, where the line says no more than that an enabled control has no finding.
fn silent(asker: &Asker<'_>, check: &Check, line: &ResultLine) -> Option<String> {
    let Ask::SecurityHub { control } = &check.ask else { return None };
    if line.observed.is_some() || line.status != ObservationStatus::NotAssessed {
        return None;
    }
    let (account, region): (&AccountId, &Region) = (&line.account, &line.region);
    let hole = [Collector::SecurityhubHub, Collector::SecurityhubFindings];
    if hole.iter().any(|collector| asker.population.gap(account, region, *collector).is_some()) {
        return None;
    }
    let state = asker.observed.targets.get(&(account.clone(), region.clone()))?;
    let hub = state.hub.as_ref()?;
    let on = hub.controls.get(control)?.enabled && hub.doubt().is_none();
    on.then(|| state.recorder.as_ref()?.recorded().map(ToString::to_string)).flatten()
}
