//! What people add to the evidence: exceptions for failures, and attestations for what no check can confirm.
//!
//! | what | effect |
//! |---|---|
//! | exception, approved by another than its owner, not expired | the failures in its scope stay failures in the results, with the exception in words; they no longer decide the verdict |
//! | expired, not yet begun, or approved by its owner | none; reported as such |
//! | any exception, on an answer that is missing | none: nobody can except what was not seen |
//! | a check of which nothing but excepted failures is left | not assessed: an exception is no evidence of a pass |
//! | attestation for a manual, not automated or inherited item, valid at the time of assessment | satisfied, or not satisfied where it says that the item does not hold; a valid "does not hold" outweighs |
//! | lapsed, or observed later than the time of assessment | not assessed, with the reason |
//! | attestation for an automated item | none |
//!
//! A Security Hub suppression or a Config remediation exception is neither: those are the sources' own, and their answers stay "not assessed" or failed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::verdict::{Line, Standing};
use crate::model::{AccountId, EvidenceRef, ItemMode, ObservationStatus, Region, Status};

/// A decision to live with a failure for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exception {
    /// Id, unique among the exceptions.
    pub id: String,
    /// The check whose failures it concerns.
    pub check: String,
    /// The account; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The Region; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The resource's id, exactly; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Who answers for the failure.
    pub owner: String,
    /// Who accepted it; not the owner.
    pub approver: String,
    /// True where the approver's own signature was checked; otherwise the approval is shown as stated.
    #[serde(default)]
    pub authenticated: bool,
    /// Why.
    pub reason: String,
    /// What stands in for the control meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensating: Option<String>,
    /// First instant at which it counts.
    pub from: Timestamp,
    /// First instant at which it no longer counts.
    pub expires: Timestamp,
}

/// A person's word on a checklist item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Attestation {
    /// Framework id.
    pub framework: String,
    /// Requirement id.
    pub requirement: String,
    /// Item id within the requirement.
    pub item: String,
    /// What was found.
    pub statement: String,
    /// True where the item was found to hold.
    pub holds: bool,
    /// Who says so.
    pub by: String,
    /// When it was seen.
    pub observed: Timestamp,
    /// First instant at which it no longer counts.
    pub valid_until: Timestamp,
    /// The document behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceRef>,
}

/// Everything that people added, and the time as of which it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplements {
    /// Exceptions.
    pub exceptions: Vec<Exception>,
    /// Attestations.
    pub attestations: Vec<Attestation>,
    /// As of when they must be valid.
    pub at: Timestamp,
}

/// What became of an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExceptionUse {
    /// Its id.
    pub id: String,
    /// Why it had no effect; `None` where it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_effect: Option<String>,
    /// Failures in its scope, whether it counts or not.
    pub failures: u64,
    /// When it ends.
    pub expires: Timestamp,
}

impl Exception {
    /// Returns why it has no effect at `at`; `None` where it has.
    fn void(&self, at: Timestamp) -> Option<String> {
        let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
        if self.owner.trim().is_empty() || self.approver.trim().is_empty() {
            return Some("it names no owner or no approver".to_owned());
        }
        if same(&self.owner, &self.approver) {
            return Some("its owner cannot approve it".to_owned());
        }
        if at >= self.expires {
            return Some(format!("it expired at {}", self.expires));
        }
        (at < self.from).then(|| format!("it begins only at {}", self.from))
    }

    fn concerns(&self, line: &Line) -> bool {
        let line = &line.line;
        self.check == line.check
            && line.status == ObservationStatus::Fail
            && self.account.as_ref().is_none_or(|a| *a == line.account)
            && self.region.as_ref().is_none_or(|r| *r == line.region)
            && self.resource.as_ref().is_none_or(|r| *r == line.resource.id)
    }

    fn words(&self) -> String {
        let how = if self.authenticated { "signature checked" } else { "as stated, not authenticated" };
        let compensating = self.compensating.as_deref().map(|c| format!("; meanwhile: {c}")).unwrap_or_default();
        format!(
            "excepted until {} ({}; owner {}, approved by {}, {how}): {}{compensating}",
            self.expires, self.id, self.owner, self.approver, self.reason
        )
    }
}

impl Supplements {
    /// Nothing added.
    pub fn none(at: Timestamp) -> Self {
        Self { exceptions: Vec::new(), attestations: Vec::new(), at }
    }

    /// Marks the failures that an exception covers.
    pub(super) fn except(&self, lines: &mut [Line]) {
        for line in lines.iter_mut().filter(|l| l.standing == Standing::Counted) {
            let valid = self.exceptions.iter().filter(|e| e.void(self.at).is_none());
            // Of several the one that lasts longest is named; the id decides between equals.
            let best = valid.filter(|e| e.concerns(line)).max_by_key(|e| (e.expires, &e.id));
            if let Some(exception) = best {
                line.standing = Standing::Excepted;
                line.line.why = format!("{} [{}]", line.line.why, exception.words());
            }
        }
    }

    /// Counts, for each exception, the failures in its scope.
    pub(super) fn count(&self, lines: &[Line], uses: &mut [ExceptionUse]) {
        for (exception, counted) in self.exceptions.iter().zip(uses) {
            counted.failures += lines.iter().filter(|l| exception.concerns(l)).count() as u64;
        }
    }

    /// Returns the tally of exceptions before any line was seen.
    pub(super) fn uses(&self) -> Vec<ExceptionUse> {
        let of = |e: &Exception| ExceptionUse {
            id: e.id.clone(),
            without_effect: e.void(self.at),
            failures: 0,
            expires: e.expires,
        };
        self.exceptions.iter().map(of).collect()
    }

    /// Returns what attestations say of an item that a person confirms; `None` where there is none at all.
    pub(super) fn attested(&self, place: (&str, &str, &str), mode: ItemMode) -> Option<(Status, String)> {
        if mode == ItemMode::Automated {
            return None;
        }
        let here = |a: &&Attestation| (a.framework.as_str(), a.requirement.as_str(), a.item.as_str()) == place;
        let mut all: Vec<_> = self.attestations.iter().filter(here).collect();
        all.sort_by_key(|a| (a.valid_until, a.observed, a.by.as_str(), a.statement.as_str()));
        let valid = |a: &&&Attestation| a.observed <= self.at && self.at < a.valid_until;
        let counted = all.iter().rev().filter(valid);
        if let Some(best) = counted.min_by_key(|a| a.holds) {
            let Attestation { by, observed, valid_until, statement, .. } = best;
            let status = if best.holds { Status::Satisfied } else { Status::NotSatisfied };
            return Some((status, format!("{by} attested on {observed}, valid until {valid_until}: {statement}")));
        }
        let last = all.last()?;
        let why = if last.observed > self.at {
            format!("The attestation by {} was observed only at {}", last.by, last.observed)
        } else {
            format!("The attestation by {} lapsed at {}", last.by, last.valid_until)
        };
        Some((Status::NotAssessed, why))
    }
}
