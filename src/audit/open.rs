//! Reads a sealed assessment back: for reports, and for whoever wants to see the verdicts rebuilt.

use std::path::Path;

use super::{
    JudgeError, SIGNER,
    period::{CATALOG, EvidenceLine},
    results,
};
use crate::{
    archive::{
        Amended, ArchiveError, FileSink, Input, InputError, Kind, Reader,
        chain::{self, ChainError},
    },
    catalog::{Catalog, CatalogFiles},
    model::Assessment,
    observe::SEMANTICS,
    report::{Provenance, SealedArchive},
    sorted::Scratch,
    store::Store,
    verify::Reperform,
};

/// Why there is no assessment to be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The archive holds evidence, or nothing of ours.
    #[error("{path} is no assessment archive (it is {kind}): name a period archive, or a store")]
    NotAnAssessment {
        /// The file.
        path: String,
        /// Its kind.
        kind: String,
    },
    /// The store holds none.
    #[error("the store {store} holds no assessment: close a period with 'orgproof seal' first")]
    NoAssessment {
        /// The store.
        store: String,
    },
    /// The archive cannot be read.
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
    /// The results cannot be read.
    #[error(transparent)]
    Results(#[from] JudgeError),
}

/// Opens an assessment archive, or a store's newest, and says how it can be verified. Verifies nothing itself.
///
/// # Errors
/// There is no assessment, or it cannot be read.
pub fn open_assessment(input: &Path) -> Result<(Assessment, Provenance), OpenError> {
    let reader = open_archive(input)?;
    let seal = &reader.seal().predicate;
    let assessment = read_assessment(&reader)?;
    let mut archives: Vec<SealedArchive> = reader
        .records::<EvidenceLine>("data/evidence.ndjson")?
        .into_iter()
        .map(|line| SealedArchive { name: Some(line.archive), seal: line.seal, closed: Some(line.closed) })
        .collect();
    archives.push(SealedArchive {
        name: Some(reader.seal().archive_name()),
        seal: reader.seal_digest(),
        closed: Some(seal.closed),
    });
    let provenance = Provenance {
        tool: format!("{} {}", seal.tool.name, seal.tool.version),
        archives,
        key: Some(seal.key.id.to_string()),
        identity: Some(SIGNER.to_owned()),
    };
    Ok((assessment, provenance))
}

/// Opens an assessment archive, or a store's newest, without reading its results.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn open_archive(input: &Path) -> Result<Reader, OpenError> {
    let path = input.display().to_string();
    let reader = match Input::open(input) {
        Ok(Input::Archive(reader)) => *reader,
        Ok(Input::Store(store)) => newest(&*store)?,
        Err(InputError::Archive(e)) => return Err(e.into()),
        Err(e) => return Err(OpenError::Input { path, why: e.to_string() }),
    };
    let kind = reader.seal().predicate.kind;
    if !kind.is_assessment() {
        return Err(OpenError::NotAnAssessment { path, kind: kind.to_string() });
    }
    Ok(reader)
}

/// Reads the assessment of an archive.
pub(super) fn read_assessment(reader: &Reader) -> Result<Assessment, JudgeError> {
    results::from_files(|name| read(reader, name))
}

fn newest(store: &dyn Store) -> Result<Reader, OpenError> {
    let links = chain::read(store)?;
    let name = links.iter().rev().filter(|link| link.seal().kind.is_assessment()).find_map(chain::archive_of);
    let name = name.ok_or_else(|| OpenError::NoAssessment { store: store.url() })?;
    Ok(chain::open_archive(store, &name)?)
}

fn read(reader: &Reader, name: &str) -> Result<Option<Vec<u8>>, JudgeError> {
    if reader.size(name).is_none() {
        return Ok(None);
    }
    Ok(Some(reader.bytes(name)?))
}

/// Rebuilds `data/results/` of an assessment archive from the evidence archives that its seal names.
#[derive(Debug, Clone, Copy)]
pub struct Reperformance;

impl Reperform for Reperformance {
    fn semantics(&self) -> u32 {
        SEMANTICS
    }

    fn results(&self, assessment: &Reader, evidence: &[&Reader], sink: &mut dyn FileSink) -> Result<(), String> {
        rebuild(assessment, evidence, sink).map_err(|e| e.to_string())
    }
}

fn rebuild(assessment: &Reader, evidence: &[&Reader], sink: &mut dyn FileSink) -> Result<(), JudgeError> {
    let names: Vec<String> =
        assessment.names().into_iter().filter(|n| n.starts_with(CATALOG)).map(str::to_owned).collect();
    let mut files = CatalogFiles::new();
    for name in names {
        files.insert(name.trim_start_matches(CATALOG).to_owned(), assessment.bytes(&name)?);
    }
    let catalog = Catalog::from_files(&files)?;
    let lines = assessment.records::<EvidenceLine>("data/evidence.ndjson")?;
    let problem = |why: &str| JudgeError::Results { path: "data/evidence.ndjson".to_owned(), why: why.to_owned() };
    let judged = lines.iter().find(|line| line.judged).ok_or_else(|| problem("no run is marked as judged"))?;
    let newest = lines.iter().filter(|line| line.kind == Kind::RunClose).max_by_key(|line| line.sequence);
    if newest != Some(judged) {
        return Err(problem("the run that was judged is not the newest that was closed"));
    }
    let run = evidence
        .iter()
        .find(|reader| reader.seal_digest() == judged.seal)
        .ok_or_else(|| problem("the judged run's archive was not given"))?;
    let seal = &assessment.seal().predicate;
    let period = seal.period.as_ref().ok_or_else(|| problem("the seal names no period"))?;
    let amended: Vec<&&Reader> = evidence.iter().filter(|r| r.seal().predicate.kind == Kind::Amend).collect();
    let amendments = amended.into_iter().map(|r| Amended::read(r)).collect::<Result<Vec<_>, _>>()?;
    let inputs = super::Inputs {
        catalog: &catalog,
        period,
        evidence: lines.iter().map(|line| line.seal).collect(),
        run,
        amendments: &amendments,
        at: super::as_of(period, seal.closed),
    };
    super::judge_to(inputs, &Scratch::default(), sink).map(drop)
}
