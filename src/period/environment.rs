//! What is around the controls, run by run: facts with before and after, so that a change of scope, recorder, policy or rule is
//! never mistaken for a change of what they control.
//!
//! A run states [`Facts`] of subjects. Of those that it could not observe it states nothing, and what was known of them stands until the
//! next run that does observe them: not to have been seen is no change. Only where a whole listing was read is a subject that it lacks
//! gone from it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    model::{
        AccountState, Collector, Coverage, CoverageState, EnvironmentChange, Organization, PeriodRun, PlannedTask,
        Question, Scope,
    },
    observe::{Observed, Standing, TargetState},
};

/// A kind of subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An account: state, unit, name.
    Account,
    /// Whom a run asks: excluded or not, and in which Regions.
    Scope,
    /// An organisation policy: document by hash, attachments, name.
    Policy,
    /// A policy type at a root.
    PolicyType,
    /// Trusted access and delegated administrators of a service.
    Delegation,
    /// A recorder.
    Recorder,
    /// The rules of an account and Region.
    Rules,
    /// Security Hub in an account and Region.
    Securityhub,
    /// A source of the Config aggregator.
    AggregatorSource,
    /// A member of Security Hub's administrator.
    SecurityhubMember,
    /// What the run was made with: configuration, catalogue, key, program.
    Run,
}

impl Kind {
    /// Returns the kebab-case name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Scope => "scope",
            Self::Policy => "policy",
            Self::PolicyType => "policy-type",
            Self::Delegation => "delegation",
            Self::Recorder => "recorder",
            Self::Rules => "rules",
            Self::Securityhub => "securityhub",
            Self::AggregatorSource => "aggregator-source",
            Self::SecurityhubMember => "securityhub-member",
            Self::Run => "run",
        }
    }

    /// Returns whether subjects that come and go are a change of their own; of places only the account is.
    fn comes_and_goes(self) -> bool {
        matches!(
            self,
            Self::Account
                | Self::Policy
                | Self::PolicyType
                | Self::Delegation
                | Self::AggregatorSource
                | Self::SecurityhubMember
        )
    }
}

/// What about a subject, and its value.
pub type Values = BTreeMap<String, String>;

/// What one run states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// By kind and subject.
    pub of: BTreeMap<(Kind, String), Values>,
    /// Kinds whose listing was read as a whole.
    pub whole: BTreeSet<Kind>,
}

/// The last that is known of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Kind.
    pub kind: Kind,
    /// Subject.
    pub subject: String,
    /// When the run was opened that stated it last.
    pub at: Timestamp,
    /// What it stated.
    pub values: Values,
}

/// What is known around the controls after some runs, and every change so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The last that is known, sorted by kind and subject.
    pub known: Vec<Known>,
    /// Kinds whose listing was read as a whole before.
    pub whole: BTreeSet<Kind>,
    /// Changes, in the order of the runs that saw them.
    pub changes: Vec<EnvironmentChange>,
}

impl Environment {
    /// Folds in what a run states.
    pub fn add(&mut self, facts: Facts, opened: Timestamp, closed: Timestamp) {
        let mut known: BTreeMap<(Kind, String), Known> =
            std::mem::take(&mut self.known).into_iter().map(|k| ((k.kind, k.subject.clone()), k)).collect();
        let mut changes = Vec::new();
        for (key, values) in &facts.of {
            let now = Known { kind: key.0, subject: key.1.clone(), at: opened, values: values.clone() };
            match known.insert(key.clone(), now) {
                Some(was) => differences(&was, values, closed, &mut changes),
                None if key.0.comes_and_goes() && self.whole.contains(&key.0) => {
                    changes.push(change(key, None, closed, "there", None, Some("yes".to_owned()), name(values)));
                    if key.0 == Kind::Policy {
                        let nowhere = Known { kind: key.0, subject: key.1.clone(), at: opened, values: Values::new() };
                        differences(&nowhere, values, closed, &mut changes);
                    }
                }
                None => {}
            }
        }
        let gone = |key: &(Kind, String)| facts.whole.contains(&key.0) && !facts.of.contains_key(key);
        let lost: Vec<_> = known.keys().filter(|key| gone(key)).cloned().collect();
        for key in lost {
            let Some(was) = known.remove(&key) else { continue };
            let note = name(&was.values);
            changes.push(change(&key, Some(was.at), closed, "there", Some("yes".to_owned()), None, note));
        }
        changes.sort();
        self.changes.append(&mut changes);
        self.whole.extend(facts.whole);
        self.known = known.into_values().collect();
    }
}

fn name(values: &Values) -> Option<String> {
    values.get("name").cloned()
}

fn change(
    (kind, subject): &(Kind, String),
    after: Option<Timestamp>,
    by: Timestamp,
    what: &str,
    before: Option<String>,
    now: Option<String>,
    note: Option<String>,
) -> EnvironmentChange {
    let (kind, subject, what) = (kind.as_str().to_owned(), subject.clone(), what.to_owned());
    EnvironmentChange { after, by: Some(by), kind, subject, what, before, now, note }
}

fn differences(was: &Known, now: &Values, closed: Timestamp, changes: &mut Vec<EnvironmentChange>) {
    let key = (was.kind, was.subject.clone());
    let whats: BTreeSet<&String> = was.values.keys().chain(now.keys()).collect();
    for what in whats {
        let (before, after) = (was.values.get(what), now.get(what));
        if before != after {
            changes.push(change(&key, Some(was.at), closed, what, before.cloned(), after.cloned(), name(now)));
        }
    }
}

/// Reads what a run states of its surroundings; `settings` is what its seal says of itself.
///
/// # Errors
/// A temporary file cannot be read.
pub fn facts(
    observed: &Observed,
    plan: &[PlannedTask],
    coverage: &[Coverage],
    settings: Values,
) -> std::io::Result<Facts> {
    let mut facts = Facts::default();
    facts.of.insert((Kind::Run, "settings".to_owned()), settings);
    let sound = |collector: Collector| {
        let mut lines = coverage.iter().filter(|l| l.collector == collector).peekable();
        let complete = |l: &Coverage| {
            matches!(l.state, CoverageState::Collected | CoverageState::Empty)
                && !observed.contradicted.contains_key(&l.task)
        };
        lines.peek().is_some() && lines.all(complete)
    };
    if let Some(organization) = &observed.organization {
        of_organization(&mut facts, organization, sound(Collector::Organization));
    }
    of_scope(&mut facts, plan, coverage);
    for ((account, region), state) in &observed.targets {
        of_target(&mut facts, &format!("{account}/{region}"), state);
    }
    observed.standings.each(|question, account, region, standing| {
        let place = format!("{account}/{region}");
        match (standing, question) {
            (Standing::Rule(_), Question::ConfigRule(rule)) => {
                if let Some(rules) = facts.of.get_mut(&(Kind::Rules, place)) {
                    rules.insert(rule, "deployed".to_owned());
                }
            }
            (Standing::Control(control), Question::SecurityHub(id)) if !control.enabled => {
                if let Some(hub) = facts.of.get_mut(&(Kind::Securityhub, place)) {
                    let why = control.why.map_or_else(String::new, |why| format!(": {why}"));
                    hub.insert(format!("control {id}"), format!("disabled{why}"));
                }
            }
            _ => {}
        }
    })?;
    let off = |l: &&Coverage| l.collector == Collector::SecurityhubHub && l.state == CoverageState::NotEnabled;
    for line in coverage.iter().filter(off) {
        let subject = (Kind::Securityhub, format!("{}/{}", line.account, line.region));
        facts.of.entry(subject).or_default().insert("state".to_owned(), "off".to_owned());
    }
    if let Some(sources) = &observed.sources {
        facts.whole.insert(Kind::AggregatorSource);
        for ((account, region), source) in &sources.states {
            let state = if source.fresh { "up to date".to_owned() } else { source.why.clone() };
            let subject = (Kind::AggregatorSource, format!("{account}/{region}"));
            facts.of.insert(subject, Values::from([("state".to_owned(), state)]));
        }
    }
    if let (Some(members), true) = (&observed.hub.members, sound(Collector::SecurityhubOrganization)) {
        facts.whole.insert(Kind::SecurityhubMember);
        for (account, enabled) in members {
            let state = if *enabled { "enabled" } else { "not enabled" }.to_owned();
            let subject = (Kind::SecurityhubMember, account.to_string());
            facts.of.insert(subject, Values::from([("state".to_owned(), state)]));
        }
    }
    Ok(facts)
}

fn of_organization(facts: &mut Facts, organization: &Organization, whole: bool) {
    // The list of accounts is whole wherever an organisation could be read at all.
    facts.whole.insert(Kind::Account);
    for account in &organization.accounts {
        let mut values = Values::from([
            ("name".to_owned(), account.name.clone()),
            ("state".to_owned(), state_word(account.state).to_owned()),
        ]);
        values.extend(account.parent.clone().map(|parent| ("parent".to_owned(), parent)));
        facts.of.insert((Kind::Account, account.id.to_string()), values);
    }
    if whole {
        facts.whole.extend([Kind::PolicyType, Kind::Delegation]);
        let read = organization.policies.iter().all(|p| p.targets.is_some() && p.sha256.is_some());
        facts.whole.extend(read.then_some(Kind::Policy));
    }
    for policy in &organization.policies {
        let (Some(targets), Some(sha256)) = (&policy.targets, policy.sha256) else { continue };
        let mut values =
            Values::from([("name".to_owned(), policy.name.clone()), ("document".to_owned(), sha256.to_string())]);
        let attached = targets.iter().map(|t| (format!("attachment {} {}", t.kind, t.id), "attached".to_owned()));
        values.extend(attached);
        facts.of.insert((Kind::Policy, policy.id.clone()), values);
    }
    if !whole {
        return;
    }
    for (root, kind) in organization.roots.iter().flat_map(|r| r.policy_types.iter().map(move |t| (r, t))) {
        let subject = (Kind::PolicyType, format!("{} {}", root.id, kind.policy_type));
        facts.of.insert(subject, Values::from([("status".to_owned(), kind.status.clone())]));
    }
    for service in &organization.services {
        let mut values = Values::new();
        let administrators = service.administrators.iter();
        values.extend(administrators.map(|a| (format!("administrator {a}"), "delegated".to_owned())));
        if service.trusted {
            values.insert("trusted access".to_owned(), "on".to_owned());
        }
        facts.of.insert((Kind::Delegation, service.service.clone()), values);
    }
}

fn of_scope(facts: &mut Facts, plan: &[PlannedTask], coverage: &[Coverage]) {
    let off: BTreeSet<_> =
        coverage.iter().filter(|l| l.state == CoverageState::RegionDisabled).map(|l| &l.task).collect();
    let mut regions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for task in plan.iter().filter(|t| t.collector.scope() != Scope::Run) {
        let subject = (Kind::Scope, task.account.to_string());
        let standing = task.out_of_scope.as_ref().map_or_else(|| "asked".to_owned(), ToString::to_string);
        facts.of.entry(subject).or_default().insert("standing".to_owned(), standing);
        if task.collector.scope() == Scope::Target && task.out_of_scope.is_none() && !off.contains(&task.task) {
            regions.entry(task.account.as_str()).or_default().insert(task.region.as_str());
        }
    }
    for (account, regions) in regions {
        let list = regions.into_iter().collect::<Vec<_>>().join(", ");
        facts.of.entry((Kind::Scope, account.to_owned())).or_default().insert("regions".to_owned(), list);
    }
}

fn of_target(facts: &mut Facts, place: &str, state: &TargetState) {
    let mut say = |kind, values: Values| facts.of.insert((kind, place.to_owned()), values);
    if let Some(recorder) = &state.recorder {
        let types = recorder.recorded().map(|types| ("types".to_owned(), types.to_string()));
        let mut values = Values::from([("state".to_owned(), recorder.why.clone())]);
        values.extend(types);
        say(Kind::Recorder, values);
    }
    if state.rules_listed {
        say(Kind::Rules, Values::new());
    }
    if state.hub.is_some() {
        say(Kind::Securityhub, Values::from([("state".to_owned(), "on".to_owned())]));
    }
}

fn state_word(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "ACTIVE",
        AccountState::PendingActivation => "PENDING_ACTIVATION",
        AccountState::Suspended => "SUSPENDED",
        AccountState::PendingClosure => "PENDING_CLOSURE",
        AccountState::Closed => "CLOSED",
        AccountState::Unknown => "UNKNOWN",
    }
}

/// Says which runs were missed or late, by what each one's seal promised; `until` is the end of what is judged.
pub fn missed(runs: &[PeriodRun], until: Timestamp) -> Vec<EnvironmentChange> {
    let line = |run: &PeriodRun, due: Timestamp, by, what: &str, now| EnvironmentChange {
        after: Some(run.opened),
        by,
        kind: "run".to_owned(),
        subject: run.run.clone(),
        what: what.to_owned(),
        before: Some(format!("the next run was due by {due}")),
        now,
        note: None,
    };
    let mut out = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let Some(due) = run.next_run_expected_by else { continue };
        match runs.get(at + 1) {
            Some(next) if next.opened > due => {
                let now = format!("{} began at {}", next.run, next.opened);
                out.push(line(run, due, Some(next.opened), "missed or late", Some(now)));
            }
            None if due < until => out.push(line(run, due, None, "missed", None)),
            _ => {}
        }
    }
    for run in runs.iter().filter(|run| run.aborted) {
        out.push(EnvironmentChange {
            after: Some(run.opened),
            by: Some(run.closed),
            kind: "run".to_owned(),
            subject: run.run.clone(),
            what: "aborted".to_owned(),
            before: None,
            now: Some("what its ledger calls complete counts".to_owned()),
            note: None,
        });
    }
    out
}
