//! Whom a check is asked of, and where the evidence has holes.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        AccountId, Collector, Coverage, CoverageState, EvidenceRef, Mode, PlannedTask, Region, Scope, ScopeReason,
        TaskId,
    },
    observe::Observed,
};

/// Builds the reference to a line of the coverage ledger, from its index in the ledger.
pub type CoverageRef<'a> = &'a dyn Fn(usize) -> EvidenceRef;

/// A hole in the evidence.
#[derive(Debug, Clone)]
pub(super) struct Gap {
    pub why: String,
    /// The ledger's line; `None` where there is not even one.
    pub evidence: Option<EvidenceRef>,
    /// True where the service itself said that it is off.
    pub off: bool,
}

/// An account that is listed but not asked.
#[derive(Debug)]
pub(super) struct Outside {
    pub why: String,
    pub region: Region,
    pub evidence: Option<EvidenceRef>,
}

/// The plan and its ledger, as checks see them.
pub(super) struct Population<'a> {
    /// Where the collectors that run once a run are filed.
    pub home: Option<(AccountId, Region)>,
    /// Accounts in scope and the Regions asked in each; a Region that is off and that nobody named is not among them.
    pub accounts: BTreeMap<AccountId, BTreeSet<Region>>,
    /// Accounts out of scope.
    pub outside: BTreeMap<AccountId, Outside>,
    planned: BTreeMap<&'a TaskId, &'a PlannedTask>,
    lines: BTreeMap<&'a TaskId, (usize, &'a Coverage)>,
    observed: &'a Observed,
    coverage_ref: CoverageRef<'a>,
}

impl<'a> Population<'a> {
    pub(super) fn new(
        plan: &'a [PlannedTask],
        coverage: &'a [Coverage],
        observed: &'a Observed,
        coverage_ref: CoverageRef<'a>,
    ) -> Self {
        let of_run = plan.iter().filter(|t| t.collector.scope() == Scope::Run);
        let mut population = Self {
            home: of_run.map(|t| (t.account.clone(), t.region.clone())).next(),
            accounts: BTreeMap::new(),
            outside: BTreeMap::new(),
            planned: plan.iter().map(|t| (&t.task, t)).collect(),
            lines: coverage.iter().enumerate().map(|(i, c)| (&c.task, (i, c))).collect(),
            observed,
            coverage_ref,
        };
        for task in plan.iter().filter(|t| t.collector.scope() != Scope::Run) {
            match &task.out_of_scope {
                Some(reason) => population.place_outside(task, reason),
                None => {
                    let regions = population.accounts.entry(task.account.clone()).or_default();
                    let line = population.lines.get(&task.task);
                    let off = line.is_some_and(|(_, c)| c.state == CoverageState::RegionDisabled && !c.gap);
                    if task.collector.scope() == Scope::Target && !off {
                        regions.insert(task.region.clone());
                    }
                }
            }
        }
        population
    }

    fn place_outside(&mut self, task: &PlannedTask, reason: &ScopeReason) {
        let evidence = self.lines.get(&task.task).map(|(index, _)| (self.coverage_ref)(*index));
        let outside = || Outside { why: scope_reason(reason), region: task.region.clone(), evidence };
        self.outside.entry(task.account.clone()).or_insert_with(outside);
    }

    /// Returns the hole in what `collector` should have brought of a target; `None` where it brought everything.
    pub(super) fn gap(&self, account: &AccountId, region: &Region, collector: Collector) -> Option<Gap> {
        let task = TaskId { account: account.clone(), region: region.clone(), collector };
        let gap = |why: String, evidence, off| Some(Gap { why, evidence, off });
        let Some(planned) = self.planned.get(&task) else {
            return gap(format!("{collector} was not planned"), None, false);
        };
        let Some((index, line)) = self.lines.get(&task) else {
            return gap(format!("the ledger has no line for {collector}"), None, false);
        };
        let evidence = Some((self.coverage_ref)(*index));
        let complete = matches!(line.state, CoverageState::Collected | CoverageState::Empty);
        if line.gap || !complete {
            let said = line.error.as_ref().map(|e| format!(": {e}")).unwrap_or_default();
            let since = line.since.map(|s| format!(" since {s}")).unwrap_or_default();
            let off = line.state == CoverageState::NotEnabled;
            return gap(format!("{collector} is {}{since}{said}", line.state.as_str()), evidence, off);
        }
        if let Some(fault) = self.observed.contradicted.get(&task) {
            return gap(
                format!("{collector} is incomplete although the ledger calls it complete: {fault}"),
                evidence,
                false,
            );
        }
        let blind = (planned.mode == Mode::Central).then(|| self.blind(&task)).flatten()?;
        gap(format!("{collector} was read through a central view, and {blind}"), evidence, false)
    }

    /// Returns why the central view that a task was read through does not hold its target.
    ///
    /// A target in which the question was put as well needs no central view.
    fn blind(&self, task: &TaskId) -> Option<String> {
        let TaskId { account, region, collector } = task;
        let state = self.observed.targets.get(&(account.clone(), region.clone()));
        match collector {
            Collector::ConfigCompliance if state.is_some_and(|s| s.direct_compliance) => None,
            Collector::SecurityhubFindings if state.is_some_and(|s| s.direct_findings) => None,
            Collector::ConfigCompliance => {
                let Some(sources) = &self.observed.sources else {
                    return Some("the state of the Config aggregator's sources is not known".to_owned());
                };
                match sources.states.get(&(account.clone(), region.clone())) {
                    None => Some("the Config aggregator has no source for it".to_owned()),
                    Some(source) => (!source.fresh).then(|| source.why.clone()),
                }
            }
            Collector::SecurityhubFindings => {
                let home = self.home.as_ref().map_or(region, |(_, home)| home);
                self.observed.hub.blind_to(account, region, home)
            }
            _ => None,
        }
    }
}

/// Says why an account is out of scope.
fn scope_reason(reason: &ScopeReason) -> String {
    match reason {
        ScopeReason::AccountState { state } => format!("out of scope: the account is {state}"),
        ScopeReason::Excluded { rule, by, why } => format!("out of scope: excluded ({rule}) by {by}: {why}"),
    }
}
