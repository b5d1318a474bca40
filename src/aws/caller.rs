//! Calls: sign, wait for the quota, send, record, judge, repeat where that helps.
//!
//! The SDK's own retries are off: a repetition that nobody recorded would be evidence lost.

use std::{
    error::Error,
    future::Future,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::sleep;

use super::{
    Abort, Failure, Signal,
    capture::{Capture, Captured},
    connection::Shared,
    limiter::Quota,
    recall::{self, request_json},
    session::{Held, Session, Source},
};
use crate::{
    model::Region,
    spool::{Attempt, Sink},
};

type SdkError<E> = result::SdkError<E, HttpResponse>;

/// Makes calls with one account's credentials in one Region, and records each attempt in one task's sink.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Arc<Session>,
    pub(super) region: Region,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) clients: Arc<Clients>,
}

/// The SDK's clients for one caller: making one costs more than a call.
#[derive(Debug, Default)]
pub(super) struct Clients {
    organizations: OnceLock<aws_sdk_organizations::Client>,
    config: OnceLock<aws_sdk_config::Client>,
    securityhub: OnceLock<aws_sdk_securityhub::Client>,
    account: OnceLock<aws_sdk_account::Client>,
}

macro_rules! client {
    ($name:ident, $field:ident, $sdk:ident) => {
        /// Returns the SDK client with this caller's credentials and Region.
        pub(crate) fn $name(&self) -> $sdk::Client {
            let make = || {
                let partition = format!("{}/{}", self.session.account, self.region);
                let config = $sdk::config::Builder::from(&self.sdk())
                    .retry_partition($sdk::config::retry::RetryPartition::new(partition))
                    .build();
                $sdk::Client::from_conf(config)
            };
            self.clients.$field.get_or_init(make).clone()
        }
    };
}

/// Each client has a retry partition of its account and Region: the SDK would otherwise share one bucket among all accounts.
impl Caller {
    client!(organizations_client, organizations, aws_sdk_organizations);
    client!(config_client, config, aws_sdk_config);
    client!(securityhub_client, securityhub, aws_sdk_securityhub);
    client!(account_client, account, aws_sdk_account);
}

/// How often a page is asked for again.
#[derive(Debug, Default)]
struct Tries {
    throttled: u32,
    broken: u32,
    silent: u32,
    expired: u32,
}

enum Next {
    Wait(Duration),
    Refresh,
    Stop,
}

const MAX_THROTTLED: u32 = 7;
const MAX_BROKEN: u32 = 4;
const MAX_SILENT: u32 = 2;
const MAX_EXPIRED: u32 = 3;
const MAX_WAIT: Duration = Duration::from_secs(5);
const MAX_RESTARTS: u32 = 2;
/// A hundred million items: whoever sends more pages than that does not mean to end.
const MAX_PAGES: u32 = 1_000_000;

impl Tries {
    /// Waits double from `first`: no jitter, since each account has its own bucket and no herd shares it.
    fn next(&mut self, signal: Signal, spent: bool, first: Duration) -> Next {
        let (count, most) = match signal {
            Signal::Throttled => (&mut self.throttled, if spent { 1 } else { MAX_THROTTLED }),
            Signal::Transient => (&mut self.broken, MAX_BROKEN),
            Signal::Unreachable => (&mut self.broken, if spent { 1 } else { MAX_BROKEN }),
            Signal::TimedOut => (&mut self.silent, if spent { 1 } else { MAX_SILENT }),
            Signal::Expired => (&mut self.expired, MAX_EXPIRED),
            _ => return Next::Stop,
        };
        *count += 1;
        if *count >= most {
            return Next::Stop;
        }
        if signal == Signal::Expired {
            return Next::Refresh;
        }
        Next::Wait((first * 2_u32.saturating_pow(*count - 1)).min(MAX_WAIT))
    }
}

impl Caller {
    pub(super) fn new(shared: &Arc<Shared>, session: Arc<Session>, region: &Region, sink: Arc<dyn Sink>) -> Self {
        Self { shared: Arc::clone(shared), session, region: region.clone(), sink, clients: Arc::default() }
    }

    /// The configuration of a client; in a resumed run, answers that were recorded before the interruption come first.
    fn sdk(&self) -> aws_config::SdkConfig {
        let sdk = self.shared.sdk(&self.session, &self.region);
        match (sdk.http_client(), self.sink.memory()) {
            (Some(network), Some(memory)) => {
                let client = recall::over(network, memory, self.session.account.clone(), self.region.clone());
                sdk.to_builder().http_client(client).build()
            }
            _ => sdk,
        }
    }

    /// Asks once (with repetitions) and returns the parsed answer.
    ///
    /// `send` gets a fresh interceptor for each attempt.
    ///
    /// # Errors
    /// What the last attempt meant, once nothing more could be tried.
    pub async fn call<O, E, F, Fut>(&self, quota: Quota, operation: &str, page: u32, send: F) -> Result<O, Failure>
    where
        F: Fn(Capture) -> Fut,
        Fut: Future<Output = Result<O, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let bucket = self.shared.limiter.bucket(&self.session.account, &self.region, quota);
        let mut tries = Tries::default();
        for attempt in 1.. {
            self.go_on(operation)?;
            let held = self.ready().await?;
            // What may be recalled costs no quota; where it was sent after all, it is paid for afterwards.
            let recalling = self.sink.memory().is_some_and(|memory| !memory.is_spent());
            if !recalling {
                bucket.acquire().await;
            }
            let flight = self.shared.flight.acquire().await;
            let capture = Capture::default();
            let answer = Box::pin(send(capture.clone())).await;
            drop(flight);
            let mut captured = capture.take();
            // Without a memory nothing can have been recalled, whatever an answer's headers say.
            captured.recalled &= self.sink.memory().is_some();
            if recalling && !captured.recalled {
                bucket.acquire().await;
            }
            let answer = answer.map_err(|error| failure(operation, &error, &captured));
            let code = answer.as_ref().err().map(|f| f.code.clone());
            self.record(quota, operation, page, attempt, &held, captured, code)?;
            let failure = match answer {
                Ok(output) => {
                    bucket.answered();
                    return Ok(output);
                }
                Err(failure) => failure,
            };
            match failure.signal {
                Signal::Throttled => bucket.throttled(),
                Signal::Clock => self.shared.abort(Abort::Clock { said: failure.to_string() }),
                _ => {}
            }
            match tries.next(failure.signal, bucket.is_spent(), self.shared.settings.backoff) {
                Next::Wait(time) => sleep(time).await,
                Next::Refresh => self.session.forget(&held),
                Next::Stop => {
                    if matches!(failure.signal, Signal::Throttled | Signal::Unreachable | Signal::TimedOut) {
                        bucket.gave_up();
                    }
                    if failure.signal == Signal::Expired {
                        self.lost_credentials(&failure.to_string());
                    }
                    return Err(failure);
                }
            }
        }
        Err(aborted(operation))
    }

    /// Asks for page after page until the token is gone; an empty page with a token is a page like any other.
    ///
    /// A token that AWS no longer accepts restarts the listing, so `each` must not mind to see an item twice.
    ///
    /// # Errors
    /// As [`Self::call`]; what was listed before stays listed.
    pub async fn pages<O, E, F, Fut>(
        &self,
        quota: Quota,
        operation: &str,
        send: F,
        next: impl Fn(&O) -> Option<&str>,
        mut each: impl FnMut(O),
    ) -> Result<(), Failure>
    where
        F: Fn(Option<String>, Capture) -> Fut,
        Fut: Future<Output = Result<O, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (mut token, mut page, mut restarts) = (None::<String>, 0, 0);
        loop {
            let sent = token.clone();
            match self.call(quota, operation, page, |capture| send(sent.clone(), capture)).await {
                Ok(output) => {
                    let following = next(&output).filter(|t| !t.is_empty()).map(str::to_owned);
                    each(output);
                    if following.is_none() {
                        return Ok(());
                    }
                    if following == token || page == MAX_PAGES {
                        return Err(stuck(operation));
                    }
                    token = following;
                    page += 1;
                }
                Err(failure) if failure.signal == Signal::StaleToken && page > 0 && restarts < MAX_RESTARTS => {
                    restarts += 1;
                    token = None;
                    page = 0;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Makes sure that there are credentials: a refusal is worth knowing before anything is asked.
    ///
    /// # Errors
    /// The role was refused, or STS or the credential chain did not answer.
    pub async fn prepare(&self) -> Result<(), Failure> {
        self.ready().await.map(|_| ())
    }

    async fn ready(&self) -> Result<Arc<Held>, Failure> {
        if let Some(held) = self.session.fresh(SystemTime::now()) {
            return Ok(held);
        }
        let _only_one = self.session.gate.lock().await;
        if let Some(held) = self.session.fresh(SystemTime::now()) {
            return Ok(held);
        }
        if let Some(refusal) = self.session.refusal() {
            return Err(refusal);
        }
        match Box::pin(self.shared.fetch_credentials(&self.session, &self.sink)).await {
            Ok(held) => Ok(self.session.hold(held)),
            Err(failure) => {
                self.session.refuse(&failure);
                let valid = self.session.valid(SystemTime::now());
                if valid.is_none() {
                    self.lost_credentials(&failure.to_string());
                }
                valid.ok_or(failure)
            }
        }
    }

    /// Ends the run where it is the audit account's own credentials that are gone: every further call would fail as well.
    fn lost_credentials(&self, said: &str) {
        if matches!(self.session.source, Source::Chain(_)) {
            self.shared.abort(Abort::Credentials { said: said.to_owned() });
        }
    }

    fn go_on(&self, operation: &str) -> Result<(), Failure> {
        if self.shared.aborted().is_some() { Err(aborted(operation)) } else { Ok(()) }
    }

    #[expect(clippy::too_many_arguments, reason = "one record has that many facts, and is made in one place")]
    fn record(
        &self,
        quota: Quota,
        operation: &str,
        page: u32,
        attempt: u32,
        held: &Held,
        captured: Captured,
        error: Option<String>,
    ) -> Result<(), Failure> {
        // What was never sent (no credentials, no endpoint, recalled) is no attempt.
        let Some(host) = captured.host.as_ref().filter(|_| !captured.recalled) else { return Ok(()) };
        self.shared.spoke_to(host);
        let secret = quota == Quota::STS;
        let body_says_all = quota == Quota::ORGANIZATIONS || quota == Quota::CONFIG;
        let path = captured.path.as_deref().filter(|_| !secret);
        let request = path.and_then(|path| request_json(body_says_all, path, &captured.request));
        let body = if secret || captured.echoes_credentials() { None } else { captured.body };
        let attempt = Attempt {
            time: (self.shared.settings.clock)(),
            request_id: captured.request_id,
            principal: held.principal.clone(),
            service: quota.service(),
            operation: operation.to_owned(),
            endpoint_region: self.region.to_string(),
            request,
            page,
            attempt,
            status: captured.status,
            error,
            body,
        };
        self.sink.record(attempt).map_err(|error| {
            self.shared.abort(Abort::Sink { said: error.to_string() });
            aborted(operation)
        })
    }
}

fn failure<E>(operation: &str, error: &SdkError<E>, captured: &Captured) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let (signal, code, message) = match error {
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().map_or_else(|| http(captured), str::to_owned);
            let message = answer.err().message().unwrap_or_default().to_owned();
            (Signal::of(&code, &message, captured.status), code, message)
        }
        SdkError::TimeoutError(_) => (Signal::TimedOut, "timeout".to_owned(), "no answer in time".to_owned()),
        SdkError::DispatchFailure(cause) if cause.is_timeout() => {
            (Signal::TimedOut, "timeout".to_owned(), "no answer in time".to_owned())
        }
        SdkError::DispatchFailure(_) => (Signal::Unreachable, "transport".to_owned(), chain(error)),
        SdkError::ResponseError(_) => broken(error, captured),
        _ => (Signal::Other, "client".to_owned(), chain(error)),
    };
    let message = if captured.echoes_credentials() || signal == Signal::Clock {
        "AWS rejected the signature, most often because this machine's clock is wrong (its message repeats the signed \
         request and is withheld)"
            .to_owned()
    } else {
        message
    };
    Failure { signal, operation: operation.to_owned(), code, message }
}

/// A cut, malformed or oversized answer.
fn broken<E: Error + Send + Sync + 'static>(error: &SdkError<E>, captured: &Captured) -> (Signal, String, String) {
    let text = chain(error);
    if text.contains("length limit exceeded") {
        return (Signal::Oversized, "oversized".to_owned(), "the answer is larger than 64 MiB".to_owned());
    }
    let refused = captured.status.is_some_and(|s| !(200..300).contains(&s));
    let code = if refused { http(captured) } else { "malformed".to_owned() };
    (Signal::Transient, code, text)
}

/// Stands in for the error code that an answer lacks.
fn http(captured: &Captured) -> String {
    captured.status.map_or_else(|| "unknown".to_owned(), |status| format!("http-{status}"))
}

/// Joins the causes. The SDK's errors print neither headers nor credentials in `Display`.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn aborted(operation: &str) -> Failure {
    let message = "the run is ending".to_owned();
    Failure { signal: Signal::Aborted, operation: operation.to_owned(), code: "aborted".to_owned(), message }
}

fn stuck(operation: &str) -> Failure {
    let message =
        "the service returned the page token that it was given, or no end of pages: the listing does not advance"
            .to_owned();
    Failure { signal: Signal::Other, operation: operation.to_owned(), code: "pagination".to_owned(), message }
}
