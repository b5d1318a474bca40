//! The writer's lock: a lease in an object of its own.
//!
//! The lease is taken by a conditional write (`If-None-Match: *`, or `If-Match` of what was released or has run out), renewed while the
//! writer lives, and released by writing that it is. A crash leaves it behind for [`LEASE`] at most; whether it has run out, S3's own
//! clock says (`Last-Modified` against `Date`), never a writer's.
//!
//! What it does: it keeps two runs apart that start side by side. What it does not: a writer that was stopped for longer than its
//! lease (a suspended machine) may wake up beside its successor. It then refuses to write as soon as it looks at its own watch; and a
//! write that is under way in that very moment loses at the exclusive creation of the next seal, which is the guard.
//!
//! Every write of the lease is locked in compliance mode until the lease ends: that shows, before a run opens, that the bucket takes locks
//! and that the writer may set them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_smithy_types::DateTime;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{
    Guard, LEASE as NAME, Refusal, StoreError,
    client::Client,
    write::{self, Condition},
};

/// How long a lease lasts without renewal.
pub(super) const LEASE: Duration = Duration::from_secs(600);
/// How often it is renewed: two renewals may fail.
const RENEWED: Duration = Duration::from_secs(180);

/// What the object says.
#[derive(Debug, Serialize, Deserialize)]
struct Lease {
    /// Tells this writer from any other.
    holder: String,
    /// Tells this writing of the lease from any other of the same writer.
    renewed: u64,
    released: bool,
}

/// A lease as its holder sees it.
#[derive(Debug)]
pub(super) struct Held {
    holder: String,
    state: Mutex<State>,
    lost: AtomicBool,
    ended: Notify,
}

#[derive(Debug)]
struct State {
    etag: String,
    renewed: u64,
    /// When the newest renewal was begun: S3 counts from a later moment.
    since: Instant,
}

impl Held {
    /// Returns why the lease is no longer ours, if it is not.
    pub(super) fn lost(&self) -> Option<&'static str> {
        if self.lost.load(Ordering::Acquire) {
            return Some("another writer took it over");
        }
        let since = self.state.lock().unwrap_or_else(PoisonError::into_inner).since;
        (since.elapsed() >= LEASE).then_some("it could not be renewed in time")
    }
}

/// Releases the lease when it goes.
#[derive(Debug)]
pub(super) struct LeaseGuard {
    client: Client,
    held: Arc<Held>,
}

impl Guard for LeaseGuard {}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.held.ended.notify_one();
        let (client, held) = (self.client.clone(), Arc::clone(&self.held));
        // Where this fails the lease runs out by itself.
        let _ = self.client.wait(async move { advance(&client, &held, true).await });
    }
}

/// Takes the lease, and keeps renewing it until the guard goes.
pub(super) fn take(client: &Client, holder: [u8; 16]) -> Result<(LeaseGuard, Arc<Held>), StoreError> {
    let holder = base16ct::lower::encode_string(&holder);
    let since = Instant::now();
    let condition = condition(client)?;
    let content = content(&holder, 0, false);
    let etag = match write::put(client, &client.place.key(NAME), content, condition, until(client))? {
        Ok(etag) => etag.unwrap_or_default(),
        // Somebody else was quicker; a lease that is gone in the meantime is as good as another's.
        Err(refusal) if refusal.is_unmet() || refusal.is_absent() => return Err(locked(client, LEASE)),
        Err(refusal) => return Err(client.refused("lock", NAME, &refusal)),
    };
    let state = Mutex::new(State { etag, renewed: 0, since });
    let held = Arc::new(Held { holder, state, lost: AtomicBool::new(false), ended: Notify::new() });
    let (renewer, renewed) = (client.clone(), Arc::clone(&held));
    client.background.spawn(async move {
        loop {
            tokio::select! {
                () = renewed.ended.notified() => return,
                () = tokio::time::sleep(RENEWED) => {}
            }
            if let Err(refusal) = advance(&renewer, &renewed, false).await
                && (refusal.is_unmet() || refusal.is_absent())
            {
                renewed.lost.store(true, Ordering::Release);
                return;
            }
        }
    });
    Ok((LeaseGuard { client: client.clone(), held: Arc::clone(&held) }, held))
}

/// Learns under which condition the lease can be taken.
fn condition(client: &Client) -> Result<Condition, StoreError> {
    let (bytes, etag) = match write::small(client, NAME, client.place.key(NAME)) {
        Ok(found) => found,
        Err(StoreError::NotFound { .. }) => return Ok(Condition::New),
        Err(e) => return Err(e),
    };
    let lease = serde_json::from_slice::<Lease>(&bytes);
    let free = Condition::Is(etag.unwrap_or_default());
    if lease.is_ok_and(|lease| lease.released) {
        return Ok(free);
    }
    let age = age(client)?;
    match age.and_then(|age| LEASE.checked_sub(age)).filter(|rest| !rest.is_zero()) {
        None if age.is_some() => Ok(free),
        rest => Err(locked(client, rest.unwrap_or(LEASE))),
    }
}

/// How long ago, by S3's clock, the lease was written.
fn age(client: &Client) -> Result<Option<Duration>, StoreError> {
    let (s3, bucket, key) = (client.s3.clone(), client.place.bucket.clone(), client.place.key(NAME));
    let answer = client.ask(move || s3.head_object().bucket(&bucket).key(&key).send())?;
    let written = match answer {
        Ok(found) => found.last_modified.and_then(|t| Timestamp::from_second(t.secs()).ok()),
        Err(refusal) => return Err(client.refused("lock", NAME, &refusal)),
    };
    let age = written.zip(client.clock.now()).map(|(written, now)| now.duration_since(written));
    Ok(age.and_then(|age| Duration::try_from(age).ok()))
}

/// Renews the lease, or releases it.
async fn advance(client: &Client, held: &Held, released: bool) -> Result<(), Refusal> {
    let (etag, renewed) = {
        let state = held.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.etag.clone(), state.renewed + 1)
    };
    let since = Instant::now();
    let (content, key) = (content(&held.holder, renewed, released), client.place.key(NAME));
    let etag = write::put_async(client, &key, content, Condition::Is(etag), until(client)).await?;
    let mut state = held.state.lock().unwrap_or_else(PoisonError::into_inner);
    *state = State { etag: etag.unwrap_or_default(), renewed, since };
    Ok(())
}

fn content(holder: &str, renewed: u64, released: bool) -> Vec<u8> {
    let lease = Lease { holder: holder.to_owned(), renewed, released };
    // Three plain fields: writing them cannot fail.
    serde_json::to_vec(&lease).unwrap_or_default()
}

fn until(client: &Client) -> Option<DateTime> {
    let seconds = i64::try_from(LEASE.as_secs()).unwrap_or(i64::MAX);
    client.clock.now().map(|now| DateTime::from_secs(now.as_second().saturating_add(seconds)))
}

fn locked(client: &Client, rest: Duration) -> StoreError {
    let wait = format!(
        "wait for it to end; if it crashed, its lease on the store ends within {} s by itself",
        rest.as_secs().max(1)
    );
    StoreError::Locked { store: client.place.url(), wait }
}
