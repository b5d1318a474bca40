//! A check's answers over its population: what was observed, and for every place without an answer the reason.

use std::{collections::BTreeMap, io};

use super::{
    guards, packs,
    population::{Gap, Population},
    products, silence,
    verdict::{Line, Standing},
};
use crate::{
    catalog::{Ask, Check},
    model::{
        AccountId, Collector, EvidenceRef, Observation, ObservationStatus, Question, Region, Resource, ResultLine,
    },
    observe::{Observed, Reading, StandingReading, rank, states},
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

/// A check's answers account by account, each account's sorted and without duplicates.
pub(super) type Each<'e, E> = &'e mut dyn FnMut(Vec<Line>) -> Result<(), E>;

impl Asker<'_> {
    /// Gives the check's answers, sorted: one for each resource observed, each hole, and each account outside the population.
    ///
    /// They come in one piece for each account, so that no more than one account's answers to one check are held at a time.
    pub(super) fn lines<E: From<io::Error>>(&self, check: &Check, each: Each<'_, E>) -> Result<(), E> {
        match &check.ask {
            Ask::ConfigRule { identifier } => {
                let collectors = vec![Collector::ConfigRecorder, Collector::ConfigRules, Collector::ConfigCompliance];
                self.reach(check, &Question::ConfigRule(identifier.clone()), &Reach::Targets(collectors), each)
            }
            Ask::SecurityHub { control } => {
                let collectors = vec![Collector::SecurityhubHub, Collector::SecurityhubFindings];
                self.reach(check, &Question::SecurityHub(control.clone()), &Reach::Targets(collectors), each)
            }
            Ask::GuardedActions { actions, conditional } => {
                self.accounts(check, guards::lines(self, check, actions, *conditional), |_| Ok(Vec::new()), each)
            }
            Ask::State { state, of } => {
                self.reach(check, &states::question(state, of.as_deref()), &reach_of_state(state), each)
            }
            Ask::ConformancePack { name } => {
                let mut asked = packs::Asked::new(self, check, name)?;
                self.accounts(check, Vec::new(), |account| asked.lines(account), each)
            }
            Ask::Product(ask) => {
                let mut asked = products::Asked::new(self, check, ask)?;
                self.accounts(check, Vec::new(), |account| asked.lines(account), each)
            }
        }
    }

    fn reach<E: From<io::Error>>(
        &self,
        check: &Check,
        question: &Question,
        reach: &Reach,
        each: Each<'_, E>,
    ) -> Result<(), E> {
        let mut answers = self.observed.observations.of(question)?;
        match reach {
            Reach::Targets(collectors) => {
                let mut standings = self.observed.standings.of(&silence::ground(check, question))?;
                let ask = |account: &AccountId| self.account(check, account, &mut answers, &mut standings, collectors);
                self.accounts(check, Vec::new(), ask, each)
            }
            Reach::Accounts(collector) => {
                let ask = |account: &AccountId| self.whole_account(check, account, &mut answers, *collector);
                self.accounts(check, Vec::new(), ask, each)
            }
            Reach::Organization(collector) => {
                let lines = self.organization(check, answers, *collector)?;
                self.accounts(check, lines, |_| Ok(Vec::new()), each)
            }
            Reach::Central(collector) => {
                let gap = self.run_gap(check, *collector).into_iter().collect();
                let ask = |account: &AccountId| self.central(check, account, &mut answers, *collector);
                self.accounts(check, gap, ask, each)
            }
        }
    }

    /// Asks each account of the population in turn; `beside` are lines that hold whatever it answers, of any account.
    fn accounts<E: From<io::Error>>(
        &self,
        check: &Check,
        beside: Vec<Line>,
        mut ask: impl FnMut(&AccountId) -> io::Result<Vec<Line>>,
        each: Each<'_, E>,
    ) -> Result<(), E> {
        let mut accounts: BTreeMap<AccountId, Vec<Line>> = BTreeMap::new();
        for line in beside.into_iter().chain(self.outside(check)) {
            accounts.entry(line.line.account.clone()).or_default().push(line);
        }
        for account in self.population.accounts.keys() {
            accounts.entry(account.clone()).or_default();
        }
        for (account, mut beside) in accounts {
            let mut lines = match self.population.accounts.contains_key(&account) {
                true => ask(&account)?,
                false => Vec::new(),
            };
            lines.append(&mut beside);
            lines.sort_by(|a, b| a.line.cmp(&b.line));
            lines.dedup_by(|a, b| a.line == b.line);
            each(lines)?;
        }
        Ok(())
    }

    fn outside(&self, check: &Check) -> impl Iterator<Item = Line> {
        self.population.outside.iter().map(|(account, outside)| {
            let line =
                self.line(check, (account, &outside.region), ObservationStatus::NotApplicable, outside.why.clone());
            Line { line: ResultLine { evidence: outside.evidence.clone(), ..line }, standing: Standing::Outside }
        })
    }

    /// Asks each Region of an account; for global resources the Regions that answer speak for the others.
    fn account(
        &self,
        check: &Check,
        account: &AccountId,
        answers: &mut Reading,
        standings: &mut StandingReading,
        needs: &[Collector],
    ) -> io::Result<Vec<Line>> {
        let observations = answers.account(account)?;
        let regions = &self.population.accounts[account];
        let mut here: BTreeMap<&Region, bool> = BTreeMap::new();
        for observation in &observations {
            *here.entry(&observation.region).or_default() |= observation.status != ObservationStatus::NotAssessed;
        }
        let (mut holes, mut nothing) = (Vec::new(), Vec::new());
        let mut answered = false;
        for region in regions {
            let seen = here.get(region);
            if let Some(gap) = self.first_gap(account, region, needs, seen.is_some()) {
                holes.push(self.gap(check, (account, region), gap));
            } else if let Some(decided) = seen {
                answered |= decided;
            } else {
                let standing = standings.at(account, region)?;
                let silence = silence::explain(self.observed, check, (account, region), standing.as_ref());
                answered |= silence.status == ObservationStatus::NotApplicable;
                let line = self.silent(check, (account, region), silence);
                if line.line.status == ObservationStatus::NotApplicable { &mut nothing } else { &mut holes }.push(line);
            }
        }
        if regions.is_empty() && observations.is_empty() {
            let why = "no Region of the account was asked".to_owned();
            holes.extend(self.population.home.as_ref().map(|(_, home)| {
                self.silent(
                    check,
                    (account, home),
                    Silence { status: ObservationStatus::NotAssessed, why, evidence: None },
                )
            }));
        }
        let mut seen: Vec<Line> = observations.into_iter().map(|o| observed(check, o)).collect();
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
        Ok(seen)
    }

    /// Returns the first hole in what the collectors should have brought of a target; `seen` where something came through.
    pub(super) fn first_gap(
        &self,
        account: &AccountId,
        region: &Region,
        needs: &[Collector],
        seen: bool,
    ) -> Option<Gap> {
        let gaps = needs.iter().filter_map(|collector| self.population.gap(account, region, *collector));
        // A service that says of itself that it is off has answered the question whether it is on.
        gaps.into_iter().find(|gap| !(gap.off && seen && needs.len() == 1))
    }

    fn whole_account(
        &self,
        check: &Check,
        account: &AccountId,
        answers: &mut Reading,
        needs: Collector,
    ) -> io::Result<Vec<Line>> {
        let mut lines: Vec<_> = answers.account(account)?.into_iter().map(|o| observed(check, o)).collect();
        let Some((_, home)) = &self.population.home else { return Ok(lines) };
        if let Some(gap) = self.population.gap(account, home, needs) {
            lines.push(self.gap(check, (account, home), gap));
        } else if lines.is_empty() {
            let why = format!("{needs} named nothing");
            let silence = Silence { status: ObservationStatus::NotAssessed, why, evidence: None };
            lines.push(self.silent(check, (account, home), silence));
        }
        Ok(lines)
    }

    fn organization(&self, check: &Check, answers: Reading, needs: Collector) -> io::Result<Vec<Line>> {
        let mut lines = answers.map(|o| o.map(|o| observed(check, o))).collect::<io::Result<Vec<_>>>()?;
        let Some((account, home)) = &self.population.home else { return Ok(lines) };
        if let Some(gap) = self.population.gap(account, home, needs) {
            lines.push(self.gap(check, (account, home), gap));
        } else if lines.is_empty() {
            lines.push(self.silent(check, (account, home), silence::of_organization(self.observed, check)));
        }
        Ok(lines)
    }

    fn central(
        &self,
        check: &Check,
        account: &AccountId,
        answers: &mut Reading,
        needs: Collector,
    ) -> io::Result<Vec<Line>> {
        let observations = answers.account(account)?;
        let mut lines = Vec::new();
        for region in &self.population.accounts[account] {
            if !observations.iter().any(|o| o.region == *region) {
                let why = format!("{needs} says nothing of it");
                let silence = Silence { status: ObservationStatus::NotAssessed, why, evidence: None };
                lines.push(self.silent(check, (account, region), silence));
            }
        }
        lines.extend(observations.into_iter().map(|o| observed(check, o)));
        Ok(lines)
    }

    /// Returns the hole in what a run-wide collector should have brought.
    pub(super) fn run_gap(&self, check: &Check, needs: Collector) -> Option<Line> {
        let (account, home) = self.population.home.as_ref()?;
        let gap = self.population.gap(account, home, needs)?;
        Some(self.gap(check, (account, home), gap))
    }

    pub(super) fn gap(&self, check: &Check, target: (&AccountId, &Region), gap: Gap) -> Line {
        let silence = Silence { status: ObservationStatus::NotAssessed, why: gap.why, evidence: gap.evidence };
        self.silent(check, target, silence)
    }

    /// A line where there is no answer.
    pub(super) fn silent(&self, check: &Check, target: (&AccountId, &Region), silence: Silence) -> Line {
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
        states::REMEDIATION_CONFIGURED | states::CONFORMANCE_PACK => Reach::Targets(vec![Collector::ConfigRules]),
        states::REMEDIATION_EXECUTED => {
            Reach::Targets(vec![Collector::ConfigRecorder, Collector::ConfigRules, Collector::ConfigCompliance])
        }
        _ => Reach::Organization(Collector::Organization),
    }
}

/// The line of an observation as it stands.
pub(super) fn observed(check: &Check, observation: Observation) -> Line {
    let why = observation.why.unwrap_or_else(|| {
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
        account: observation.account,
        region: observation.region,
        resource: observation.resource,
        status: observation.status,
        why,
        observed: Some(observation.observed),
        since: observation.since,
        evidence: Some(observation.evidence),
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
