//! Answers, sorted by the target they speak of; and whether the bytes bear out what the ledger says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    AggregatorSources, HubState, HubView, Target,
    answer::Answer,
    compliance::{RawVerdict, Row},
    findings::FindingRow,
    packs::RawPacks,
    pages::{Listing, Page},
    recorder::{RawRecorder, RawStatus},
    rules::{RawEvaluation, RawExecution, RawRemediation, RawRule},
};
use crate::model::{AccountId, Collector, Coverage, CoverageState, EvidenceRef, Region, Scope, TaskId};

/// A fact with its record and the time at which it was read.
#[derive(Debug, Clone)]
pub(super) struct Seen<T> {
    pub value: T,
    pub at: Timestamp,
    pub evidence: EvidenceRef,
}

/// What the collectors that run once a run or once an account brought.
#[derive(Debug, Default)]
pub(super) struct RunFacts {
    /// First answered page of each operation of Organizations.
    pub organization_seen: BTreeMap<String, (EvidenceRef, Timestamp)>,
    /// Regions that are on, by account.
    pub regions: BTreeMap<AccountId, Seen<BTreeSet<Region>>>,
    pub sources: Option<Seen<AggregatorSources>>,
    pub hub: HubView,
    /// Which spooled pages of the aggregator's verdicts count, in their order: see `aggregate`.
    pub aggregate: Vec<u64>,
    /// The home Region.
    pub home: Option<Region>,
}

/// What a target's collectors brought.
#[derive(Debug, Default)]
pub(super) struct TargetFacts {
    pub recorders: Option<Seen<Vec<RawRecorder>>>,
    pub statuses: Option<Seen<Vec<RawStatus>>>,
    pub channels: Option<usize>,
    pub rules_listed: Option<EvidenceRef>,
    pub rules: BTreeMap<String, Seen<RawRule>>,
    pub evaluations: BTreeMap<String, RawEvaluation>,
    pub remediations: Option<BTreeMap<String, Seen<RawRemediation>>>,
    pub executions: BTreeMap<String, Vec<Seen<RawExecution>>>,
    pub rows: Vec<Page<Vec<Row>>>,
    /// True where recorded compliance items were asked for; where rules were asked as well, those are what counts.
    pub selected: bool,
    pub by_rule: bool,
    pub direct_compliance: bool,
    pub direct_findings: bool,
    pub verdicts: BTreeMap<String, Seen<RawVerdict>>,
    pub hub_described: Option<Seen<()>>,
    pub not_subscribed: Option<Seen<()>>,
    pub hub: HubState,
    pub security_controls: HubState,
    pub findings: Vec<Page<Vec<FindingRow>>>,
    pub packs: RawPacks,
}

/// Files a listing under its target.
pub(super) fn take(task: &TaskId, listing: Listing<Answer>, run: &mut RunFacts, target: &mut TargetFacts) {
    let Listing { operation, request, direct, pages, complete } = listing;
    if direct && complete {
        let asked = matches!(operation.as_str(), "SelectResourceConfig" | "DescribeComplianceByConfigRule");
        target.direct_compliance |= asked;
        target.direct_findings |= operation == "GetFindings";
    }
    let rule = request.param("ConfigRuleName").unwrap_or_default().to_owned();
    for Page { value, at, source } in pages {
        let evidence = source.evidence();
        let seen = || Seen { value: (), at, evidence: evidence.clone() };
        match value {
            Answer::Rows(rows) => {
                target.selected |= operation.starts_with("Select");
                target.rows.push(Page { value: rows, at, source });
            }
            Answer::Products(all) if complete => {
                let products = target.hub.products.get_or_insert_default();
                products.extend(all.iter().filter_map(|arn| super::findings::product(arn)).map(str::to_owned));
            }
            Answer::Products(_) => {}
            Answer::Packs(all) => target.packs.take(all, complete, &seen()),
            Answer::PackStatuses(all) => target.packs.take_statuses(all),
            Answer::PackRules(all) if complete => {
                target.packs.take_rules(request.param("ConformancePackName").unwrap_or_default(), all);
            }
            Answer::PackRules(_) => {}
            Answer::Findings(rows) => target.findings.push(Page { value: rows, at, source }),
            Answer::Recorders(all) => append(&mut target.recorders, all, seen()),
            Answer::RecorderStatuses(all) => append(&mut target.statuses, all, seen()),
            Answer::Channels(all) => *target.channels.get_or_insert(0) += all.len(),
            Answer::Rules(all) => {
                target.rules_listed.get_or_insert(evidence.clone());
                target.rules.extend(all.into_iter().map(|r| (r.config_rule_name.clone(), seen().with(r))));
            }
            Answer::Evaluations(all) => {
                target.evaluations.extend(all.into_iter().map(|e| (e.config_rule_name.clone(), e)));
            }
            Answer::Remediations(all) => {
                let known = target.remediations.get_or_insert_default();
                known.extend(all.into_iter().map(|r| (r.config_rule_name.clone(), seen().with(r))));
            }
            Answer::Executions(all) => {
                let known = target.executions.entry(rule.clone()).or_default();
                known.extend(all.into_iter().map(|e| seen().with(e)));
            }
            Answer::Verdicts(all) => {
                target.by_rule = true;
                target.verdicts.extend(all.into_iter().map(|v| (v.config_rule_name.clone(), seen().with(v))));
            }
            Answer::Aggregate(_) => {}
            Answer::Spooled(page) => run.aggregate.push(page),
            Answer::Hub(hub) => {
                target.hub.subscribed = hub.subscribed_at.map(|t| t.0);
                target.hub.read = Some(at);
                target.hub_described = Some(seen());
            }
            Answer::NotSubscribed => target.not_subscribed = Some(seen()),
            Answer::Standards(all) => {
                target.hub.standards += all.len();
                target.hub.unready.extend(all.iter().filter_map(super::hub::unready));
            }
            Answer::StandardControls(all) => target.hub.take_standard_controls(&all, &evidence),
            Answer::SecurityControls(all) => target.security_controls.take_standard_controls(&all, &evidence),
            Answer::Regions(all) => {
                let on = run.regions.entry(task.account.clone()).or_insert(seen().with(BTreeSet::new()));
                on.value.extend(all.iter().filter_map(super::aggregator::RawRegion::enabled));
            }
            Answer::Sources(all) => {
                let sources = run.sources.get_or_insert(seen().with(AggregatorSources::default()));
                sources.value.take(&all, &evidence);
            }
            Answer::Members(all) if complete => {
                run.hub.administrator = Some(task.account.clone());
                run.hub.take_members(&all, evidence);
            }
            Answer::Members(_) => {}
            Answer::FindingAggregator(aggregator) => run.hub.take_aggregator(&aggregator),
        }
    }
}

impl Seen<()> {
    fn with<T>(self, value: T) -> Seen<T> {
        Seen { value, at: self.at, evidence: self.evidence }
    }
}

fn append<T>(to: &mut Option<Seen<Vec<T>>>, items: Vec<T>, seen: Seen<()>) {
    to.get_or_insert(seen.with(Vec::new())).value.extend(items);
}

/// Returns whether an operation's answer counts as what the collector was sent for.
///
/// Collectors also ask for their own guidance (whether a recorder is on, whether the aggregator knows a target): the answers to that are
/// evidence, but the state of those things is taken from the collector that is responsible for it. What holds for the whole run
/// is said by the collectors that run once, and by them nothing else.
pub(super) fn speaks_for(collector: Collector, operation: &str) -> bool {
    match operation {
        "DescribeConfigurationAggregatorSourcesStatus" => collector == Collector::ConfigAggregator,
        "DescribeAggregateComplianceByConfigRules" => collector == Collector::ConfigAggregateCompliance,
        "ListMembers" | "GetFindingAggregator" => collector == Collector::SecurityhubOrganization,
        "DescribeConfigurationRecorderStatus" => collector == Collector::ConfigRecorder,
        _ => collector.scope() != Scope::Run,
    }
}

/// The operations without an answer of which a collector cannot be complete; of each group one suffices.
fn essential(collector: Collector) -> &'static [&'static [&'static str]] {
    match collector {
        Collector::Organization => &[],
        Collector::Regions => &[&["ListRegions"]],
        Collector::ConfigAggregator => &[&["DescribeConfigurationAggregatorSourcesStatus"]],
        Collector::ConfigAggregateCompliance => &[&["DescribeAggregateComplianceByConfigRules"]],
        Collector::ConfigRecorder => &[&["DescribeConfigurationRecorders"], &["DescribeConfigurationRecorderStatus"]],
        Collector::ConfigRules => &[&["DescribeConfigRules"]],
        Collector::ConfigCompliance => {
            &[&["SelectResourceConfig", "SelectAggregateResourceConfig", "DescribeComplianceByConfigRule"]]
        }
        Collector::SecurityhubOrganization => &[&["ListMembers"]],
        Collector::SecurityhubHub => &[&["DescribeHub"], &["GetEnabledStandards"]],
        Collector::SecurityhubFindings => &[&["GetFindings"]],
    }
}

/// The coverage ledger, to be held against the answers.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    lines: BTreeMap<&'a TaskId, &'a Coverage>,
}

/// Which of some tasks have answers, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Heard {
    faults: BTreeMap<TaskId, String>,
    answered: BTreeSet<TaskId>,
}

impl Heard {
    /// Notes what is wrong with a task's answers; the first fault is kept.
    pub(super) fn fault(&mut self, task: &TaskId, fault: String) {
        self.faults.entry(task.clone()).or_insert(fault);
    }

    /// Notes which operations a task has answers of.
    pub(super) fn answered(&mut self, task: &TaskId, operations: &[String]) {
        let lacks = |any: &&&[&str]| !any.iter().any(|o| operations.iter().any(|p| p == o));
        if let Some(missing) = essential(task.collector).iter().find(lacks) {
            self.fault(task, format!("no answer of {} is in the evidence", missing[0]));
        }
        self.answered.insert(task.clone());
    }

    fn refutes(&self, task: &TaskId) -> Option<String> {
        if let Some(fault) = self.faults.get(task) {
            return Some(fault.clone());
        }
        let first = essential(task.collector).first()?;
        (!self.answered.contains(task)).then(|| format!("no answer of {} is in the evidence", first[0]))
    }
}

impl<'a> Ledger<'a> {
    pub(super) fn new(coverage: &'a [Coverage]) -> Self {
        Self { lines: coverage.iter().map(|c| (&c.task, c)).collect() }
    }

    /// Returns every task that has a line.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &'a TaskId> {
        self.lines.keys().copied()
    }

    /// Returns the tasks of one target that have a line.
    pub(super) fn of(&self, target: &Target) -> impl Iterator<Item = &'a TaskId> {
        let of = |collector| TaskId { account: target.0.clone(), region: target.1.clone(), collector };
        let [first, .., last] = Collector::ALL;
        self.lines.range(of(first)..=of(last)).map(|(task, _)| *task)
    }

    /// Returns whether the ledger calls the task complete and its answers bear that out.
    pub(super) fn sound(&self, task: &TaskId, heard: &Heard) -> bool {
        self.claimed(task) && heard.refutes(task).is_none()
    }

    /// Returns how the ledger says that the task ended.
    pub(super) fn state(&self, task: &TaskId) -> Option<CoverageState> {
        self.lines.get(task).map(|c| c.state)
    }

    fn claimed(&self, task: &TaskId) -> bool {
        self.lines.get(task).is_some_and(|c| matches!(c.state, CoverageState::Collected | CoverageState::Empty))
    }

    /// Returns what is wrong with the answers of a task that the ledger calls complete.
    pub(super) fn contradicted(&self, task: &TaskId, heard: &Heard) -> Option<(TaskId, String)> {
        self.claimed(task).then(|| heard.refutes(task)).flatten().map(|fault| (task.clone(), fault))
    }
}
