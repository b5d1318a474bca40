//! Whom to believe. Trust comes from outside: never from a key that lies in the archive.

use std::path::Path;

use base64ct::{Base64, Encoding};

use crate::{
    model::Sha256Digest,
    sign::{PublicKey, sshsig},
};

/// The keys whose seals are believed.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    fingerprints: Vec<Sha256Digest>,
}

/// Why a `--trust` value is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error(
        "cannot read {path}: {source}. --trust takes an allowed_signers file, a PEM public key, or a fingerprint of 64 hexadecimal digits"
    )]
    Io {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The file holds no key that may sign seals.
    #[error("{path} holds no key that may sign seals: {why}")]
    NoKey {
        /// The file.
        path: String,
        /// The fault.
        why: String,
    },
}

impl Trust {
    /// Trusts nobody: what was signed is checked, but by whom stays open.
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts one key.
    pub fn key(key: &PublicKey) -> Self {
        Self { fingerprints: vec![key.fingerprint()] }
    }

    /// Trusts the keys with these fingerprints.
    pub fn fingerprints(fingerprints: impl IntoIterator<Item = Sha256Digest>) -> Self {
        Self { fingerprints: fingerprints.into_iter().collect() }
    }

    /// Reads `--trust` values: a fingerprint, or the path (relative to `base`) of an `allowed_signers` or PEM file.
    ///
    /// # Errors
    /// Where a file cannot be read or holds no key that may sign seals.
    pub fn load(values: &[String], base: &Path) -> Result<Self, TrustError> {
        let mut fingerprints = Vec::new();
        for value in values {
            if let Ok(digest) = value.to_ascii_lowercase().parse() {
                fingerprints.push(digest);
                continue;
            }
            let text = std::fs::read_to_string(base.join(value))
                .map_err(|source| TrustError::Io { path: value.clone(), source })?;
            let keys = if text.contains("-----BEGIN") {
                PublicKey::from_pem(&text).map(|key| vec![key]).map_err(|e| e.to_string())
            } else {
                allowed_signers(&text)
            };
            let keys = keys.map_err(|why| TrustError::NoKey { path: value.clone(), why })?;
            fingerprints.extend(keys.iter().map(PublicKey::fingerprint));
        }
        Ok(Self { fingerprints })
    }

    /// Returns whether no key is trusted.
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty()
    }

    /// Returns whether seals by `key` are believed.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.has(key.fingerprint())
    }

    /// Returns whether seals by the key with this fingerprint are believed.
    pub fn has(&self, fingerprint: Sha256Digest) -> bool {
        self.fingerprints.contains(&fingerprint)
    }
}

/// Reads an `allowed_signers` file (ssh-keygen(1)): principals, options, key type, key.
///
/// Only lines that may sign in our namespace count; certificate authorities and validity times are not understood and
/// such lines are refused, for ignoring them would trust more than was written.
fn allowed_signers(text: &str) -> Result<Vec<PublicKey>, String> {
    let mut keys = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let at = words
            .iter()
            .position(|w| *w == "ecdsa-sha2-nistp256" || *w == "ssh-ed25519")
            .filter(|at| *at >= 1)
            .ok_or_else(|| format!("line {number}: neither an ecdsa-sha2-nistp256 nor an ssh-ed25519 key"))?;
        let options = words[1..at].join(" ");
        let namespaces = match options.as_str() {
            "" => None,
            other => Some(
                other
                    .strip_prefix("namespaces=\"")
                    .and_then(|o| o.strip_suffix('"'))
                    .ok_or_else(|| format!("line {number}: the option {other:?} is not understood"))?,
            ),
        };
        if namespaces.is_some_and(|n| !n.split(',').any(|n| n == sshsig::SEAL_NAMESPACE)) {
            continue;
        }
        let blob = words.get(at + 1).and_then(|w| Base64::decode_vec(w).ok());
        let blob = blob.ok_or_else(|| format!("line {number}: the key is not base64"))?;
        keys.push(PublicKey::from_ssh_blob(&blob).map_err(|e| format!("line {number}: {e}"))?);
    }
    if keys.is_empty() {
        return Err(format!("no line allows the namespace {}", sshsig::SEAL_NAMESPACE));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{Algorithm, FileSigner, Signer};

    #[test]
    fn a_key_is_trusted_by_line_by_pem_or_by_fingerprint_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
            let signer = FileSigner::from_seed(algorithm, &[9; 32]).unwrap();
            let other = FileSigner::from_seed(algorithm, &[8; 32]).unwrap();
            let key = signer.public_key();
            std::fs::write(folder.path().join("pem"), key.to_pem()).unwrap();
            std::fs::write(folder.path().join("ssh"), key.allowed_signers("a@example.org")).unwrap();
            for value in ["pem".to_owned(), "ssh".to_owned(), key.fingerprint().to_string()] {
                let trust = Trust::load(&[value], folder.path()).unwrap();
                assert!(trust.contains(key) && !trust.contains(other.public_key()));
            }
        }
    }

    #[test]
    fn a_key_for_another_purpose_or_under_conditions_is_not_trusted() {
        let signer = FileSigner::from_seed(Algorithm::P256, &[9; 32]).unwrap();
        let line = signer.public_key().allowed_signers("a@example.org");
        assert!(allowed_signers(&line.replace("orgproof-seal-v1", "git")).is_err());
        assert!(allowed_signers(&line.replace("namespaces", "valid-before=\"20200101\",namespaces")).is_err());
        assert!(allowed_signers("").is_err());
    }
}
