//! States that we read from the services' own configuration, as observations of `state/<name>` or `state/<name>:<of>`.
//!
//! | state | asked of | pass | fail |
//! |---|---|---|---|
//! | `config-recorder` | each target | recording all supported types (in the home Region the global ones too), delivering | no recorder, stopped, failing, no delivery channel, types left out |
//! | `region-covered` | each Region that is on in an account | asked, and answered by every collector | not asked |
//! | `delegated-administrator` of a service principal | the organisation | an account other than the management account | none |
//! | `aggregator-complete` | each target | the Config aggregator's last update of it succeeded | failed, outdated, or no source |
//! | `securityhub-enabled` | each target | there is a hub | the account is not subscribed |
//! | `remediation-configured` of a rule | each target with the rule | automatic remediation is attached | none, or manual only |
//! | `remediation-executed` of a rule | each resource remediated or failing | the last execution succeeded | failed, or none ran |
//! | `organization-all-features` | the organisation | feature set `ALL` | another |
//! | `conformance-pack` of a name | each target with the pack, and each rule that it brought (`AWS::Config::ConfigRule`, by identifier) | the pack is complete; the rule is deployed | failed, or under way; not deployed |
//! | `scp-enabled` | the organisation | service control policies are on at the root | off |
//!
//! A Region that was asked, and where a collector left a gap, is "not assessed" for `region-covered`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Observed, Target, TargetState,
    facts::{RunFacts, Seen, TargetFacts},
    reconcile::Outcomes,
    rules::Rule,
};
use crate::model::{
    AccountId, Collector, EvidenceRef, Observation, ObservationStatus,
    ObservationStatus::{Fail, NotApplicable, NotAssessed, Pass},
    Question, Region, Resource,
};

/// Recorder on.
pub const CONFIG_RECORDER: &str = "config-recorder";
/// Every Region that is on is recorded.
pub const REGION_COVERED: &str = "region-covered";
/// A service has a delegated administrator.
pub const DELEGATED_ADMINISTRATOR: &str = "delegated-administrator";
/// The Config aggregator holds the target.
pub const AGGREGATOR_COMPLETE: &str = "aggregator-complete";
/// Security Hub on.
pub const SECURITYHUB_ENABLED: &str = "securityhub-enabled";
/// Automatic remediation attached to a rule.
pub const REMEDIATION_CONFIGURED: &str = "remediation-configured";
/// Automatic remediation ran and succeeded.
pub const REMEDIATION_EXECUTED: &str = "remediation-executed";
/// All features of Organizations.
pub const ORGANIZATION_ALL_FEATURES: &str = "organization-all-features";
/// Service control policies on at the root.
pub const SCP_ENABLED: &str = "scp-enabled";

/// A conformance pack is there and complete; not a state to ask for, but what the check of a pack builds on.
pub const CONFORMANCE_PACK: &str = "conformance-pack";
/// The resource type of a rule.
pub const CONFIG_RULE: &str = "AWS::Config::ConfigRule";

/// Every state that can be asked for.
pub const ALL: [&str; 9] = [
    CONFIG_RECORDER,
    REGION_COVERED,
    DELEGATED_ADMINISTRATOR,
    AGGREGATOR_COMPLETE,
    SECURITYHUB_ENABLED,
    REMEDIATION_CONFIGURED,
    REMEDIATION_EXECUTED,
    ORGANIZATION_ALL_FEATURES,
    SCP_ENABLED,
];

/// Returns the question that asks for `state`, `of` something where the state has a parameter.
pub fn question(state: &str, of: Option<&str>) -> Question {
    Question::State(of.map_or_else(|| state.to_owned(), |of| format!("{state}:{of}")))
}

/// The resource that stands for an account as a whole.
pub fn account_resource(account: &AccountId) -> Resource {
    Resource { kind: "AWS::::Account".to_owned(), id: account.to_string() }
}

/// One answer about an account in a Region.
pub(super) struct Statement<'a> {
    pub target: (&'a AccountId, &'a Region),
    pub status: ObservationStatus,
    pub why: Option<String>,
    pub at: Timestamp,
    pub since: Option<Timestamp>,
    pub evidence: EvidenceRef,
}

impl Statement<'_> {
    /// Answers `question` about the account as a whole.
    pub(super) fn about_account(self, question: Question) -> Observation {
        let resource = account_resource(self.target.0);
        self.about(question, resource)
    }

    pub(super) fn about(self, question: Question, resource: Resource) -> Observation {
        Observation {
            question,
            account: self.target.0.clone(),
            region: self.target.1.clone(),
            resource,
            status: self.status,
            why: self.why,
            observed: self.at,
            since: self.since,
            evidence: self.evidence,
        }
    }
}

fn pass_if(good: bool) -> ObservationStatus {
    if good { Pass } else { Fail }
}

/// Reads the states of the organisation as a whole; they are filed under the management account, in the home Region.
pub(super) fn of_organization(observed: &Observed, run: &RunFacts) -> Vec<Observation> {
    let (Some(organization), Some(home)) = (&observed.organization, &run.home) else { return Vec::new() };
    let mut out = Vec::new();
    let mut say = |operation: &str, question: Question, good: bool, why: String| {
        let Some((evidence, at)) = run.organization_seen.get(operation) else { return };
        let statement = Statement {
            target: (&organization.management_account, home),
            status: pass_if(good),
            why: Some(why),
            at: *at,
            since: None,
            evidence: evidence.clone(),
        };
        let resource = Resource { kind: "AWS::Organizations::Organization".to_owned(), id: organization.id.clone() };
        out.push(statement.about(question, resource));
    };
    let features = &organization.feature_set;
    say(
        "DescribeOrganization",
        question(ORGANIZATION_ALL_FEATURES, None),
        features == "ALL",
        format!("the feature set is {features}"),
    );
    let mut types = organization.roots.iter().flat_map(|r| &r.policy_types);
    let status = types.find(|t| t.policy_type == "SERVICE_CONTROL_POLICY").map_or("off", |t| t.status.as_str());
    say(
        "ListRoots",
        question(SCP_ENABLED, None),
        status == "ENABLED",
        format!("service control policies are {status}"),
    );
    for service in &organization.services {
        let others = service.administrators.iter().filter(|a| **a != organization.management_account);
        let administrators: Vec<_> = others.map(AccountId::as_str).collect();
        let why = match administrators.as_slice() {
            [] => format!("{} has no delegated administrator", service.service),
            some => format!("{} is administered by {}", service.service, some.join(", ")),
        };
        let asked = question(DELEGATED_ADMINISTRATOR, Some(&service.service));
        say("ListDelegatedAdministrators", asked, !administrators.is_empty(), why);
    }
    out
}

/// Reads whether every Region that is on in an account was asked, and whether the aggregator holds each target.
///
/// `hole` names a collector of which a target's answers are not all there.
pub(super) fn of_coverage(
    run: &RunFacts,
    asked: &BTreeSet<Target>,
    hole: &dyn Fn(&Target) -> Option<Collector>,
) -> Vec<Observation> {
    let mut out = Vec::new();
    let accounts: BTreeSet<_> = asked.iter().map(|(account, _)| account).collect();
    for (account, seen) in run.regions.iter().filter(|(account, _)| accounts.contains(account)) {
        for region in &seen.value {
            let target = (account.clone(), region.clone());
            let (status, why) = match hole(&target) {
                _ if !asked.contains(&target) => (Fail, "the Region is on, and the run did not ask there".to_owned()),
                Some(collector) => (NotAssessed, format!("the Region is on, and {collector} left a gap there")),
                None => (Pass, "every collector has answers of the Region".to_owned()),
            };
            let evidence = seen.evidence.clone();
            let statement =
                Statement { target: (account, region), status, why: Some(why), at: seen.at, since: None, evidence };
            out.push(statement.about_account(question(REGION_COVERED, None)));
        }
    }
    let Some(seen) = &run.sources else { return out };
    for target in asked {
        let (status, why, since, evidence) = match seen.value.states.get(target) {
            Some(s) => (pass_if(s.fresh), s.why.clone(), s.since, s.evidence.clone()),
            None => (Fail, "the Config aggregator has no source for it".to_owned(), None, seen.evidence.clone()),
        };
        let statement =
            Statement { target: (&target.0, &target.1), status, why: Some(why), at: seen.at, since, evidence };
        out.push(statement.about_account(question(AGGREGATOR_COMPLETE, None)));
    }
    out
}

/// Reads recorder and hub of one target.
pub(super) fn of_target(target: &Target, state: &TargetState, facts: &TargetFacts, home: bool) -> Vec<Observation> {
    let mut out = Vec::new();
    let target = (&target.0, &target.1);
    if let (Some(recorder), Some(seen)) = (&state.recorder, &facts.recorders) {
        let lacks = if recorder.on { recorder.leaves_out(home) } else { Some(recorder.why.clone()) };
        let status = pass_if(lacks.is_none());
        let (why, evidence) = (lacks.or(Some(recorder.why.clone())), recorder.evidence.clone());
        let statement = Statement { target, status, why, at: seen.at, since: recorder.since, evidence };
        out.push(statement.about_account(question(CONFIG_RECORDER, None)));
    }
    let hub = match (&facts.hub_described, &facts.not_subscribed) {
        (Some(seen), _) => Some((Pass, "Security Hub is on", seen)),
        (None, Some(seen)) => Some((Fail, "the account is not subscribed to Security Hub", seen)),
        (None, None) => None,
    };
    if let Some((status, why, Seen { at, evidence, .. })) = hub {
        let since = state.hub.as_ref().and_then(|h| h.subscribed);
        let statement =
            Statement { target, status, why: Some(why.to_owned()), at: *at, since, evidence: evidence.clone() };
        out.push(statement.about_account(question(SECURITYHUB_ENABLED, None)));
    }
    out
}

/// Reads, for each deployed rule of one target, whether automatic remediation is attached and what became of it.
///
/// `quiet` says that compliance was read completely, so that a rule without failures has nothing to remedy.
pub(super) fn of_remediation(
    target: &Target,
    facts: &TargetFacts,
    rules: &BTreeMap<String, Rule>,
    outcomes: &Outcomes,
    quiet: bool,
) -> Vec<Observation> {
    let Some(remediations) = &facts.remediations else { return Vec::new() };
    let target = (&target.0, &target.1);
    let automatic = |name: &str| remediations.get(name).is_some_and(|r| r.value.automatic == Some(true));
    // Security Hub's copies of a rule carry no remediation of their own: where one deployment has it, that one counts.
    let served: BTreeSet<&str> = rules.iter().filter(|(n, _)| automatic(n)).map(|(_, r)| &*r.identifier).collect();
    let mut out = Vec::new();
    for (name, rule) in rules.iter().filter(|(n, r)| automatic(n) || !served.contains(&*r.identifier)) {
        let Some(seen) = facts.rules.get(name) else { continue };
        let attached = remediations.get(name);
        let automatic = automatic(name);
        let evidence = attached.map_or_else(|| rule.evidence.clone(), |r| r.evidence.clone());
        let why = match attached {
            None => format!("rule {name} has no remediation"),
            Some(_) if !automatic => format!("rule {name}'s remediation is manual only"),
            Some(r) => {
                format!("rule {name} is remedied by {}", r.value.target_id.as_deref().unwrap_or("an unnamed document"))
            }
        };
        let say = |status, why, evidence: &EvidenceRef, at, since| Statement {
            target,
            status,
            why: Some(why),
            at,
            since,
            evidence: evidence.clone(),
        };
        let configured = question(REMEDIATION_CONFIGURED, Some(&rule.identifier));
        out.push(say(pass_if(automatic), why.clone(), &evidence, seen.at, None).about_account(configured));

        let executed = || question(REMEDIATION_EXECUTED, Some(&rule.identifier));
        let executions = facts.executions.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut handled = BTreeSet::new();
        for Seen { value, at, evidence } in executions {
            let state = value.state.as_deref().unwrap_or("unknown");
            let status = match state {
                "SUCCEEDED" => Pass,
                "FAILED" => Fail,
                _ => NotAssessed,
            };
            let resource =
                Resource { kind: value.resource_key.resource_type.clone(), id: value.resource_key.resource_id.clone() };
            handled.insert(resource.id.clone());
            let since = value.last_updated_time.map(|t| t.0);
            out.push(
                say(status, format!("the last remediation is {state}"), evidence, *at, since)
                    .about(executed(), resource),
            );
        }
        let mut failing = 0_u64;
        for ((_, kind, id), _) in outcomes.of_rule(name).filter(|(_, status)| *status == Fail) {
            failing += 1;
            if !handled.contains(id) {
                let resource = Resource { kind: kind.to_owned(), id: id.to_owned() };
                let why = format!("the resource fails rule {name} and no remediation ran");
                out.push(say(Fail, why, &evidence, seen.at, None).about(executed(), resource));
            }
        }
        if executions.is_empty() && failing == 0 {
            let (status, why) = match (automatic, quiet) {
                (false, _) => (Fail, why),
                (true, true) => (NotApplicable, format!("nothing fails rule {name}: nothing to remedy")),
                (true, false) => (NotAssessed, format!("it is not known what fails rule {name}")),
            };
            out.push(say(status, why, &evidence, seen.at, None).about_account(executed()));
        }
    }
    out
}
