//! Public keys: their encodings, fingerprint, and the check of a raw signature.

use std::{fmt, str::FromStr};

use base64ct::{Base64, Encoding};
use ed25519_dalek::Verifier as _;
use p256::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};

use super::{BadSignature, SignError, wire};
use crate::model::Sha256Digest;

/// A signature algorithm of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA over NIST P-256 with SHA-256 (FIPS 186-5).
    P256,
    /// Ed25519 (RFC 8032).
    Ed25519,
}

impl Algorithm {
    /// Returns the name used in seals: `ecdsa-p256-sha256` or `ed25519`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "ecdsa-p256-sha256",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "p256" | "p-256" | "ecdsa-p256-sha256" => Ok(Self::P256),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(format!("{text:?} is no algorithm of ours; write p256 or ed25519")),
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Half {
    P256(p256::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// A public key with its SubjectPublicKeyInfo.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    half: Half,
    spki: Vec<u8>,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint())
    }
}

impl PublicKey {
    /// Wraps a P-256 verifying key.
    pub(super) fn p256(key: p256::ecdsa::VerifyingKey) -> Result<Self, SignError> {
        let spki = key.to_public_key_der().map_err(|e| SignError::NotAPublicKey(e.to_string()))?.into_vec();
        Ok(Self { half: Half::P256(key), spki })
    }

    /// Wraps an Ed25519 verifying key.
    pub(super) fn ed25519(key: ed25519_dalek::VerifyingKey) -> Result<Self, SignError> {
        let spki = key.to_public_key_der().map_err(|e| SignError::NotAPublicKey(e.to_string()))?.into_vec();
        Ok(Self { half: Half::Ed25519(key), spki })
    }

    /// Reads a SubjectPublicKeyInfo (DER, RFC 5280).
    ///
    /// # Errors
    /// Where it is neither a P-256 nor an Ed25519 key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, SignError> {
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Self::p256(key);
        }
        ed25519_dalek::VerifyingKey::from_public_key_der(der)
            .map_err(|_| SignError::NotAPublicKey("neither a P-256 nor an Ed25519 public key".to_owned()))
            .and_then(Self::ed25519)
    }

    /// Reads a `-----BEGIN PUBLIC KEY-----` file.
    ///
    /// # Errors
    /// Where it is neither a P-256 nor an Ed25519 key.
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        let inner: String = pem.lines().map(str::trim).filter(|l| !l.starts_with("-----")).collect();
        if !pem.contains("-----BEGIN PUBLIC KEY-----") {
            return Err(SignError::NotAPublicKey("no -----BEGIN PUBLIC KEY----- in the file".to_owned()));
        }
        let der = Base64::decode_vec(&inner)
            .map_err(|_| SignError::NotAPublicKey("the PEM file is not valid base64".to_owned()))?;
        Self::from_spki_der(&der)
    }

    /// Reads the key blob of an OpenSSH public key (RFC 4253, RFC 5656, RFC 8709).
    ///
    /// # Errors
    /// Where it is neither `ecdsa-sha2-nistp256` nor `ssh-ed25519`.
    pub fn from_ssh_blob(blob: &[u8]) -> Result<Self, SignError> {
        let bad = || SignError::NotAPublicKey("neither an ecdsa-sha2-nistp256 nor an ssh-ed25519 key".to_owned());
        let mut reader = wire::Reader::new(blob);
        let key = match reader.string().ok_or_else(bad)? {
            b"ecdsa-sha2-nistp256" => {
                if reader.string() != Some(b"nistp256") {
                    return Err(bad());
                }
                let point = reader.string().ok_or_else(bad)?;
                Self::p256(p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| bad())?)?
            }
            b"ssh-ed25519" => {
                let bytes: [u8; 32] = reader.string().and_then(|b| b.try_into().ok()).ok_or_else(bad)?;
                Self::ed25519(ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| bad())?)?
            }
            _ => return Err(bad()),
        };
        if reader.at_end() { Ok(key) } else { Err(bad()) }
    }

    /// Returns the algorithm that this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.half {
            Half::P256(_) => Algorithm::P256,
            Half::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Returns the SubjectPublicKeyInfo, DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Returns the SubjectPublicKeyInfo as PEM, which `openssl dgst -verify` reads.
    pub fn to_pem(&self) -> String {
        let pem = match &self.half {
            Half::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Half::Ed25519(key) => key.to_public_key_pem(LineEnding::LF),
        };
        pem.unwrap_or_default()
    }

    /// Returns the SHA-256 of the SubjectPublicKeyInfo: the fingerprint that an engagement letter quotes.
    pub fn fingerprint(&self) -> Sha256Digest {
        Sha256Digest::of(&self.spki)
    }

    /// Returns OpenSSH's name of the key type.
    pub fn ssh_type(&self) -> &'static str {
        match self.half {
            Half::P256(_) => "ecdsa-sha2-nistp256",
            Half::Ed25519(_) => "ssh-ed25519",
        }
    }

    /// Returns the key blob as OpenSSH writes it.
    pub fn ssh_blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        wire::put_string(&mut blob, self.ssh_type().as_bytes());
        match &self.half {
            Half::P256(key) => {
                wire::put_string(&mut blob, b"nistp256");
                wire::put_string(&mut blob, key.to_sec1_point(false).as_bytes());
            }
            Half::Ed25519(key) => wire::put_string(&mut blob, key.as_bytes()),
        }
        blob
    }

    /// Returns the line of an `allowed_signers` file that lets `principal` sign seals with this key, and nothing else.
    pub fn allowed_signers(&self, principal: &str) -> String {
        let blob = Base64::encode_string(&self.ssh_blob());
        format!("{principal} namespaces=\"{}\" {} {blob}\n", super::sshsig::SEAL_NAMESPACE, self.ssh_type())
    }

    /// Returns the raw 32 bytes of an Ed25519 key.
    pub(super) fn ed25519_bytes(&self) -> Option<&[u8; 32]> {
        match &self.half {
            Half::P256(_) => None,
            Half::Ed25519(key) => Some(key.as_bytes()),
        }
    }

    /// Checks a raw signature, in the form that [`super::Signer::sign`] gives, over `message`.
    ///
    /// # Errors
    /// [`BadSignature::Mismatch`] where it does not hold, whatever the reason.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        match &self.half {
            Half::P256(key) => {
                let signature = p256::ecdsa::Signature::from_der(signature).map_err(|_| BadSignature::Mismatch)?;
                p256::ecdsa::signature::Verifier::verify(key, message, &signature).map_err(|_| BadSignature::Mismatch)
            }
            Half::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| BadSignature::Mismatch)?;
                // Strict: no small-order keys, no second encoding of the same signature.
                key.verify_strict(message, &signature)
                    .and_then(|()| key.verify(message, &signature))
                    .map_err(|_| BadSignature::Mismatch)
            }
        }
    }
}
