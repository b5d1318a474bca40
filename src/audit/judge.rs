//! From sealed evidence to an assessment: the one path that `assess`, `seal` and the re-performance in `verify` share, so
//! that what was sealed and what is rebuilt can differ only where evidence, catalogue or rules do.

use jiff::{Timestamp, ToSpan};

use super::{amendments, observe};
use crate::{
    archive::{Amended, ArchiveError, Reader},
    assess::{Judgement, NoOrganization},
    catalog::{Catalog, Faults},
    model::{Assessment, AssessmentHeader, EvidenceRef, Period, ResultLine, Sha256Digest},
    observe::SEMANTICS,
    sorted::Scratch,
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

/// Judges, and keeps the result lines in memory: they are as many as resources times checks.
///
/// # Errors
/// The archive cannot be read, or describes no organisation.
pub fn judge(inputs: Inputs<'_>) -> Result<Assessment, JudgeError> {
    let mut results = Vec::new();
    let assessment = judge_into(inputs, &Scratch::default(), |line| {
        results.push(line);
        Ok(())
    })?;
    Ok(assessment.with_results(results))
}

/// Judges in bounded memory, and gives each result line to `each`, in order.
///
/// # Errors
/// The archive cannot be read, or describes no organisation; a temporary file cannot be written; or `each` fails.
pub fn judge_into(
    inputs: Inputs<'_>,
    scratch: &Scratch,
    each: impl FnMut(ResultLine) -> Result<(), JudgeError>,
) -> Result<Assessment<()>, JudgeError> {
    let Inputs { catalog, period, evidence, run, amendments, at } = inputs;
    let (plan, coverage) = (run.plan()?, run.coverage()?);
    let observed = observe(run, &plan, &coverage, scratch)?;
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
    let places = Places::new(run)?;
    let supplements = amendments::supplements(amendments, at);
    let judgement = Judgement {
        catalog,
        observed: &observed,
        plan: &plan,
        coverage: &coverage,
        coverage_ref: &|index| places.of(index),
        supplements: &supplements,
    };
    judgement.judge(header, each)
}

/// Where the ledger's lines lie: one that is longer than one file of the format goes on in numbered parts.
struct Places {
    seal: Sha256Digest,
    /// Index of each part's first line, and the part.
    parts: Vec<(usize, String)>,
}

impl Places {
    fn new(run: &Reader) -> Result<Self, ArchiveError> {
        let mut parts: Vec<(usize, String)> = Vec::new();
        let mut lines = run.lines("data/coverage.ndjson")?;
        let mut index = 0;
        while lines.next_line()?.is_some() {
            let (path, _) = lines.position();
            if parts.last().is_none_or(|(_, last)| last != path) {
                parts.push((index, path.to_owned()));
            }
            index += 1;
        }
        Ok(Self { seal: run.seal_digest(), parts })
    }

    fn of(&self, index: usize) -> EvidenceRef {
        let part = self.parts.partition_point(|(first, _)| *first <= index).saturating_sub(1);
        let (first, path) = self.parts.get(part).map_or((0, ""), |(first, path)| (*first, path.as_str()));
        EvidenceRef { seal: self.seal, path: path.to_owned(), line: (index - first) as u64 + 1 }
    }
}
