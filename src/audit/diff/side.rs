//! One side of a comparison, read from its archive.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::{JudgeError, open as opened, organization};
use crate::{
    archive::{
        ArchiveError, Input, InputError, Kind, Reader,
        chain::{self, ChainError, Link},
    },
    model::{Assessment, Coverage, Organization, Sha256Digest},
};

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// One holds evidence, the other verdicts.
    #[error("{0} is an evidence archive and {1} is none: compare two runs, or two assessments")]
    Kinds(String, String),
    /// The store has fewer than two.
    #[error("the store {store} holds {found} closed runs: two are needed to compare")]
    TooFew {
        /// The store.
        store: String,
        /// How many it holds.
        found: usize,
    },
    /// One path, and it is no store.
    #[error("{0} is no store: name two archives, or one store for its two newest runs")]
    NotAStore(String),
    /// Two paths, and one is a store.
    #[error("{0} is a store: name two archives, or one store alone for its two newest runs")]
    NotAnArchive(String),
    /// An archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is nothing to open under this name.
    #[error("{path}: {why}")]
    Input {
        /// The name.
        path: String,
        /// Why.
        why: String,
    },
    /// Results cannot be read.
    #[error(transparent)]
    Results(#[from] JudgeError),
}

/// What one archive says.
#[derive(Debug)]
pub struct Side {
    /// File name.
    pub archive: String,
    /// Digest of its seal.
    pub seal: Sha256Digest,
    /// Id of its chain.
    pub log: String,
    /// Place in the chain.
    pub sequence: u64,
    /// When it was sealed.
    pub closed: Timestamp,
    /// Run id or period.
    pub label: String,
    /// True for a run that did not end well.
    pub aborted: bool,
    /// The organisation, or why it cannot be read.
    pub organization: Result<Organization, String>,
    /// The ledger; of an assessment, its newest run's.
    pub coverage: Vec<Coverage>,
    /// The verdicts, of an assessment.
    pub assessment: Option<Assessment>,
}

/// Opens two archives of one kind.
///
/// # Errors
/// One cannot be read, or they are of two kinds.
pub fn open(before: &Path, after: &Path) -> Result<(Side, Side), DiffError> {
    let (a, b) = (read(before)?, read(after)?);
    match (a.assessment.is_some(), b.assessment.is_some()) {
        (false, true) => Err(DiffError::Kinds(a.archive, b.archive)),
        (true, false) => Err(DiffError::Kinds(b.archive, a.archive)),
        _ => Ok((a, b)),
    }
}

/// Finds the two newest closed runs of a store, the older first.
///
/// # Errors
/// It is no store, or it holds fewer than two.
pub fn newest_runs(folder: &Path) -> Result<(PathBuf, PathBuf), DiffError> {
    let Input::Store(store) = open_input(folder)? else {
        return Err(DiffError::NotAStore(folder.display().to_string()));
    };
    let links = chain::read(&*store)?;
    let closed = |link: &&Link| link.seal().kind == Kind::RunClose;
    let mut newest: Vec<String> = links.iter().rev().filter(closed).filter_map(chain::archive_of).take(2).collect();
    match (newest.pop(), newest.pop()) {
        (Some(before), Some(after)) => Ok((store.address(&before), store.address(&after))),
        (one, _) => Err(DiffError::TooFew { store: store.url(), found: usize::from(one.is_some()) }),
    }
}

fn open_input(path: &Path) -> Result<Input, DiffError> {
    Input::open(path).map_err(|e| match e {
        InputError::Archive(e) => e.into(),
        InputError::Unknown => DiffError::NotAStore(path.display().to_string()),
        e => DiffError::Input { path: path.display().to_string(), why: e.to_string() },
    })
}

fn open_archive(path: &Path) -> Result<Reader, DiffError> {
    match open_input(path)? {
        Input::Archive(reader) => Ok(*reader),
        Input::Store(store) => Err(DiffError::NotAnArchive(store.url())),
    }
}

fn read(path: &Path) -> Result<Side, DiffError> {
    let archive = open_archive(path)?;
    let seal = &archive.seal().predicate;
    let period = || seal.period.as_ref().map(|p| p.label.clone()).unwrap_or_default();
    let (organization, coverage, assessment) = if seal.kind.is_assessment() {
        let mut assessment = opened::read_assessment(&archive)?;
        let coverage = std::mem::take(&mut assessment.coverage);
        (Ok(assessment.organization.clone()), coverage, Some(assessment))
    } else {
        (organization::read(&archive).map_err(|e| e.to_string()), archive.coverage()?, None)
    };
    Ok(Side {
        archive: archive.label().to_owned(),
        seal: archive.seal_digest(),
        log: seal.log.clone(),
        sequence: seal.sequence,
        closed: seal.closed,
        label: if assessment.is_some() { period() } else { seal.run.clone().unwrap_or_default() },
        aborted: seal.kind == Kind::RunAbort,
        organization,
        coverage,
        assessment,
    })
}
