//! Raw capture: an SDK interceptor that keeps the exact bytes of one attempt, whatever the SDK makes of them.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, OverriddenHooks,
            context::{
                AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
                BeforeTransmitInterceptorContextRef,
            },
        },
        orchestrator::HttpResponse,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use http_body_util::Limited;

/// The most that is read of one answer: AWS's own pages stay below 10 MiB. Tests make do with less.
pub const MAX_BODY: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// What one attempt sent and received.
#[derive(Default)]
pub struct Captured {
    /// Host that was asked.
    pub host: Option<String>,
    /// Path and query that were asked.
    pub path: Option<String>,
    /// The request's body.
    pub request: Vec<u8>,
    /// HTTP status.
    pub status: Option<u16>,
    /// AWS's request id.
    pub request_id: Option<String>,
    /// The response's body, once it was read in full.
    pub body: Option<Vec<u8>>,
    /// True where the answer came out of an interrupted run's record, not over the network.
    pub recalled: bool,
    /// The session token that was sent: AWS echoes it in some errors, so the answer is searched for it.
    token: Option<String>,
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured").field("host", &self.host).field("status", &self.status).finish_non_exhaustive()
    }
}

impl Captured {
    /// Returns whether the answer repeats the session token that was sent, as `SignatureDoesNotMatch` does.
    pub fn echoes_credentials(&self) -> bool {
        let (Some(token), Some(body)) = (&self.token, &self.body) else { return false };
        !token.is_empty() && body.windows(token.len()).any(|w| w == token.as_bytes())
    }
}

/// The interceptor for one attempt.
#[derive(Debug, Clone, Default)]
pub struct Capture(Arc<Mutex<Captured>>);

impl Capture {
    /// Takes what was captured.
    pub fn take(&self) -> Captured {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "Capture"
    }

    fn overridden_hooks(&self) -> OverriddenHooks {
        OverriddenHooks::all()
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let mut captured = self.lock();
        let (host, path) = split(request.uri());
        captured.host = Some(host);
        captured.path = Some(path);
        captured.request = request.body().bytes().unwrap_or_default().to_vec();
        captured.token = request.headers().get("x-amz-security-token").map(str::to_owned);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let mut captured = self.lock();
        captured.status = Some(response.status().as_u16());
        captured.request_id = request_id(response);
        captured.recalled = response.headers_mut().remove(super::recall::RECALLED).is_some();
        let body = std::mem::replace(response.body_mut(), SdkBody::empty());
        *response.body_mut() = body.map(|body| SdkBody::from_body_1_x(Limited::new(body, MAX_BODY)));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.lock().body = context.response().body().bytes().map(<[u8]>::to_vec);
        Ok(())
    }
}

fn request_id(response: &HttpResponse) -> Option<String> {
    ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|name| response.headers().get(*name)).map(str::to_owned)
}

/// Splits `https://host:port/path?query` into host and path with query.
pub(super) fn split(uri: &str) -> (String, String) {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let at = rest.find('/').unwrap_or(rest.len());
    let path = if at == rest.len() { "/" } else { &rest[at..] };
    (rest[..at].to_owned(), path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_splits_into_host_and_path() {
        assert_eq!(split("https://a.b:1/x?y=z"), ("a.b:1".into(), "/x?y=z".into()));
        assert_eq!(split("http://a"), ("a".into(), "/".into()));
    }

    #[test]
    fn an_echoed_session_token_is_found_and_never_printed() {
        let token = Some("FwoGZXIvYXdzEXAMPLE".to_owned());
        let echo = b"canonical: x-amz-security-token:FwoGZXIvYXdzEXAMPLE".to_vec();
        let captured = Captured { token, body: Some(echo), ..Captured::default() };
        assert!(captured.echoes_credentials());
        assert!(!format!("{captured:?}").contains("FwoG"));
    }
}
