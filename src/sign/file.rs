//! Private keys in files: PKCS#8 PEM (RFC 5958), readable by their owner only; encrypted with a passphrase or not.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
};

use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding, SecretDocument};
use zeroize::Zeroizing;

use super::{Algorithm, Passphrase, PublicKey, SignError, Signer};

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

    /// Reads a PKCS#8 PEM file; `passphrase` gives the passphrase where it is encrypted.
    ///
    /// # Errors
    /// Where it is absent, readable by group or others, no P-256 or Ed25519 private key, or cannot be decrypted.
    pub fn open(path: &Path, passphrase: &dyn Fn(&str) -> Result<Passphrase, SignError>) -> Result<Self, SignError> {
        let name = path.display().to_string();
        let not = |why: &str| SignError::NotAKey { path: name.clone(), why: why.to_owned() };
        let (file, size) = open_private(path)?;
        if size > MAX_KEY_FILE {
            return Err(not("far too large"));
        }
        let mut pem = Zeroizing::new(String::new());
        file.take(MAX_KEY_FILE).read_to_string(&mut pem).map_err(|_| not("not a PEM file"))?;
        if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            return Self::from_encrypted_pem(&pem, &name, passphrase);
        }
        Self::from_pem(&pem).map_err(|why| not(&why))
    }

    #[cfg(feature = "encrypted-keys")]
    fn from_encrypted_pem(
        pem: &str,
        name: &str,
        passphrase: &dyn Fn(&str) -> Result<Passphrase, SignError>,
    ) -> Result<Self, SignError> {
        let passphrase = passphrase(name)?;
        super::encrypted::decrypt(pem, &passphrase)
            .and_then(|document| Self::from_der(document.as_bytes()))
            .map_err(|why| SignError::Encrypted { path: name.to_owned(), why })
    }

    #[cfg(not(feature = "encrypted-keys"))]
    fn from_encrypted_pem(
        _: &str,
        name: &str,
        _: &dyn Fn(&str) -> Result<Passphrase, SignError>,
    ) -> Result<Self, SignError> {
        let why = "this build cannot decrypt keys (it lacks the feature encrypted-keys)".to_owned();
        Err(SignError::Encrypted { path: name.to_owned(), why })
    }

    fn from_pem(pem: &str) -> Result<Self, String> {
        if pem.contains("-----BEGIN EC PRIVATE KEY-----") {
            return Err("SEC1, not PKCS#8; convert it with: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW".to_owned());
        }
        if pem.contains("-----BEGIN PUBLIC KEY-----") {
            return Err("the public half only".to_owned());
        }
        if !pem.contains("-----BEGIN PRIVATE KEY-----") {
            return Err("no -----BEGIN PRIVATE KEY----- in it".to_owned());
        }
        let (_, document) = SecretDocument::from_pem(pem).map_err(|e| format!("the PEM file is malformed ({e})"))?;
        Self::from_der(document.as_bytes())
    }

    fn from_der(document: &[u8]) -> Result<Self, String> {
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(document) {
            let public = PublicKey::p256(*key.verifying_key()).map_err(|e| e.to_string())?;
            return Ok(Self { secret: Secret::P256(key), public });
        }
        let key = ed25519_dalek::SigningKey::from_pkcs8_der(document)
            .map_err(|_| "neither a P-256 nor an Ed25519 key in PKCS#8".to_owned())?;
        let public = PublicKey::ed25519(key.verifying_key()).map_err(|e| e.to_string())?;
        Ok(Self { secret: Secret::Ed25519(key), public })
    }

    /// Returns the PKCS#8 document, DER.
    fn to_der(&self) -> Result<SecretDocument, p256::pkcs8::Error> {
        match &self.secret {
            Secret::P256(key) => key.to_pkcs8_der(),
            // Without the public half: openssl reads version 1 of the structure only.
            Secret::Ed25519(key) => {
                ed25519_dalek::pkcs8::KeypairBytes { secret_key: key.to_bytes(), public_key: None }.to_pkcs8_der()
            }
        }
    }
}

/// Opens a file that nobody but its owner may read, and returns its size.
///
/// # Errors
/// Where it is absent, no file, or readable by group or others.
pub(super) fn open_private(path: &Path) -> Result<(File, u64), SignError> {
    let name = path.display().to_string();
    let io = |source| SignError::Io { action: "read", path: name.clone(), source };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(SignError::NotAKey { path: name, why: "not a file".to_owned() });
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(SignError::Mode { path: name, mode });
        }
    }
    Ok((file, metadata.len()))
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

/// How a new key file is encrypted.
#[derive(Debug)]
pub struct Encryption<'a> {
    /// The passphrase.
    pub passphrase: &'a Passphrase,
    /// 32 fresh bytes from the system's random source: salt and initialisation vector.
    pub random: &'a [u8; 32],
}

/// Writes a new private key to `path` as PKCS#8 PEM with mode 0600, encrypted where that is asked, and returns its public half. Directories
/// are made.
///
/// `seed` is 32 bytes from the system's random source: randomness is an argument here.
///
/// # Errors
/// Where the file exists (a key is never overwritten) or cannot be written, or this build cannot encrypt.
pub fn generate(
    path: &Path,
    algorithm: Algorithm,
    seed: &[u8; 32],
    encryption: Option<&Encryption<'_>>,
) -> Result<PublicKey, SignError> {
    let name = path.display().to_string();
    let refused = |e: &dyn fmt::Display| SignError::Refused(e.to_string());
    let signer = FileSigner::from_seed(algorithm, seed).ok_or_else(|| {
        SignError::Refused("the random bytes were no valid key (one chance in 2^32); try again".into())
    })?;
    let document = signer.to_der().map_err(|e| refused(&e))?;
    let pem = match encryption {
        Some(encryption) => encrypted(&document, encryption)?,
        None => document.to_pem("PRIVATE KEY", LineEnding::LF).map_err(|e| refused(&e))?,
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

#[cfg(feature = "encrypted-keys")]
fn encrypted(document: &SecretDocument, encryption: &Encryption<'_>) -> Result<Zeroizing<String>, SignError> {
    super::encrypted::encrypt(document.as_bytes(), encryption.passphrase, encryption.random).map_err(SignError::Refused)
}

#[cfg(not(feature = "encrypted-keys"))]
fn encrypted(_: &SecretDocument, _: &Encryption<'_>) -> Result<Zeroizing<String>, SignError> {
    Err(SignError::Refused("this build cannot encrypt keys (it lacks the feature encrypted-keys)".to_owned()))
}
