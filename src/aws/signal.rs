//! What AWS's errors mean: error code, message and status -> [`Signal`] -> coverage state.

use std::fmt;

use crate::model::CoverageState;

/// The meaning of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// The role or the call was refused.
    Denied,
    /// A service or resource control policy denies the auditor: the organisation itself limits the audit's scope.
    ScopeLimitation,
    /// The Region is not opted in (or the credentials are unknown there, which AWS reports in the same way).
    RegionDisabled,
    /// The session is over: to be refreshed, and the page repeated.
    Expired,
    /// Our clock and AWS's disagree: no time in this run could be trusted.
    Clock,
    /// Too many requests.
    Throttled,
    /// The page token is no longer accepted: to be restarted from the first page.
    StaleToken,
    /// Security Hub is not enabled, or the account is not its administrator; or Config has no recorder.
    NotEnabled,
    /// The account belongs to no organisation.
    NoOrganization,
    /// The configured aggregator does not exist in the home Region.
    NoAggregator,
    /// What was listed a moment ago is gone: the organisation changed during the run.
    Changed,
    /// What was asked for does not exist.
    Absent,
    /// AWS failed (5xx), the connection was cut, or the answer could not be read: worth repeating.
    Transient,
    /// No answer within the time allowed.
    TimedOut,
    /// No connection.
    Unreachable,
    /// The answer is larger than we are willing to read.
    Oversized,
    /// The run is ending: no further call is made.
    Aborted,
    /// Anything else.
    Other,
}

const THROTTLE: &[&str] = &[
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];
const DENIED: &[&str] =
    &["AccessDenied", "AccessDeniedException", "AuthorizationErrorException", "UnauthorizedOperation"];
const REGION: &[&str] =
    &["AuthFailure", "InvalidClientTokenId", "RegionDisabledException", "UnrecognizedClientException"];
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException"];
const CLOCK: &[&str] = &[
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];
const STALE_TOKEN: &[&str] =
    &["InvalidNextToken", "InvalidNextTokenException", "InvalidPaginationToken", "InvalidPaginationTokenException"];
const CHANGED: &[&str] = &[
    "AccountNotFoundException",
    "ChildNotFoundException",
    "NoSuchConfigRuleException",
    "NoSuchConformancePackException",
    "OrganizationalUnitNotFoundException",
    "ParentNotFoundException",
    "PolicyNotFoundException",
    "TargetNotFoundException",
];
const ABSENT: &[&str] = &[
    "NoSuchRemediationConfigurationException",
    "NoSuchRetentionConfigurationException",
    "ResourceNotDiscoveredException",
    "ResourceNotFoundException",
    "ResourcePolicyNotFoundException",
];
const NOT_ENABLED: &[&str] =
    &["InvalidAccessException", "NoAvailableConfigurationRecorderException", "NoSuchConfigurationRecorderException"];

impl Signal {
    /// Reads an error answer.
    pub fn of(code: &str, message: &str, status: Option<u16>) -> Self {
        let throttled = THROTTLE.contains(&code) || status == Some(429);
        match code {
            _ if throttled => Self::Throttled,
            _ if DENIED.contains(&code) && names_control_policy(message) => Self::ScopeLimitation,
            _ if DENIED.contains(&code) => Self::Denied,
            _ if REGION.contains(&code) => Self::RegionDisabled,
            _ if EXPIRED.contains(&code) => Self::Expired,
            _ if CLOCK.contains(&code) => Self::Clock,
            _ if STALE_TOKEN.contains(&code) || names_page_token(code, message) => Self::StaleToken,
            _ if CHANGED.contains(&code) => Self::Changed,
            _ if ABSENT.contains(&code) => Self::Absent,
            _ if NOT_ENABLED.contains(&code) => Self::NotEnabled,
            "AWSOrganizationsNotInUseException" => Self::NoOrganization,
            "NoSuchConfigurationAggregatorException" => Self::NoAggregator,
            _ if status.is_some_and(|s| s >= 500) => Self::Transient,
            _ => Self::Other,
        }
    }

    /// Returns the state of a task whose question ended like this.
    pub fn state(self) -> CoverageState {
        match self {
            Self::Denied | Self::ScopeLimitation => CoverageState::Denied,
            Self::RegionDisabled => CoverageState::RegionDisabled,
            Self::Throttled => CoverageState::Throttled,
            Self::TimedOut => CoverageState::TimedOut,
            Self::NotEnabled => CoverageState::NotEnabled,
            Self::Aborted => CoverageState::Partial,
            Self::Expired
            | Self::Clock
            | Self::StaleToken
            | Self::NoOrganization
            | Self::NoAggregator
            | Self::Changed
            | Self::Absent
            | Self::Transient
            | Self::Unreachable
            | Self::Oversized
            | Self::Other => CoverageState::Failed,
        }
    }
}

fn names_control_policy(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("service control policy") || message.contains("resource control policy")
}

/// Organizations and Security Hub have no error code of their own for a token that they no longer accept.
fn names_page_token(code: &str, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    matches!(code, "InvalidInputException" | "ValidationException" | "InvalidParameterException")
        && ["invalid_next_token", "nexttoken", "next token", "pagination token"].iter().any(|t| message.contains(t))
}

/// A call that brought no answer, after everything that could be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// What it means.
    pub signal: Signal,
    /// API operation.
    pub operation: String,
    /// AWS's error code, or `transport`, `timeout`, ….
    pub code: String,
    /// AWS's message, or ours. Never holds a credential.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.signal == Signal::ScopeLimitation {
            f.write_str("scope limitation, a control policy of the organization denies the auditor: ")?;
        }
        write!(f, "{}: {}", self.operation, self.code)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_the_failure_table_has_its_meaning() {
        use CoverageState as C;
        use Signal as S;
        let table = [
            ("AccessDenied", "not authorized to perform: sts:AssumeRole", 403, S::Denied, C::Denied),
            (
                "AccessDeniedException",
                "with an explicit deny in a service control policy",
                400,
                S::ScopeLimitation,
                C::Denied,
            ),
            ("AccessDeniedException", "explicit deny in a Resource Control Policy", 403, S::ScopeLimitation, C::Denied),
            ("RegionDisabledException", "", 403, S::RegionDisabled, C::RegionDisabled),
            ("UnrecognizedClientException", "", 400, S::RegionDisabled, C::RegionDisabled),
            ("InvalidClientTokenId", "", 403, S::RegionDisabled, C::RegionDisabled),
            ("AuthFailure", "", 401, S::RegionDisabled, C::RegionDisabled),
            ("ExpiredToken", "", 403, S::Expired, C::Failed),
            ("ExpiredTokenException", "", 400, S::Expired, C::Failed),
            ("SignatureDoesNotMatch", "", 403, S::Clock, C::Failed),
            ("InvalidSignatureException", "", 400, S::Clock, C::Failed),
            ("RequestTimeTooSkewed", "", 403, S::Clock, C::Failed),
            ("ThrottlingException", "Rate exceeded", 400, S::Throttled, C::Throttled),
            ("TooManyRequestsException", "", 400, S::Throttled, C::Throttled),
            ("Throttling", "", 400, S::Throttled, C::Throttled),
            ("LimitExceededException", "", 429, S::Throttled, C::Throttled),
            ("LimitExceededException", "too many rules", 400, S::Other, C::Failed),
            ("InvalidNextTokenException", "", 400, S::StaleToken, C::Failed),
            ("InvalidInputException", "INVALID_NEXT_TOKEN", 400, S::StaleToken, C::Failed),
            ("InvalidInputException", "Invalid parameter NextToken", 400, S::StaleToken, C::Failed),
            ("InvalidInputException", "another one", 400, S::Other, C::Failed),
            ("NoSuchConfigurationAggregatorException", "", 400, S::NoAggregator, C::Failed),
            ("NoAvailableConfigurationRecorderException", "", 400, S::NotEnabled, C::NotEnabled),
            ("ResourceNotDiscoveredException", "", 400, S::Absent, C::Failed),
            ("InvalidAccessException", "not subscribed", 401, S::NotEnabled, C::NotEnabled),
            ("AWSOrganizationsNotInUseException", "", 400, S::NoOrganization, C::Failed),
            ("PolicyNotFoundException", "", 400, S::Changed, C::Failed),
            ("TargetNotFoundException", "", 400, S::Changed, C::Failed),
            ("InternalFailure", "", 500, S::Transient, C::Failed),
            ("ServiceUnavailable", "", 503, S::Transient, C::Failed),
            ("NeverHeardOf", "", 400, S::Other, C::Failed),
        ];
        for (code, message, status, signal, state) in table {
            assert_eq!(Signal::of(code, message, Some(status)), signal, "{code} {status} {message}");
            assert_eq!(signal.state(), state, "{code}");
        }
        assert_eq!(Signal::TimedOut.state(), C::TimedOut);
    }

    #[test]
    fn no_failure_can_close_a_task_as_if_nothing_were_missing() {
        for signal in [Signal::Absent, Signal::Changed, Signal::Other, Signal::Throttled, Signal::NotEnabled] {
            assert!(!matches!(
                signal.state(),
                CoverageState::Collected | CoverageState::Empty | CoverageState::OutOfScope
            ));
        }
    }
}
