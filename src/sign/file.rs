//! Private keys in files: PKCS#8 PEM (RFC 5958), readable by their owner only.

use std::{
    fmt,
    fs::OpenOptions,
    io::{Read, Write},
    path::Path,
};

use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};

use super::{Algorithm, PublicKey, SignError, Signer};

/// A key file is a few hundred bytes; whatever is larger is something else.
const MAX_KEY_FILE: u64 = 64 * 1024;

enum Secret {
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

/// Signs with a private key read from a file.
pub struct FileSigner {
    secret: Secret,
    public: PublicKey,
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSigner").field("public", &self.public).finish_non_exhaustive()
    }
}

impl FileSigner {
    /// Makes a signer from 32 bytes of secret; `None` where they are no valid P-256 scalar (one chance in 2^32).
    pub fn from_seed(algorithm: Algorithm, seed: &[u8; 32]) -> Option<Self> {
        let (secret, public) = match algorithm {
            Algorithm::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(seed).ok()?;
                let public = PublicKey::p256(*key.verifying_key()).ok()?;
                (Secret::P256(key), public)
            }
            Algorithm::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(seed);
                let public = PublicKey::ed25519(key.verifying_key()).ok()?;
                (Secret::Ed25519(key), public)
            }
        };
        Some(Self { secret, public })
    }

    /// Reads a PKCS#8 PEM file.
    ///
    /// # Errors
    /// Where it is absent, readable by group or others, or no P-256 or Ed25519 private key.
    pub fn open(path: &Path) -> Result<Self, SignError> {
        let name = path.display().to_string();
        let io = |source| SignError::Io { action: "read", path: name.clone(), source };
        let not = |why: &str| SignError::NotAKey { path: name.clone(), why: why.to_owned() };
        let file = std::fs::File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(not("not a file"));
        }
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
            if mode & 0o077 != 0 {
                return Err(SignError::Mode { path: name.clone(), mode });
            }
        }
        if metadata.len() > MAX_KEY_FILE {
            return Err(not("far too large"));
        }
        let mut pem = String::new();
        file.take(MAX_KEY_FILE).read_to_string(&mut pem).map_err(|_| not("not a PEM file"))?;
        Self::from_pem(&pem).map_err(|why| not(&why))
    }

    fn from_pem(pem: &str) -> Result<Self, String> {
        if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            return Err("the key is encrypted with a passphrase, which this release cannot open".to_owned());
        }
        if pem.contains("-----BEGIN EC PRIVATE KEY-----") {
            return Err("SEC1, not PKCS#8; convert it with: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW".to_owned());
        }
        if pem.contains("-----BEGIN PUBLIC KEY-----") {
            return Err("the public half only".to_owned());
        }
        if !pem.contains("-----BEGIN PRIVATE KEY-----") {
            return Err("no -----BEGIN PRIVATE KEY----- in it".to_owned());
        }
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_pem(pem) {
            let public = PublicKey::p256(*key.verifying_key()).map_err(|e| e.to_string())?;
            return Ok(Self { secret: Secret::P256(key), public });
        }
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem)
            .map_err(|_| "neither a P-256 nor an Ed25519 key in PKCS#8".to_owned())?;
        let public = PublicKey::ed25519(key.verifying_key()).map_err(|e| e.to_string())?;
        Ok(Self { secret: Secret::Ed25519(key), public })
    }
}

impl Signer for FileSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.secret {
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, message);
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Secret::Ed25519(key) => Ok(ed25519_dalek::Signer::sign(key, message).to_vec()),
        }
    }

    fn assurance(&self) -> &'static str {
        "file"
    }
}

/// Writes a new private key to `path` as PKCS#8 PEM with mode 0600, and returns its public half. Directories are made.
///
/// `seed` is 32 bytes from the system's random source: randomness is an argument here.
///
/// # Errors
/// Where the file exists (a key is never overwritten) or cannot be written.
pub fn generate(path: &Path, algorithm: Algorithm, seed: &[u8; 32]) -> Result<PublicKey, SignError> {
    let name = path.display().to_string();
    let refused = |e: &dyn fmt::Display| SignError::Refused(e.to_string());
    let signer = FileSigner::from_seed(algorithm, seed).ok_or_else(|| {
        SignError::Refused("the random bytes were no valid key (one chance in 2^32); try again".into())
    })?;
    let pem = match &signer.secret {
        Secret::P256(key) => key.to_pkcs8_pem(LineEnding::LF).map_err(|e| refused(&e))?,
        Secret::Ed25519(key) => key.to_pkcs8_pem(LineEnding::LF).map_err(|e| refused(&e))?,
    };
    let io = |source| SignError::Io { action: "write", path: name.clone(), source };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        crate::store::make_private_dir(parent).map_err(io)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            SignError::Exists { path: name.clone() }
        } else {
            io(source)
        }
    })?;
    file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(signer.public)
}
