//! One token bucket per account, Region and service: the quotas are AWS's, and they count against the account whose
//! credentials call.
//!
//! Where AWS publishes a rate, the bucket starts there and never exceeds it. Where it does not (Organizations, Config), the bucket starts
//! low, halves when throttled and creeps up with each success. Waiting is first come, first served, and deterministic.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::model::{AccountId, Region};

/// A service whose calls share a quota. The name is the key of `[limits] rates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quota {
    /// `organizations`, `config`, `securityhub`, `securityhub:GetFindings`, `account` or `sts`.
    pub name: &'static str,
    start: u32,
    ceiling: u32,
    burst: u32,
}

impl Quota {
    /// Rates are not published: starts at 4 calls a second.
    pub const ORGANIZATIONS: Self = Self { name: "organizations", start: 4, ceiling: 20, burst: 4 };
    /// Rates are not published: starts at 5 calls a second.
    pub const CONFIG: Self = Self { name: "config", start: 5, ceiling: 20, burst: 5 };
    /// 10 calls a second, burst 30.
    pub const SECURITYHUB: Self = Self { name: "securityhub", start: 10, ceiling: 10, burst: 30 };
    /// 3 calls a second, burst 6.
    pub const SECURITYHUB_FINDINGS: Self = Self { name: "securityhub:GetFindings", start: 3, ceiling: 3, burst: 6 };
    /// `ListRegions`: 5 calls a second.
    pub const ACCOUNT: Self = Self { name: "account", start: 5, ceiling: 5, burst: 5 };
    /// 600 calls a second are remembered, not proved: a sixth of it.
    pub const STS: Self = Self { name: "sts", start: 100, ceiling: 100, burst: 100 };
    /// Every quota, for the planner and for the check of `[limits] rates`.
    pub const ALL: [Self; 6] =
        [Self::ORGANIZATIONS, Self::CONFIG, Self::SECURITYHUB, Self::SECURITYHUB_FINDINGS, Self::ACCOUNT, Self::STS];

    /// The service's name in the record of calls.
    pub fn service(self) -> &'static str {
        self.name.split_once(':').map_or(self.name, |(service, _)| service)
    }

    /// Calls a second to start with.
    pub fn rate(self) -> f64 {
        f64::from(self.start)
    }
}

/// Calls a second that throttling never goes below.
const SLOWEST: f64 = 1.0;
const CUT_AT_MOST_EVERY: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(60);
const SWEEP_FROM: usize = 4096;

/// All buckets of a run.
#[derive(Debug, Default)]
pub struct Limiter {
    rates: BTreeMap<String, f64>,
    buckets: Mutex<HashMap<(AccountId, Region, Quota), Arc<Bucket>>>,
}

impl Limiter {
    /// Takes rates in calls a second that replace ours, keyed by [`Quota::name`] or by service.
    pub fn new(rates: BTreeMap<String, f64>) -> Self {
        Self { rates, buckets: Mutex::default() }
    }

    /// Returns the bucket that `account`'s calls to `quota` in `region` draw on.
    pub fn bucket(&self, account: &AccountId, region: &Region, quota: Quota) -> Arc<Bucket> {
        let mut buckets = lock(&self.buckets);
        if buckets.len() >= SWEEP_FROM && buckets.len().is_power_of_two() {
            let now = Instant::now();
            buckets.retain(|_, b| Arc::strong_count(b) > 1 || now.duration_since(lock(&b.state).at) < IDLE);
        }
        let rate = self.rates.get(quota.name).or_else(|| self.rates.get(quota.service())).copied();
        let key = (account.clone(), region.clone(), quota);
        Arc::clone(buckets.entry(key).or_insert_with(|| Arc::new(Bucket::new(quota, rate))))
    }
}

/// A token bucket that learns from throttling.
#[derive(Debug)]
pub struct Bucket {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: f64,
    start: f64,
    ceiling: f64,
    burst: f64,
    /// Negative while callers wait: each has already drawn its token and sleeps until it exists.
    tokens: f64,
    at: Instant,
    cut: Option<Instant>,
    spent: bool,
}

impl Bucket {
    fn new(quota: Quota, rate: Option<f64>) -> Self {
        let rate = rate.filter(|r| r.is_finite() && *r > 0.0);
        let start = rate.unwrap_or(f64::from(quota.start));
        let ceiling = rate.unwrap_or(f64::from(quota.ceiling));
        let burst = rate.map_or(f64::from(quota.burst), |r| r.max(1.0));
        let state =
            State { rate: start, start, ceiling, burst, tokens: burst, at: Instant::now(), cut: None, spent: false };
        Self { state: Mutex::new(state) }
    }

    /// Waits for a token.
    pub async fn acquire(&self) {
        let turn = {
            let mut state = lock(&self.state);
            state.refill();
            state.tokens -= 1.0;
            let missing = (-state.tokens).max(0.0);
            state.at + Duration::from_secs_f64(missing / state.rate)
        };
        sleep_until(turn).await;
    }

    /// Halves the rate, at most once a second however many calls were under way, down to one call a second (or where it
    /// started, if that is lower): slower than that, one account that is throttled for good would hold up the run.
    pub fn throttled(&self) {
        let mut state = lock(&self.state);
        state.refill();
        let now = state.at;
        if state.cut.is_none_or(|cut| now.duration_since(cut) >= CUT_AT_MOST_EVERY) {
            state.rate = (state.rate / 2.0).max(state.start.min(SLOWEST));
            state.tokens = state.tokens.min(0.0);
            state.cut = Some(now);
        }
    }

    /// Creeps up by a fiftieth of the starting rate, up to the ceiling.
    pub fn answered(&self) {
        let mut state = lock(&self.state);
        state.refill();
        state.rate = (state.rate + state.start / 50.0).min(state.ceiling);
        state.spent = false;
    }

    /// Notes that a call used up all its attempts, so that its siblings need not wait as long to learn the same.
    pub fn gave_up(&self) {
        lock(&self.state).spent = true;
    }

    /// Returns whether a call gave up here since the last answer.
    pub fn is_spent(&self) -> bool {
        lock(&self.state).spent
    }
}

impl State {
    fn refill(&mut self) {
        let now = Instant::now();
        let gained = now.duration_since(self.at).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.at = now;
    }
}

/// A panicking holder leaves plain numbers behind, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Bucket {
        fn rate(&self) -> f64 {
            lock(&self.state).rate
        }
    }

    fn bucket(limiter: &Limiter, account: &str, quota: Quota) -> Arc<Bucket> {
        limiter.bucket(&account.parse().unwrap(), &"us-east-1".parse().unwrap(), quota)
    }

    #[tokio::test(start_paused = true)]
    async fn the_published_rate_is_never_overdrawn_and_always_used() {
        let limiter = Limiter::default();
        let findings = bucket(&limiter, "111111111111", Quota::SECURITYHUB_FINDINGS);
        let start = Instant::now();
        for _ in 0..36 {
            findings.acquire().await;
            findings.answered();
        }
        let took = start.elapsed().as_secs_f64();
        assert!((took - 10.0).abs() < 0.05, "6 at once, 30 at 3/s, but took {took} s");
    }

    #[tokio::test(start_paused = true)]
    async fn another_account_does_not_wait_for_a_throttled_one() {
        let limiter = Limiter::default();
        let slow = bucket(&limiter, "111111111111", Quota::CONFIG);
        for _ in 0..8 {
            slow.throttled();
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!((slow.rate() - SLOWEST).abs() < 1e-9);
        let start = Instant::now();
        bucket(&limiter, "222222222222", Quota::CONFIG).acquire().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_throttled_answers_halves_once_and_success_creeps_back() {
        let limiter = Limiter::default();
        let config = bucket(&limiter, "111111111111", Quota::CONFIG);
        (0..20).for_each(|_| config.throttled());
        assert!((config.rate() - 2.5).abs() < 1e-9);
        (0..25).for_each(|_| config.answered());
        assert!((config.rate() - 5.0).abs() < 1e-9);
        (0..1000).for_each(|_| config.answered());
        assert!((config.rate() - 20.0).abs() < 1e-9, "an unpublished rate is explored, but not without bound");
    }

    #[tokio::test(start_paused = true)]
    async fn a_configured_rate_replaces_ours_and_nonsense_does_not() {
        let limiter = Limiter::new([("config".to_owned(), 1000.0), ("sts".to_owned(), f64::NAN)].into());
        assert!((bucket(&limiter, "111111111111", Quota::CONFIG).rate() - 1000.0).abs() < 1e-9);
        assert!((bucket(&limiter, "111111111111", Quota::STS).rate() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn the_planner_reckons_with_no_more_than_is_asked() {
        for quota in Quota::ALL {
            assert!(crate::plan::default_rate(quota.service()) <= quota.rate(), "{}", quota.name);
        }
    }
}
