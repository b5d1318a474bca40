//! Raw evidence bytes -> observations. Pure: no clock, no network, no SDK type.
//!
//! 1. [`RunReader`] reads what was asked once for the whole run: the organisation, the aggregator, Security Hub's members. Its
//!    result, a [`Run`], is what every target is read against.
//! 2. [`TargetReader`] reads the answers of one account and Region, as they come: only answered exchanges count, and `pages` decides which
//!    pages of a listing do. Then it draws the target's observations onto a [`Shelf`], keyed independently of the catalogue:
//!    - Config rules by managed source identifier (`custom:<name>` for custom ones, `unresolved:<name>` where the rule of a row is not
//!      listed). Several deployments of one rule (`securityhub-*` repeats those of the organisation) count once: the worst answer
//!      wins, in the order fail, not assessed, pass, not applicable.
//!    - Security Hub controls by security control id, duplicates of several standards likewise. Only `PASSED` is a pass; a
//!      suppression is "not assessed" with its note.
//!    - Other products' findings as `product/<name>:<severity>:<state>`, the name by the product's ARN, the state `open`, `suppressed`
//!      or `resolved`; of several about one resource the oldest open one.
//!    - States that we read ourselves: see [`states`].
//!
//!    It reconciles: rules' verdicts against their rows, Config against Security Hub: see `compare`.
//! 3. [`Run::finish`] unites the shelves, reconciles the three denominators, and says which targets were not covered.
//!
//! Memory: one target's answers at a time, and of the run what is proportional to accounts x Regions. Observations and what targets say of single rules
//! and controls go to sorted temporary files ([`crate::sorted`]), from which [`Observations`] and [`Standings`] give them in order.
//!
//! What the ledger calls complete and the bytes do not bear out is listed in [`Observed::contradicted`]; whoever judges must treat it as a gap.
//!
//! Times: `observed` is when we read it; `since` is the latest time for which the source itself says that it was already so.

mod aggregate;
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
mod packs;
mod pages;
mod reconcile;
mod recorder;
mod rules;
mod run;
pub mod states;
mod stored;
mod target;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;

pub use aggregator::{AggregatorSources, HubView, LinkedRegions, SourceState};
pub use hub::{ControlState, HubState};
pub use organization::{OrganizationReader, OrganizationUnreadable};
pub use recorder::{RESOURCE_COMPLIANCE, Recorded, RecorderState};
pub use rules::RuleState;
pub use run::{Run, RunReader};
pub use stored::{Observations, Reading, Standing, StandingReading, Standings};
pub use target::{Shelf, TargetReader};

use crate::model::{
    AccountId, Discrepancy, EvidenceRef, Observation, ObservationStatus, Organization, Question, Region, Resource,
    TaskId,
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
    pub observations: Observations,
    /// How single rules and controls stand in each target: the ground for reading silence, with `targets`.
    pub standings: Standings,
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
    /// True where the deployed rules were completely listed; each is among [`Observed::standings`].
    pub rules_listed: bool,
    /// The record of the rules: what "not deployed" rests on.
    pub rules_evidence: Option<EvidenceRef>,
    /// True where the conformance packs were completely listed; what each is and brought is among the observations.
    pub packs_listed: bool,
    /// Security Hub; `None` where it is off or was not completely described. Its controls are among [`Observed::standings`].
    pub hub: Option<HubState>,
    /// True where compliance was read from recorded `AWS::Config::ResourceCompliance` items.
    pub selected: bool,
    /// True where the target itself was asked for compliance, not only the Config aggregator.
    pub direct_compliance: bool,
    /// True where the target itself was asked for findings, not only Security Hub's home Region.
    pub direct_findings: bool,
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
