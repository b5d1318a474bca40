//! What was asked once for the whole run; and all targets together.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use jiff::Timestamp;

use super::{
    Observed, OrganizationReader, Target,
    aggregate::{Aggregate, Spool},
    answer::Answer,
    compare,
    facts::{self, Heard, Ledger, RunFacts, TargetFacts},
    one_per_resource, reconcile, states,
    stored::Store,
    target::{Answers, Shelf},
};
use crate::{
    model::{AccountId, Collector, Coverage, EvidenceRef, Exchange, Organization, PlannedTask, Region, Scope, TaskId},
    observe::OrganizationUnreadable,
    sorted::Scratch,
};

/// Reads the exchanges of the collectors that run once a run; every other is passed over.
#[derive(Debug)]
pub struct RunReader<'a> {
    plan: &'a [PlannedTask],
    ledger: Ledger<'a>,
    scratch: Scratch,
    organization: OrganizationReader,
    organization_seen: BTreeMap<String, (EvidenceRef, Timestamp)>,
    answers: Answers,
    aggregate: Spool,
}

impl<'a> RunReader<'a> {
    /// Begins with nothing read.
    pub fn new(plan: &'a [PlannedTask], coverage: &'a [Coverage], scratch: &Scratch) -> Self {
        Self {
            plan,
            ledger: Ledger::new(coverage),
            scratch: scratch.clone(),
            organization: OrganizationReader::default(),
            organization_seen: BTreeMap::new(),
            answers: Answers::default(),
            aggregate: Spool::new(scratch),
        }
    }

    /// Returns whether an exchange of `task` is to be read here, and not with its target.
    pub fn concerns(task: &TaskId) -> bool {
        task.collector.scope() == Scope::Run
    }

    /// Reads one exchange. Exchanges of one task come in the order of its calls; tasks may come in any order.
    ///
    /// # Errors
    /// A temporary file cannot be written.
    pub fn push(&mut self, exchange: Exchange<'_>) -> io::Result<()> {
        let call = exchange.call;
        if call.task.collector == Collector::Organization {
            if let (true, Some(evidence)) = (exchange.answered(), exchange.evidence()) {
                self.organization_seen.entry(call.operation.clone()).or_insert((evidence, call.time));
            }
            self.organization.push(exchange);
            return Ok(());
        }
        let Some((page, more)) = self.answers.read(exchange) else { return Ok(()) };
        let page = match &page.value {
            Answer::Aggregate(verdicts) => {
                let number = self.aggregate.page(verdicts, page.at, &page.source)?;
                super::pages::Page { value: Answer::Spooled(number), at: page.at, source: page.source }
            }
            _ => page,
        };
        self.answers.take(call, page, more);
        Ok(())
    }

    /// Draws what holds for every target.
    ///
    /// # Errors
    /// A temporary file cannot be written.
    pub fn finish(self) -> io::Result<Run<'a>> {
        let mut facts = RunFacts { organization_seen: self.organization_seen, ..RunFacts::default() };
        let mut heard = Heard::default();
        let mut touched = BTreeSet::new();
        self.answers.finish(&mut heard, |task, listing| {
            touched.insert((task.account.clone(), task.region.clone()));
            facts::take(task, listing, &mut facts, &mut TargetFacts::default());
        });
        let organization = self.organization.finish();
        if let Err(error) = &organization {
            for task in self.ledger.tasks().filter(|t| t.collector == Collector::Organization) {
                heard.fault(task, error.to_string());
            }
        }
        let of_run = |collector| self.plan.iter().find(|t| t.collector == collector);
        let sound = |collector| of_run(collector).is_some_and(|t| self.ledger.sound(&t.task, &heard));
        facts.home = of_run(Collector::Organization).map(|t| t.region.clone());
        if !sound(Collector::ConfigAggregator) {
            facts.sources = None;
        }
        if !sound(Collector::SecurityhubOrganization) {
            facts.hub.members = None;
        }
        let counted = std::mem::take(&mut facts.aggregate);
        let aggregate = match sound(Collector::ConfigAggregateCompliance) {
            true => self.aggregate.finish(counted)?,
            false => Aggregate::default(),
        };
        let (plan, ledger, scratch) = (self.plan, self.ledger, self.scratch);
        Ok(Run { plan, ledger, scratch, heard, facts, aggregate, touched, organization })
    }
}

/// What holds for every target of a run. May be shared by threads that read targets side by side.
#[derive(Debug)]
pub struct Run<'a> {
    pub(super) plan: &'a [PlannedTask],
    pub(super) ledger: Ledger<'a>,
    pub(super) heard: Heard,
    pub(super) facts: RunFacts,
    pub(super) aggregate: Aggregate,
    /// Targets of which a collector of the whole run has answers.
    pub(super) touched: BTreeSet<Target>,
    scratch: Scratch,
    organization: Result<Organization, OrganizationUnreadable>,
}

impl Run<'_> {
    /// Returns an empty place for what is drawn; each thread has its own.
    pub fn shelf(&self) -> Shelf {
        Shelf::new(&self.scratch)
    }

    /// Unites the shelves. Each target with exchanges lies on exactly one of them, once.
    ///
    /// # Errors
    /// A target was read twice: its exchanges did not come together. Or a temporary file cannot be written.
    pub fn finish(mut self, shelves: Vec<Shelf>) -> io::Result<Observed> {
        let mut observed = Observed::default();
        let mut store = Store::new(&self.scratch);
        let (mut stores, mut holes, mut regions) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for shelf in shelves {
            stores.push(shelf.store);
            for (target, hole) in shelf.holes {
                if holes.contains_key(&target) {
                    let (account, region) = target;
                    return Err(scattered(&account, &region));
                }
                holes.insert(target, hole);
            }
            observed.targets.extend(shelf.targets);
            observed.discrepancies.extend(shelf.discrepancies);
            observed.contradicted.extend(shelf.contradicted);
            regions.extend(shelf.regions);
        }
        for (task, seen) in regions {
            let known = self.facts.regions.entry(task.account).or_insert_with(|| facts::Seen {
                value: BTreeSet::new(),
                at: seen.at,
                evidence: seen.evidence.clone(),
            });
            known.value.extend(seen.value);
        }
        match std::mem::replace(&mut self.organization, Err(OrganizationUnreadable::Missing("DescribeOrganization"))) {
            Ok(organization) => observed.organization = Some(organization),
            Err(error) => observed.organization_unreadable = Some(error),
        }
        let nothing = Heard::default();
        for task in self.ledger.tasks() {
            let heard = match RunReader::concerns(task) {
                true => &self.heard,
                false if holes.contains_key(&(task.account.clone(), task.region.clone())) => continue,
                false => &nothing,
            };
            observed.contradicted.extend(self.ledger.contradicted(task, heard));
        }
        observed.delegation = self.facts.organization_seen.get("ListDelegatedAdministrators").map(|(e, _)| e.clone());
        let mut last = states::of_organization(&observed, &self.facts);
        let asked = reconcile::asked(self.plan, &self.ledger);
        // A target without any exchange has a hole wherever one begins to look.
        let hole = |target: &Target| match holes.get(target) {
            Some(hole) => *hole,
            None => Collector::ALL.into_iter().find(|c| c.scope() == Scope::Target),
        };
        last.extend(states::of_coverage(&self.facts, &asked, &hole));
        one_per_resource(&mut last);
        last.iter().try_for_each(|observation| store.observe(observation))?;
        stores.push(store);
        (observed.observations, observed.standings) = Store::unite(stores)?;
        let differences = compare::denominators(&observed, &self.facts);
        observed.discrepancies.extend(differences);
        observed.discrepancies.sort_unstable();
        observed.discrepancies.dedup();
        observed.sources = self.facts.sources.map(|s| s.value);
        observed.hub = self.facts.hub;
        Ok(observed)
    }
}

pub(super) fn scattered(account: &AccountId, region: &Region) -> io::Error {
    let why =
        format!("the calls of {account} in {region} do not lie together: the record of calls is not in plan order");
    io::Error::new(io::ErrorKind::InvalidData, why)
}
