//! Keys by URI, and the three protocols that one key signs: DSSE, SSHSIG and C2SP signed notes.
//!
//! The protocols' prefixes keep their messages apart: a DSSE pre-authentication encoding begins with `DSSEv1`, the data
//! that an SSH signature covers with `SSHSIG`, a checkpoint with the log's origin. So a signature given for one of them
//! can never be shown as a signature for another.
//!
//! A key's identity is the SHA-256 of its SubjectPublicKeyInfo (DER), never a key service's name for it: an ARN would
//! name an account.

pub mod approvers;
pub mod dsse;
mod file;
mod key;
pub mod note;
pub mod sshsig;
#[cfg(test)]
mod tests;
mod wire;

pub use file::{FileSigner, generate};
pub use key::{Algorithm, PublicKey};

use std::path::Path;

/// Something that holds a private key and signs with it.
pub trait Signer: Send + Sync + std::fmt::Debug {
    /// Returns the public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message`: ECDSA over its SHA-256 as ASN.1 DER for P-256, 64 raw bytes (RFC 8032) for Ed25519.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Returns where the private key lives, as the seal states it: `file` or `kms`.
    fn assurance(&self) -> &'static str;
}

/// Why a key cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key file cannot be read or written.
    #[error("cannot {action} the key file {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A key is never overwritten: what it sealed could no longer be continued.
    #[error(
        "{path} exists already; a key is never overwritten. Name another file, or delete this one if nothing was sealed with it"
    )]
    Exists {
        /// The file.
        path: String,
    },
    /// Others on this machine can read the private key.
    #[error("the key file {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Mode {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds no private key that we can use.
    #[error("{path} is no usable private key: {why}. Make one with: orgproof keys generate --out FILE")]
    NotAKey {
        /// The file.
        path: String,
        /// What it is instead.
        why: String,
    },
    /// The URI's scheme is not one of ours.
    #[error("{uri:?} is no key that this build can use; write file:PATH{kms}")]
    Scheme {
        /// The URI.
        uri: String,
        /// What else could be written, where the build has it.
        kms: &'static str,
    },
    /// The text is no public key.
    #[error("{0}")]
    NotAPublicKey(String),
    /// The signer refused.
    #[error("signing failed: {0}")]
    Refused(String),
}

/// A signature does not hold, or is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The bytes are not in the form that the protocol prescribes.
    #[error("the {what} is malformed: {why}")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// How.
        why: String,
    },
    /// There is no signature by this key.
    #[error("it holds no signature by key {0}")]
    OtherKey(crate::model::Sha256Digest),
    /// The signature was made over other bytes, or by another key.
    #[error("the signature does not match the signed bytes")]
    Mismatch,
}

/// Opens the signer that `uri` names: `file:PATH` (relative to `base`).
///
/// # Errors
/// Where the scheme is unknown, the file is absent, readable by others, or holds no key.
pub fn open(uri: &str, base: &Path) -> Result<Box<dyn Signer>, SignError> {
    match uri.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Ok(Box::new(FileSigner::open(&base.join(path))?)),
        _ => Err(SignError::Scheme { uri: uri.to_owned(), kms: "" }),
    }
}
