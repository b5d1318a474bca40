//! Whose credentials sign: the audit account's own, or a session of a member account's audit role.
//!
//! [`aws_config`]'s AssumeRole provider cannot set a source identity, so sessions are made here: session name and source identity are
//! the run id, which ties every call to the run in each member's CloudTrail. A session is refreshed before it expires, by one caller
//! while the others wait. Credentials live only in this module's private fields and in the SDK.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

use super::{Failure, Signal};
use crate::model::{AccountId, Region};

/// Refreshed this long before the end, or after three quarters of a shorter life.
const MARGIN: Duration = Duration::from_secs(300);

/// Where a session's credentials come from.
pub(super) enum Source {
    /// The standard chain: environment, profile, SSO, container, instance.
    Chain(SharedCredentialsProvider),
    /// AssumeRole into the account of the session.
    Role,
}

/// Credentials for one account, shared by all its tasks.
pub(super) struct Session {
    pub(super) account: AccountId,
    pub(super) source: Source,
    /// Held by the one caller that refreshes.
    pub(super) gate: tokio::sync::Mutex<()>,
    /// Regions and whether the account has opted in to them, once somebody had to know.
    pub(super) regions: tokio::sync::OnceCell<BTreeMap<Region, bool>>,
    held: Mutex<Option<Arc<Held>>>,
    refusal: Mutex<Option<Failure>>,
}

/// Credentials and how long they are good for.
pub(super) struct Held {
    credentials: Credentials,
    /// ARN of the identity that they sign for.
    pub(super) principal: String,
    refresh_at: Option<SystemTime>,
}

impl Held {
    pub(super) fn new(credentials: Credentials, principal: String, now: SystemTime) -> Self {
        let refresh_at = credentials.expiry().map(|end| {
            let life = end.duration_since(now).unwrap_or_default();
            end.checked_sub(MARGIN.min(life / 4)).unwrap_or(now)
        });
        Self { credentials, principal, refresh_at }
    }

    fn is_fresh(&self, now: SystemTime) -> bool {
        self.refresh_at.is_none_or(|at| now < at)
    }

    fn is_valid(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_none_or(|end| now < end)
    }
}

impl Session {
    pub(super) fn new(account: AccountId, source: Source) -> Self {
        let (gate, regions) = (tokio::sync::Mutex::default(), tokio::sync::OnceCell::new());
        Self { account, source, gate, regions, held: Mutex::default(), refusal: Mutex::default() }
    }

    /// Returns credentials that need no refresh yet.
    pub(super) fn fresh(&self, now: SystemTime) -> Option<Arc<Held>> {
        lock(&self.held).clone().filter(|h| h.is_fresh(now))
    }

    /// Returns credentials that still work, though they ought to be refreshed.
    pub(super) fn valid(&self, now: SystemTime) -> Option<Arc<Held>> {
        lock(&self.held).clone().filter(|h| h.is_valid(now))
    }

    pub(super) fn hold(&self, held: Held) -> Arc<Held> {
        let held = Arc::new(held);
        *lock(&self.held) = Some(Arc::clone(&held));
        held
    }

    /// Drops credentials that AWS called expired, unless another caller has replaced them already.
    pub(super) fn forget(&self, expired: &Arc<Held>) {
        let mut held = lock(&self.held);
        if held.as_ref().is_some_and(|h| Arc::ptr_eq(h, expired)) {
            *held = None;
        }
    }

    /// Returns why the role was refused earlier in this run: asking again for each of its tasks would change nothing.
    pub(super) fn refusal(&self) -> Option<Failure> {
        lock(&self.refusal).clone()
    }

    pub(super) fn refuse(&self, failure: &Failure) {
        if matches!(failure.signal, Signal::Denied | Signal::ScopeLimitation) {
            *lock(&self.refusal) = Some(failure.clone());
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Hands the SDK what the session holds; fetching is the caller's business, since it belongs in the record.
#[derive(Debug)]
pub(super) struct Provider(pub(super) Arc<Session>);

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let held = lock(&self.0.held).clone();
        future::ProvideCredentials::ready(
            held.map(|h| h.credentials.clone())
                .ok_or_else(|| CredentialsError::not_loaded("the session was dropped while a call was being signed")),
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(seconds: u64, now: SystemTime) -> Held {
        let end = now + Duration::from_secs(seconds);
        Held::new(
            Credentials::new("AKIDEXAMPLE", "very-secret", Some("token".into()), Some(end), "test"),
            "arn".into(),
            now,
        )
    }

    #[test]
    fn sessions_are_refreshed_before_they_end_also_short_ones() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let hour = held(3600, now);
        assert!(hour.is_fresh(now + Duration::from_secs(3299)) && !hour.is_fresh(now + Duration::from_secs(3300)));
        let short = held(8, now);
        assert!(short.is_fresh(now + Duration::from_secs(5)) && !short.is_fresh(now + Duration::from_secs(6)));
        assert!(short.is_valid(now + Duration::from_secs(7)) && !short.is_valid(now + Duration::from_secs(8)));
    }

    #[test]
    fn only_the_expired_credentials_are_forgotten_not_their_replacement() {
        let now = SystemTime::now();
        let session = Session::new("111111111111".parse().unwrap(), Source::Role);
        let old = session.hold(held(3600, now));
        let new = session.hold(held(3600, now));
        session.forget(&old);
        assert!(session.fresh(now).is_some_and(|h| Arc::ptr_eq(&h, &new)));
        session.forget(&new);
        assert!(session.fresh(now).is_none());
    }

    #[test]
    fn debug_output_holds_no_credential() {
        let session = Arc::new(Session::new("111111111111".parse().unwrap(), Source::Role));
        session.hold(held(3600, SystemTime::now()));
        let text = format!("{session:?} {:?}", Provider(Arc::clone(&session)));
        for secret in ["AKIDEXAMPLE", "very-secret", "token"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
