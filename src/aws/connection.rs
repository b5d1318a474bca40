//! Connecting, and what all callers of a run share.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, SystemTime},
};

use aws_config::{BehaviorVersion, SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::{OnceCell, Semaphore, watch};

use super::{
    Abort, Failure, Settings, Signal,
    caller::Caller,
    limiter::{Limiter, Quota},
    session::{Held, Session, Source},
};
use crate::{
    model::{AccountId, Region},
    spool::Sink,
};

const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(30);
const ATTEMPT: Duration = Duration::from_secs(60);

/// What all callers of a run share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) limiter: Limiter,
    /// Bounds the requests under way.
    pub(super) flight: Semaphore,
    pub(super) central: Arc<Session>,
    pub(super) principal: String,
    pub(super) partition: String,
    pub(super) sources: OnceCell<super::Sources>,
    sdk: SdkConfig,
    sts: OnceLock<aws_sdk_sts::Client>,
    sessions: Mutex<HashMap<AccountId, Arc<Session>>>,
    strangers: Mutex<BTreeSet<String>>,
    abort: watch::Sender<Option<Abort>>,
}

impl fmt::Debug for Shared {
    // The SDK's configuration prints access key ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .field("central", &self.central)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(sdk: SdkConfig, settings: Settings, central: Session, principal: String) -> Self {
        let partition = principal.split(':').nth(1).filter(|p| !p.is_empty()).unwrap_or("aws").to_owned();
        Self {
            limiter: Limiter::new(settings.rates.clone()),
            flight: Semaphore::new(settings.concurrency.clamp(1, 4096)),
            central: Arc::new(central),
            principal,
            partition,
            sources: OnceCell::new(),
            sdk,
            sts: OnceLock::new(),
            sessions: Mutex::default(),
            strangers: Mutex::default(),
            abort: watch::Sender::new(None),
            settings,
        }
    }

    /// Returns the session of `account`; the audit account answers for itself with its own credentials.
    pub(super) fn session(&self, account: &AccountId) -> Arc<Session> {
        if *account == self.central.account {
            return Arc::clone(&self.central);
        }
        let mut sessions = lock(&self.sessions);
        Arc::clone(
            sessions.entry(account.clone()).or_insert_with(|| Arc::new(Session::new(account.clone(), Source::Role))),
        )
    }

    /// Returns an SDK configuration that signs with `session` in `region`.
    pub(super) fn sdk(&self, session: &Arc<Session>, region: &Region) -> SdkConfig {
        let provider = super::session::Provider(Arc::clone(session));
        self.sdk
            .to_builder()
            .region(aws_config::Region::new(region.to_string()))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(provider))
            .build()
    }

    pub(super) async fn fetch_credentials(
        self: &Arc<Self>,
        session: &Arc<Session>,
        sink: &Arc<dyn Sink>,
    ) -> Result<Held, Failure> {
        match &session.source {
            Source::Chain(chain) => {
                let credentials = chain.provide_credentials().await.map_err(|error| Failure {
                    signal: Signal::Other,
                    operation: "credential chain".to_owned(),
                    code: "credentials".to_owned(),
                    message: error.to_string(),
                })?;
                Ok(Held::new(credentials, self.principal.clone(), SystemTime::now()))
            }
            Source::Role => self.assume(&session.account, sink).await,
        }
    }

    async fn assume(self: &Arc<Self>, account: &AccountId, sink: &Arc<dyn Sink>) -> Result<Held, Failure> {
        let region = &self.settings.home_region;
        let caller = Caller::new(self, Arc::clone(&self.central), region, Arc::clone(sink));
        let sts = self.sts.get_or_init(|| aws_sdk_sts::Client::new(&self.sdk(&self.central, region)));
        let request = sts
            .assume_role()
            .role_arn(format!("arn:{}:iam::{account}:role/{}", self.partition, self.settings.role_name))
            .role_session_name(&self.settings.run_id)
            .source_identity(&self.settings.run_id)
            .set_external_id(self.settings.external_id.clone())
            .duration_seconds(i32::try_from(self.settings.session_seconds).unwrap_or(3600));
        let answer = caller
            .call(Quota::STS, "AssumeRole", 0, |capture| request.clone().customize().interceptor(capture).send())
            .await?;
        let incomplete = || Failure {
            signal: Signal::Other,
            operation: "AssumeRole".to_owned(),
            code: "incomplete".to_owned(),
            message: "the answer holds no credentials".to_owned(),
        };
        let given = answer.credentials.ok_or_else(incomplete)?;
        let principal = answer.assumed_role_user.map(|u| u.arn).ok_or_else(incomplete)?;
        let end = SystemTime::try_from(given.expiration).map_err(|_| incomplete())?;
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(end),
            "orgproof-assume-role",
        );
        Ok(Held::new(credentials, principal, SystemTime::now()))
    }

    /// Ends the run: the first reason stands.
    pub(super) fn abort(&self, why: Abort) {
        self.abort.send_if_modified(|abort| {
            let first = abort.is_none();
            if first {
                *abort = Some(why);
            }
            first
        });
    }

    pub(super) fn aborted(&self) -> Option<Abort> {
        self.abort.borrow().clone()
    }

    pub(super) fn abort_watch(&self) -> watch::Receiver<Option<Abort>> {
        self.abort.subscribe()
    }

    /// Notes a host outside AWS's domains: whatever the configuration says, this is who answered.
    pub(super) fn spoke_to(&self, host: &str) {
        let name = host.split(':').next().unwrap_or(host);
        let aws = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|domain| name.ends_with(domain));
        if !aws {
            lock(&self.strangers).insert(host.to_owned());
        }
    }

    pub(super) fn strangers(&self) -> Vec<String> {
        lock(&self.strangers).iter().cloned().collect()
    }
}

/// Loads the standard chain (environment, profile, SSO, container, instance), with our bounds.
pub(super) async fn load(home: &Region) -> SdkConfig {
    let home = aws_config::Region::new(home.to_string());
    bounded(&aws_config::defaults(BehaviorVersion::latest()).region(home).http_client(http_client(true)).load().await)
}

/// As [`load`], in the Region that the chain names.
pub(super) async fn load_anywhere() -> SdkConfig {
    bounded(&aws_config::defaults(BehaviorVersion::latest()).http_client(http_client(true)).load().await)
}

/// Adds our time-outs and turns off what we do ourselves: retries and the caching of credentials.
pub(super) fn bounded(sdk: &SdkConfig) -> SdkConfig {
    sdk.to_builder()
        .identity_cache(IdentityCache::no_cache())
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT)
                .read_timeout(READ)
                .operation_attempt_timeout(ATTEMPT)
                .build(),
        )
        .build()
}

/// One pool for the run. The SDK's default client ignores proxies, so they are read here, as every other tool does.
pub(super) fn http_client(proxies: bool) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|c| c.sleep_impl()));
        connector.set_proxy_config(proxies.then(ProxyConfig::from_env));
        connector.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc)).build()
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
