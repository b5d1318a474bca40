//! Faults by configuration: what a service does wrong, to whom and how often.

use serde::{Deserialize, Serialize};

use crate::hash;

/// One fault. Absent fields match everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `organizations`, `sts`, `config`, `securityhub`, `account`, `s3`.
    pub service: Option<String>,
    /// API operation.
    pub operation: Option<String>,
    /// Account that is asked (for AssumeRole, the role's account).
    pub account: Option<String>,
    /// Region that is asked.
    pub region: Option<String>,
    /// What happens.
    pub kind: FaultKind,
    /// Share of the matching calls, 0 to 1.
    #[serde(default = "whole")]
    pub rate: f64,
    /// Matching calls that are let through first.
    #[serde(default)]
    pub after: u64,
    /// How often at most.
    pub count: Option<u64>,
    /// Milliseconds, for `slow`.
    #[serde(default)]
    pub milliseconds: u64,
}

fn whole() -> f64 {
    1.0
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The service's own throttling error.
    Throttle,
    /// An internal error, HTTP 500.
    Internal,
    /// HTTP 503 without an AWS body.
    Unavailable,
    /// The answer starts after a pause, and then comes in two halves with another.
    Slow,
    /// The connection is closed in mid-body.
    Cut,
    /// The body is cut short but the length fits: unreadable JSON or XML.
    Malformed,
    /// The session is over from now on.
    ExpireSession,
    /// Access denied, without a reason.
    Deny,
    /// The call is carried out, and answered with HTTP 500.
    Lost,
    /// The call is carried out, and the connection closed without an answer.
    Vanish,
    /// Another request touched the same thing at the same time (S3): nothing is done.
    Conflict,
}

/// A fault and how often it matched and struck.
#[derive(Debug, Clone)]
pub(crate) struct ArmedFault {
    fault: Fault,
    matched: u64,
    struck: u64,
}

impl ArmedFault {
    pub fn new(fault: Fault) -> Self {
        Self { fault, matched: 0, struck: 0 }
    }

    /// Counts the call and returns the fault if it strikes.
    pub fn strike(&mut self, service: &str, operation: &str, account: &str, region: &str) -> Option<&Fault> {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|w| w == is);
        let fault = &self.fault;
        if !(fits(&fault.service, service)
            && fits(&fault.operation, operation)
            && fits(&fault.account, account)
            && fits(&fault.region, region))
        {
            return None;
        }
        self.matched += 1;
        if self.matched <= fault.after || fault.count.is_some_and(|count| self.struck >= count) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share of a thousand needs no precision")]
        let draw = (hash::number(&["fault", service, operation, account, &self.matched.to_string()]) % 1000) as f64;
        if draw >= fault.rate * 1000.0 {
            return None;
        }
        self.struck += 1;
        Some(fault)
    }
}
