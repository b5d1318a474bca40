//! Published quotas as token buckets, counted against the account that owns the calling credentials.

use std::{collections::HashMap, time::Instant};

/// Calls a second, and how many at once.
#[derive(Debug, Clone, Copy)]
struct Quota {
    rate: f64,
    burst: f64,
}

/// Returns the bucket's name and quota. Organizations and Config publish none: those are chosen, and documented in README.md.
fn quota(service: &str, operation: &str) -> (&'static str, Quota) {
    match (service, operation) {
        ("securityhub", "GetFindings") => ("securityhub:GetFindings", Quota { rate: 3.0, burst: 6.0 }),
        ("securityhub", _) => ("securityhub", Quota { rate: 10.0, burst: 30.0 }),
        ("organizations", _) => ("organizations", Quota { rate: 10.0, burst: 20.0 }),
        ("sts", _) => ("sts", Quota { rate: 600.0, burst: 600.0 }),
        ("account", _) => ("account", Quota { rate: 5.0, burst: 10.0 }),
        _ => ("config", Quota { rate: 20.0, burst: 40.0 }),
    }
}

/// All buckets that were ever drawn from.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    buckets: HashMap<(String, String, &'static str), (f64, Instant)>,
}

impl Quotas {
    /// Takes one call; `false` where the quota is used up.
    pub fn take(&mut self, service: &str, operation: &str, account: &str, region: &str, now: Instant) -> bool {
        let (name, quota) = quota(service, operation);
        let entry = self.buckets.entry((account.to_owned(), region.to_owned(), name)).or_insert((quota.burst, now));
        let elapsed = now.saturating_duration_since(entry.1).as_secs_f64();
        entry.0 = (entry.0 + elapsed * quota.rate).min(quota.burst);
        entry.1 = now;
        if entry.0 < 1.0 {
            return false;
        }
        entry.0 -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn six_findings_calls_at_once_then_three_a_second_and_other_accounts_are_not_charged() {
        let (mut quotas, start) = (Quotas::default(), Instant::now());
        let mut take = |account: &str, after: u64| {
            quotas.take("securityhub", "GetFindings", account, "us-east-1", start + Duration::from_millis(after))
        };
        assert_eq!((0..8).filter(|_| take("a", 0)).count(), 6);
        assert!(take("b", 0));
        assert_eq!((0..8).filter(|_| take("a", 1000)).count(), 3);
    }
}
