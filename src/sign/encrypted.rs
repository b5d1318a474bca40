//! Private keys encrypted with a passphrase: PKCS#8 with PBES2 (RFC 5958, RFC 8018), as `openssl pkcs8 -topk8` writes and reads them.
//!
//! Written: PBKDF2 with HMAC-SHA-256 and 600,000 rounds (OWASP, Password Storage Cheat Sheet), AES-256-CBC. Read: what openssl writes by
//! default and with `-v2prf`, `-iter` or `-scrypt`, within bounds that a machine can bear.

use pkcs8::{
    EncryptedPrivateKeyInfoRef, SecretDocument,
    der::asn1::OctetStringRef,
    pkcs5::{
        EncryptionScheme,
        pbes2::{Kdf, Parameters},
    },
};
use zeroize::Zeroizing;

use super::Passphrase;

const LABEL: &str = "ENCRYPTED PRIVATE KEY";
const ROUNDS: u32 = 600_000;
/// What a file may ask of this machine: some seconds, and a quarter of a GiB.
const MAX_ROUNDS: u32 = 8_000_000;
const MAX_SCRYPT_BYTES: u64 = 256 * 1024 * 1024;

/// Decrypts a PEM file and returns the PKCS#8 document in it (DER).
pub(super) fn decrypt(pem: &str, passphrase: &Passphrase) -> Result<SecretDocument, String> {
    let (label, document) = SecretDocument::from_pem(pem).map_err(|e| format!("the PEM file is malformed ({e})"))?;
    if label != LABEL {
        return Err(format!("it holds {label}, not {LABEL}"));
    }
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| {
        "it is not encrypted with PBES2; convert it with: openssl pkcs8 -topk8 -v2 aes256 -in OLD -out NEW".to_owned()
    })?;
    bearable(&info.encryption_algorithm)?;
    info.decrypt(passphrase.bytes()).map_err(|_| "the passphrase is wrong, or the file is damaged".to_owned())
}

/// Refuses a file that would keep this machine busy without end.
fn bearable(scheme: &EncryptionScheme) -> Result<(), String> {
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err("it is encrypted with PBES1, which is broken; convert it with: openssl pkcs8 -topk8 -v2 aes256 -in OLD -out NEW".to_owned());
    };
    let bearable = match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => kdf.iteration_count <= MAX_ROUNDS,
        Kdf::Scrypt(kdf) => {
            let bytes = kdf.cost_parameter.saturating_mul(u64::from(kdf.block_size)).saturating_mul(128);
            bytes <= MAX_SCRYPT_BYTES && kdf.parallelization <= 16
        }
        _ => false,
    };
    if bearable { Ok(()) } else { Err("its key derivation asks for more work than is accepted".to_owned()) }
}

/// Encrypts a PKCS#8 document (DER) and returns it as PEM. `random` is 32 fresh random bytes: salt and initialisation vector.
pub(super) fn encrypt(
    document: &[u8],
    passphrase: &Passphrase,
    random: &[u8; 32],
) -> Result<Zeroizing<String>, String> {
    let refused = |e: &dyn std::fmt::Display| format!("the key cannot be encrypted: {e}");
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    salt.copy_from_slice(&random[..16]);
    iv.copy_from_slice(&random[16..]);
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv).map_err(|e| refused(&e))?;
    let hidden = parameters.encrypt(passphrase.bytes(), document).map_err(|e| refused(&e))?;
    let info = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: parameters.into(),
        encrypted_data: <&OctetStringRef>::try_from(hidden.as_slice()).map_err(|e| refused(&e))?,
    };
    let document = SecretDocument::try_from(info).map_err(|e| refused(&e))?;
    document.to_pem(LABEL, pkcs8::LineEnding::LF).map_err(|e| refused(&e))
}
