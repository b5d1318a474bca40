//! SSH signatures (OpenSSH, PROTOCOL.sshsig): what `ssh-keygen -Y verify` reads.

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256, Sha512};

use super::{Algorithm, BadSignature, PublicKey, SignError, Signer, wire};

/// The namespace of seals: a signature for another purpose never passes for a seal.
pub const SEAL_NAMESPACE: &str = "orgproof-seal-v1";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// A parsed signature: the key that it names and what it covers.
#[derive(Debug, Clone)]
pub struct SshSignature {
    /// The key inside the signature. It proves nothing until it is compared with a trusted one.
    pub key: PublicKey,
    /// The namespace.
    pub namespace: String,
    hash: String,
    raw: Vec<u8>,
}

/// Signs `message` in `namespace` and returns the armoured signature.
///
/// # Errors
/// Where the signer refuses.
pub fn sign(signer: &dyn Signer, namespace: &str, message: &[u8]) -> Result<String, SignError> {
    let key = signer.public_key();
    let raw = signer.sign(&covered(namespace, "sha512", &Sha512::digest(message)))?;
    let mut signature = Vec::new();
    wire::put_string(&mut signature, key.ssh_type().as_bytes());
    match key.algorithm() {
        Algorithm::P256 => {
            let parsed =
                p256::ecdsa::Signature::from_der(&raw).map_err(|e| SignError::Refused(e.to_string()))?.to_bytes();
            let mut pair = Vec::new();
            wire::put_mpint(&mut pair, &parsed[..32]);
            wire::put_mpint(&mut pair, &parsed[32..]);
            wire::put_string(&mut signature, &pair);
        }
        Algorithm::Ed25519 => wire::put_string(&mut signature, &raw),
    }
    let mut blob = b"SSHSIG".to_vec();
    blob.extend_from_slice(&1u32.to_be_bytes());
    wire::put_string(&mut blob, &key.ssh_blob());
    wire::put_string(&mut blob, namespace.as_bytes());
    wire::put_string(&mut blob, b"");
    wire::put_string(&mut blob, b"sha512");
    wire::put_string(&mut blob, &signature);
    let text = Base64::encode_string(&blob);
    let mut armoured = format!("{BEGIN}\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(70));
        armoured.push_str(line);
        armoured.push('\n');
        rest = tail;
    }
    armoured.push_str(END);
    armoured.push('\n');
    Ok(armoured)
}

fn covered(namespace: &str, hash: &str, digest: &[u8]) -> Vec<u8> {
    let mut out = b"SSHSIG".to_vec();
    wire::put_string(&mut out, namespace.as_bytes());
    wire::put_string(&mut out, b"");
    wire::put_string(&mut out, hash.as_bytes());
    wire::put_string(&mut out, digest);
    out
}

impl SshSignature {
    /// Reads an armoured signature.
    ///
    /// # Errors
    /// Where it is not one, or made by a key of another algorithm.
    pub fn parse(armoured: &str) -> Result<Self, BadSignature> {
        let bad = |why: &str| BadSignature::Malformed { what: "SSH signature", why: why.to_owned() };
        let text = armoured.strip_prefix(BEGIN).ok_or_else(|| bad("no BEGIN line"))?;
        let text = text.trim_end().strip_suffix(END).ok_or_else(|| bad("no END line"))?;
        let text: String = text.split_ascii_whitespace().collect();
        let blob = Base64::decode_vec(&text).map_err(|_| bad("not base64"))?;
        let mut reader = wire::Reader::new(&blob);
        if reader.take(6) != Some(b"SSHSIG") || reader.u32() != Some(1) {
            return Err(bad("not version 1"));
        }
        let mut field = || reader.string().ok_or_else(|| bad("cut short"));
        let (key, namespace, _reserved, hash, signature) = (field()?, field()?, field()?, field()?, field()?);
        if !reader.at_end() {
            return Err(bad("bytes after the end"));
        }
        let key = PublicKey::from_ssh_blob(key).map_err(|e| bad(&e.to_string()))?;
        let mut inner = wire::Reader::new(signature);
        if inner.string() != Some(key.ssh_type().as_bytes()) {
            return Err(bad("the signature's algorithm is not the key's"));
        }
        let raw = inner.string().ok_or_else(|| bad("cut short"))?;
        let raw = match key.algorithm() {
            Algorithm::P256 => {
                let mut pair = wire::Reader::new(raw);
                let (r, s) = (pair.mpint32().ok_or_else(|| bad("r"))?, pair.mpint32().ok_or_else(|| bad("s"))?);
                let parsed = p256::ecdsa::Signature::from_scalars(r, s).map_err(|_| bad("r or s out of range"))?;
                parsed.to_der().as_bytes().to_vec()
            }
            Algorithm::Ed25519 => raw.to_vec(),
        };
        let utf8 = |b: &[u8]| String::from_utf8(b.to_vec()).map_err(|_| bad("not UTF-8"));
        Ok(Self { key, namespace: utf8(namespace)?, hash: utf8(hash)?, raw })
    }

    /// Checks the signature over `message` with the key that it names, in `namespace`.
    ///
    /// # Errors
    /// Where the namespace is another, the hash unknown, or the signature does not hold.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<(), BadSignature> {
        if self.namespace != namespace {
            let why = format!("namespace {:?}, expected {namespace:?}", self.namespace);
            return Err(BadSignature::Malformed { what: "SSH signature", why });
        }
        let digest = match self.hash.as_str() {
            "sha256" => Sha256::digest(message).to_vec(),
            "sha512" => Sha512::digest(message).to_vec(),
            other => {
                return Err(BadSignature::Malformed { what: "SSH signature", why: format!("hash {other:?}") });
            }
        };
        self.key.verify(&covered(namespace, &self.hash, &digest), &self.raw)
    }
}
