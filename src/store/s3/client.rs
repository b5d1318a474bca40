//! The connection to one bucket: credentials, Region, S3's clock, and repetitions.
//!
//! The SDK's own repetitions are off: whether an earlier attempt may have been kept decides what a refusal of the next one means.

use std::{
    error::Error,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use aws_sdk_s3::config::{Builder, Region, timeout::TimeoutConfig};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, OverriddenHooks, context::BeforeDeserializationInterceptorContextMut},
        orchestrator::HttpResponse,
        result::SdkError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{config_bag::ConfigBag, error::metadata::ProvideErrorMetadata};
use jiff::Timestamp;

use super::{Place, Refusal, StoreError};
use crate::{
    aws::{self, Background},
    store::Refused,
};

/// How often something is asked at most.
const TRIES: u32 = 8;
/// The longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(8);
/// One attempt: a part over a slow line (16 MiB at 1 Mbit/s).
const ATTEMPT: Duration = Duration::from_secs(150);

/// A connection to one bucket.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) place: Place,
    pub(super) background: Arc<Background>,
    pub(super) clock: Clock,
    backoff: Duration,
}

/// S3's own time, as its answers tell it.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<(Timestamp, Instant)>>>);

impl Clock {
    /// Returns the time by S3's clock; `None` before it has answered.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let seen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, at) = seen?;
        time.checked_add(at.elapsed()).ok()
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn overridden_hooks(&self) -> OverriddenHooks {
        OverriddenHooks::all()
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(time) = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((time.timestamp(), Instant::now()));
        }
        Ok(())
    }
}

impl Client {
    /// Connects, and goes to the Region in which the bucket lies.
    pub(super) fn connect(place: Place) -> Result<Self, StoreError> {
        let background = Background::start("orgproof-s3").map_err(|source| io(&place, source))?;
        let sdk = background.wait(aws::sdk()).map_err(|source| io(&place, source))?;
        Self::over(&sdk, place, Arc::new(background), Duration::from_millis(300))
    }

    /// As [`Self::connect`], over a configuration that is loaded already.
    pub(super) fn over(
        sdk: &SdkConfig,
        place: Place,
        background: Arc<Background>,
        backoff: Duration,
    ) -> Result<Self, StoreError> {
        let clock = Clock::default();
        let region = sdk.region().map_or("us-east-1", |r| r.as_ref()).to_owned();
        let mut this = Self { s3: service(sdk, &region, &clock), place, background, clock, backoff };
        // Every answer to this question, refusals too, says where the bucket lies.
        let asked = this.head_bucket()?;
        let lies = asked.as_ref().map_or_else(|refusal| refusal.region.clone(), |found| found.clone());
        let asked = match lies.filter(|lies| *lies != region) {
            Some(lies) => {
                this.s3 = service(sdk, &lies, &this.clock);
                this.head_bucket()?
            }
            None => asked,
        };
        match asked {
            Ok(_) => Ok(this),
            Err(mut refusal) => {
                if refusal.status == Some(404) {
                    refusal.code = "NoSuchBucket".to_owned();
                }
                Err(this.refused("reach", ".", &refusal))
            }
        }
    }

    fn head_bucket(&self) -> Result<Result<Option<String>, Refusal>, StoreError> {
        let (s3, bucket) = (self.s3.clone(), self.place.bucket.clone());
        let answer = self.ask(move || s3.head_bucket().bucket(&bucket).send())?;
        Ok(answer.map(|found| found.bucket_region))
    }

    /// Asks from code that is not asynchronous.
    pub(super) fn ask<T, E, F, Fut>(&self, send: F) -> Result<Result<T, Refusal>, StoreError>
    where
        T: Send + 'static,
        E: ProvideErrorMetadata + Error + Send + 'static,
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        let backoff = self.backoff;
        self.wait(async move { repeat(backoff, send).await })
    }

    /// Waits for work that asks more than once.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.background.wait(work).map_err(|source| io(&self.place, source))
    }

    /// Asks, and again where that may help.
    pub(super) async fn repeat<T, E, F, Fut>(&self, send: F) -> Result<T, Refusal>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        repeat(self.backoff, send).await
    }

    pub(super) fn refused(&self, action: &'static str, name: &str, refusal: &Refusal) -> StoreError {
        let (name, store) = (name.to_owned(), self.place.url());
        Refused { action, name, store, said: refusal.said(), advice: refusal.advice(action) }.into()
    }
}

async fn repeat<T, E, F, Fut>(backoff: Duration, send: F) -> Result<T, Refusal>
where
    E: ProvideErrorMetadata + Error + 'static,
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut tried = 0;
    loop {
        let error = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let refusal = Refusal { repeated: tried > 0, ..Refusal::of(&error) };
        tried += 1;
        if tried == TRIES || !refusal.is_worth_repeating() {
            return Err(refusal);
        }
        tokio::time::sleep((backoff * 2_u32.pow(tried - 1)).min(MAX_WAIT)).await;
    }
}

fn service(sdk: &SdkConfig, region: &str, clock: &Clock) -> aws_sdk_s3::Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(ATTEMPT)
        .operation_attempt_timeout(ATTEMPT)
        .build();
    let config = Builder::from(sdk)
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts)
        // An endpoint of one's own need not have a name for each bucket.
        .force_path_style(sdk.endpoint_url().is_some() || aws::endpoint_is_overridden("S3"))
        .interceptor(clock.clone())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn io(place: &Place, source: std::io::Error) -> StoreError {
    let (name, advice) = (".".to_owned(), "Run again; if it repeats itself, report it".to_owned());
    Refused { action: "use", name, store: place.url(), said: source.to_string(), advice }.into()
}
