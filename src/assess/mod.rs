//! Observations + catalogue -> verdicts. Pure: the same evidence and the same catalogue give the same bytes.
//!
//! # The truth table
//! A **line** is one answer to a check about one resource, or the reason why there is none:
//!
//! | what the evidence says of a target | line |
//! |---|---|
//! | the source reports compliance / non-compliance / not applicable | pass / fail / not applicable |
//! | insufficient data, warning, not available, unknown status | not assessed |
//! | suppressed by a person | not assessed, with the note |
//! | any collector the check needs left a gap, or its answers do not bear out the ledger | not assessed, with the ledger's line; answers that came through stay beside it |
//! | read through the aggregator or Security Hub's home Region, which does not hold the target or holds it outdated | not assessed |
//! | rule not deployed, control disabled or in no standard | not assessed |
//! | rule or control on and run, no answer, recorder records all its resource types | not applicable |
//! | the same, but recorder off, type not recorded or not known, rule failed or never ran | not assessed |
//! | conformance pack: each of its rules, as a rule | as above; pack not there or not complete, its rules not read or not deployed: not assessed |
//! | product's finding of the severity asked for, open longer than allowed, or not known since when / not longer | fail / pass, with its age |
//! | the same, suppressed or marked as resolved by a person | not assessed, with the note |
//! | no such finding, and the product is on (an answer says so, none denies it) and reports to Security Hub | pass |
//! | the same, but off, not known to be on, or not reporting | not assessed |
//! | Region not opted in, and not named by the configuration | none: outside the population |
//! | account out of scope; management account under SCPs | not applicable, shown, never counted |
//! | global resources | a Region that answers speaks for the account's Regions that do not; each resource counts once, the worst answer |
//!
//! | counted lines of a check | check | | parts of a whole (checks of an item, items of a requirement) | whole |
//! |---|---|---|---|---|
//! | any fail | not satisfied | | any not satisfied | not satisfied |
//! | else any not assessed | not assessed | | else any not assessed | not assessed |
//! | else any pass | satisfied | | else any satisfied | satisfied |
//! | else any not applicable | not applicable | | else any not applicable | not applicable |
//! | none at all | not assessed | | none at all | not assessed |
//!
//! Items that a person confirms, that are deliberately not automated, or that AWS's part covers are not assessed without evidence of that
//! kind. What exceptions and attestations do: see `supplement`.
//!
//! Laws (property-tested): no gap, suppression, insufficient data, stale source, disabled service or empty population is ever
//! "satisfied"; a further failing observation never improves a verdict; order never matters; duplicates count once.

mod guards;
mod lines;
mod packs;
mod population;
mod products;
pub mod questions;
mod requirement;
mod results;
mod silence;
mod supplement;
#[cfg(test)]
mod tests;
mod verdict;

use std::{collections::BTreeMap, io};

use lines::Asker;
use population::Population;
use verdict::Tally;

pub use population::CoverageRef;
pub use results::results_files;
pub use supplement::{Entry, Exceptions, Place, Supplements, same_person};

use crate::{
    catalog::{Catalog, Check, Severity},
    model::{Assessment, AssessmentHeader, CheckResult, Coverage, PlannedTask, ResultLine},
    observe::{Observed, OrganizationUnreadable},
    policy::Analysis,
};

/// The evidence does not even say which organisation it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be assessed: {0}")]
pub struct NoOrganization(#[from] pub OrganizationUnreadable);

/// Why nothing could be assessed.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// The evidence describes no organisation.
    #[error(transparent)]
    NoOrganization(#[from] NoOrganization),
    /// A temporary file could not be read.
    #[error("a temporary file cannot be read: {0}")]
    Scratch(#[from] io::Error),
}

/// Judges one run's observations by a catalogue, with the exceptions and attestations that people added; the result lines are kept in memory.
///
/// `coverage_ref` builds the reference to a line of the ledger from its index in `coverage`.
///
/// # Errors
/// Where the evidence describes no organisation, or a temporary file cannot be read.
pub fn assess(
    catalog: &Catalog,
    observed: &Observed,
    plan: &[PlannedTask],
    coverage: &[Coverage],
    header: AssessmentHeader,
    coverage_ref: CoverageRef<'_>,
    supplements: &Supplements,
) -> Result<Assessment, AssessError> {
    let mut results: Vec<ResultLine> = Vec::new();
    let judgement = Judgement { catalog, observed, plan, coverage, coverage_ref, supplements };
    let assessment = judgement.judge(header, |line| {
        results.push(line);
        Ok::<(), AssessError>(())
    })?;
    Ok(assessment.with_results(results))
}

/// What is judged, and by what.
pub struct Judgement<'a> {
    /// The questions and what they mean for which requirement.
    pub catalog: &'a Catalog,
    /// What was seen.
    pub observed: &'a Observed,
    /// What should have been seen.
    pub plan: &'a [PlannedTask],
    /// How each task ended.
    pub coverage: &'a [Coverage],
    /// Builds the reference to a line of the ledger from its index in `coverage`.
    pub coverage_ref: CoverageRef<'a>,
    /// What people added.
    pub supplements: &'a Supplements,
}

impl Judgement<'_> {
    /// Judges, and gives each result line to `each`, in order. Holds one account's answers to one check at a time.
    ///
    /// # Errors
    /// Where the evidence describes no organisation, a temporary file cannot be read, or `each` fails.
    pub fn judge<E: From<NoOrganization> + From<io::Error>>(
        &self,
        header: AssessmentHeader,
        mut each: impl FnMut(ResultLine) -> Result<(), E>,
    ) -> Result<Assessment<()>, E> {
        let Self { catalog, observed, plan, coverage, supplements, .. } = self;
        let Some(organization) = &observed.organization else {
            let missing = OrganizationUnreadable::Missing("DescribeOrganization");
            return Err(NoOrganization(observed.organization_unreadable.clone().unwrap_or(missing)).into());
        };
        let asker = Asker {
            observed,
            population: Population::new(plan, coverage, observed, self.coverage_ref),
            policies: Some(Analysis::new(organization)),
        };
        let mut checks = BTreeMap::new();
        let exceptions = Exceptions::new(supplements, organization);
        let mut excepted = supplement::Tally::default();
        for check in catalog.checks.values() {
            let mut tally = Tally::default();
            asker.lines::<E>(check, &mut |mut lines| {
                excepted.except(&exceptions, supplements.at, &mut lines);
                lines.iter().for_each(|line| tally.add(line));
                // An exception adds its words, and words order too.
                lines.sort_by(|a, b| a.line.cmp(&b.line));
                lines.into_iter().try_for_each(|line| each(line.line))
            })?;
            checks.insert(check.id.clone(), result(check, &tally));
        }
        let out_of_scope = plan.iter().filter_map(|t| Some((t.account.clone(), t.out_of_scope.clone()?))).collect();
        Ok(Assessment {
            header,
            organization: organization.clone(),
            coverage: coverage.to_vec(),
            out_of_scope,
            findings: requirement::findings(catalog, &checks, supplements),
            checks,
            results: (),
            discrepancies: observed.discrepancies.clone(),
            exceptions: excepted.results(catalog, supplements),
            attestations: supplements.attestation_results(catalog),
        })
    }
}

fn result(check: &Check, tally: &Tally) -> CheckResult {
    CheckResult {
        check: check.id.clone(),
        title: requirement::english(&check.title),
        severity: severity(check.severity).to_owned(),
        status: tally.status(),
        why: tally.why(),
        counts: tally.all,
        remedy: check.remedy.clone(),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "informational",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}
