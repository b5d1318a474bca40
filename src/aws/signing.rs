//! The way to the key that seals: the standard chain, or sessions of the role that `[signing] role` names.
//!
//! Apart from the collecting of evidence: other credentials, another pool of connections, and no record of the calls, which are evidence of
//! nothing. The SDK's own retries and cache of credentials are used, for here nobody else waits in line.

use std::{fmt, time::Duration};

use aws_config::{BehaviorVersion, Region as SdkRegion, SdkConfig, identity::IdentityCache, retry::RetryConfig};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

use super::connection;

/// Session name and source identity: member roles' trust policies ask for `orgproof-*` as well.
const SESSION: &str = "orgproof-seal";
/// Roles chained to another role's session last an hour at most (STS AssumeRole).
const SECONDS: i32 = 3600;
/// A run that took hours is not given up for a moment's throttling.
const ATTEMPTS: u32 = 6;

/// Loads the standard chain for `region`; with `role`, sessions of it, the first of which is made at once.
///
/// # Errors
/// The role cannot be assumed; the cause in one sentence.
pub(crate) async fn signing(region: &str, role: Option<&str>) -> Result<SdkConfig, String> {
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .region(SdkRegion::new(region.to_owned()))
        .http_client(connection::http_client(true))
        .load()
        .await;
    over(&sdk, role).await
}

/// As [`signing`], over a configuration that is there already.
pub(crate) async fn over(sdk: &SdkConfig, role: Option<&str>) -> Result<SdkConfig, String> {
    let sdk = connection::bounded(sdk)
        .to_builder()
        .identity_cache(IdentityCache::lazy().build())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_secs(10)))
        .build();
    let Some(role) = role else { return Ok(sdk) };
    let assumed = Assumed { sts: aws_sdk_sts::Client::new(&sdk), role: role.to_owned() };
    // Once at the start, so that a refusal is told as one.
    assumed.session().await.map_err(|e| super::caller::chain(&e))?;
    Ok(sdk.to_builder().credentials_provider(SharedCredentialsProvider::new(assumed)).build())
}

/// Sessions of the signing role. [`aws_config`]'s own provider cannot set a source identity.
struct Assumed {
    sts: aws_sdk_sts::Client,
    role: String,
}

impl fmt::Debug for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assumed").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Assumed {
    async fn session(&self) -> Result<Credentials, CredentialsError> {
        let request = self.sts.assume_role().role_arn(&self.role).role_session_name(SESSION).source_identity(SESSION);
        let answer = request.duration_seconds(SECONDS).send().await.map_err(CredentialsError::provider_error)?;
        let given = answer.credentials.ok_or_else(|| CredentialsError::unhandled("the answer holds no credentials"))?;
        let end = std::time::SystemTime::try_from(given.expiration).map_err(CredentialsError::unhandled)?;
        let token = Some(given.session_token);
        Ok(Credentials::new(given.access_key_id, given.secret_access_key, token, Some(end), SESSION))
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.session())
    }
}
