//! From sealed evidence to an assessment: the one path that `assess`, `seal` and the re-performance in `verify` share, so
//! that what was sealed and what is rebuilt can differ only where evidence, catalogue or rules do.

use crate::{
    archive::{ArchiveError, Reader},
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

/// Judges `run`, the newest of a period's runs; `evidence` names the seals of all runs of the period, oldest first.
///
/// # Errors
/// The archive cannot be read, or describes no organisation.
pub fn judge(
    run: &Reader,
    catalog: &Catalog,
    period: &Period,
    evidence: Vec<Sha256Digest>,
) -> Result<Assessment, JudgeError> {
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
    Ok(assess::assess(catalog, &observed, &plan, &coverage, header, &line)?)
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
