//! What S3's refusals mean, and what to do about them.

use std::error::Error;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// An answer that was none, after everything that could be tried.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// HTTP status, where there was an answer.
    pub(super) status: Option<u16>,
    /// S3's code, or `transport` or `timeout`.
    pub(super) code: String,
    /// S3's words, or ours.
    pub(super) message: String,
    /// Where the bucket lies, where S3 says so.
    pub(super) region: Option<String>,
    /// True where an earlier attempt failed, so that its write may have been kept.
    pub(super) repeated: bool,
}

/// Codes that are worth another attempt whatever their status.
const AGAIN: &[&str] = &[
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "XAmzContentSHA256Mismatch",
    "timeout",
    "transport",
];

impl Refusal {
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let raw = error.raw_response();
        let status = raw.map(|r| r.status().as_u16());
        let region = raw.and_then(|r| r.headers().get("x-amz-bucket-region")).map(str::to_owned);
        let (code, message) = match error {
            SdkError::ServiceError(answer) => {
                // An answer to HEAD has no body, so its status stands for the code.
                let code = answer.err().code().map_or_else(|| of_status(status), str::to_owned);
                (code, answer.err().message().unwrap_or_default().to_owned())
            }
            SdkError::TimeoutError(_) => ("timeout".to_owned(), "no answer in time".to_owned()),
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                let said = causes(error);
                // The chain's own list of where it looked fills a screen.
                let first = said
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .trim_end_matches(" Attempted:")
                    .trim_end_matches('.')
                    .to_owned();
                let code = if first.contains("credential") { "credentials" } else { "transport" };
                (code.to_owned(), first)
            }
            _ => ("client".to_owned(), causes(error)),
        };
        Self { status, code, message, region, repeated: false }
    }

    /// Names a failure of our own making.
    pub(super) fn ours(code: &str, message: impl Into<String>) -> Self {
        Self { status: None, code: code.to_owned(), message: message.into(), region: None, repeated: false }
    }

    pub(super) fn is_worth_repeating(&self) -> bool {
        AGAIN.contains(&self.code.as_str()) || self.status.is_some_and(|s| s >= 500 || s == 429)
    }

    /// The object is not there. A bucket that is not there is something else.
    pub(super) fn is_absent(&self) -> bool {
        self.status == Some(404) && self.code != "NoSuchBucket"
    }

    /// The condition of a write does not hold: the name is taken, or the object is another than was expected.
    pub(super) fn is_unmet(&self) -> bool {
        self.code == "PreconditionFailed" || self.status == Some(412)
    }

    pub(super) fn is_denied(&self) -> bool {
        self.status == Some(403)
    }

    pub(super) fn said(&self) -> String {
        if self.message.is_empty() { self.code.clone() } else { format!("{}: {}", self.code, self.message) }
    }

    /// Says what to do next.
    pub(super) fn advice(&self, action: &str) -> String {
        match self.code.as_str() {
            "NoSuchBucket" => "Make the bucket, with Object Lock, or mend [store] url".to_owned(),
            "NoSuchKey" | "NotFound" => "Is the bucket's name right, and the prefix?".to_owned(),
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                let region = self.region.as_deref().unwrap_or("another Region");
                format!("The bucket lies in {region}: set AWS_REGION to it")
            }
            "RequestTimeTooSkewed" | "RequestExpired" => "Set this machine's clock and run again".to_owned(),
            "SignatureDoesNotMatch" => "Check the secret access key and this machine's clock".to_owned(),
            "credentials" => "Set AWS_PROFILE or AWS_ACCESS_KEY_ID, log in with 'aws sso login', or run with a role that may use the bucket"
                .to_owned(),
            "ExpiredToken" | "InvalidAccessKeyId" | "InvalidToken" => {
                "Log in again; check with 'aws sts get-caller-identity'".to_owned()
            }
            "SlowDown" | "ServiceUnavailable" | "InternalError" | "Throttling" => {
                "S3 did not serve it, several times: run again later".to_owned()
            }
            "ConditionalRequestConflict" | "OperationAborted" => {
                "Another request touched the same object at the same time, several times: run again".to_owned()
            }
            "InvalidRequest" if self.message.contains("Object Lock") => {
                "Make a bucket with Object Lock; 'aws s3api put-object-lock-configuration' adds it to one with versioning".to_owned()
            }
            "NoSuchUpload" => "The upload was ended by another: run again".to_owned(),
            "transport" | "timeout" => {
                "Check the network, the proxy (HTTPS_PROXY) and overridden endpoints (AWS_ENDPOINT_URL_S3)".to_owned()
            }
            _ if self.is_denied() => format!("Allow {} to the role that runs this, in its policy and the bucket's", permissions(action)),
            _ => "Check the bucket and its policy".to_owned(),
        }
    }
}

/// The permissions that an action needs.
fn permissions(action: &str) -> &'static str {
    match action {
        "write" | "upload" => "s3:PutObject, s3:PutObjectRetention, s3:AbortMultipartUpload and s3:GetObject",
        "lock" => "s3:PutObject, s3:PutObjectRetention and s3:GetObject",
        "list" => "s3:ListBucket (and s3:ListBucketVersions, s3:ListBucketMultipartUploads)",
        "examine" => "s3:ListBucket, s3:GetBucketVersioning and s3:GetBucketObjectLockConfiguration",
        _ => "s3:GetObject and s3:ListBucket",
    }
}

fn of_status(status: Option<u16>) -> String {
    match status {
        Some(301) => "PermanentRedirect".to_owned(),
        Some(403) => "AccessDenied".to_owned(),
        Some(404) => "NotFound".to_owned(),
        Some(412) => "PreconditionFailed".to_owned(),
        Some(503) => "SlowDown".to_owned(),
        Some(status) => format!("http-{status}"),
        None => "unknown".to_owned(),
    }
}

/// Joins the causes; the SDK's errors print neither headers nor credentials.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
