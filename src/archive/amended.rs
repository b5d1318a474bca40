//! What an `amend` archive holds: lines as they were sealed, the signatures over them, and the approvers file of that moment.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{ArchiveError, Reader};
use crate::{
    model::{Amendment, Authentication, EvidenceRef, Sha256Digest},
    sign::approvers::Approvers,
};

/// Where the lines lie.
pub const AMENDMENTS: &str = "data/amendments.ndjson";

/// Where the approvers file lies.
pub const APPROVERS: &str = "data/inputs/approvers";

/// Returns where the signature over the amendment `id` lies.
pub fn approval_path(id: &str) -> String {
    format!("data/approvals/{id}.sig")
}

/// Returns where an attached file lies: its hash, and of its owner's name for it no more than a harmless extension.
pub fn file_path(sha256: Sha256Digest, name: &str) -> String {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let harmless = (1..=8).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    if harmless { format!("data/files/{sha256}.{extension}") } else { format!("data/files/{sha256}") }
}

/// One line of an amend archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendedLine {
    /// What it says.
    pub amendment: Amendment,
    /// Its bytes with the line feed: what an approver signs.
    pub bytes: Vec<u8>,
    /// Where it lies.
    pub evidence: EvidenceRef,
}

/// The content of an amend archive, attached files apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amended {
    /// Digest of its seal.
    pub seal: Sha256Digest,
    /// When it was sealed, by the sealing machine's clock.
    pub sealed: Timestamp,
    /// Its lines.
    pub lines: Vec<AmendedLine>,
    /// Signatures by the id of what they approve.
    pub signatures: BTreeMap<String, Vec<u8>>,
    /// The approvers file, where there was one.
    pub approvers: Option<Vec<u8>>,
}

impl Amended {
    /// Reads an amend archive; no signature is checked.
    ///
    /// # Errors
    /// Where a file is missing or a line is no amendment.
    pub fn read(archive: &Reader) -> Result<Self, ArchiveError> {
        let seal = archive.seal_digest();
        let (mut lines, mut signatures) = (Vec::new(), BTreeMap::new());
        let mut from = archive.lines(AMENDMENTS)?;
        while let Some(mut bytes) = from.next_line()? {
            let (path, line) = from.position();
            let amendment: Amendment =
                serde_json::from_slice(&bytes).map_err(|e| ArchiveError::malformed(path, Some(line), e))?;
            let evidence = EvidenceRef { seal, path: path.to_owned(), line };
            if let Amendment::Approval(approval) = &amendment {
                if !Amendment::is_id(&approval.of) {
                    return Err(ArchiveError::malformed(path, Some(line), "it approves what can have no such id"));
                }
                signatures.insert(approval.of.clone(), archive.bytes(&approval_path(&approval.of))?);
            }
            bytes.push(b'\n');
            lines.push(AmendedLine { amendment, bytes, evidence });
        }
        let approvers = archive.size(APPROVERS).map(|_| archive.bytes(APPROVERS)).transpose()?;
        Ok(Self { seal, sealed: archive.seal().predicate.closed, lines, signatures, approvers })
    }

    /// Returns what in the archive breaks the rules of its kind, as file and fault; `sizes` are those of the files below `data/`.
    pub fn faults(&self, sizes: &BTreeMap<&str, u64>) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut expected: BTreeSet<String> = [AMENDMENTS.to_owned(), APPROVERS.to_owned()].into();
        let mut ids = BTreeSet::new();
        let mut fault = |file: &str, why: String| faults.push((file.to_owned(), why));
        if self.lines.is_empty() {
            fault(AMENDMENTS, "it holds no amendment".to_owned());
        }
        for line in &self.lines {
            let (path, number, id) = (&line.evidence.path, line.evidence.line, line.amendment.id());
            expected.insert(path.clone());
            let mut wrong = |why: &str| fault(path, format!("line {number}: {why}"));
            if !Amendment::is_id(id) {
                wrong("its id is none");
            }
            if !ids.insert(id) {
                wrong("another line of this archive has the same id");
            }
            if line.amendment.line().ok().as_deref() != Some(&line.bytes) {
                wrong("it is not written as an amendment is written");
            }
            match &line.amendment {
                Amendment::Attestation(attestation) => {
                    if attestation.observed > self.sealed {
                        wrong("it was observed after it was sealed");
                    }
                    for file in &attestation.files {
                        if file.path != file_path(file.sha256, &file.name) {
                            wrong("a file of it lies elsewhere than its hash says");
                        }
                        if sizes.get(file.path.as_str()) != Some(&file.size) {
                            wrong("a file of it is missing or has another size");
                        }
                        expected.insert(file.path.clone());
                    }
                }
                Amendment::Approval(approval) => {
                    expected.insert(approval_path(&approval.of));
                    let here = self.lines.iter().find(|l| l.amendment.id() == approval.of);
                    if here.is_some_and(|l| Sha256Digest::of(&l.bytes) != approval.sha256) {
                        wrong("it approves other bytes than the line of that id");
                    }
                }
                Amendment::Exception(_) | Amendment::Revocation(_) => {}
            }
        }
        let stray = |name: &&&str| {
            ["data/files/", "data/approvals/"].iter().any(|folder| name.starts_with(folder))
                || !name.starts_with("data/inputs/")
        };
        for name in sizes.keys().filter(stray).filter(|name| !expected.contains(**name)) {
            fault(name, "no amendment names it".to_owned());
        }
        faults
    }

    /// Says how far the signature in this archive proves that the right person stands behind `line`, of this archive or another.
    pub fn authenticate(&self, line: &AmendedLine) -> Authentication {
        let as_stated = |why: String| Authentication::AsStated { why };
        let Some(signature) = self.signatures.get(line.amendment.id()) else { return Authentication::unsigned() };
        let Some(signer) = line.amendment.signer() else { return as_stated("nobody can sign for it".to_owned()) };
        let owner = match &line.amendment {
            Amendment::Exception(exception) => Some(exception.owner.as_str()),
            _ => None,
        };
        let Some(file) = &self.approvers else {
            return as_stated("it is signed, but no approvers file was given to check it against".to_owned());
        };
        let checked = Approvers::parse(file).and_then(|approvers| {
            let key = approvers.check(signer, owner, &line.bytes, signature).map_err(|e| e.to_string())?;
            Ok(Authentication::SignatureChecked { key, approvers: approvers.digest() })
        });
        checked.unwrap_or_else(as_stated)
    }
}
