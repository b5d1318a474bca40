//! What collectors hand over, attempt by attempt, and how a task reports its end.
//!
//! Whoever writes to disk implements [`Sink`]; collectors only see the trait, so that they can be tested with a vector.

use jiff::Timestamp;

use crate::model::CoverageState;

/// One HTTP attempt with the exact bytes that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When the response was complete, by our clock.
    pub time: Timestamp,
    /// AWS's request id, where the response carried one.
    pub request_id: Option<String>,
    /// ARN of the identity whose credentials signed the call.
    pub principal: String,
    /// AWS service in lower case: `organizations`, `config`, `securityhub`, `account`, `sts`.
    pub service: &'static str,
    /// API operation, such as `ListAccounts`.
    pub operation: String,
    /// Region of the endpoint that was asked.
    pub endpoint_region: String,
    /// What was asked, as JSON text: the request body, or `{"path": ..., "body": ...}` for REST operations. `None` for STS.
    pub request: Option<String>,
    /// Page of a paginated operation, from 0.
    pub page: u32,
    /// Attempt at this page, from 1.
    pub attempt: u32,
    /// HTTP status; `None` where no response arrived.
    pub status: Option<u16>,
    /// AWS's error code, or `transport` where no response arrived.
    pub error: Option<String>,
    /// The exact response bytes; `None` where none may be kept (STS answers hold credentials) or none came.
    pub body: Option<Vec<u8>>,
}

/// Takes the attempts of one task.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Appends one attempt to the task's spool.
    ///
    /// # Errors
    /// The disk refused: fatal for the run.
    fn record(&self, attempt: Attempt) -> std::io::Result<()>;
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The one terminal state.
    pub state: CoverageState,
    /// What was said: AWS's error code and message, or ours. Never holds a credential.
    pub error: Option<String>,
    /// Since when, where the service says so.
    pub since: Option<Timestamp>,
}
