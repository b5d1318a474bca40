//! The record of each API attempt, and the bytes that came back.

use base64ct::{Base64, Encoding};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Sha256Digest, TaskId};

/// One line of `data/calls.ndjson`: one HTTP attempt, successful or not.
///
/// An auditor can match `request_id`, `principal` and `time` with the organisation's own CloudTrail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    /// The task that made the call.
    pub task: TaskId,
    /// Position among the task's calls, from 0; unique within the task.
    pub seq: u64,
    /// When the response was complete, by our clock.
    pub time: Timestamp,
    /// AWS's request id, where the response carried one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// ARN of the identity whose credentials signed the call.
    pub principal: String,
    /// AWS service, as its SDK id in lower case: `organizations`, `config`, `securityhub`, `account`, `sts`.
    pub service: String,
    /// API operation, such as `ListAccounts`.
    pub operation: String,
    /// The account whose credentials made the call reached the service in this Region.
    pub endpoint_region: String,
    /// What was asked: the request's JSON body, or for REST operations `{"path": ..., "body": ...}`. Absent for STS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<RawValue>>,
    /// Page of a paginated operation, from 0.
    pub page: u32,
    /// Attempt at this page, from 1.
    pub attempt: u32,
    /// HTTP status; absent where no response arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// AWS's error code, or `transport` where no response arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Where the response's exact bytes lie; absent where none are kept (STS answers hold credentials).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyRef>,
}

/// Where a response body lies in the archive, and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRef {
    /// Path inside the archive, `data/bodies/<account>/<region>.NNN.ndjson`.
    pub path: String,
    /// Line of that file, from 1.
    pub line: u64,
    /// SHA-256 of the body's exact bytes.
    pub sha256: Sha256Digest,
    /// `base64` where the bytes hold a line feed or are not UTF-8 and so could not be a line as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

impl BodyRef {
    /// Returns the exact bytes behind a stored line (without its line feed); `None` where it is not encoded as stated.
    pub fn decode(&self, line: &[u8]) -> Option<Vec<u8>> {
        match self.encoding.as_deref() {
            None => Some(line.to_vec()),
            Some("base64") => Base64::decode_vec(std::str::from_utf8(line).ok()?).ok(),
            Some(_) => None,
        }
    }
}

/// Points from a derived statement to the raw record it rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EvidenceRef {
    /// Digest of the evidence archive's `seal.json`.
    pub seal: Sha256Digest,
    /// Path inside that archive.
    pub path: String,
    /// Line of that file, from 1.
    pub line: u64,
}

/// A call together with the bytes it brought back, as `observe` reads it.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The attempt.
    pub call: &'a Call,
    /// The exact response bytes (decoded, where they were stored as base64); empty where none were kept.
    pub body: &'a [u8],
    /// Digest of the seal of the archive that holds it.
    pub seal: Sha256Digest,
}

impl Exchange<'_> {
    /// Returns where the raw record lies; `None` where no body was kept.
    pub fn evidence(&self) -> Option<EvidenceRef> {
        let body = self.call.body.as_ref()?;
        Some(EvidenceRef { seal: self.seal, path: body.path.clone(), line: body.line })
    }

    /// Returns whether AWS answered the question (HTTP 2xx), so that the body may be read as an answer.
    pub fn answered(&self) -> bool {
        self.call.error.is_none() && self.call.status.is_some_and(|s| (200..300).contains(&s))
    }
}
