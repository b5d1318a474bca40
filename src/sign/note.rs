//! C2SP signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

use super::{Algorithm, BadSignature, PublicKey, SignError, Signer};
use crate::model::Sha256Digest;

/// A checkpoint: the root of the tree of seals at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// `orgproof/<log id>`.
    pub origin: String,
    /// How many seals the tree holds.
    pub size: u64,
    /// RFC 6962 tree head over them.
    pub root: Sha256Digest,
}

impl Checkpoint {
    /// Returns the three lines that are signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, Base64::encode_string(&self.root.0))
    }

    /// Signs the checkpoint and returns the note.
    ///
    /// # Errors
    /// Where the signer refuses.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, SignError> {
        let text = self.text();
        let mut blob = key_id(&self.origin, signer.public_key()).to_vec();
        blob.extend_from_slice(&signer.sign(text.as_bytes())?);
        Ok(format!("{text}\n\u{2014} {} {}\n", self.origin, Base64::encode_string(&blob)))
    }

    /// Reads a note's text and its signature lines. Checks no signature.
    ///
    /// # Errors
    /// Where it is no checkpoint.
    pub fn parse(note: &str) -> Result<(Self, Vec<NoteSignature>), BadSignature> {
        let bad = |why: &str| BadSignature::Malformed { what: "checkpoint", why: why.to_owned() };
        let (text, signatures) = note.split_once("\n\n").ok_or_else(|| bad("no empty line before the signatures"))?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(bad("expected origin, size and root"));
        };
        let number: u64 = size.parse().map_err(|_| bad("the size is no number"))?;
        if number.to_string() != size {
            return Err(bad("the size is not in its shortest form"));
        }
        let root = Base64::decode_vec(root).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: number,
            root: Sha256Digest(root.ok_or_else(|| bad("the root is no base64 of 32 bytes"))?),
        };
        let signatures = signatures
            .split_terminator('\n')
            .map(|line| NoteSignature::parse(line).ok_or_else(|| bad("a signature line is malformed")))
            .collect::<Result<Vec<_>, _>>()?;
        if !note.ends_with('\n') || signatures.is_empty() {
            return Err(bad("no signature"));
        }
        Ok((checkpoint, signatures))
    }

    /// Reads a note and checks that `key` signed it under the checkpoint's own origin.
    ///
    /// # Errors
    /// Where it is malformed, `key` did not sign it, or the signature does not hold.
    pub fn verify(note: &str, key: &PublicKey) -> Result<Self, BadSignature> {
        let (checkpoint, signatures) = Self::parse(note)?;
        let id = key_id(&checkpoint.origin, key);
        let ours = signatures
            .iter()
            .find(|s| s.name == checkpoint.origin && s.key_id == id)
            .ok_or_else(|| BadSignature::OtherKey(key.fingerprint()))?;
        key.verify(checkpoint.text().as_bytes(), &ours.raw)?;
        Ok(checkpoint)
    }
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the signer: for ours, the origin.
    pub name: String,
    /// First four bytes of a hash that identifies the key.
    pub key_id: [u8; 4],
    /// The raw signature.
    pub raw: Vec<u8>,
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let blob = Base64::decode_vec(blob).ok()?;
        let (id, raw) = blob.split_at_checked(4)?;
        if name.is_empty() || raw.is_empty() {
            return None;
        }
        Some(Self { name: name.to_owned(), key_id: id.try_into().ok()?, raw: raw.to_vec() })
    }
}

/// Returns a key's id in notes: for ECDSA the first four bytes of SHA-256(SPKI), for Ed25519 those of
/// SHA-256(name || LF || 0x01 || key).
pub fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let hash = match (key.algorithm(), key.ed25519_bytes()) {
        (Algorithm::Ed25519, Some(bytes)) => {
            Sha256::new().chain_update(name.as_bytes()).chain_update([b'\n', 0x01]).chain_update(bytes).finalize()
        }
        _ => Sha256::digest(key.spki_der()),
    };
    let mut id = [0; 4];
    id.copy_from_slice(&hash[..4]);
    id
}
