//! Who may approve: an approvers file in the form of ssh-keygen's `allowed_signers`, and the check of an approver's signature.
//!
//! Only what is understood counts: exact names, the option `namespaces`, Ed25519 and ECDSA P-256 keys. A line with another
//! option, a pattern or a certificate authority is not used, for ignoring what it says would allow more than was written.

use base64ct::{Base64, Encoding};

use super::{PublicKey, sshsig::SshSignature};
use crate::model::Sha256Digest;

/// The namespace of approvals: a signature for another purpose never passes for one.
pub const APPROVAL_NAMESPACE: &str = "orgproof-approval-v1";

/// Largest approvers file and largest signature that are read.
pub const MAX_APPROVERS: u64 = 1024 * 1024;

/// A parsed approvers file.
#[derive(Debug, Clone)]
pub struct Approvers {
    lines: Vec<Line>,
    digest: Sha256Digest,
}

#[derive(Debug, Clone)]
struct Line {
    number: usize,
    names: Vec<String>,
    // Why its key cannot be used.
    key: Result<PublicKey, String>,
}

/// Why a signature proves no approval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// The approvers file does not list the person.
    #[error("the approvers file names no {0:?}; add a line with that name and the person's public key")]
    Unknown(String),
    /// The file lists the person, with nothing that this release can check.
    #[error("the approvers file has no usable key of {name:?}: {why}")]
    Unusable {
        /// The person.
        name: String,
        /// What is wrong with the lines.
        why: String,
    },
    /// The signature does not hold.
    #[error("the signature does not hold: {0}")]
    Signature(String),
    /// It was made by a key that the file does not list under that name.
    #[error("it was signed by key {key}, which the approvers file does not list for {name:?}")]
    OtherKey {
        /// The person.
        name: String,
        /// Fingerprint of the key that signed.
        key: Sha256Digest,
    },
    /// The same key stands under the owner's name.
    #[error(
        "the key that signed stands in the approvers file for the owner {0:?} too: nobody approves his own exception"
    )]
    OwnKey(String),
}

impl Approvers {
    /// Reads an approvers file.
    ///
    /// # Errors
    /// Where it is not UTF-8 or has a line that is no line of such a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the approvers file is not UTF-8".to_owned())?;
        let used = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
        let lines = used
            .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
            .map(|(line, number)| read(line, number).ok_or_else(|| {
                format!("line {number} of the approvers file is not: name, options, key type, key (ssh-keygen(1), ALLOWED SIGNERS)")
            }))
            .collect::<Result<_, _>>()?;
        Ok(Self { lines, digest: Sha256Digest::of(bytes) })
    }

    /// Returns the SHA-256 of the file.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// Checks that `name` signed `message`, and returns the fingerprint of the key; `owner` is somebody who must not.
    ///
    /// # Errors
    /// In every other case, with the reason.
    pub fn check(
        &self,
        name: &str,
        owner: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Sha256Digest, NotApproved> {
        let keys = self.keys_of(name)?;
        let malformed = |e: &dyn std::fmt::Display| NotApproved::Signature(e.to_string());
        let text = std::str::from_utf8(signature).map_err(|e| malformed(&e))?;
        let signature = SshSignature::parse(text).map_err(|e| malformed(&e))?;
        signature.verify(APPROVAL_NAMESPACE, message).map_err(|e| malformed(&e))?;
        let key = signature.key.fingerprint();
        if !keys.contains(&&signature.key) {
            return Err(NotApproved::OtherKey { name: name.to_owned(), key });
        }
        match owner {
            Some(owner) if self.lines.iter().any(|l| l.is_of(owner) && l.key.as_ref() == Ok(&signature.key)) => {
                Err(NotApproved::OwnKey(owner.to_owned()))
            }
            _ => Ok(key),
        }
    }

    fn keys_of(&self, name: &str) -> Result<Vec<&PublicKey>, NotApproved> {
        let lines: Vec<&Line> = self.lines.iter().filter(|line| line.is_of(name)).collect();
        if lines.is_empty() {
            return Err(NotApproved::Unknown(name.to_owned()));
        }
        let keys: Vec<&PublicKey> = lines.iter().filter_map(|line| line.key.as_ref().ok()).collect();
        if keys.is_empty() {
            let faults = lines.iter().filter_map(|l| Some(format!("line {}: {}", l.number, l.key.as_ref().err()?)));
            let why = faults.collect::<Vec<_>>().join("; ");
            return Err(NotApproved::Unusable { name: name.to_owned(), why });
        }
        Ok(keys)
    }
}

impl Line {
    fn is_of(&self, name: &str) -> bool {
        self.names.iter().any(|n| n.eq_ignore_ascii_case(name.trim()))
    }
}

/// Splits at blanks outside of double quotes.
fn words(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let split = line.split(move |c: char| {
        quoted ^= c == '"';
        !quoted && c.is_ascii_whitespace()
    });
    split.filter(|word| !word.is_empty()).collect()
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-", "rsa-"].iter().any(|start| word.starts_with(start))
}

fn read(line: &str, number: usize) -> Option<Line> {
    let words = words(line);
    let at = words.iter().skip(1).position(|word| is_key_type(word))? + 1;
    let (names, options, kind, blob) = (words.first()?, words.get(1..at)?, words.get(at)?, words.get(at + 1)?);
    let names: Vec<String> = names.trim_matches('"').split(',').map(str::to_owned).collect();
    let key = if names.iter().any(|name| name.contains(['*', '?', '!'])) {
        Err("a pattern of names is not understood; write the names out".to_owned())
    } else {
        allowed(options).and_then(|()| key(kind, blob))
    };
    Some(Line { number, names, key })
}

fn allowed(options: &[&str]) -> Result<(), String> {
    for option in options {
        let list = option.strip_prefix("namespaces=").map(|list| list.trim_matches('"'));
        let Some(list) = list else { return Err(format!("the option {option:?} is not understood")) };
        if !list.split(',').any(|namespace| namespace == APPROVAL_NAMESPACE) {
            return Err(format!("it does not allow the namespace {APPROVAL_NAMESPACE}"));
        }
    }
    Ok(())
}

fn key(kind: &str, blob: &str) -> Result<PublicKey, String> {
    if !["ssh-ed25519", "ecdsa-sha2-nistp256"].contains(&kind) {
        let what = if kind == "ssh-rsa" { "an RSA key" } else { kind };
        return Err(format!(
            "{what} cannot be checked by this release; use an ssh-ed25519 or ecdsa-sha2-nistp256 key (ssh-keygen -t ed25519)"
        ));
    }
    let blob = Base64::decode_vec(blob).map_err(|_| "the key is not base64".to_owned())?;
    PublicKey::from_ssh_blob(&blob).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{Algorithm, FileSigner, Signer, sshsig};

    fn signer(seed: u8) -> FileSigner {
        FileSigner::from_seed(Algorithm::Ed25519, &[seed; 32]).unwrap()
    }

    fn line(name: &str, options: &str, signer: &FileSigner) -> String {
        let key = signer.public_key();
        format!("{name} {options} {} {} comment\n", key.ssh_type(), Base64::encode_string(&key.ssh_blob()))
    }

    fn sign(signer: &FileSigner, message: &[u8]) -> Vec<u8> {
        sshsig::sign(signer, APPROVAL_NAMESPACE, message).unwrap().into_bytes()
    }

    #[test]
    fn only_the_named_persons_key_over_these_very_bytes_approves() {
        let file = [line("alice@x", "", &signer(1)), line("bob@x,robert@x", "", &signer(2))].concat();
        let approvers = Approvers::parse(file.as_bytes()).unwrap();
        let good = sign(&signer(1), b"m\n");
        let check = |name: &str, owner: Option<&str>, message: &[u8], signature: &[u8]| {
            approvers.check(name, owner, message, signature)
        };
        assert_eq!(check("alice@x", Some("bob@x"), b"m\n", &good), Ok(signer(1).public_key().fingerprint()));
        assert!(check("Robert@x", None, b"m\n", &sign(&signer(2), b"m\n")).is_ok());
        assert!(matches!(check("alice@x", None, b"m", &good), Err(NotApproved::Signature(_))));
        assert!(matches!(check("bob@x", None, b"m\n", &good), Err(NotApproved::OtherKey { .. })));
        assert!(matches!(check("carol@x", None, b"m\n", &good), Err(NotApproved::Unknown(_))));
        assert!(matches!(check("alice@x", Some("Alice@x"), b"m\n", &good), Err(NotApproved::OwnKey(_))));
        assert!(matches!(check("alice@x", None, b"m\n", b"not armoured"), Err(NotApproved::Signature(_))));
        let seal = sshsig::sign(&signer(1), sshsig::SEAL_NAMESPACE, b"m\n").unwrap();
        assert!(
            matches!(check("alice@x", None, b"m\n", seal.as_bytes()), Err(NotApproved::Signature(_))),
            "another namespace"
        );
    }

    #[test]
    fn a_key_under_conditions_or_of_another_kind_is_not_used_and_said_so() {
        for (options, says) in [
            ("namespaces=\"git\"", "namespace"),
            ("valid-before=\"20300101\"", "not understood"),
            ("cert-authority", "not understood"),
        ] {
            let approvers = Approvers::parse(line("a@x", options, &signer(1)).as_bytes()).unwrap();
            let refused = approvers.check("a@x", None, b"m", &sign(&signer(1), b"m")).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
        let rsa = Approvers::parse(b"a@x ssh-rsa AAAAB3NzaC1yc2E= me\n").unwrap();
        assert!(rsa.check("a@x", None, b"m", b"").unwrap_err().to_string().contains("an RSA key cannot be checked"));
        let patterns = Approvers::parse(line("*@x", "", &signer(1)).as_bytes()).unwrap();
        assert!(patterns.check("a@x", None, b"m", &sign(&signer(1), b"m")).is_err());
        let allowed = line("a@x", "namespaces=\"git,orgproof-approval-v1\"", &signer(1));
        assert!(
            Approvers::parse(allowed.as_bytes()).unwrap().check("a@x", None, b"m", &sign(&signer(1), b"m")).is_ok()
        );
        assert!(Approvers::parse(b"nonsense\n").is_err());
    }
}
