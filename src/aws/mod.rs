//! The way to AWS: connection, role sessions, quotas, raw capture, and what errors mean.
//!
//! ```text
//! Aws::connect -> central caller ----------------------------> Organizations, aggregator, Security Hub's home Region
//!              -> session of a member's audit role -> caller -> that account, Region by Region
//! Caller::call:  credentials -> token of the account's bucket -> send -> record raw -> judge -> repeat or give up
//! ```
//!
//! The audit account is the delegated administrator of Config and Security Hub. It is asked with its own credentials, also where it is a
//! target itself; every other account, the management account too, is asked with a session of its audit role.
//!
//! Nothing here decides what evidence means; it only brings it, and says how each question ended.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    model::{AccountId, Region},
    spool::{Attempt, Sink},
};

mod background;
mod caller;
mod capture;
mod connection;
mod errors;
mod limiter;
#[cfg(test)]
pub(crate) mod loopback;
mod recall;
mod session;
mod signal;
mod signing;
mod sources;
#[cfg(test)]
mod tests;

pub use background::Background;
pub use caller::Caller;
pub use errors::{Abort, SetupError};
pub use limiter::Quota;
pub use signal::{Failure, Signal};
#[cfg(test)]
pub(crate) use signing::over as signing_over;
pub(crate) use signing::signing;
pub(crate) use sources::timestamp;
pub use sources::{SourceState, Sources};

use connection::Shared;
use session::{Held, Session, Source};

/// Asks once: `call!(caller, Quota::CONFIG, "DescribeX", client.describe_x())`.
macro_rules! call {
    ($caller:expr, $quota:expr, $operation:literal, $request:expr) => {{
        let request = $request;
        $caller.call($quota, $operation, 0, |capture| request.clone().customize().interceptor(capture).send()).await
    }};
}

/// Asks for all pages: `pages!(caller, Quota::CONFIG, "DescribeX", client.describe_x(), |page| …)`.
macro_rules! pages {
    ($caller:expr, $quota:expr, $operation:literal, $request:expr, $each:expr) => {{
        let request = $request;
        $caller
            .pages(
                $quota,
                $operation,
                |token, capture| request.clone().set_next_token(token).customize().interceptor(capture).send(),
                |page| page.next_token.as_deref(),
                $each,
            )
            .await
    }};
}
pub(crate) use {call, pages};

/// How to reach the organisation.
#[derive(Clone)]
pub struct Settings {
    /// Security Hub's aggregation Region; also where the aggregator, STS and everything global is asked.
    pub home_region: Region,
    /// Role to assume in each account.
    pub role_name: String,
    /// Where a third party audits.
    pub external_id: Option<String>,
    /// Life of a session; at most 3600, since these roles are chained.
    pub session_seconds: u32,
    /// Name of the Config aggregator; `None` takes the only one there is.
    pub aggregator: Option<String>,
    /// Session name and source identity, `orgproof-…`.
    pub run_id: String,
    /// Calls a second by [`Quota::name`], replacing ours.
    pub rates: BTreeMap<String, f64>,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Wait before the first repetition; doubles each time, up to five seconds.
    pub backoff: Duration,
    /// Our clock, as it goes into the record of calls. Signatures always use the machine's.
    pub clock: fn() -> Timestamp,
}

impl Settings {
    /// Takes what has no default; the rest: no external id, sessions of an hour, 64 requests at once, our rates.
    pub fn new(home_region: Region, role_name: impl Into<String>, run_id: impl Into<String>) -> Self {
        Self {
            home_region,
            role_name: role_name.into(),
            external_id: None,
            session_seconds: 3600,
            aggregator: None,
            run_id: run_id.into(),
            rates: BTreeMap::new(),
            concurrency: 64,
            backoff: Duration::from_millis(250),
            clock: Timestamp::now,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An external id is no credential in AWS's eyes, but there is no need to print it either.
        f.debug_struct("Settings")
            .field("home_region", &self.home_region)
            .field("role_name", &self.role_name)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

/// A connection to one organisation, for one run.
#[derive(Debug, Clone)]
pub struct Aws {
    shared: Arc<Shared>,
    declared: Vec<String>,
}

impl Aws {
    /// Finds credentials, learns whose they are, and prepares sessions.
    ///
    /// # Errors
    /// No credentials, refused credentials, or no answer from STS.
    pub async fn connect(settings: Settings) -> Result<Self, SetupError> {
        let sdk = connection::load(&settings.home_region).await;
        Self::over(sdk, settings, declared_overrides()).await
    }

    pub(crate) async fn over(
        sdk: aws_config::SdkConfig,
        settings: Settings,
        declared: Vec<String>,
    ) -> Result<Self, SetupError> {
        use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
        let none = |said: String| SetupError::NoCredentials { said };
        let chain = sdk.credentials_provider().ok_or_else(|| none("the chain is empty".to_owned()))?;
        let credentials = chain.provide_credentials().await.map_err(|error| {
            let nothing = matches!(error, CredentialsError::CredentialsNotLoaded(_));
            none(if nothing { "nothing in environment, profile or metadata".to_owned() } else { caller::chain(&error) })
        })?;
        let (account, principal) = identity(&sdk, &settings).await?;
        let central = Session::new(account, Source::Chain(chain));
        central.hold(Held::new(credentials, principal.clone(), std::time::SystemTime::now()));
        Ok(Self { shared: Arc::new(Shared::new(sdk, settings, central, principal)), declared })
    }

    /// Returns the audit account.
    pub fn account(&self) -> &AccountId {
        &self.shared.central.account
    }

    /// Returns the ARN that central calls are signed for.
    pub fn principal(&self) -> &str {
        &self.shared.principal
    }

    /// Returns the home Region.
    pub fn home_region(&self) -> &Region {
        &self.shared.settings.home_region
    }

    /// Returns what makes this run's answers other than AWS's own: overridden endpoints, proxies, trust roots, and each host outside AWS's domains
    /// that answered so far. Complete only once the run is over.
    pub fn overrides(&self) -> Vec<String> {
        let mut all = self.declared.clone();
        all.extend(self.shared.strangers().into_iter().map(|host| format!("answered by {host}")));
        all
    }

    /// Returns why the run must end, if it must.
    pub fn aborted(&self) -> Option<Abort> {
        self.shared.aborted()
    }

    /// Waits until the run must end.
    pub async fn until_aborted(&self) -> Abort {
        let mut watch = self.shared.abort_watch();
        loop {
            if let Some(abort) = watch.borrow_and_update().clone() {
                return abort;
            }
            if watch.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Asks the two questions whose refusal means that nothing can be audited from here, before anything is written: is
    /// there an organisation that these credentials may read, and is there the aggregator that the configuration names?
    /// Neither is recorded: a run asks them again, as evidence.
    ///
    /// # Errors
    /// One of them was refused, or the clock is wrong.
    pub async fn preflight(&self) -> Result<(), SetupError> {
        let caller = self.central(Arc::new(NoSink));
        let client = caller.organizations_client();
        let said = |failure: Failure| failure.to_string();
        call!(caller, Quota::ORGANIZATIONS, "DescribeOrganization", client.describe_organization())
            .map_err(|f| SetupError::NoOrganization { principal: self.principal().to_owned(), said: said(f) })?;
        call!(caller, Quota::ORGANIZATIONS, "ListAccounts", client.list_accounts().max_results(1))
            .map_err(|f| SetupError::NoOrganization { principal: self.principal().to_owned(), said: said(f) })?;
        let Some(name) = self.aggregator() else { return Ok(()) };
        let request = caller.config_client().describe_configuration_aggregators().configuration_aggregator_names(name);
        call!(caller, Quota::CONFIG, "DescribeConfigurationAggregators", request).map(drop).map_err(|f| {
            SetupError::NoAggregator { name: name.to_owned(), region: self.home_region().clone(), said: said(f) }
        })
    }

    /// Lists the Regions of the audit account and whether each is opted in.
    ///
    /// # Errors
    /// The call was refused or not answered.
    pub async fn regions(&self, sink: Arc<dyn Sink>) -> Result<Vec<(Region, bool)>, SetupError> {
        let listed = list_regions(&self.central(sink)).await;
        let said = |f: Failure| SetupError::NoRegions { account: self.account().clone(), said: f.to_string() };
        Ok(listed.map_err(said)?.into_iter().collect())
    }

    /// Returns a caller with the audit account's credentials in the home Region.
    pub fn central(&self, sink: Arc<dyn Sink>) -> Caller {
        self.caller(&self.account().clone(), self.home_region(), sink)
    }

    /// Returns a caller inside a target; no session is made before the first call.
    pub fn caller(&self, account: &AccountId, region: &Region, sink: Arc<dyn Sink>) -> Caller {
        Caller::new(&self.shared, self.shared.session(account), region, sink)
    }

    /// Returns whether `account` has opted in to `region`, by its own word; asked once an account.
    pub(crate) async fn opted_in(
        &self,
        account: &AccountId,
        region: &Region,
        sink: Arc<dyn Sink>,
    ) -> Result<bool, Failure> {
        let caller = self.caller(account, self.home_region(), sink);
        let regions = caller.session.regions.get_or_try_init(|| list_regions(&caller)).await?;
        Ok(regions.get(region).copied().unwrap_or(false))
    }

    /// Notes that the organisation can't be read at all.
    pub(crate) fn no_organization(&self, failure: &Failure) {
        self.shared.abort(Abort::Organization { principal: self.principal().to_owned(), said: failure.to_string() });
    }

    pub(crate) fn aggregator(&self) -> Option<&str> {
        self.shared.settings.aggregator.as_deref()
    }
}

async fn list_regions(caller: &Caller) -> Result<BTreeMap<Region, bool>, Failure> {
    use aws_sdk_account::types::RegionOptStatus as Opt;
    let client = caller.account_client();
    let mut regions = BTreeMap::new();
    pages!(caller, Quota::ACCOUNT, "ListRegions", client.list_regions().max_results(50), |page| {
        for region in page.regions.unwrap_or_default() {
            let on = matches!(region.region_opt_status, Some(Opt::Enabled | Opt::EnabledByDefault | Opt::Disabling));
            if let Some(Ok(name)) = region.region_name.map(|n| n.parse::<Region>()) {
                regions.insert(name, on);
            }
        }
    })?;
    Ok(regions)
}

async fn identity(sdk: &aws_config::SdkConfig, settings: &Settings) -> Result<(AccountId, String), SetupError> {
    use aws_smithy_runtime_api::client::result::SdkError;
    use aws_smithy_types::error::metadata::ProvideErrorMetadata;
    let answer = aws_sdk_sts::Client::new(sdk).get_caller_identity().send().await;
    let answer = answer.map_err(|error| match &error {
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or("unknown");
            let clock = Signal::of(code, "", None) == Signal::Clock;
            let message =
                if clock { "the signature does not match" } else { answer.err().message().unwrap_or_default() };
            SetupError::CredentialsRefused { said: format!("{code}: {message}") }
        }
        _ => SetupError::Unreachable { region: settings.home_region.clone(), said: caller::chain(&error) },
    })?;
    let missing = || SetupError::NoIdentity { said: format!("{:?}", answer.arn()) };
    let account = answer.account().and_then(|a| a.parse().ok()).ok_or_else(missing)?;
    Ok((account, answer.arn().ok_or_else(missing)?.to_owned()))
}

/// Loads the standard chain's configuration, with the Region that it names, for what is no part of an organisation: the store, the key.
pub async fn sdk() -> aws_config::SdkConfig {
    connection::load_anywhere().await
}

/// Returns whether the environment overrides the endpoint of a service (`S3`), or of all.
pub fn endpoint_is_overridden(service: &str) -> bool {
    let set = |name: String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set(format!("AWS_ENDPOINT_URL_{service}")) || set("AWS_ENDPOINT_URL".to_owned())
}

/// Returns what the environment overrides: endpoints, proxies, trust roots. It is read as the SDK reads it; user names and passwords in
/// addresses are left out.
pub fn declared_overrides() -> Vec<String> {
    let mut all: Vec<_> = std::env::vars().filter_map(|(name, value)| declared_override(&name, &value)).collect();
    all.sort();
    all
}

fn declared_override(name: &str, value: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    match upper.as_str() {
        _ if value.is_empty() => None,
        "SSL_CERT_FILE" | "SSL_CERT_DIR" => Some(format!("trust roots {upper}={value}")),
        "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY" => Some(format!("proxy {upper}={}", without_userinfo(value))),
        _ if upper.starts_with("AWS_ENDPOINT_URL") => Some(format!("endpoint {upper}={}", without_userinfo(value))),
        _ => None,
    }
}

fn without_userinfo(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or((None, url), |(s, r)| (Some(s), r));
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    scheme.map_or_else(|| host.to_owned(), |s| format!("{s}://{host}{}", &rest[end..]))
}

/// Forgets what it is given: for calls before a run has opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn record(&self, _: Attempt) -> std::io::Result<()> {
        Ok(())
    }
}
