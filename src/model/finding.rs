//! Verdicts, and why: requirement -> item -> check -> result line -> raw record.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AccountId, AttestationResult, Coverage, EvidenceRef, ExceptionResult, ObservationStatus, Organization, Period,
    Region, Resource, ScopeReason, Sha256Digest,
};

/// The verdict on a requirement, an item or a check (OSCAL's words, with the honest third).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Everything that had to be seen was seen, and it was right.
    Satisfied,
    /// Something was seen to be wrong.
    NotSatisfied,
    /// Nothing wrong was seen, but not everything was seen.
    NotAssessed,
    /// It was seen that there is nothing to which this could apply.
    NotApplicable,
}

impl Status {
    /// Returns the kebab-case name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::NotSatisfied => "not-satisfied",
            Self::NotAssessed => "not-assessed",
            Self::NotApplicable => "not-applicable",
        }
    }
}

/// One line of `data/results/observations.ndjson`: an observation as a check counts it. The unit of disclosure.
///
/// A gap is a line too: status `not-assessed`, the account (`AWS::::Account`) as resource, and the ledger's line as evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResultLine {
    /// Catalogue id of the check.
    pub check: String,
    /// Account.
    pub account: AccountId,
    /// Region.
    pub region: Region,
    /// Resource.
    pub resource: Resource,
    /// Answer.
    pub status: ObservationStatus,
    /// Why, in one sentence.
    pub why: String,
    /// When it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Timestamp>,
    /// Since when, by the source's own times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The raw record, or the coverage line of the gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceRef>,
}

/// How many answers of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Passes.
    pub pass: u64,
    /// Failures.
    pub fail: u64,
    /// Not applicable.
    pub not_applicable: u64,
    /// Not assessed, gaps among them.
    pub not_assessed: u64,
}

impl Counts {
    /// Counts one more answer.
    pub fn add(&mut self, status: ObservationStatus) {
        *match status {
            ObservationStatus::Pass => &mut self.pass,
            ObservationStatus::Fail => &mut self.fail,
            ObservationStatus::NotApplicable => &mut self.not_applicable,
            ObservationStatus::NotAssessed => &mut self.not_assessed,
        } += 1;
    }
}

/// A check's verdict over its whole population.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Catalogue id.
    pub check: String,
    /// Title, in the catalogue's words.
    pub title: String,
    /// `critical`, `high`, `medium`, `low` or `informational`.
    pub severity: String,
    /// Verdict.
    pub status: Status,
    /// Why, in one sentence.
    pub why: String,
    /// Answers.
    pub counts: Counts,
    /// What to do about a failure.
    pub remedy: String,
}

/// How a checklist item is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemMode {
    /// By checks.
    Automated,
    /// By a person, with manual evidence.
    Manual,
    /// Deliberately not automated, for a stated reason.
    NotAutomated,
    /// By AWS's part of the shared responsibility.
    Inherited,
}

/// A checklist item's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemResult {
    /// Item id, unique within the requirement.
    pub item: String,
    /// What is to be confirmed.
    pub title: String,
    /// How.
    pub mode: ItemMode,
    /// Verdict.
    pub status: Status,
    /// Why, in one sentence.
    pub why: String,
    /// Ids of the checks that were counted.
    pub checks: Vec<String>,
    /// Where the mapping from requirement to these checks comes from (`aws-documented`, `derived`, `judgement`).
    pub confidence: String,
}

/// One line of `data/results/findings.ndjson`: a requirement's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Framework id, such as `cis-aws-3.0`.
    pub framework: String,
    /// Requirement id within the framework.
    pub requirement: String,
    /// Title, in the catalogue's words.
    pub title: String,
    /// `aws`, `shared` or `customer`.
    pub responsibility: String,
    /// Why that party.
    #[serde(default)]
    pub responsibility_reason: String,
    /// What AWS does and which AWS Artifact report series attests it, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_part: Option<String>,
    /// What the customer does about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_response: Option<String>,
    /// Verdict.
    pub status: Status,
    /// Why, in one sentence.
    pub why: String,
    /// Items.
    pub items: Vec<ItemResult>,
    /// Answers over all checks of the requirement, each observation counted once.
    pub counts: Counts,
}

/// Two views of the same thing that do not agree: a finding of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Discrepancy {
    /// `denominators`, `aggregate-cross-check` or `sources-disagree`.
    pub kind: String,
    /// What it concerns: an account, a rule, a resource.
    pub subject: String,
    /// What each view says, in one sentence.
    pub what: String,
}

/// What an assessment rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessmentHeader {
    /// Version of the observation and verdict rules.
    pub semantics: u32,
    /// The period.
    pub period: Period,
    /// Digest of the catalogue that was used.
    pub catalog: Sha256Digest,
    /// Digests of the evidence seals that were read, oldest first.
    pub evidence: Vec<Sha256Digest>,
    /// Opened and closed times of the newest run, and its id.
    pub run: String,
    /// When the newest run was closed, by the clock of the machine that ran it.
    pub closed: Timestamp,
    /// Framework ids with title and version, in order.
    pub frameworks: BTreeMap<String, String>,
    /// True where an endpoint, clock, proxy or trust root was overridden while the evidence was gathered.
    pub overridden: Vec<String>,
}

/// Everything that a report shows. All reports are functions of this value alone.
///
/// An `Assessment<()>` is one whose result lines lie elsewhere: they are as many as resources times checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment<R = Vec<ResultLine>> {
    /// What it rests on.
    pub header: AssessmentHeader,
    /// The organisation at the newest run.
    pub organization: Organization,
    /// The newest run's ledger.
    pub coverage: Vec<Coverage>,
    /// Accounts that the plan lists but does not ask, and why.
    #[serde(default)]
    pub out_of_scope: BTreeMap<AccountId, ScopeReason>,
    /// Verdicts, by framework and requirement in catalogue order.
    pub findings: Vec<Finding>,
    /// Verdicts of the checks, by id.
    pub checks: BTreeMap<String, CheckResult>,
    /// Result lines, sorted.
    pub results: R,
    /// Disagreements, sorted.
    pub discrepancies: Vec<Discrepancy>,
    /// Every exception that was recorded, in the order of the chain, and what became of it.
    #[serde(default)]
    pub exceptions: Vec<ExceptionResult>,
    /// Every attestation that was recorded, likewise.
    #[serde(default)]
    pub attestations: Vec<AttestationResult>,
}

impl<R> Assessment<R> {
    /// Puts other result lines in the place of those that are there.
    pub fn with_results<T>(self, results: T) -> Assessment<T> {
        let Self { header, organization, coverage, out_of_scope, findings, checks, .. } = self;
        let Self { discrepancies, exceptions, attestations, .. } = self;
        Assessment {
            header,
            organization,
            coverage,
            out_of_scope,
            findings,
            checks,
            results,
            discrepancies,
            exceptions,
            attestations,
        }
    }
}
