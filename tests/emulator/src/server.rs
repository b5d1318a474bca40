//! The HTTP server: authenticate, authorise, throttle, strike with faults, answer, record.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use http_body_util::BodyExt;
use hyper::{
    Response,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    time::{Sleep, sleep},
};

use crate::{
    control, door,
    organization::Organization,
    state::{Options, RequestRecord, State},
    wire::{Reply, Request},
};

/// Starts emulators.
#[derive(Debug)]
pub struct Emulator;

/// A running emulator; dropping it stops it.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts an emulator on 127.0.0.1, in a thread of its own.
    ///
    /// # Errors
    /// Where the port is taken or the system refuses a thread.
    pub fn start(organization: Organization, options: Options) -> io::Result<Handle> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(organization, options));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("emulator".into()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Handle { address, state, stop: Some(stop), thread: Some(thread) })
    }
}

impl Handle {
    /// Returns the base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the environment of a process that audits with the audit account's credentials.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.environment_of("auditor").unwrap_or_default()
    }

    /// Returns the environment of a named identity: `auditor`, `management`, `member` or `outsider`.
    pub fn environment_of(&self, name: &str) -> Option<Vec<(String, String)>> {
        let (_, keys, _) = self.state.identities.iter().find(|(n, _, _)| n == name)?;
        let pairs = [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", keys.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", keys.secret.clone()),
            ("AWS_REGION", self.state.declared.home_region.clone()),
        ];
        Some(pairs.map(|(n, v)| (n.to_owned(), v)).to_vec())
    }

    /// Returns what the ready file says, as JSON.
    pub fn ready(&self) -> Value {
        let map = |pairs: Vec<(String, String)>| {
            pairs.into_iter().map(|(k, v)| (k, json!(v))).collect::<serde_json::Map<_, _>>()
        };
        let identities: serde_json::Map<_, _> = self
            .state
            .identities
            .iter()
            .map(|(name, _, principal)| {
                let env = self.environment_of(name).map(map).unwrap_or_default();
                (name.clone(), json!({"account": principal.account, "arn": principal.arn, "environment": env}))
            })
            .collect();
        let org = &self.state.declared;
        json!({
            "url": self.url(), "environment": map(self.environment()), "identities": identities,
            "organization": {
                "id": org.id, "management": org.management, "audit": org.audit, "home_region": org.home_region,
                "regions": org.regions, "role": org.auditor.role, "external_id": org.auditor.external_id,
                "aggregator": org.config.aggregator,
            },
        })
    }

    /// Moves the scenario clock.
    pub fn set_clock(&self, at: Timestamp) {
        self.state.set_clock(at);
    }

    /// Adds a fault before those that stand.
    pub fn add_fault(&self, fault: crate::Fault) {
        self.state.moving().faults.insert(0, crate::fault::ArmedFault::new(fault));
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.state.moving().faults.clear();
    }

    /// Returns the calls that were not served: a test that sees any has failed.
    pub fn unserved(&self) -> Vec<String> {
        self.state.moving().unserved.clone()
    }

    /// Returns every version of an object in S3, oldest first.
    pub fn object_versions(&self, bucket: &str, key: &str) -> Vec<crate::ObjectVersion> {
        self.state.buckets.versions(bucket, key)
    }

    /// Returns the keys of a bucket, with those that only delete markers are left of.
    pub fn object_keys(&self, bucket: &str) -> Vec<String> {
        self.state.buckets.keys(bucket)
    }

    /// Returns the latest requests (at most 20,000).
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.state.moving().requests.iter().cloned().collect()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the server thread has been seen as failed requests already.
            let _ended = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, state: Arc<State>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Without this a small answer waits for the client's acknowledgement.
        let _best_effort = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(Arc::clone(&state), request));
            // Clients may go away, and faults cut connections on purpose.
            let _ended =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn handle(state: Arc<State>, request: hyper::Request<Incoming>) -> Result<Response<Payload>, CutOff> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|b| b.to_bytes().to_vec()).unwrap_or_default();
    let text = |v: &hyper::header::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(n, v)| (n.as_str().to_owned(), text(v))).collect(),
        body,
    };
    if let Some(reply) = control::answer(&state, &request) {
        return Ok(respond(reply, "control", Manner::Whole));
    }
    let answered = door::answer(&state, &request, Timestamp::now(), Instant::now());
    state.record(RequestRecord {
        service: answered.service,
        operation: answered.operation,
        account: answered.account,
        region: answered.region,
        status: answered.reply.status,
        error: answered.error,
    });
    if matches!(answered.manner, Manner::Gone) {
        return Err(CutOff);
    }
    if let Manner::Slow(pause) = answered.manner {
        sleep(pause).await;
    }
    Ok(respond(answered.reply, &answered.request_id, answered.manner))
}

fn respond(reply: Reply, request_id: &str, manner: Manner) -> Response<Payload> {
    let mut builder = Response::builder()
        .status(reply.status)
        .header("content-type", reply.content_type)
        .header("x-amzn-requestid", request_id);
    if let Some(error) = &reply.error_type {
        builder = builder.header("x-amzn-errortype", error);
    }
    for (name, value) in &reply.headers {
        builder = builder.header(name, value);
    }
    let payload = Payload::new(reply.body, manner);
    builder.body(payload).unwrap_or_else(|_| Response::new(Payload::new(Vec::new(), Manner::Whole)))
}

/// How a body is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// At once.
    Whole,
    /// In two halves with a pause between.
    Slow(Duration),
    /// Half of it, and then the connection is closed.
    Cut,
    /// Not at all: the connection is closed.
    Gone,
}

/// A response body.
#[derive(Debug)]
struct Payload {
    length: u64,
    first: Option<Bytes>,
    second: Option<Bytes>,
    pause: Option<Pin<Box<Sleep>>>,
    manner: Manner,
}

/// Why a body was cut.
#[derive(Debug)]
struct CutOff;

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut, as configured")
    }
}

impl std::error::Error for CutOff {}

impl Payload {
    fn new(body: Vec<u8>, manner: Manner) -> Self {
        let mut first = Bytes::from(body);
        let length = first.len() as u64;
        let half = if matches!(manner, Manner::Whole) { first.len() } else { first.len() / 2 };
        let second = first.split_off(half);
        let pause = match manner {
            Manner::Whole | Manner::Gone => None,
            Manner::Slow(pause) => Some(pause),
            // The first half must have left before the cut, or the client sees no answer at all.
            Manner::Cut => Some(Duration::from_millis(20)),
        };
        let pause = pause.map(|p| Box::pin(sleep(p)));
        let some = |b: Bytes| if b.is_empty() { None } else { Some(b) };
        Self { length, first: some(first), second: some(second), pause, manner }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Some(pause) = self.pause.as_mut() {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        if self.second.is_some() && matches!(self.manner, Manner::Cut) {
            return Poll::Ready(Some(Err(CutOff)));
        }
        Poll::Ready(self.second.take().map(|b| Ok(Frame::data(b))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
