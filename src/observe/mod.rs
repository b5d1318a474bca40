//! Raw evidence bytes -> observations. Pure: no clock, no network, no SDK type.
//!
//! 1. [`Observer::push`] reads each exchange as it comes: only answered ones count, and `pages` decides which pages of a listing do.
//! 2. [`Observer::finish`] turns each target's answers into observations, keyed independently of the catalogue:
//!    - Config rules by managed source identifier (`custom:<name>` for custom ones, `unresolved:<name>` where the rule of a row is not
//!      listed). Several deployments of one rule (`securityhub-*` repeats those of the organisation) count once: the worst answer
//!      wins, in the order fail, not assessed, pass, not applicable.
//!    - Security Hub controls by security control id, duplicates of several standards likewise. Only `PASSED` is a pass; a
//!      suppression is "not assessed" with its note.
//!    - Other products' findings as `product/<name>:<severity>`.
//!    - States that we read ourselves: see [`states`].
//! 3. It reconciles: three denominators, rules' verdicts against their rows, Config against Security Hub: see `compare`.
//!
//! What the ledger calls complete and the bytes do not bear out is listed in [`Observed::contradicted`]; whoever judges must treat it as a gap.
//!
//! Times: `observed` is when we read it; `since` is the latest time for which the source itself says that it was already so.

mod aggregator;
mod answer;
mod compare;
mod compliance;
mod facts;
mod findings;
#[cfg(test)]
pub(crate) mod fixture;
mod hub;
pub mod organization;
mod pages;
mod reconcile;
mod recorder;
mod rules;
pub mod states;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;

use answer::Answer;
use facts::{Ledger, RunFacts, TargetFacts};
use jiff::Timestamp;
use pages::{Listings, Page, Source};
use wire::Strings;

pub use aggregator::{AggregatorSources, HubView, LinkedRegions, SourceState};
pub use hub::{ControlState, HubState};
pub use organization::{OrganizationReader, OrganizationUnreadable};
pub use recorder::{RESOURCE_COMPLIANCE, Recorded, RecorderState};
pub use rules::RuleState;

use crate::model::{
    AccountId, Collector, Coverage, Discrepancy, EvidenceRef, Exchange, Observation, ObservationStatus, Organization,
    PlannedTask, Question, Region, Resource, TaskId,
};

/// Version of the observation and verdict rules, pinned in every seal: a change that changes results for the same evidence
/// raises it.
pub const SEMANTICS: u32 = 2;

/// An account and a Region.
pub type Target = (AccountId, Region);

/// Everything that one run's evidence says.
#[derive(Debug, Default)]
pub struct Observed {
    /// The organisation; `None` where its answers are missing or unreadable.
    pub organization: Option<Organization>,
    /// Why there is no organisation.
    pub organization_unreadable: Option<OrganizationUnreadable>,
    /// Answers, sorted, one per question and resource.
    pub observations: Vec<Observation>,
    /// Disagreements, sorted.
    pub discrepancies: Vec<Discrepancy>,
    /// What each target says about its own services: the ground for reading silence.
    pub targets: BTreeMap<Target, TargetState>,
    /// The Config aggregator's sources; `None` where that was not completely answered.
    pub sources: Option<AggregatorSources>,
    /// Who reports to Security Hub's administrator.
    pub hub: HubView,
    /// Tasks that the ledger calls complete although their answers are missing, unfinished or unreadable.
    pub contradicted: BTreeMap<TaskId, String>,
    /// The record that the absence of a delegated administrator rests on.
    pub delegation: Option<EvidenceRef>,
}

/// What a target says about its own services.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TargetState {
    /// The recorder; `None` where it was not completely described.
    pub recorder: Option<RecorderState>,
    /// Deployed rules by identifier; `None` where they were not completely listed.
    pub rules: Option<BTreeMap<String, RuleState>>,
    /// The record of the rules: what "not deployed" rests on.
    pub rules_evidence: Option<EvidenceRef>,
    /// Security Hub; `None` where it is off or was not completely described.
    pub hub: Option<HubState>,
    /// True where compliance was read from recorded `AWS::Config::ResourceCompliance` items.
    pub selected: bool,
    /// True where the target itself was asked for compliance, not only the Config aggregator.
    pub direct_compliance: bool,
    /// True where the target itself was asked for findings, not only Security Hub's home Region.
    pub direct_findings: bool,
}

#[derive(Debug, Default)]
struct TaskAnswers {
    listings: Listings<Answer>,
    malformed: Option<String>,
}

/// Reads exchanges and turns them into observations.
#[derive(Debug, Default)]
pub struct Observer {
    strings: Strings,
    organization: OrganizationReader,
    organization_seen: BTreeMap<String, (EvidenceRef, Timestamp)>,
    tasks: BTreeMap<TaskId, TaskAnswers>,
}

impl Observer {
    /// Begins with nothing read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one exchange. Exchanges of one task come in the order of its calls; tasks may come in any order.
    pub fn push(&mut self, exchange: Exchange<'_>) {
        let call = exchange.call;
        if call.task.collector == Collector::Organization {
            if let (true, Some(evidence)) = (exchange.answered(), exchange.evidence()) {
                self.organization_seen.entry(call.operation.clone()).or_insert((evidence, call.time));
            }
            return self.organization.push(exchange);
        }
        let read = if exchange.answered() {
            answer::read(call, exchange.body, &mut self.strings)
        } else {
            answer::refusal(call, exchange.body).map(|answer| Ok((answer, false)))
        };
        let Some(read) = read else { return };
        if !facts::speaks_for(call.task.collector, &call.operation) {
            return;
        }
        let task = self.tasks.entry(call.task.clone()).or_default();
        match read {
            Ok((value, more)) => {
                let (path, line) = call.body.as_ref().map_or(("", 0), |b| (b.path.as_str(), b.line));
                let source = Source { seal: exchange.seal, path: self.strings.one(path), line };
                let page = Page { value, at: call.time, source };
                task.listings.push(call, page, more);
            }
            Err(cause) => {
                task.malformed
                    .get_or_insert_with(|| format!("an answer of {} cannot be read: {cause}", call.operation));
            }
        }
    }

    /// Draws the observations.
    pub fn finish(mut self, plan: &[PlannedTask], coverage: &[Coverage]) -> Observed {
        let mut observed = Observed::default();
        let mut run = RunFacts { organization_seen: self.organization_seen, ..RunFacts::default() };
        let mut targets: BTreeMap<Target, TargetFacts> = BTreeMap::new();
        let mut ledger = Ledger::new(coverage);
        for (task, answers) in self.tasks {
            let mut operations = Vec::new();
            if let Some(malformed) = answers.malformed {
                ledger.fault(&task, malformed);
            }
            for listing in answers.listings.finish() {
                if !listing.complete {
                    ledger.fault(&task, format!("the end of {} is missing", listing.operation));
                }
                operations.push(listing.operation.clone());
                let target = targets.entry((task.account.clone(), task.region.clone())).or_default();
                facts::take(&task, listing, &mut run, target);
            }
            ledger.answered(&task, &operations);
        }
        match self.organization.finish() {
            Ok(organization) => observed.organization = Some(organization),
            Err(error) => {
                ledger.organization(&error);
                observed.organization_unreadable = Some(error);
            }
        }
        reconcile::draw(&mut observed, run, targets, plan, &ledger, &mut self.strings);
        observed.contradicted = ledger.contradicted();
        one_per_resource(&mut observed.observations);
        observed.discrepancies.sort_unstable();
        observed.discrepancies.dedup();
        observed
    }
}

/// Sorts, and keeps of several answers about one thing the worst.
fn one_per_resource(observations: &mut Vec<Observation>) {
    fn key(o: &Observation) -> (&Question, &AccountId, &Region, &Resource) {
        (&o.question, &o.account, &o.region, &o.resource)
    }
    observations.sort_unstable_by(|a, b| {
        key(a).cmp(&key(b)).then_with(|| rank(a.status).cmp(&rank(b.status))).then_with(|| a.cmp(b))
    });
    observations.dedup_by(|later, first| key(later) == key(first));
}

/// Orders answers from the one that counts most to the one that counts least.
pub(crate) fn rank(status: ObservationStatus) -> u8 {
    match status {
        ObservationStatus::Fail => 0,
        ObservationStatus::NotAssessed => 1,
        ObservationStatus::Pass => 2,
        ObservationStatus::NotApplicable => 3,
    }
}
