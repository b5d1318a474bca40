//! DSSE envelopes (github.com/secure-systems-lab/dsse, protocol v1) over in-toto statements.

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

use super::{BadSignature, PublicKey, SignError, Signer};

/// The payload type of in-toto statements.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A DSSE envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The signed bytes, base64.
    pub payload: String,
    /// Their media type, covered by the signature.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// One or more signatures.
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// SHA-256 of the signer's SPKI, hexadecimal.
    pub keyid: String,
    /// The raw signature, base64.
    pub sig: String,
}

/// Returns the pre-authentication encoding: what is signed.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Signs `payload` as an in-toto statement and returns the envelope's bytes, ending in a line feed.
///
/// # Errors
/// Where the signer refuses.
pub fn seal(signer: &dyn Signer, payload: &[u8]) -> Result<Vec<u8>, SignError> {
    seal_by(&[signer], payload)
}

/// As [`seal`], signed by each of `signers`, in their order.
///
/// # Errors
/// Where one of them refuses.
pub fn seal_by(signers: &[&dyn Signer], payload: &[u8]) -> Result<Vec<u8>, SignError> {
    let covered = pae(PAYLOAD_TYPE, payload);
    let sign = |signer: &&dyn Signer| {
        let keyid = signer.public_key().fingerprint().to_string();
        signer.sign(&covered).map(|raw| EnvelopeSignature { keyid, sig: Base64::encode_string(&raw) })
    };
    let envelope = Envelope {
        payload: Base64::encode_string(payload),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: signers.iter().map(sign).collect::<Result<_, _>>()?,
    };
    let mut bytes = serde_json::to_vec(&envelope).map_err(|e| SignError::Refused(e.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads an envelope and returns it with its decoded payload. Checks no signature.
///
/// # Errors
/// Where it is no DSSE envelope over an in-toto statement.
pub fn parse(bytes: &[u8]) -> Result<(Envelope, Vec<u8>), BadSignature> {
    let bad = |why: String| BadSignature::Malformed { what: "DSSE envelope", why };
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(bad(format!("payload type {:?}, expected {PAYLOAD_TYPE:?}", envelope.payload_type)));
    }
    let payload = Base64::decode_vec(&envelope.payload).map_err(|_| bad("the payload is not base64".to_owned()))?;
    Ok((envelope, payload))
}

/// Checks that the envelope carries a signature by `key`, and returns the payload.
///
/// # Errors
/// Where it is malformed, holds no signature by this key, or the signature does not hold.
pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Vec<u8>, BadSignature> {
    let (envelope, payload) = parse(bytes)?;
    let id = key.fingerprint();
    let ours = id.to_string();
    let signature = envelope.signatures.iter().find(|s| s.keyid == ours).ok_or(BadSignature::OtherKey(id))?;
    let raw = Base64::decode_vec(&signature.sig)
        .map_err(|_| BadSignature::Malformed { what: "DSSE signature", why: "not base64".to_owned() })?;
    key.verify(&pae(PAYLOAD_TYPE, &payload), &raw)?;
    Ok(payload)
}
