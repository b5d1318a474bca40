//! A check's answers over its population: what was observed, and for every place without an answer the reason.

use std::collections::BTreeMap;

use super::{
    guards,
    population::{Gap, Population},
    silence,
    verdict::{Line, Standing},
};
use crate::{
    catalog::{Ask, Check},
    model::{
        AccountId, Collector, EvidenceRef, Observation, ObservationStatus, Question, Region, Resource, ResultLine,
    },
    observe::{Observed, rank, states},
    policy::Analysis,
};

/// Why a place has no answer.
pub(super) struct Silence {
    /// `NotApplicable` only where it is proved that there is nothing to ask.
    pub status: ObservationStatus,
    pub why: String,
    pub evidence: Option<EvidenceRef>,
}

/// Answers checks.
pub(super) struct Asker<'a> {
    pub observed: &'a Observed,
    pub population: Population<'a>,
    pub policies: Option<Analysis<'a>>,
}

/// What a check is asked of, and which collectors must have brought everything for silence or a pass to mean anything.
enum Reach {
    /// Each account and Region.
    Targets(Vec<Collector>),
    /// Each account, in whatever Regions it has.
    Accounts(Collector),
    /// The organisation as a whole.
    Organization(Collector),
    /// Each account and Region, through what one run-wide collector says.
    Central(Collector),
}

impl Asker<'_> {
    /// Returns the check's answers, sorted: one for each resource observed, each hole, and each account outside the population.
    pub(super) fn lines(&self, check: &Check) -> Vec<Line> {
        let mut lines = match &check.ask {
            Ask::ConfigRule { identifier } => {
                let collectors = vec![Collector::ConfigRecorder, Collector::ConfigRules, Collector::ConfigCompliance];
                self.reach(check, &Question::ConfigRule(identifier.clone()), &Reach::Targets(collectors))
            }
            Ask::SecurityHub { control } => {
                let collectors = vec![Collector::SecurityhubHub, Collector::SecurityhubFindings];
                self.reach(check, &Question::SecurityHub(control.clone()), &Reach::Targets(collectors))
            }
            Ask::GuardedActions { actions, conditional } => guards::lines(self, check, actions, *conditional),
            Ask::State { state, of } => {
                self.reach(check, &states::question(state, of.as_deref()), &reach_of_state(state))
            }
        };
        for (account, outside) in &self.population.outside {
            let line =
                self.line(check, (account, &outside.region), ObservationStatus::NotApplicable, outside.why.clone());
            lines.push(Line {
                line: ResultLine { evidence: outside.evidence.clone(), ..line },
                standing: Standing::Outside,
            });
        }
        lines.sort_by(|a, b| a.line.cmp(&b.line));
        lines.dedup_by(|a, b| a.line == b.line);
        lines
    }

    fn reach(&self, check: &Check, question: &Question, reach: &Reach) -> Vec<Line> {
        match reach {
            Reach::Targets(collectors) => {
                let accounts = self.population.accounts.keys();
                accounts.flat_map(|account| self.account(check, question, account, collectors)).collect()
            }
            Reach::Accounts(collector) => {
                let accounts = self.population.accounts.keys();
                accounts.flat_map(|account| self.whole_account(check, question, account, *collector)).collect()
            }
            Reach::Organization(collector) => self.organization(check, question, *collector),
            Reach::Central(collector) => self.central(check, question, *collector),
        }
    }

    /// Asks each Region of an account; for global resources the Regions that answer speak for the others.
    fn account(&self, check: &Check, question: &Question, account: &AccountId, needs: &[Collector]) -> Vec<Line> {
        let observations = self.observations(question, account);
        let regions = &self.population.accounts[account];
        let mut seen: Vec<Line> = observations.iter().map(|o| observed(check, o)).collect();
        let (mut holes, mut nothing) = (Vec::new(), Vec::new());
        let mut answered = false;
        for region in regions {
            let here = || observations.iter().filter(|o| o.region == *region);
            if let Some(gap) = self.first_gap(account, region, needs, here().next().is_some()) {
                holes.push(self.gap(check, (account, region), gap));
            } else if here().next().is_some() {
                answered |= here().any(|o| o.status != ObservationStatus::NotAssessed);
            } else {
                let silence = silence::explain(self.observed, check, account, region);
                answered |= silence.status == ObservationStatus::NotApplicable;
                let line = self.silent(check, (account, region), silence);
                if line.line.status == ObservationStatus::NotApplicable { &mut nothing } else { &mut holes }.push(line);
            }
        }
        if regions.is_empty() && seen.is_empty() {
            let why = "no Region of the account was asked".to_owned();
            holes.extend(self.population.home.as_ref().map(|(_, home)| {
                self.silent(
                    check,
                    (account, home),
                    Silence { status: ObservationStatus::NotAssessed, why, evidence: None },
                )
            }));
        }
        if check.global {
            seen = once_per_resource(seen);
            if answered {
                holes.clear();
            }
            if !seen.is_empty() {
                nothing.clear();
            }
        }
        seen.append(&mut holes);
        seen.append(&mut nothing);
        seen
    }

    fn first_gap(&self, account: &AccountId, region: &Region, needs: &[Collector], seen: bool) -> Option<Gap> {
        let gaps = needs.iter().filter_map(|collector| self.population.gap(account, region, *collector));
        // A service that says of itself that it is off has answered the question whether it is on.
        gaps.into_iter().find(|gap| !(gap.off && seen && needs.len() == 1))
    }

    fn whole_account(&self, check: &Check, question: &Question, account: &AccountId, needs: Collector) -> Vec<Line> {
        let mut lines: Vec<_> = self.observations(question, account).iter().map(|o| observed(check, o)).collect();
        let Some((_, home)) = &self.population.home else { return lines };
        if let Some(gap) = self.population.gap(account, home, needs) {
            lines.push(self.gap(check, (account, home), gap));
        } else if lines.is_empty() {
            let why = format!("{needs} named nothing");
            let silence = Silence { status: ObservationStatus::NotAssessed, why, evidence: None };
            lines.push(self.silent(check, (account, home), silence));
        }
        lines
    }

    fn organization(&self, check: &Check, question: &Question, needs: Collector) -> Vec<Line> {
        let mut lines: Vec<_> = self.asked(question).iter().map(|o| observed(check, o)).collect();
        let Some((account, home)) = &self.population.home else { return lines };
        if let Some(gap) = self.population.gap(account, home, needs) {
            lines.push(self.gap(check, (account, home), gap));
        } else if lines.is_empty() {
            lines.push(self.silent(check, (account, home), silence::of_organization(self.observed, check)));
        }
        lines
    }

    fn central(&self, check: &Check, question: &Question, needs: Collector) -> Vec<Line> {
        let mut lines = Vec::new();
        for (account, regions) in &self.population.accounts {
            let observations = self.observations(question, account);
            lines.extend(observations.iter().map(|o| observed(check, o)));
            for region in regions.iter().filter(|r| !observations.iter().any(|o| o.region == **r)) {
                let why = format!("{needs} says nothing of it");
                let silence = Silence { status: ObservationStatus::NotAssessed, why, evidence: None };
                lines.push(self.silent(check, (account, region), silence));
            }
        }
        lines.extend(self.run_gap(check, needs));
        lines
    }

    /// Returns the hole in what a run-wide collector should have brought.
    pub(super) fn run_gap(&self, check: &Check, needs: Collector) -> Option<Line> {
        let (account, home) = self.population.home.as_ref()?;
        let gap = self.population.gap(account, home, needs)?;
        Some(self.gap(check, (account, home), gap))
    }

    fn asked(&self, question: &Question) -> &[Observation] {
        let all = &self.observed.observations;
        let from = all.partition_point(|o| o.question < *question);
        let to = from + all[from..].partition_point(|o| o.question == *question);
        &all[from..to]
    }

    fn observations(&self, question: &Question, account: &AccountId) -> &[Observation] {
        let asked = self.asked(question);
        let from = asked.partition_point(|o| o.account < *account);
        let to = from + asked[from..].partition_point(|o| o.account == *account);
        &asked[from..to]
    }

    fn gap(&self, check: &Check, target: (&AccountId, &Region), gap: Gap) -> Line {
        let silence = Silence { status: ObservationStatus::NotAssessed, why: gap.why, evidence: gap.evidence };
        self.silent(check, target, silence)
    }

    fn silent(&self, check: &Check, target: (&AccountId, &Region), silence: Silence) -> Line {
        let line = self.line(check, target, silence.status, silence.why);
        Line { line: ResultLine { evidence: silence.evidence, ..line }, standing: Standing::Counted }
    }

    /// A line about an account as a whole, without evidence yet.
    pub(super) fn line(
        &self,
        check: &Check,
        (account, region): (&AccountId, &Region),
        status: ObservationStatus,
        why: String,
    ) -> ResultLine {
        ResultLine {
            check: check.id.clone(),
            account: account.clone(),
            region: region.clone(),
            resource: states::account_resource(account),
            status,
            why,
            observed: None,
            since: None,
            evidence: None,
        }
    }
}

fn reach_of_state(state: &str) -> Reach {
    match state {
        states::CONFIG_RECORDER => Reach::Targets(vec![Collector::ConfigRecorder]),
        states::SECURITYHUB_ENABLED => Reach::Targets(vec![Collector::SecurityhubHub]),
        states::REGION_COVERED => Reach::Accounts(Collector::Regions),
        states::AGGREGATOR_COMPLETE => Reach::Central(Collector::ConfigAggregator),
        states::REMEDIATION_CONFIGURED => Reach::Targets(vec![Collector::ConfigRules]),
        states::REMEDIATION_EXECUTED => {
            Reach::Targets(vec![Collector::ConfigRecorder, Collector::ConfigRules, Collector::ConfigCompliance])
        }
        _ => Reach::Organization(Collector::Organization),
    }
}

fn observed(check: &Check, observation: &Observation) -> Line {
    let why = observation.why.clone().unwrap_or_else(|| {
        match observation.status {
            ObservationStatus::Pass => "the source reports compliance",
            ObservationStatus::Fail => "the source reports non-compliance",
            ObservationStatus::NotApplicable => "the source says that it does not apply",
            ObservationStatus::NotAssessed => "the source gives no answer",
        }
        .to_owned()
    });
    let line = ResultLine {
        check: check.id.clone(),
        account: observation.account.clone(),
        region: observation.region.clone(),
        resource: observation.resource.clone(),
        status: observation.status,
        why,
        observed: Some(observation.observed),
        since: observation.since,
        evidence: Some(observation.evidence.clone()),
    };
    Line { line, standing: Standing::Counted }
}

/// Keeps of a global resource, which several Regions may evaluate, the worst answer.
fn once_per_resource(lines: Vec<Line>) -> Vec<Line> {
    let mut kept: BTreeMap<Resource, Line> = BTreeMap::new();
    for line in lines {
        match kept.entry(line.line.resource.clone()) {
            std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(line)),
            std::collections::btree_map::Entry::Occupied(mut known) => {
                let key = |l: &Line| (rank(l.line.status), l.line.region.clone());
                if key(&line) < key(known.get()) {
                    known.insert(line);
                }
            }
        }
    }
    kept.into_values().collect()
}
