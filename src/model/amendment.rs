//! What people add to the evidence, and what became of it. One amendment is one line of `data/amendments.ndjson`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, EvidenceRef, Region, Sha256Digest};

/// One line of `data/amendments.ndjson`. Its bytes are what an approver signs, so they are kept as they were sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Amendment {
    /// A person's word on a checklist item.
    Attestation(Attestation),
    /// A decision to live with a failure for a time.
    Exception(Exception),
    /// The end of one of these before its time. Nothing is ever deleted.
    Revocation(Revocation),
    /// The signature of the person whom an exception or an attestation names.
    Approval(Approval),
}

/// A decision to live with a failure for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exception {
    /// Id, unique in the chain.
    pub id: String,
    /// The check whose failures it concerns.
    pub check: String,
    /// The account; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The organizational unit (`ou-…`) or root below which accounts are concerned; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ou: Option<String>,
    /// The tag that accounts carry, `key=value`; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The Region; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The resource's id, exactly; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Who answers for the failure.
    pub owner: String,
    /// Who accepted it; not the owner.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// What stands in for the control meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensating: Option<String>,
    /// First instant at which it counts; where absent, and at the earliest, when it was sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// First instant at which it no longer counts.
    pub expires: Timestamp,
}

/// A person's word on a checklist item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Attestation {
    /// Id, unique in the chain.
    pub id: String,
    /// Framework id.
    pub framework: String,
    /// Requirement id.
    pub requirement: String,
    /// Item id within the requirement.
    pub item: String,
    /// What was found.
    pub statement: String,
    /// True where the item was found to hold.
    pub holds: bool,
    /// Who says so.
    pub by: String,
    /// When it was seen.
    pub observed: Timestamp,
    /// First instant at which it no longer counts.
    pub valid_until: Timestamp,
    /// The documents behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Attached>,
}

/// A document in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Attached {
    /// `data/files/<sha256>` with a harmless extension.
    pub path: String,
    /// Hash of its bytes.
    pub sha256: Sha256Digest,
    /// Size in bytes.
    pub size: u64,
    /// What its owner called it: data, never a path.
    pub name: String,
}

/// The end of an exception or attestation before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Revocation {
    /// Id, unique in the chain.
    pub id: String,
    /// Id of what is revoked.
    pub of: String,
    /// Who revokes it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// First instant at which it no longer counts.
    pub at: Timestamp,
}

/// The signature in `data/approvals/<of>.sig`, over the line of the amendment that it approves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Approval {
    /// Id, unique in the chain.
    pub id: String,
    /// Id of what is approved, in this archive or an earlier one.
    pub of: String,
    /// Hash of the signed bytes: that line with its line feed.
    pub sha256: Sha256Digest,
    /// Who signed, as the approvers file names that person.
    pub by: String,
}

impl Amendment {
    /// Returns its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Attestation(a) => &a.id,
            Self::Exception(e) => &e.id,
            Self::Revocation(r) => &r.id,
            Self::Approval(a) => &a.id,
        }
    }

    /// Returns whose signature would prove it: the approver of an exception, the author of an attestation.
    pub fn signer(&self) -> Option<&str> {
        match self {
            Self::Attestation(a) => Some(&a.by),
            Self::Exception(e) => Some(&e.approver),
            Self::Revocation(_) | Self::Approval(_) => None,
        }
    }

    /// Returns the bytes of its line, with the line feed: the same amendment gives the same bytes, and these are signed.
    ///
    /// # Errors
    /// Never for what this program made; a time outside of jiff's range could not be written.
    pub fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Gives it an id made of its content, `prefix` and 16 hexadecimal digits: what is said twice has one id.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn named_by_content(mut self, prefix: &str) -> Result<Self, serde_json::Error> {
        self.set_id(String::new());
        let digest = Sha256Digest::of(self.line()?).to_string();
        self.set_id(format!("{prefix}{}", &digest[..16]));
        Ok(self)
    }

    fn set_id(&mut self, id: String) {
        match self {
            Self::Attestation(a) => a.id = id,
            Self::Exception(e) => e.id = id,
            Self::Revocation(r) => r.id = id,
            Self::Approval(a) => a.id = id,
        }
    }

    /// Returns whether `text` may be an id: letters, digits, `.`, `_` and `-`, at most 64, beginning with a letter or digit.
    pub fn is_id(text: &str) -> bool {
        text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    }
}

/// Whether an exception or attestation counts at the time of judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// It counts.
    InForce,
    /// It begins later, or was observed or recorded later.
    NotYet,
    /// Its time is over.
    Lapsed,
    /// It was revoked.
    Revoked,
    /// It never counted: approved by its owner, or about something that it cannot change.
    Void,
}

impl Validity {
    /// Returns the kebab-case name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::NotYet => "not-yet",
            Self::Lapsed => "lapsed",
            Self::Revoked => "revoked",
            Self::Void => "void",
        }
    }
}

/// How far it is proved that the named person stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum Authentication {
    /// The person's own signature holds, by a key that the approvers file in the archive lists under that name.
    SignatureChecked {
        /// SHA-256 of the key's SubjectPublicKeyInfo.
        key: Sha256Digest,
        /// SHA-256 of the approvers file.
        approvers: Sha256Digest,
    },
    /// Only the sealing system says so.
    AsStated {
        /// Why there is no more than that.
        why: String,
    },
}

impl Authentication {
    /// Nobody signed.
    pub fn unsigned() -> Self {
        Self::AsStated { why: "nobody signed it".to_owned() }
    }

    /// Returns whether a signature was checked.
    pub fn is_checked(&self) -> bool {
        matches!(self, Self::SignatureChecked { .. })
    }

    /// Returns the words beside a person's name: `signature checked` or `as stated, not authenticated`.
    pub fn words(&self) -> &'static str {
        if self.is_checked() { "signature checked" } else { "as stated, not authenticated" }
    }
}

/// One line of `data/results/exceptions.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionResult {
    /// The exception.
    pub exception: Exception,
    /// Whether it counts.
    pub validity: Validity,
    /// Why it does not; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How far the approval is proved.
    pub authentication: Authentication,
    /// When it was sealed.
    pub recorded: Timestamp,
    /// Its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
    /// Failures in its scope, whether it counts or not.
    pub failures: u64,
    /// Failures that do not decide because of it.
    pub covered: u64,
    /// The accounts of these.
    pub accounts: Vec<AccountId>,
    /// Its line.
    pub evidence: EvidenceRef,
}

/// One line of `data/results/attestations.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestationResult {
    /// The attestation.
    pub attestation: Attestation,
    /// Whether it counts.
    pub validity: Validity,
    /// Why it does not; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// True where the item's verdict rests on it.
    pub decides: bool,
    /// How far its author is proved.
    pub authentication: Authentication,
    /// When it was sealed.
    pub recorded: Timestamp,
    /// Its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
    /// Its line.
    pub evidence: EvidenceRef,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amendment_reads_back_from_its_line_and_unknown_fields_are_refused() {
        let revocation = Revocation {
            id: "R-1".into(),
            of: "E-1".into(),
            by: "b".into(),
            reason: "r".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        let line = Amendment::Revocation(revocation).line().unwrap();
        let text = String::from_utf8(line.clone()).unwrap();
        assert_eq!(
            text,
            "{\"kind\":\"revocation\",\"id\":\"R-1\",\"of\":\"E-1\",\"by\":\"b\",\"reason\":\"r\",\"at\":\"1970-01-01T00:00:00Z\"}\n"
        );
        assert_eq!(serde_json::from_slice::<Amendment>(&line).unwrap().line().unwrap(), line);
        let more = text.replace("\"by\"", "\"also\":1,\"by\"");
        assert!(serde_json::from_str::<Amendment>(&more).is_err(), "what nobody reads is not signed for");
    }

    #[test]
    fn an_id_can_never_be_a_path() {
        assert!(["E-1", "SEC-2026.7_a", "7"].iter().all(|id| Amendment::is_id(id)));
        for bad in ["", ".", "..", "-x", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(!Amendment::is_id(bad), "{bad:?}");
        }
    }
}
