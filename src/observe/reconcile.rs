//! From a target's facts to its observations; how the views compare is in `compare`.
//!
//! A rule that any view calls non-compliant, and of which no failing resource was read, is "not assessed" for the account.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    io,
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Run, Standing, Target, TargetState, compare,
    compliance::{RawVerdict, Row, status},
    facts::{Ledger, Seen, TargetFacts},
    pages::{Page, Source},
    rank, recorder,
    rules::{self, Rule},
    states::{self, Statement},
    wire::Strings,
};
use crate::model::{
    Collector, CoverageState, Discrepancy, Observation,
    ObservationStatus::{self, Fail, NotAssessed},
    PlannedTask, Question, Resource, Scope,
};

/// Rule (by name or identifier), resource type, resource id.
type RuleKey = (Arc<str>, Arc<str>, Box<str>);

/// What a target's rows say, by rule name; of several rows about one thing the worst.
#[derive(Debug, Default)]
pub(super) struct Outcomes(Joined<RuleKey>);

#[derive(Debug)]
struct Joined<K>(BTreeMap<K, Outcome>);

impl<K> Default for Joined<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Joined<K> {
    fn join(&mut self, key: K, new: Outcome) {
        match self.0.entry(key) {
            Entry::Vacant(free) => drop(free.insert(new)),
            Entry::Occupied(mut known) => known.get_mut().join(new),
        }
    }

    /// Unites answers whose age is judged: of those that weigh the same the oldest stays, and one of unknown age is the oldest.
    fn join_oldest(&mut self, key: K, new: Outcome) {
        match self.0.entry(key) {
            Entry::Vacant(free) => drop(free.insert(new)),
            Entry::Occupied(mut known) => {
                let age = |o: &Outcome| (rank(o.status), o.since);
                match age(&new).cmp(&age(known.get())) {
                    Ordering::Less => drop(known.insert(new)),
                    Ordering::Equal => known.get_mut().join(new),
                    Ordering::Greater => {}
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Outcome {
    status: ObservationStatus,
    why: Option<Box<str>>,
    since: Option<Timestamp>,
    at: Timestamp,
    source: Source,
}

impl Outcome {
    /// Unites two rows about one thing: the worse answer stays, and the words that either has for it.
    fn join(&mut self, other: Self) {
        let key = |o: &Self| (rank(o.status), o.why.is_none(), o.why.clone(), o.source.clone());
        if key(&other) < key(self) {
            *self = other;
        }
    }
}

impl Outcomes {
    fn of(pages: Vec<Page<Vec<Row>>>) -> Self {
        let mut all = Self::default();
        for Page { value, at, source } in pages {
            for Row { rule, kind, id, status, since, annotation } in value {
                let new = Outcome { status, why: annotation, since, at, source: source.clone() };
                all.0.join((rule, kind, id), new);
            }
        }
        all
    }

    /// Returns the names of the rules that speak, each at least once.
    pub(super) fn rules(&self) -> impl Iterator<Item = &str> {
        self.0.0.keys().map(|(rule, _, _)| &**rule)
    }

    /// Returns the resources that a rule speaks of, with its answer.
    pub(super) fn of_rule<'a>(
        &'a self,
        rule: &'a str,
    ) -> impl Iterator<Item = ((&'a str, &'a str, &'a str), ObservationStatus)> {
        let from: RuleKey = (rule.into(), "".into(), "".into());
        self.0
            .0
            .range(from..)
            .take_while(move |((name, _, _), _)| &**name == rule)
            .map(|((name, kind, id), o)| ((&**name, &**kind, &**id), o.status))
    }
}

/// The targets that the run asked: in scope, and in a Region that is on.
pub(super) fn asked(plan: &[PlannedTask], ledger: &Ledger<'_>) -> BTreeSet<Target> {
    plan.iter()
        .filter(|t| t.collector.scope() == Scope::Target && t.out_of_scope.is_none())
        .filter(|t| t.region_named || ledger.state(&t.task) != Some(CoverageState::RegionDisabled))
        .map(|t| (t.account.clone(), t.region.clone()))
        .collect()
}

/// What a target's facts say.
pub(super) struct DrawnTarget {
    pub state: TargetState,
    pub observations: Vec<Observation>,
    pub standings: Vec<(Question, Standing)>,
    pub discrepancies: Vec<Discrepancy>,
}

impl DrawnTarget {
    /// Draws a target; `sound` says which of its collectors brought everything.
    pub(super) fn new(
        target: &Target,
        mut facts: TargetFacts,
        of: &Run<'_>,
        sound: &dyn Fn(Collector) -> bool,
        strings: &mut Strings,
    ) -> io::Result<Self> {
        let run = &of.facts;
        let rules: BTreeMap<String, Rule> = facts
            .rules
            .iter()
            .map(|(name, seen)| {
                let evaluation = facts.evaluations.get(name);
                (name.clone(), rules::rule(&seen.value, evaluation, strings, seen.evidence.clone()))
            })
            .collect();
        let (state, standings) = state(&mut facts, &rules, sound(Collector::ConfigRules));
        let mut drawn = Self { state, standings, observations: Vec::new(), discrepancies: Vec::new() };
        drawn.observations.extend(states::of_target(
            target,
            &drawn.state,
            &facts,
            run.home.as_ref() == Some(&target.1),
        ));

        let compliance_sound = sound(Collector::ConfigCompliance);
        let outcomes = Outcomes::of(std::mem::take(&mut facts.rows));
        let remediation = states::of_remediation(target, &facts, &rules, &outcomes, compliance_sound);
        drawn.observations.extend(remediation);
        if sound(Collector::ConfigRules) {
            drawn.observations.extend(facts.packs.observations(target, &rules));
        }

        let verdicts = of.aggregate.of(target, strings)?;
        let mut doubts = Vec::new();
        for (name, seen) in &facts.verdicts {
            doubts.extend(doubt(name, seen, &outcomes, "Config").map(|why| (name.clone(), why, seen)));
        }
        let fresh =
            |sources: &Seen<super::AggregatorSources>| sources.value.states.get(target).is_some_and(|s| s.fresh);
        if compliance_sound && run.sources.as_ref().is_some_and(fresh) {
            for (name, seen) in &verdicts {
                doubts.extend(doubt(name, seen, &outcomes, "the aggregator").map(|why| (name.clone(), why, seen)));
            }
            drawn.discrepancies.extend(compare::cross_check(target, &verdicts, &outcomes));
        }
        drawn.discrepancies.extend(compare::hub_against_config(target, &facts, &outcomes));
        drawn.rules_observed(target, outcomes, doubts, &rules, strings);
        drawn.findings_observed(target, facts.findings);
        Ok(drawn)
    }

    fn rules_observed(
        &mut self,
        target: &Target,
        outcomes: Outcomes,
        doubts: Vec<(String, String, &Seen<RawVerdict>)>,
        rules: &BTreeMap<String, Rule>,
        strings: &mut Strings,
    ) {
        let mut joined: Joined<RuleKey> = Joined::default();
        let identifier = |name: &str, strings: &mut Strings| match rules.get(name) {
            Some(rule) => rule.identifier.clone(),
            None => strings.one(&format!("unresolved:{name}")),
        };
        for ((name, kind, id), mut outcome) in outcomes.0.0 {
            let said = match outcome.status {
                Fail => Some("is NON_COMPLIANT"),
                NotAssessed => Some("has no answer"),
                _ => None,
            };
            if outcome.why.is_none() {
                outcome.why = said.map(|said| format!("{said} by rule {name}").into());
            }
            joined.join((identifier(&name, strings), kind, id), outcome);
        }
        let account = states::account_resource(&target.0);
        for (name, why, seen) in doubts {
            let source =
                Source { seal: seen.evidence.seal, path: strings.one(&seen.evidence.path), line: seen.evidence.line };
            let outcome = Outcome { status: NotAssessed, why: Some(why.into()), since: None, at: seen.at, source };
            let key = (identifier(&name, strings), strings.one(&account.kind), account.id.as_str().into());
            joined.join(key, outcome);
        }
        self.observations.extend(joined.0.into_iter().map(|((identifier, kind, id), outcome)| {
            observation(target, Question::ConfigRule(identifier.to_string()), &kind, &id, outcome)
        }));
    }

    fn findings_observed(&mut self, target: &Target, pages: Vec<Page<Vec<super::findings::FindingRow>>>) {
        let mut joined: Joined<(Arc<Question>, Arc<str>, Box<str>)> = Joined::default();
        for Page { value, at, source } in pages {
            for row in value {
                let oldest_counts = matches!(*row.question, Question::Product(_));
                let new = Outcome { status: row.status, why: row.why, since: row.since, at, source: source.clone() };
                let key = (row.question, row.kind, row.id);
                if oldest_counts { joined.join_oldest(key, new) } else { joined.join(key, new) }
            }
        }
        self.observations.extend(joined.0.into_iter().map(|((question, kind, id), outcome)| {
            observation(target, Question::clone(&question), &kind, &id, outcome)
        }));
    }
}

fn observation(target: &Target, question: Question, kind: &str, id: &str, outcome: Outcome) -> Observation {
    let statement = Statement {
        target: (&target.0, &target.1),
        status: outcome.status,
        why: outcome.why.map(Into::into),
        at: outcome.at,
        since: outcome.since,
        evidence: outcome.source.evidence(),
    };
    statement.about(question, Resource { kind: kind.to_owned(), id: id.to_owned() })
}

fn state(
    facts: &mut TargetFacts,
    rules: &BTreeMap<String, Rule>,
    rules_sound: bool,
) -> (TargetState, Vec<(Question, Standing)>) {
    let recorders = facts.recorders.as_ref().map(|s| (s.value.as_slice(), s.evidence.clone()));
    let statuses = facts.statuses.as_ref().map(|s| (s.value.as_slice(), s.evidence.clone()));
    let mut hub = std::mem::take(&mut facts.hub);
    let mut controls = std::mem::take(&mut hub.controls);
    // What the account says of a control outranks what its standards say.
    controls.extend(std::mem::take(&mut facts.security_controls.controls));
    let rules_listed = rules_sound && facts.rules_listed.is_some();
    let mut standings = Vec::new();
    if rules_listed {
        let rules = rules::by_identifier(rules).into_iter();
        standings.extend(rules.map(|(id, rule)| (Question::ConfigRule(id), Standing::Rule(rule))));
    }
    if facts.hub_described.is_some() {
        let controls = controls.into_iter();
        standings.extend(controls.map(|(id, control)| (Question::SecurityHub(id), Standing::Control(control))));
    }
    let state = TargetState {
        recorder: recorder::judge(recorders, statuses, facts.channels),
        rules_listed,
        rules_evidence: facts.rules_listed.clone(),
        packs_listed: rules_sound && facts.packs.listed(),
        hub: facts.hub_described.is_some().then_some(hub),
        selected: facts.selected && !facts.by_rule,
        direct_compliance: facts.direct_compliance,
        direct_findings: facts.direct_findings,
    };
    (state, standings)
}

/// Returns what a verdict on a whole rule says that the rows do not bear out.
fn doubt(name: &str, seen: &Seen<RawVerdict>, outcomes: &Outcomes, who: &str) -> Option<String> {
    let kind = seen.value.compliance.as_ref().and_then(|c| c.compliance_type.as_deref()).unwrap_or("no verdict");
    let mut rows = outcomes.of_rule(name).map(|(_, status)| status);
    let unborne = match status(kind) {
        Fail => !rows.any(|s| s == Fail),
        _ => rows.next().is_none(),
    };
    unborne.then(|| format!("{who} says {kind} of rule {name}, and no resource says so"))
}
