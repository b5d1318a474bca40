//! A period's evidence in the store, its assessment, and its close.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Inputs, JudgeError, as_of, judge, judge_to, layout, results};
use crate::{
    archive::{
        Amended, FileSink, Kind, Reader, Staging,
        chain::{self, Chain, ChainError, Facts, Link, Sealed},
        seal::Tool,
    },
    catalog::{Catalog, CatalogFiles},
    config::Config,
    model::{Assessment, Period, Sha256Digest},
    observe::SEMANTICS,
    report::{self, Provenance, SealedArchive},
    sorted::Scratch,
    store::Store,
};

/// Where an assessment archive keeps its catalogue.
pub const CATALOG: &str = "data/inputs/catalog/";

/// Why a period cannot be judged or closed.
#[derive(Debug, thiserror::Error)]
pub enum PeriodError {
    /// There is nothing to judge.
    #[error("the store {store} holds no closed run of {period}: run 'orgproof collect' within the period first")]
    NoRun {
        /// The store.
        store: String,
        /// The period.
        period: String,
    },
    /// The period is not over.
    #[error(
        "{period} ends at {ends}, and it is {now}: a period is closed after its end, once; 'orgproof assess' judges it before"
    )]
    NotOver {
        /// The period.
        period: String,
        /// Its end.
        ends: Timestamp,
        /// The clock.
        now: Timestamp,
    },
    /// It was closed before.
    #[error("{period} was closed by seal {sequence} already: a period is closed once, and never rewritten")]
    Closed {
        /// The period.
        period: String,
        /// The seal.
        sequence: u64,
    },
    /// The chain or the store refused.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The evidence could not be judged.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// A report could not be written.
    #[error(transparent)]
    Report(#[from] report::ReportError),
}

impl From<crate::archive::ArchiveError> for PeriodError {
    fn from(error: crate::archive::ArchiveError) -> Self {
        Self::Judge(error.into())
    }
}

/// One line of `data/evidence.ndjson`: an evidence archive that belongs to the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceLine {
    /// Digest of its seal.
    pub seal: Sha256Digest,
    /// Position in the chain.
    pub sequence: u64,
    /// `run-close`, `run-abort` or `amend`.
    pub kind: Kind,
    /// File name of the archive.
    pub archive: String,
    /// Run id; empty for an amend archive, as the next ones are 0 and false.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// When the run was opened.
    pub opened: Timestamp,
    /// When it was closed.
    pub closed: Timestamp,
    /// Gaps in its ledger.
    pub gaps: u64,
    /// True for the run that the verdicts rest on: the newest that was closed.
    pub judged: bool,
}

/// What a period's chain holds.
#[derive(Debug)]
pub struct Evidence {
    /// Evidence archives, oldest first.
    pub lines: Vec<EvidenceLine>,
    /// The archive that is judged.
    pub newest: Reader,
    /// What people added, from the beginning of the chain.
    pub amendments: Vec<Amended>,
}

/// Finds the evidence of `period`: every archive whose run was opened within it, and every amend archive of the chain, since an
/// exception may be older than the period and its revocation later.
///
/// # Errors
/// The chain is broken, an archive is missing, or no run of the period was closed.
pub fn evidence(store: &dyn Store, links: &[Link], period: &Period) -> Result<Evidence, PeriodError> {
    let mut lines: Vec<EvidenceLine> = links
        .iter()
        .filter(|link| {
            let seal = link.seal();
            seal.kind == Kind::Amend || (seal.kind.ends_run() && period.contains(seal.opened))
        })
        .filter_map(|link| Some((link, chain::archive_of(link)?)))
        .map(|(link, archive)| {
            let seal = link.seal();
            EvidenceLine {
                seal: link.digest,
                sequence: seal.sequence,
                kind: seal.kind,
                archive: archive.trim_start_matches("archives/").to_owned(),
                run: seal.run.clone().unwrap_or_default(),
                opened: seal.opened,
                closed: seal.closed,
                gaps: seal.gaps.unwrap_or_default(),
                judged: false,
            }
        })
        .collect();
    let newest = lines
        .iter_mut()
        .rev()
        .find(|line| line.kind == Kind::RunClose)
        .ok_or_else(|| PeriodError::NoRun { store: store.url(), period: period.label.clone() })?;
    newest.judged = true;
    let newest = chain::open_archive(store, &format!("archives/{}", newest.archive))?;
    Ok(Evidence { lines, newest, amendments: amendments(store, links)? })
}

/// Reads every amend archive of the chain, oldest first.
///
/// # Errors
/// One is missing or cannot be read: nothing is judged as if it had not been said.
pub fn amendments(store: &dyn Store, links: &[Link]) -> Result<Vec<Amended>, PeriodError> {
    let amended = links.iter().filter(|link| link.seal().kind == Kind::Amend).filter_map(chain::archive_of);
    amended.map(|name| Ok(Amended::read(&chain::open_archive(store, &name)?)?)).collect()
}

impl Evidence {
    /// Returns the seals, oldest first.
    pub fn seals(&self) -> Vec<Sha256Digest> {
        self.lines.iter().map(|line| line.seal).collect()
    }

    /// Returns the run that was aborted after the judged one, if there is any: what it would have seen is unknown.
    pub fn aborted_since(&self) -> Option<&EvidenceLine> {
        let last = self.lines.iter().rev().find(|line| line.kind.ends_run());
        last.filter(|line| line.kind == Kind::RunAbort)
    }

    /// Judges the newest run, as known at `now`.
    ///
    /// # Errors
    /// The archive cannot be read or describes no organisation.
    pub fn assess(&self, catalog: &Catalog, period: &Period, now: Timestamp) -> Result<Assessment, JudgeError> {
        judge(self.inputs(catalog, period, now))
    }

    /// Judges likewise, in bounded memory; the files of `data/results/` go to `sink`.
    ///
    /// # Errors
    /// As [`Self::assess`], or `sink` refuses.
    pub fn assess_to(
        &self,
        catalog: &Catalog,
        period: &Period,
        now: Timestamp,
        scratch: &Scratch,
        sink: &mut dyn FileSink,
    ) -> Result<Assessment<()>, JudgeError> {
        judge_to(self.inputs(catalog, period, now), scratch, sink)
    }

    fn inputs<'a>(&'a self, catalog: &'a Catalog, period: &'a Period, now: Timestamp) -> Inputs<'a> {
        let (evidence, at) = (self.seals(), as_of(period, now));
        Inputs { catalog, period, evidence, run: &self.newest, amendments: &self.amendments, at }
    }
}

/// What closing a period is made with.
#[derive(Debug)]
pub struct Close<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The catalogue.
    pub catalog: &'a Catalog,
    /// Its files.
    pub catalog_files: &'a CatalogFiles,
    /// The period.
    pub period: &'a Period,
    /// Now.
    pub now: Timestamp,
    /// 32 random bytes for the archive's salts.
    pub salt_key: [u8; 32],
    /// What is overridden.
    pub overridden: Vec<String>,
    /// This program.
    pub tool: Tool,
}

/// Refuses a close before the period's end, and a second one.
///
/// # Errors
/// As said.
pub fn may_close(links: &[Link], period: &Period, now: Timestamp) -> Result<(), PeriodError> {
    let same = |link: &&Link| {
        let seal = link.seal();
        seal.kind == Kind::PeriodClose
            && seal.period.as_ref().is_some_and(|p| (p.from, p.to) == (period.from, period.to))
    };
    if let Some(link) = links.iter().find(same) {
        return Err(PeriodError::Closed { period: period.label.clone(), sequence: link.seal().sequence });
    }
    if now < period.to {
        return Err(PeriodError::NotOver { period: period.label.clone(), ends: period.to, now });
    }
    Ok(())
}

/// Seals the period archive: inputs, results, reports, and the evidence seals that they rest on.
///
/// # Errors
/// The evidence cannot be judged, or the store or the signer refuses.
pub fn close(
    close: &Close<'_>,
    chain: &mut Chain,
    staging: &Staging,
    evidence: &Evidence,
    assessment: &Assessment,
) -> Result<Sealed, PeriodError> {
    staging.add("data/inputs/orgproof.toml", &close.config.bytes)?;
    for (path, bytes) in close.catalog_files {
        staging.add(&format!("{CATALOG}{path}"), bytes)?;
    }
    layout::lines(staging, "data/evidence", &evidence.lines)?;
    for (path, bytes) in results::to_files(assessment)? {
        staging.add(&path, &bytes)?;
    }
    let provenance = provenance(close, chain, evidence);
    for (format, folder) in [("csv", "data/csv"), ("html", "data/report"), ("markdown", "data/report")] {
        for (name, bytes) in report::render(format, assessment, &provenance)? {
            staging.add(&format!("{folder}/{name}"), &bytes)?;
        }
    }
    let facts = Facts {
        period: Some(close.period.clone()),
        configuration: Some(close.config.digest),
        catalog: Some(close.catalog.digest),
        evidence: evidence.seals(),
        overridden: close.overridden.clone(),
        tool: close.tool.clone(),
        ..Facts::new(SEMANTICS, close.now, close.now)
    };
    Ok(chain.period_close(staging, &facts, &close.salt_key)?)
}

fn provenance(close: &Close<'_>, chain: &Chain, evidence: &Evidence) -> Provenance {
    let archive = |line: &EvidenceLine| SealedArchive {
        name: Some(line.archive.clone()),
        seal: line.seal,
        closed: Some(line.closed),
    };
    Provenance {
        tool: format!("{} {}", close.tool.name, close.tool.version),
        archives: evidence.lines.iter().map(archive).collect(),
        key: Some(chain.public_key().fingerprint().to_string()),
        identity: Some(super::SIGNER.to_owned()),
    }
}
