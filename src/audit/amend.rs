//! Seals what people add: staged, checked as the verifier will check it, then appended to the chain at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{
    archive::{
        AMENDMENTS, APPROVERS, Amended, AmendedLine, ArchiveError, MAX_FILE, Staging, approval_path,
        chain::{Chain, ChainError, Facts, Sealed},
        file_path,
        seal::Tool,
    },
    model::{Amendment, Approval, Attached, Authentication, EvidenceRef, Sha256Digest},
    observe::SEMANTICS,
};

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    /// A document cannot be attached.
    #[error("{path} cannot be attached: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A signature proves nothing.
    #[error("the signature for {id} is of no use: {why}")]
    Signature {
        /// What it was given for.
        id: String,
        /// What is wrong.
        why: String,
    },
    /// Something in it breaks the format's rules.
    #[error("{file}: {why}")]
    Malformed {
        /// Where.
        file: String,
        /// What.
        why: String,
    },
    /// The staging folder refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The chain refused.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// A document on the way into an archive.
#[derive(Debug, Clone)]
pub struct Document {
    /// How it is named in the archive.
    pub attached: Attached,
    /// Where it lies now.
    pub from: PathBuf,
}

impl Document {
    /// Reads a file's hash and size; its name is kept as data.
    ///
    /// # Errors
    /// Where it cannot be read, is empty, no plain file, or larger than 64 MiB.
    pub fn open(path: &Path) -> Result<Self, AmendError> {
        let bytes = read(path)?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let sha256 = Sha256Digest::of(&bytes);
        let attached = Attached { path: file_path(sha256, &name), sha256, size: bytes.len() as u64, name };
        Ok(Self { attached, from: path.to_owned() })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AmendError> {
    let refuse = |why: String| AmendError::File { path: path.display().to_string(), why };
    let file = std::fs::File::open(path).map_err(|e| refuse(e.to_string()))?;
    if !file.metadata().map_err(|e| refuse(e.to_string()))?.is_file() {
        return Err(refuse("it is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| refuse(e.to_string()))?;
    match bytes.len() as u64 {
        0 => Err(refuse("it is empty".to_owned())),
        size if size > MAX_FILE => {
            Err(refuse("it is larger than 64 MiB; split it, or attach a smaller form".to_owned()))
        }
        _ => Ok(bytes),
    }
}

/// What is sealed together, in one archive.
#[derive(Debug, Default)]
pub struct Addition {
    /// The amendments, without approvals.
    pub amendments: Vec<Amendment>,
    /// The documents that they name.
    pub documents: Vec<Document>,
    /// Signatures over lines of this archive or of earlier ones.
    pub signatures: Vec<Signed>,
    /// The approvers file.
    pub approvers: Option<Vec<u8>>,
}

/// A signature, and the amendment that it covers.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The amendment.
    pub amendment: Amendment,
    /// The bytes of its line as sealed or to be sealed: what was signed.
    pub bytes: Vec<u8>,
    /// The armoured SSH signature.
    pub signature: Vec<u8>,
}

impl Signed {
    /// Checks the signature as the verifier will, and makes the amendment that records it.
    ///
    /// # Errors
    /// Where it does not prove that the person named in the amendment signed.
    pub fn approval(&self, approvers: Option<&[u8]>) -> Result<Approval, AmendError> {
        let id = self.amendment.id().to_owned();
        let seal = Sha256Digest::of(b"");
        let evidence = EvidenceRef { seal, path: AMENDMENTS.to_owned(), line: 1 };
        let line = AmendedLine { amendment: self.amendment.clone(), bytes: self.bytes.clone(), evidence };
        let alone = Amended {
            seal,
            sealed: Timestamp::UNIX_EPOCH,
            lines: Vec::new(),
            signatures: BTreeMap::from([(id.clone(), self.signature.clone())]),
            approvers: approvers.map(<[u8]>::to_vec),
        };
        if let Authentication::AsStated { why } = alone.authenticate(&line) {
            return Err(AmendError::Signature { id, why });
        }
        let by = self.amendment.signer().unwrap_or_default().to_owned();
        let (of, sha256) = (id, Sha256Digest::of(&self.bytes));
        let named = Amendment::Approval(Approval { id: String::new(), of, sha256, by });
        match named.named_by_content("S-") {
            Ok(Amendment::Approval(approval)) => Ok(approval),
            other => Err(AmendError::Malformed { file: AMENDMENTS.to_owned(), why: format!("{other:?}") }),
        }
    }
}

/// With what an addition is sealed.
#[derive(Debug)]
pub struct Sealing {
    /// Now.
    pub now: Timestamp,
    /// 32 random bytes for the archive's salts.
    pub salt_key: [u8; 32],
    /// Digest of the configuration.
    pub configuration: Sha256Digest,
    /// Digest of the catalogue whose items and checks are meant.
    pub catalog: Sha256Digest,
    /// What is overridden.
    pub overridden: Vec<String>,
    /// This program.
    pub tool: Tool,
}

/// Seals an addition.
///
/// # Errors
/// Nothing is sealed: a document changed or cannot be read, a signature proves nothing, or the store or the signer refuses.
pub fn amend(
    chain: &mut Chain,
    staging: &Staging,
    addition: &Addition,
    sealing: &Sealing,
) -> Result<Sealed, AmendError> {
    let approvers = addition.approvers.as_deref();
    let approvals = addition.signatures.iter().map(|signed| Ok(Amendment::Approval(signed.approval(approvers)?)));
    let approvals = approvals.collect::<Result<Vec<_>, AmendError>>()?;
    let amendments: Vec<&Amendment> = addition.amendments.iter().chain(&approvals).collect();
    super::layout::lines(staging, AMENDMENTS.trim_end_matches(".ndjson"), &amendments)?;
    let mut staged = BTreeSet::new();
    for document in addition.documents.iter().filter(|d| staged.insert(&d.attached.path)) {
        let bytes = read(&document.from)?;
        if Sha256Digest::of(&bytes) != document.attached.sha256 {
            let path = document.from.display().to_string();
            return Err(AmendError::File { path, why: "it changed meanwhile".to_owned() });
        }
        staging.add(&document.attached.path, &bytes)?;
    }
    for signed in &addition.signatures {
        staging.add(&approval_path(signed.amendment.id()), &signed.signature)?;
    }
    if let Some(approvers) = approvers {
        staging.add(APPROVERS, approvers)?;
    }
    let facts = Facts {
        configuration: Some(sealing.configuration),
        catalog: Some(sealing.catalog),
        overridden: sealing.overridden.clone(),
        tool: sealing.tool.clone(),
        ..Facts::new(SEMANTICS, sealing.now, sealing.now)
    };
    Ok(chain.amend(staging, &facts, &sealing.salt_key)?)
}
