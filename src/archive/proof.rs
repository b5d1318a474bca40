//! A proof file: single lines of sealed archives, shown without the rest (`FORMAT.md`, section 9).
//!
//! [`disclose`] makes one part of it out of an archive; [`Proof::parse`] reads it back from whoever sends it. Whether it holds is
//! [`crate::verify`]'s to say.

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

use super::{ArchiveError, Leaf, Reader, SALT_KEY, Tree, batch, each_leaf, path};
use crate::model::Sha256Digest;

/// `_type` of a proof file.
pub const PROOF_TYPE: &str = "orgproof:proof/v1";

/// Larger proofs are neither written nor read: a browser reads one in one piece.
pub const MAX_PROOF: u64 = 64 * 1024 * 1024;

/// Each part costs its reader a few signatures.
const MAX_PARTS: usize = 1000;

/// The document. Unknown fields are refused: nothing may stand in a proof that nobody checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Always [`PROOF_TYPE`].
    #[serde(rename = "_type")]
    pub proof_type: String,
    /// What is shown of each archive.
    pub parts: Vec<Part>,
}

/// What is shown of one archive, and its seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The seal's files, as they lie in the archive.
    pub files: SealFiles,
    /// The RFC 3161 tokens over the checkpoint as they lie in the archive, base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Lines of the tree `.records`.
    pub records: Opening,
    /// Lines of the tree `.tally`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Opening>,
}

/// A seal's files: text, exactly as it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealFiles {
    /// `seal.json`.
    #[serde(rename = "seal.json")]
    pub seal: String,
    /// `seal.json.sig`.
    #[serde(rename = "seal.json.sig")]
    pub ssh: String,
    /// `seal.dsse.json`.
    #[serde(rename = "seal.dsse.json")]
    pub dsse: String,
    /// `seal.tlog-proof`.
    #[serde(rename = "seal.tlog-proof")]
    pub place: String,
}

/// Some leaves of a salted tree, and the hashes beside them (see [`batch`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The lines, in ascending order of their index.
    pub disclosed: Vec<Disclosed>,
    /// What else is needed to compute the root, in the order of the walk.
    pub hashes: Vec<Sha256Digest>,
}

/// One line, and its salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    /// Position in the tree, from 0.
    pub index: u64,
    /// File in the archive.
    pub path: String,
    /// Line of it, from 1.
    pub line: u64,
    /// The salt of this leaf and of no other.
    pub salt: Sha256Digest,
    /// The line without its line feed.
    pub record: String,
}

/// Why a proof cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The archive is not what its seal says: nothing can be proved from it.
    #[error("{archive} cannot be proved from: {why}. Run 'orgproof verify' on it")]
    Unsealed {
        /// The archive.
        archive: String,
        /// The fault.
        why: String,
    },
    /// More than a proof may hold.
    #[error(
        "the proof would be larger than 64 MiB: choose fewer records, or hand over the archive ('orgproof export' encrypts it)"
    )]
    TooLarge,
    /// The text is no proof.
    #[error("it is no proof file of this format: {0}")]
    Malformed(String),
}

impl Disclosed {
    /// Returns the leaf's hash.
    pub fn leaf(&self) -> Sha256Digest {
        let leaf = Leaf { index: self.index, path: &self.path, line: self.line, record: self.record.as_bytes() };
        leaf.hash(&self.salt.0)
    }
}

impl Opening {
    /// Computes the root of a tree of `size` leaves out of what is disclosed; `None` where it does not fit together.
    pub fn root(&self, size: u64) -> Option<Sha256Digest> {
        let leaves: Vec<_> = self.disclosed.iter().map(|d| (d.index, d.leaf())).collect();
        batch::root(size, &leaves, &self.hashes)
    }
}

impl Proof {
    /// Puts parts together.
    pub fn new(parts: Vec<Part>) -> Self {
        Self { proof_type: PROOF_TYPE.to_owned(), parts }
    }

    /// Returns the file's bytes.
    ///
    /// # Errors
    /// Where they would be more than [`MAX_PROOF`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProofError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|e| ProofError::Malformed(e.to_string()))?;
        bytes.push(b'\n');
        if bytes.len() as u64 > MAX_PROOF { Err(ProofError::TooLarge) } else { Ok(bytes) }
    }

    /// Reads the file. What it says is not checked, beyond its form.
    ///
    /// # Errors
    /// Where it has another form, or holds nothing.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let malformed = |why: &str| Err(ProofError::Malformed(why.to_owned()));
        if bytes.len() as u64 > MAX_PROOF {
            return malformed("larger than 64 MiB");
        }
        let proof: Self = serde_json::from_slice(bytes).map_err(|e| ProofError::Malformed(e.to_string()))?;
        if proof.proof_type != PROOF_TYPE {
            return malformed("its _type is another");
        }
        if proof.parts.len() > MAX_PARTS {
            return malformed("it shows lines of more than 1,000 archives");
        }
        if proof.parts.is_empty() || proof.parts.iter().any(|part| part.records.disclosed.is_empty()) {
            return malformed("it shows no record");
        }
        let openings = proof.parts.iter().flat_map(|part| [Some(&part.records), part.tally.as_ref()]).flatten();
        for disclosed in openings.flat_map(|opening| &opening.disclosed) {
            if path::check(&disclosed.path).is_err() || disclosed.record.contains('\n') {
                return malformed("a line's path is no path, or its record holds a line feed");
            }
        }
        Ok(proof)
    }
}

impl Part {
    /// Returns the decoded tokens; one that is no base64 is empty, which no authority's is.
    pub fn tokens(&self) -> Vec<Vec<u8>> {
        self.tokens.iter().map(|token| Base64::decode_vec(token).unwrap_or_default()).collect()
    }
}

/// Chooses lines of a tree.
pub type Choice<'a> = &'a mut dyn FnMut(Leaf<'_>) -> bool;

/// Shows those lines of an archive that `records` and `tally` choose.
///
/// # Errors
/// Where the archive cannot be read, or its trees are not those that were sealed.
pub fn disclose(reader: &Reader, records: Choice<'_>, tally: Option<Choice<'_>>) -> Result<Part, ProofError> {
    let text = |name: &str| String::from_utf8(reader.bytes(name)?).map_err(|e| ArchiveError::malformed(name, None, e));
    let files = SealFiles {
        seal: text("seal.json")?,
        ssh: text("seal.json.sig")?,
        dsse: text("seal.dsse.json")?,
        place: text("seal.tlog-proof")?,
    };
    let mut tokens = Vec::new();
    for name in reader.names().into_iter().filter(|name| path::is_token(name)) {
        tokens.push(Base64::encode_string(&reader.bytes(name)?));
    }
    let records = open(reader, Tree::Records, records)?;
    let tally = tally.map(|choice| open(reader, Tree::Tally, choice)).transpose()?;
    Ok(Part { files, tokens, records, tally: tally.filter(|opening| !opening.disclosed.is_empty()) })
}

fn open(reader: &Reader, tree: Tree, choice: Choice<'_>) -> Result<Opening, ProofError> {
    let unsealed = |why: &str| ProofError::Unsealed { archive: reader.label().to_owned(), why: why.to_owned() };
    let sealed = tree.sealed(&reader.seal().predicate).ok_or_else(|| unsealed("its seal states no such tree"))?;
    let key = <[u8; 32]>::try_from(reader.bytes(SALT_KEY)?).map_err(|_| unsealed("its salt key is not 32 bytes"))?;
    let (mut leaves, mut disclosed, mut size) = (Vec::new(), Vec::new(), 0);
    each_leaf(reader, tree, |leaf| {
        let salt = tree.salt(&key, leaf.index);
        leaves.push(leaf.hash(&salt));
        if choice(leaf) {
            let record = std::str::from_utf8(leaf.record)
                .map_err(|e| ArchiveError::malformed(leaf.path, Some(leaf.line), e))?
                .to_owned();
            size += record.len() as u64;
            if size > MAX_PROOF {
                return Err(ProofError::TooLarge);
            }
            let (index, path, line, salt) = (leaf.index, leaf.path.to_owned(), leaf.line, Sha256Digest(salt));
            disclosed.push(Disclosed { index, path, line, salt, record });
        }
        Ok(())
    })?;
    let indexes: Vec<u64> = disclosed.iter().map(|d| d.index).collect();
    let (hashes, root) = batch::prove(&leaves, &indexes);
    if (leaves.len() as u64, root) != (sealed.count, sealed.root) {
        return Err(unsealed("its lines are not those that were sealed"));
    }
    Ok(Opening { disclosed, hashes })
}
