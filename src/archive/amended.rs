//! What an `amend` archive holds: lines as they were sealed, the signatures over them, and the approvers file of that moment.

use std::collections::BTreeMap;

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
