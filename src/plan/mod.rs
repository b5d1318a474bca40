//! Accounts x Regions x collectors -> the plan: every task of a run, fixed before the first answer about them is seen.
//!
//! A task exists for every account that Organizations lists, whatever its state: those that are not asked are in the
//! ledger as out of scope, with the reason. Collectors that run once a run stand under the audit account and the home Region.

mod budget;

use std::collections::BTreeSet;

pub use budget::{Budget, ServiceBudget, default_rate};

use crate::{
    config::{Config, Excluded, Reading, Regions},
    model::{
        Account, AccountId, AccountState, Collector, Mode, Organization, PlannedTask, Region, Scope, ScopeReason,
        TaskId,
    },
};

/// Every task of a run, sorted by task id, and what asking costs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The tasks.
    pub tasks: Vec<PlannedTask>,
    /// The Regions that were planned for.
    pub regions: Vec<Region>,
    /// Calls and time by service.
    pub budget: Budget,
}

/// Lays out a run over `organization`.
///
/// `audit_account` is the account whose credentials run the audit; `known_regions` are those that `account:ListRegions`
/// lists there, used where the configuration says `["all"]`.
pub fn build(
    config: &Config,
    organization: &Organization,
    audit_account: &AccountId,
    known_regions: &[Region],
) -> Plan {
    let (regions, named) = match &config.organization.regions {
        Regions::Named(regions) => (regions.clone(), true),
        Regions::All => (known_regions.to_vec(), false),
    };
    let in_scope = organization.accounts.iter().filter(|a| scope(config, organization, a).is_none()).count();
    let targets = in_scope as u64 * regions.len() as u64;
    let modes = Modes {
        compliance: choose(
            config.compliance,
            config.aggregator.is_some(),
            budget::compliance_prefers_central(config, targets),
        ),
        findings: choose(config.findings, true, budget::findings_prefer_central(config, targets)),
    };
    let layout = Layout { config, modes, named };
    let mut tasks = BTreeSet::new();
    let mut add = |task: PlannedTask| {
        tasks.insert(ByTask(task));
    };
    for collector in Collector::ALL {
        match collector.scope() {
            Scope::Run => add(layout.task(audit_account, &config.organization.home_region, collector, None)),
            Scope::Account => {
                for account in &organization.accounts {
                    let reason = scope(config, organization, account);
                    add(layout.task(&account.id, &config.organization.home_region, collector, reason));
                }
            }
            Scope::Target => {
                for account in &organization.accounts {
                    let reason = scope(config, organization, account);
                    for region in &regions {
                        add(layout.task(&account.id, region, collector, reason.clone()));
                    }
                }
            }
        }
    }
    let tasks: Vec<PlannedTask> = tasks.into_iter().map(|ByTask(task)| task).collect();
    let budget = Budget::of(&tasks, &config.limits);
    Plan { tasks, regions, budget }
}

/// Returns why `account` is not asked; `None` where it is.
///
/// An account whose state is unknown, or whose place in the tree is, is asked: doubt never takes an account out.
pub fn scope(config: &Config, organization: &Organization, account: &Account) -> Option<ScopeReason> {
    let state = match account.state {
        AccountState::Active | AccountState::Unknown => None,
        AccountState::PendingActivation => Some("PENDING_ACTIVATION"),
        AccountState::Suspended => Some("SUSPENDED"),
        AccountState::PendingClosure => Some("PENDING_CLOSURE"),
        AccountState::Closed => Some("CLOSED"),
    };
    if let Some(state) = state {
        return Some(ScopeReason::AccountState { state: state.to_owned() });
    }
    let path = organization.path_to(account.id.as_str());
    config.organization.exclude.iter().find_map(|exclusion| {
        let rule = match &exclusion.what {
            Excluded::Account(id) => (*id == account.id).then(|| "account".to_owned()),
            Excluded::Unit(unit) => path.contains(&unit.as_str()).then(|| format!("ou = {unit}")),
            Excluded::Tag { key, value } => {
                (account.tags.get(key) == Some(value)).then(|| format!("tag = {key}={value}"))
            }
        };
        rule.map(|rule| ScopeReason::Excluded { rule, by: exclusion.by.clone(), why: exclusion.why.clone() })
    })
}

struct Modes {
    compliance: Mode,
    findings: Mode,
}

struct Layout<'a> {
    config: &'a Config,
    modes: Modes,
    named: bool,
}

impl Layout<'_> {
    fn task(
        &self,
        account: &AccountId,
        region: &Region,
        collector: Collector,
        out_of_scope: Option<ScopeReason>,
    ) -> PlannedTask {
        let mode = match (collector.scope(), collector) {
            (Scope::Run, _) => Mode::Central,
            (_, Collector::ConfigCompliance) => self.modes.compliance,
            (_, Collector::SecurityhubFindings) => self.modes.findings,
            _ => Mode::FanOut,
        };
        PlannedTask {
            task: TaskId { account: account.clone(), region: region.clone(), collector },
            account: account.clone(),
            region: region.clone(),
            collector,
            mode,
            region_named: self.named || *region == self.config.organization.home_region,
            out_of_scope,
        }
    }
}

fn choose(reading: Reading, possible: bool, prefers_central: bool) -> Mode {
    match reading {
        Reading::Central => Mode::Central,
        Reading::FanOut => Mode::FanOut,
        Reading::Auto if possible && prefers_central => Mode::Central,
        Reading::Auto => Mode::FanOut,
    }
}

/// Orders planned tasks by their id, which is also what makes them unique.
struct ByTask(PlannedTask);

impl PartialEq for ByTask {
    fn eq(&self, other: &Self) -> bool {
        self.0.task == other.0.task
    }
}
impl Eq for ByTask {}
impl PartialOrd for ByTask {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ByTask {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.task.cmp(&other.0.task)
    }
}

#[cfg(test)]
mod tests;
