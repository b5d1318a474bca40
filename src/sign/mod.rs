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
#[cfg(feature = "encrypted-keys")]
mod encrypted;
#[cfg(test)]
mod encrypted_tests;
mod file;
mod key;
#[cfg(feature = "aws")]
mod kms;
pub mod note;
mod passphrase;
pub mod sshsig;
#[cfg(test)]
mod tests;
mod wire;

pub use file::{Encryption, FileSigner, generate};
pub use key::{Algorithm, PublicKey};
pub use passphrase::Passphrase;

use std::path::Path;

/// Something that holds a private key and signs with it.
pub trait Signer: Send + Sync + std::fmt::Debug {
    /// Returns the public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message`: ECDSA over its SHA-256 as ASN.1 DER for P-256, 64 raw bytes (RFC 8032) for Ed25519.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Returns where the private key lives, as the seal states it: `file`, `kms` or `kms-imported`.
    fn assurance(&self) -> &'static str;

    /// Returns which of endpoint, proxy and trust roots are overridden for whoever holds the key.
    fn overridden(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a key cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A file of a key or passphrase cannot be read or written.
    #[error("cannot {action} the file {path}: {source}")]
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
    /// Others on this machine can read the private key, or its passphrase.
    #[error("the file {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
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
    /// The key file is encrypted, and no passphrase is to be had.
    #[error(
        "the key file {path} is encrypted: set {variable}, name a file that holds the passphrase ([signing] passphrase_file), or run this \
         at a terminal"
    )]
    Locked {
        /// The file.
        path: String,
        /// The variable that may hold its passphrase.
        variable: &'static str,
    },
    /// What was typed twice was not the same.
    #[error("the two passphrases that were typed differ: nothing was written")]
    Differ,
    /// The key file is encrypted, and cannot be decrypted.
    #[error("the encrypted key file {path} cannot be opened: {why}")]
    Encrypted {
        /// The file.
        path: String,
        /// The cause.
        why: String,
    },
    /// The file holds no passphrase.
    #[error("{path} holds no passphrase: {why}")]
    NoPassphrase {
        /// The file.
        path: String,
        /// What it holds.
        why: String,
    },
    /// The URI is of a known scheme and not understood.
    #[error("{uri} names no key: {why}")]
    Uri {
        /// The URI.
        uri: String,
        /// What to write instead.
        why: String,
    },
    /// AWS KMS refused, was not reached, or holds a key of another kind.
    #[error("cannot {action} the key {key}: {said}. {next}")]
    Kms {
        /// What was tried, up to "the key".
        action: &'static str,
        /// The key, as it was named.
        key: String,
        /// What happened.
        said: String,
        /// What to do.
        next: &'static str,
    },
    /// The role that seals cannot be assumed.
    #[error(
        "cannot assume {role}, which is to seal ({said}). Check [signing] role, that these credentials may call sts:AssumeRole and \
         sts:SetSourceIdentity on it, and that its trust policy lets them in"
    )]
    Role {
        /// The role.
        role: String,
        /// What happened.
        said: String,
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

/// What opening a key takes besides its URI.
pub struct Access<'a> {
    /// Folder that paths are relative to.
    pub base: &'a Path,
    /// Gives the passphrase of an encrypted key file, whose name it is told; not asked for others.
    pub passphrase: &'a dyn Fn(&str) -> Result<Passphrase, SignError>,
    /// Region in which an alias or id of AWS KMS is looked up.
    pub region: Option<&'a str>,
    /// Role to assume for a key of AWS KMS.
    pub role: Option<&'a str>,
}

impl<'a> Access<'a> {
    /// For key files that are not encrypted.
    pub fn files(base: &'a Path) -> Self {
        let locked =
            &|path: &str| Err(SignError::Locked { path: path.to_owned(), variable: "ORGPROOF_KEY_PASSPHRASE" });
        Self { base, passphrase: locked, region: None, role: None }
    }
}

impl std::fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("base", &self.base)
            .field("region", &self.region)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Returns whether `uri` names a file, which is opened without a network.
pub fn is_file(uri: &str) -> bool {
    uri.starts_with("file:")
}

/// Opens the signer that `uri` names: `file:PATH`, or (feature `aws`) `awskms:///` and an alias, a key's id or an ARN.
///
/// # Errors
/// Where the URI is not understood; the file is absent, readable by others, encrypted without a passphrase, or holds no key; KMS refuses, is
/// not reached, or the key cannot seal.
pub fn open(uri: &str, access: &Access<'_>) -> Result<Box<dyn Signer>, SignError> {
    match uri.split_once(':') {
        Some(("file", path)) if !path.is_empty() => {
            Ok(Box::new(FileSigner::open(&access.base.join(path), access.passphrase)?))
        }
        #[cfg(feature = "aws")]
        Some(("awskms", rest)) => Ok(Box::new(kms::KmsSigner::open(rest, access)?)),
        _ => {
            let kms = if cfg!(feature = "aws") { " or awskms:///alias/NAME" } else { "" };
            Err(SignError::Scheme { uri: uri.to_owned(), kms })
        }
    }
}
