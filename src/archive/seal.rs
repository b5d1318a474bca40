//! `seal.json`: an in-toto Statement v1 whose predicate says what was sealed, when, by whom and after what.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    model::{Period, Sha256Digest},
    sign::Signer,
};

/// `_type` of an in-toto statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// `predicateType` of a seal.
pub const PREDICATE_TYPE: &str = "orgproof:seal/v1";

/// The two subjects of a seal that covers a bag, in this order.
pub const MANIFESTS: [&str; 2] = ["manifest-sha256.txt", "tagmanifest-sha256.txt"];

/// What a seal marks in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Before the first call of a run: commits to configuration, catalogue and the previous seal.
    RunOpen,
    /// After discovery: commits to the plan.
    RunPlan,
    /// The end of a run, with its evidence archive.
    RunClose,
    /// A run that did not end well; with an archive where something was gathered.
    RunAbort,
    /// Late or manual evidence, an exception.
    Amend,
    /// From one key to the next, signed by both.
    KeyRotation,
    /// Another interval between runs.
    ScheduleChange,
    /// The end of a period, with its assessment archive.
    PeriodClose,
    /// An assessment on request, with its archive.
    Assessment,
}

impl Kind {
    /// Returns the name used in seals and file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunOpen => "run-open",
            Self::RunPlan => "run-plan",
            Self::RunClose => "run-close",
            Self::RunAbort => "run-abort",
            Self::Amend => "amend",
            Self::KeyRotation => "key-rotation",
            Self::ScheduleChange => "schedule-change",
            Self::PeriodClose => "period-close",
            Self::Assessment => "assessment",
        }
    }

    /// Returns whether the archive of such a seal is an assessment archive (otherwise it is an evidence archive).
    pub fn is_assessment(self) -> bool {
        matches!(self, Self::PeriodClose | Self::Assessment)
    }

    /// Returns whether such a seal ends a run.
    pub fn ends_run(self) -> bool {
        matches!(self, Self::RunClose | Self::RunAbort)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The signed document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Always [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What is sealed: exactly the two manifests, or for kinds without a bag what the kind commits to.
    pub subject: Vec<Subject>,
    /// Always [`PREDICATE_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The facts.
    pub predicate: Seal,
}

/// A named hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// File name, or what is hashed.
    pub name: String,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// The digest of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectDigest {
    /// SHA-256.
    pub sha256: Sha256Digest,
}

impl Subject {
    /// Names a digest.
    pub fn new(name: &str, sha256: Sha256Digest) -> Self {
        Self { name: name.to_owned(), digest: SubjectDigest { sha256 } }
    }
}

/// The predicate of a seal. Holds no account id: a seal can be shown alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Id of the log (the chain): 32 hexadecimal digits, random, fixed by seal 0.
    pub log: String,
    /// Position in the chain, from 0.
    pub sequence: u64,
    /// What this seal marks.
    pub kind: Kind,
    /// SHA-256 of the previous `seal.json`; absent in seal 0 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sha256Digest>,
    /// SHA-256 of each RFC 3161 token over the previous checkpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous_tokens: Vec<Sha256Digest>,
    /// Id of the run, where the seal belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The audit period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Digest of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Sha256Digest>,
    /// Digest of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Sha256Digest>,
    /// SHA-256 of `data/plan.ndjson`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Sha256Digest>,
    /// The salted records: body lines of an evidence archive, observation lines of an assessment archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Records>,
    /// The salted lines of an assessment's tally: how many records there are of each account and check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Records>,
    /// How many tasks ended in each state; states that did not occur are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<BTreeMap<String, u64>>,
    /// How many tasks are gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps: Option<u64>,
    /// Digests of the evidence seals that an assessment read, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Sha256Digest>,
    /// Runs that were due and did not begin in time, known when a period closes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Missed>,
    /// The two keys of a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succession: Option<Succession>,
    /// The two intervals of a schedule change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<IntervalChange>,
    /// Why a run was aborted, or a key changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the run went on after it had been interrupted, by our clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<Timestamp>,
    /// Version of the observation and verdict rules.
    pub semantics: u32,
    /// When the run or assessment began, by our clock.
    pub opened: Timestamp,
    /// When this seal was made, by our clock.
    pub closed: Timestamp,
    /// When the next run has to have begun, at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_expected_by: Option<Timestamp>,
    /// What made the archive.
    pub tool: Tool,
    /// Which of clock, endpoint, proxy or trust roots were overridden; empty where none was.
    pub overridden: Vec<String>,
    /// The key.
    pub key: Key,
}

/// Number of records and the root of their Merkle tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Number of leaves.
    pub count: u64,
    /// RFC 6962 tree head.
    pub root: Sha256Digest,
}

/// A run that did not begin in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// Sequence number of the seal that expected it.
    pub after: u64,
    /// When it was due at the latest.
    pub expected_by: Timestamp,
    /// When the next run did begin; absent where none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
}

/// From which key to which a chain goes: both public halves, so that the seal alone shows who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// SubjectPublicKeyInfo (DER, base64) of the key that sealed so far.
    pub from: String,
    /// SubjectPublicKeyInfo (DER, base64) of the key that seals from here on.
    pub to: String,
}

/// How long after the end of a run the next has to have begun: before, and from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalChange {
    /// Seconds, as last promised.
    pub from: i64,
    /// Seconds, from here on.
    pub to: i64,
}

/// What made the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `orgproof`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the executable, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Digest>,
}

impl Tool {
    /// Returns this release, with the digest of its executable where the caller knows it.
    pub fn this(sha256: Option<Sha256Digest>) -> Self {
        Self { name: "orgproof".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), sha256 }
    }
}

/// The key that signed, as the seal states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub id: Sha256Digest,
    /// `ecdsa-p256-sha256` or `ed25519`.
    pub algorithm: String,
    /// Where the private key lives: `file` (lower assurance: whoever reads the file can sign), `kms`, or `kms-imported` (in
    /// KMS, but made elsewhere, where a copy may be).
    pub assurance: String,
}

impl Key {
    /// Describes the key of `signer`.
    pub fn of(signer: &dyn Signer) -> Self {
        let key = signer.public_key();
        Self {
            id: key.fingerprint(),
            algorithm: key.algorithm().as_str().to_owned(),
            assurance: signer.assurance().to_owned(),
        }
    }
}

impl Statement {
    /// Puts a seal over its subjects.
    pub fn new(subject: Vec<Subject>, predicate: Seal) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate,
        }
    }

    /// Returns the bytes of `seal.json`: compact JSON and a line feed.
    ///
    /// # Errors
    /// Never for a seal made by this crate; a time outside of jiff's range could not be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads `seal.json`. Unknown fields are ignored, as in-toto asks.
    ///
    /// # Errors
    /// Where it is no statement of ours.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let statement: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if statement.statement_type != STATEMENT_TYPE {
            return Err(format!("_type is {:?}, expected {STATEMENT_TYPE:?}", statement.statement_type));
        }
        if statement.predicate_type != PREDICATE_TYPE {
            return Err(format!("predicateType is {:?}, expected {PREDICATE_TYPE:?}", statement.predicate_type));
        }
        Ok(statement)
    }

    /// Returns the digests of the two manifests where they are exactly the subjects, each once.
    pub fn manifests(&self) -> Option<[Sha256Digest; 2]> {
        match self.subject.as_slice() {
            [a, b] if a.name == MANIFESTS[0] && b.name == MANIFESTS[1] => Some([a.digest.sha256, b.digest.sha256]),
            [b, a] if a.name == MANIFESTS[0] && b.name == MANIFESTS[1] => Some([a.digest.sha256, b.digest.sha256]),
            _ => None,
        }
    }

    /// Returns whether this seal has an archive.
    pub fn has_bag(&self) -> bool {
        self.subject.iter().any(|s| MANIFESTS.contains(&s.name.as_str()))
    }

    /// Returns the name of its archive: `00000002-run-close.zip`.
    pub fn archive_name(&self) -> String {
        archive_name(self.predicate.sequence, self.predicate.kind)
    }
}

/// Returns an archive's file name, `00000002-run-close.zip`.
pub fn archive_name(sequence: u64, kind: Kind) -> String {
    format!("{sequence:08}-{kind}.zip")
}
