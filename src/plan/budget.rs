//! What a plan costs: calls by service, and the time they take at the quotas.
//!
//! Quotas count against the account that owns the calling credentials: asking inside every account multiplies them, the
//! aggregated views do not. AWS publishes rates for few services; where it does not, the default is what peers settled on
//! and the collector adapts (halve on throttle, creep up).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    config::{Config, Limits},
    model::{AccountId, Collector, Mode, PlannedTask, Region},
};

/// Pages assumed for one target's compliance rows: 1,200 resources, 100 a page (SelectResourceConfig).
const COMPLIANCE_PAGES: u64 = 12;
/// Pages assumed for one target's findings: 1,000 findings, 100 a page (GetFindings).
const FINDING_PAGES: u64 = 10;
/// A central reading within this many seconds is preferred whatever fan-out would take: one principal, one view.
const CENTRAL_IS_FINE: f64 = 600.0;

/// Calls and time of one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceBudget {
    /// Service.
    pub service: &'static str,
    /// Calls expected, all accounts together.
    pub calls: u64,
    /// Requests a second for each bucket.
    pub rate: f64,
    /// Buckets: calling accounts x Regions.
    pub buckets: u64,
    /// Seconds that the fullest bucket takes.
    pub seconds: f64,
}

/// What a plan costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Budget {
    /// By service.
    pub services: Vec<ServiceBudget>,
    /// Seconds at the quotas: services are asked side by side, so the slowest counts.
    pub seconds: f64,
}

/// Returns the default rate of a service, in requests a second per calling account and Region.
///
/// Security Hub's GetFindings is published as 3/s (burst 6) and the rest as 10/s; `account:ListRegions` as 5/s; the others
/// are unpublished.
pub fn default_rate(service: &str) -> f64 {
    match service {
        "organizations" => 4.0,
        "securityhub" => 3.0,
        "sts" => 100.0,
        _ => 5.0,
    }
}

fn rate(limits: &Limits, service: &str) -> f64 {
    limits.rates.get(service).copied().unwrap_or_else(|| default_rate(service))
}

pub(super) fn compliance_prefers_central(config: &Config, targets: u64) -> bool {
    central_is_fine(targets * COMPLIANCE_PAGES, rate(&config.limits, "config"))
}

pub(super) fn findings_prefer_central(config: &Config, targets: u64) -> bool {
    central_is_fine(targets * FINDING_PAGES, rate(&config.limits, "securityhub"))
}

fn central_is_fine(calls: u64, rate: f64) -> bool {
    calls as f64 / rate <= CENTRAL_IS_FINE
}

/// Service and calls of one task; volumes that only the answers can tell are assumed (see the constants).
fn calls(task: &PlannedTask, accounts: u64) -> (&'static str, u64) {
    match task.collector {
        Collector::Organization => ("organizations", 20 + accounts.div_ceil(20) + accounts + accounts / 4),
        Collector::Regions => ("account", 1),
        Collector::ConfigAggregator => ("config", 1 + accounts.div_ceil(100)),
        Collector::ConfigAggregateCompliance => ("config", 1 + accounts.div_ceil(5)),
        Collector::ConfigRecorder => ("config", 5),
        Collector::ConfigRules => ("config", 20),
        Collector::ConfigCompliance => ("config", COMPLIANCE_PAGES),
        Collector::SecurityhubOrganization => ("securityhub", 10 + accounts.div_ceil(50)),
        Collector::SecurityhubHub => ("securityhub", 15),
        Collector::SecurityhubFindings => ("securityhub", FINDING_PAGES),
    }
}

/// Whose quota a call counts against: an account and Region, or `None` for the audit account.
type Owner<'a> = Option<(&'a AccountId, &'a Region)>;

impl Budget {
    /// Adds up the calls of the tasks that are in scope.
    pub fn of(tasks: &[PlannedTask], limits: &Limits) -> Self {
        let accounts = tasks.iter().map(|t| &t.account).collect::<BTreeSet<_>>().len() as u64;
        let mut buckets: BTreeMap<&'static str, BTreeMap<Owner<'_>, u64>> = BTreeMap::new();
        let mut sessions = BTreeSet::new();
        for task in tasks.iter().filter(|t| t.out_of_scope.is_none()) {
            let (service, calls) = calls(task, accounts);
            let owner = (task.mode == Mode::FanOut).then_some((&task.account, &task.region));
            sessions.extend(owner.map(|(account, _)| account));
            *buckets.entry(service).or_default().entry(owner).or_default() += calls;
        }
        buckets.insert("sts", BTreeMap::from([(None, 1 + sessions.len() as u64)]));
        let services: Vec<ServiceBudget> = buckets
            .into_iter()
            .map(|(service, buckets)| {
                let rate = rate(limits, service);
                let fullest = buckets.values().copied().max().unwrap_or(0);
                ServiceBudget {
                    service,
                    calls: buckets.values().sum(),
                    rate,
                    buckets: buckets.len() as u64,
                    seconds: fullest as f64 / rate,
                }
            })
            .collect();
        let seconds = services.iter().map(|s| s.seconds).fold(0.0, f64::max);
        Self { services, seconds }
    }
}
