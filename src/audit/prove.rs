//! Proofs: which records of an assessment are meant, whether they can be proved to be all, and the raw pages behind them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{OpenError, open_archive, period::EvidenceLine};
use crate::{
    archive::{
        ArchiveError, Leaf, Reader,
        proof::{Part, Proof, ProofError, disclose},
        tally::TallyLine,
    },
    model::{ResultLine, Sha256Digest},
};

/// Names one record: by `PATH:LINE` (the file's name is enough), or by the SHA-256 of its line, as `sample` lists both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordId {
    /// File and line.
    Place {
        /// Path in the archive, or its last component.
        path: String,
        /// Line, from 1.
        line: u64,
    },
    /// SHA-256 of the line.
    Digest(Sha256Digest),
}

impl std::str::FromStr for RecordId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        let place = text.rsplit_once(':').and_then(|(path, line)| Some((path, line.parse().ok()?)));
        match place {
            Some((path, line)) if !path.is_empty() && line > 0 => Ok(Self::Place { path: path.to_owned(), line }),
            _ => Err(format!(
                "{text:?} names no record: write PATH:LINE (observations.ndjson:17) or the SHA-256 of its line; \
                 'orgproof prove ARCHIVE --list --check ID' and 'orgproof sample' show both"
            )),
        }
    }
}

impl RecordId {
    fn is(&self, leaf: &Leaf<'_>) -> bool {
        match self {
            Self::Place { path, line } => {
                *line == leaf.line && (leaf.path == path || leaf.path.rsplit('/').next() == Some(path))
            }
            Self::Digest(digest) => *digest == Sha256Digest::of(leaf.record),
        }
    }
}

/// Which records are meant: those that answer to everything that is named.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These; where the list is empty, any.
    pub records: Vec<RecordId>,
    /// Of this account.
    pub account: Option<String>,
    /// Of this check.
    pub check: Option<String>,
    /// Of this resource, by its id.
    pub resource: Option<String>,
}

impl Selection {
    fn chooses(&self, leaf: &Leaf<'_>) -> bool {
        if !self.records.is_empty() && !self.records.iter().any(|id| id.is(leaf)) {
            return false;
        }
        if self.account.is_none() && self.check.is_none() && self.resource.is_none() {
            return !self.records.is_empty();
        }
        let Ok(result) = serde_json::from_slice::<ResultLine>(leaf.record) else { return false };
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
        is(&self.account, result.account.as_str())
            && is(&self.check, &result.check)
            && is(&self.resource, &result.resource.id)
    }

    /// Returns whether a line of the tally counts exactly what is meant.
    fn counted_by(&self, line: &TallyLine) -> bool {
        let whole = self.records.is_empty() && self.resource.is_none();
        let one = self.account.is_some() != self.check.is_some();
        whole && one && line.account == self.account && line.check == self.check
    }
}

/// Why nothing can be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// There is no archive.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The proof cannot be made.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// No record is meant.
    #[error("{0} holds no such record; 'orgproof prove {0} --list' with a check or an account shows which there are")]
    Nothing(String),
    /// The raw page lies in an archive that is not at hand.
    #[error("the evidence archive {name} (seal {seal}) was not found: name it with --evidence FILE")]
    NoEvidence {
        /// Its file name.
        name: String,
        /// Its seal.
        seal: Sha256Digest,
    },
}

impl From<ArchiveError> for ProveError {
    fn from(error: ArchiveError) -> Self {
        Self::Proof(error.into())
    }
}

/// A raw page that the proof shows, and what else can be read in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Seal of its evidence archive.
    pub seal: Sha256Digest,
    /// File in that archive.
    pub path: String,
    /// Line of it, from 1.
    pub line: u64,
    /// Bytes of the stored line.
    pub bytes: usize,
    /// Numbers of twelve digits in it, which account ids are, other than the accounts of the records shown.
    pub other_accounts: BTreeSet<String>,
}

/// A proof, and what is to be said of it.
#[derive(Debug)]
pub struct Proved {
    /// The file.
    pub proof: Proof,
    /// Raw pages.
    pub pages: Vec<Page>,
    /// How many records have no page that could be shown: they rest on the run's ledger, or on nothing.
    pub without_page: usize,
}

/// Makes the proof. `pages` names further evidence archives where the raw pages are wanted too.
///
/// # Errors
/// No record is meant, the archive is not what its seal says, or a page's archive is not at hand.
pub fn prove(input: &Path, selection: &Selection, pages: Option<&[PathBuf]>) -> Result<Proved, ProveError> {
    let reader = open_archive(input)?;
    let mut counted =
        |leaf: Leaf<'_>| serde_json::from_slice::<TallyLine>(leaf.record).is_ok_and(|line| selection.counted_by(&line));
    let tally = reader.seal().predicate.tally.map(|_| &mut counted as _);
    let part = disclose(&reader, &mut |leaf| selection.chooses(&leaf), tally)?;
    if part.records.disclosed.is_empty() {
        return Err(ProveError::Nothing(reader.label().to_owned()));
    }
    let mut proved = Proved { proof: Proof::new(vec![part]), pages: Vec::new(), without_page: 0 };
    if let Some(given) = pages {
        let folder = if input.join("chain").is_dir() { input.join("archives") } else { folder_of(input) };
        add_pages(&mut proved, &reader, &folder, given)?;
    }
    Ok(proved)
}

fn folder_of(archive: &Path) -> PathBuf {
    archive.parent().map(Path::to_owned).unwrap_or_default()
}

fn results(part: &Part) -> impl Iterator<Item = ResultLine> + '_ {
    part.records.disclosed.iter().filter_map(|d| serde_json::from_str(&d.record).ok())
}

fn add_pages(proved: &mut Proved, reader: &Reader, folder: &Path, given: &[PathBuf]) -> Result<(), ProveError> {
    let mut wanted: BTreeMap<Sha256Digest, BTreeSet<(String, u64)>> = BTreeMap::new();
    let mut accounts = BTreeSet::new();
    for part in &proved.proof.parts {
        for result in results(part) {
            accounts.insert(result.account.to_string());
            match result.evidence.filter(|evidence| evidence.path.starts_with("data/bodies/")) {
                Some(at) => drop(wanted.entry(at.seal).or_default().insert((at.path, at.line))),
                None => proved.without_page += 1,
            }
        }
    }
    let evidence = reader.records::<EvidenceLine>("data/evidence.ndjson")?;
    for (seal, places) in wanted {
        let name = evidence.iter().find(|line| line.seal == seal).map(|line| line.archive.clone());
        let archive = find(seal, name.unwrap_or_default(), folder, given)?;
        let part = disclose(&archive, &mut |leaf| places.contains(&(leaf.path.to_owned(), leaf.line)), None)?;
        for page in &part.records.disclosed {
            proved.pages.push(Page {
                seal,
                path: page.path.clone(),
                line: page.line,
                bytes: page.record.len(),
                other_accounts: accounts_in(&page.record)
                    .filter(|id| !accounts.contains(*id))
                    .map(str::to_owned)
                    .collect(),
            });
        }
        proved.proof.parts.push(part);
    }
    Ok(())
}

fn find(seal: Sha256Digest, name: String, folder: &Path, given: &[PathBuf]) -> Result<Reader, ProveError> {
    let beside = Some(folder.join(&name)).filter(|path| !name.contains('/') && path.is_file());
    for path in given.iter().chain(&beside) {
        let archive = Reader::open(path)?;
        if archive.seal_digest() == seal {
            return Ok(archive);
        }
    }
    Err(ProveError::NoEvidence { name, seal })
}

/// Returns every run of exactly twelve digits.
fn accounts_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_by_place_or_by_digest() {
        let leaf = Leaf { index: 4, path: "data/results/observations.ndjson", line: 5, record: b"{}" };
        for id in ["observations.ndjson:5", "data/results/observations.ndjson:5", &Sha256Digest::of("{}").to_string()] {
            assert!(id.parse::<RecordId>().unwrap().is(&leaf), "{id}");
        }
        for id in ["observations.ndjson:6", "ndjson:5", "results/observations.ndjson:5"] {
            assert!(!id.parse::<RecordId>().unwrap().is(&leaf), "{id}");
        }
        for id in ["", "17", "observations.ndjson", "observations.ndjson:0", ":5", "x:-1"] {
            assert!(id.parse::<RecordId>().is_err(), "{id}");
        }
    }

    #[test]
    fn account_ids_in_a_page_are_found_and_longer_numbers_are_not() {
        let page = r#"{"a":"111111111111","arn":"arn:aws:s3:::x-222222222222/y","n":9007199254740993,"t":1700000000}"#;
        assert_eq!(accounts_in(page).collect::<Vec<_>>(), ["111111111111", "222222222222"]);
    }
}
