//! What KMS refused, why, and what to do next.

use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::SignError;

pub(super) const ENDPOINT: &str =
    "Nothing was sealed with it. Check that the endpoint is AWS's (AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL)";
pub(super) const STATE: &str =
    "Enable it (aws kms enable-key), or cancel its deletion; where it is lost, begin another store with another key";
pub(super) const MAKE: &str =
    "Make a key that can: aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256";
const ALLOW: &str = "Allow kms:DescribeKey, kms:GetPublicKey and kms:Sign on it, in the key's policy and to whoever seals; where that is a role of its \
                     own, name it in [signing] role";
const FIND: &str = "Check the name, the account of the credentials, and the Region: that of the ARN, for an alias [organization] home_region";
const LATER: &str = "It was asked several times; run again when KMS is less busy";
const CREDENTIALS: &str = "Check the credentials with aws sts get-caller-identity, and this machine's clock";
const REACH: &str = "Check network, proxy (HTTPS_PROXY), Region, and overridden endpoints (AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL); then run again: the \
                     chain goes on from what was sealed last";
const SAID: &str = "KMS's own words say what it wants; then run again: the chain goes on from what was sealed last";

/// Turns a failed call into words.
pub(super) fn refused<E, R>(action: &'static str, key: &str, error: &SdkError<E, R>) -> SignError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let (said, next) = match error {
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or("unknown");
            (format!("{code}: {}", answer.err().message().unwrap_or("no message")), next(code))
        }
        _ => (DisplayErrorContext(error).to_string(), REACH),
    };
    SignError::Kms { action, key: key.to_owned(), said, next }
}

fn next(code: &str) -> &'static str {
    match code {
        "AccessDeniedException" => ALLOW,
        "NotFoundException" | "InvalidArnException" => FIND,
        "DisabledException" | "KMSInvalidStateException" => STATE,
        "InvalidKeyUsageException" | "UnsupportedOperationException" => MAKE,
        "ThrottlingException"
        | "LimitExceededException"
        | "KeyUnavailableException"
        | "DependencyTimeoutException"
        | "KMSInternalException" => LATER,
        "ExpiredTokenException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature" => CREDENTIALS,
        _ => SAID,
    }
}

/// Says that the signing role cannot be had.
pub(super) fn role(role: Option<&str>, said: &str) -> SignError {
    SignError::Role { role: role.unwrap_or_default().to_owned(), said: said.to_owned() }
}
