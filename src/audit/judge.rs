//! From sealed evidence to an assessment: the one path that `assess`, `seal` and the re-performance in `verify` share, so
//! that what was sealed and what is rebuilt can differ only where evidence, catalogue or rules do.

use jiff::{Timestamp, ToSpan};

use super::amendments;
use crate::{
    archive::{Amended, ArchiveError, Reader},
    assess::{self, NoOrganization},
    catalog::{Catalog, Faults},
    model::{Assessment, AssessmentHeader, EvidenceRef, Exchange, Period, Sha256Digest},
    observe::{Observer, SEMANTICS},
};

/// Why evidence could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// An archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The evidence does not say which organisation it is about.
    #[error(transparent)]
    NoOrganization(#[from] NoOrganization),
    /// The catalogue has faults.
    #[error(transparent)]
    Catalog(#[from] Faults),
    /// A file of results is not what this program writes.
    #[error("{path}: {why}; was it written by another release?")]
    Results {
        /// File inside the archive.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// Everything that a judgement is made from: whoever gives the same gets the same bytes.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The catalogue.
    pub catalog: &'a Catalog,
    /// The period.
    pub period: &'a Period,
    /// Seals of the period's runs and of every amend archive before the judgement, oldest first.
    pub evidence: Vec<Sha256Digest>,
    /// The run that is judged: the newest of the period that was closed.
    pub run: &'a Reader,
    /// The amend archives, oldest first.
    pub amendments: &'a [Amended],
    /// As of when exceptions and attestations must be valid: see [`as_of`].
    pub at: Timestamp,
}

/// Returns as of when a judgement made at `now` takes exceptions and attestations: now, or the period's last instant after it.
pub fn as_of(period: &Period, now: Timestamp) -> Timestamp {
    now.min(period.to.saturating_sub(1.nanosecond()).unwrap_or(period.to))
}

/// Judges.
///
/// # Errors
/// The archive cannot be read, or describes no organisation.
pub fn judge(inputs: Inputs<'_>) -> Result<Assessment, JudgeError> {
    let Inputs { catalog, period, evidence, run, amendments, at } = inputs;
    let (plan, coverage) = (run.plan()?, run.coverage()?);
    let mut observer = Observer::new();
    run.exchanges(|exchange: Exchange<'_>| {
        observer.push(exchange);
        Ok::<(), ArchiveError>(())
    })?;
    let observed = observer.finish(&plan, &coverage);
    let seal = &run.seal().predicate;
    let header = AssessmentHeader {
        semantics: SEMANTICS,
        period: period.clone(),
        catalog: catalog.digest,
        evidence,
        run: seal.run.clone().unwrap_or_default(),
        closed: seal.closed,
        frameworks: catalog
            .frameworks
            .iter()
            .map(|f| {
                (f.id.clone(), format!("{} {}", f.title.get("en").map_or(f.id.as_str(), String::as_str), f.version))
            })
            .collect(),
        overridden: seal.overridden.clone(),
    };
    let digest = run.seal_digest();
    // A ledger longer than one file of the format goes on in numbered parts: the reference names part and line.
    let places = places(run, coverage.len())?;
    let line = |index: usize| {
        let (path, line) = places.get(index).cloned().unwrap_or_default();
        EvidenceRef { seal: digest, path, line }
    };
    let supplements = amendments::supplements(amendments, at);
    Ok(assess::assess(catalog, &observed, &plan, &coverage, header, &line, &supplements)?)
}

fn places(run: &Reader, expected: usize) -> Result<Vec<(String, u64)>, ArchiveError> {
    let mut places = Vec::with_capacity(expected);
    let mut lines = run.lines("data/coverage.ndjson")?;
    while lines.next_line()?.is_some() {
        let (path, line) = lines.position();
        places.push((path.to_owned(), line));
    }
    Ok(places)
}
