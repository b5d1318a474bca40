//! What a run undertakes to ask: one task per account, Region and collector, fixed before the first answer is seen.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{AccountId, InvalidId, Region};

/// A source of evidence. The kebab-case name is part of the archive format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Collector {
    /// AWS Organizations, once a run: accounts, OUs, policies, delegation.
    Organization,
    /// `account:ListRegions`, once an account: which Regions are opted in.
    Regions,
    /// The Config aggregator and the state of its sources, once a run.
    ConfigAggregator,
    /// `DescribeAggregateComplianceByConfigRules`, once a run: an independent cross-check of every rule's result.
    ConfigAggregateCompliance,
    /// Recorders, their status, delivery channels and retention of one target.
    ConfigRecorder,
    /// Rules, conformance packs and remediation of one target.
    ConfigRules,
    /// Resource x rule compliance of one target.
    ConfigCompliance,
    /// Security Hub's organisation-wide settings, once a run, in the home Region.
    SecurityhubOrganization,
    /// Hub, standards and control settings of one target.
    SecurityhubHub,
    /// Findings of one target (Security Hub, Inspector, GuardDuty, Macie, Config and others).
    SecurityhubFindings,
}

/// How often a collector runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Once a run, with the central audit account's own credentials, in the home Region.
    Run,
    /// Once an account, in the home Region.
    Account,
    /// Once per account and Region.
    Target,
}

impl Collector {
    /// Every collector, in the order in which evidence is laid out.
    pub const ALL: [Self; 10] = [
        Self::Organization,
        Self::Regions,
        Self::ConfigAggregator,
        Self::ConfigAggregateCompliance,
        Self::ConfigRecorder,
        Self::ConfigRules,
        Self::ConfigCompliance,
        Self::SecurityhubOrganization,
        Self::SecurityhubHub,
        Self::SecurityhubFindings,
    ];

    /// Returns how often this collector runs.
    pub fn scope(self) -> Scope {
        match self {
            Self::Organization
            | Self::ConfigAggregator
            | Self::ConfigAggregateCompliance
            | Self::SecurityhubOrganization => Scope::Run,
            Self::Regions => Scope::Account,
            Self::ConfigRecorder
            | Self::ConfigRules
            | Self::ConfigCompliance
            | Self::SecurityhubHub
            | Self::SecurityhubFindings => Scope::Target,
        }
    }

    /// Returns the name used in task ids, plan and coverage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Regions => "regions",
            Self::ConfigAggregator => "config-aggregator",
            Self::ConfigAggregateCompliance => "config-aggregate-compliance",
            Self::ConfigRecorder => "config-recorder",
            Self::ConfigRules => "config-rules",
            Self::ConfigCompliance => "config-compliance",
            Self::SecurityhubOrganization => "securityhub-organization",
            Self::SecurityhubHub => "securityhub-hub",
            Self::SecurityhubFindings => "securityhub-findings",
        }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a task's calls are made: inside the target with a role session, or centrally over an aggregated view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// With the audit account's credentials: Config aggregator, Security Hub home Region, Organizations.
    Central,
    /// With a session of the member account's audit role, in the target's own Region.
    FanOut,
}

/// A task's identity, written `account/region/collector`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskId {
    /// The account that the task speaks of (the audit account for collectors that run once a run).
    pub account: AccountId,
    /// The Region that the task speaks of (the home Region for those that are not regional).
    pub region: Region,
    /// What is collected.
    pub collector: Collector,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.region, self.collector)
    }
}

/// A text that is no `account/region/collector`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTaskId {
    /// The account or the Region is malformed.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// There are not three parts, or the last names no collector.
    #[error("{0:?} is not a task (account/region/collector)")]
    Shape(String),
}

impl FromStr for TaskId {
    type Err = InvalidTaskId;
    fn from_str(text: &str) -> Result<Self, InvalidTaskId> {
        let mut parts = text.splitn(3, '/');
        let (Some(account), Some(region), Some(collector)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidTaskId::Shape(text.to_owned()));
        };
        let collector = Collector::ALL
            .into_iter()
            .find(|c| c.as_str() == collector)
            .ok_or_else(|| InvalidTaskId::Shape(text.to_owned()))?;
        Ok(Self { account: account.parse()?, region: region.parse()?, collector })
    }
}

impl TryFrom<String> for TaskId {
    type Error = InvalidTaskId;
    fn try_from(text: String) -> Result<Self, InvalidTaskId> {
        text.parse()
    }
}

impl From<TaskId> for String {
    fn from(task: TaskId) -> Self {
        task.to_string()
    }
}

/// Why an account is in the plan but not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum ScopeReason {
    /// Organizations does not report the account as ACTIVE.
    AccountState {
        /// The state as reported, such as `SUSPENDED`.
        state: String,
    },
    /// The configuration excludes it.
    Excluded {
        /// What matched: `account`, `ou = ...` or `tag = ...`.
        rule: String,
        /// Who decided it, as stated in the configuration.
        by: String,
        /// The reason stated in the configuration.
        why: String,
    },
}

impl fmt::Display for ScopeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountState { state } => write!(f, "the account is {state}"),
            Self::Excluded { rule, by, why } => write!(f, "excluded ({rule}) by {by}: {why}"),
        }
    }
}

/// One line of `data/plan.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// `account/region/collector`; unique in a plan.
    pub task: TaskId,
    /// The task's account, repeated as a field of its own for scripts.
    pub account: AccountId,
    /// The task's Region, likewise.
    pub region: Region,
    /// The task's collector, likewise.
    pub collector: Collector,
    /// Where its calls are made.
    pub mode: Mode,
    /// True where the configuration names this Region itself, so that "not opted in" counts as a gap.
    pub region_named: bool,
    /// Set where the account is listed but not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_scope: Option<ScopeReason>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_collector_reads_back_from_its_task_id_and_from_json() {
        for collector in Collector::ALL {
            let text = format!("123456789012/eu-west-1/{collector}");
            assert_eq!(text.parse::<TaskId>().unwrap().to_string(), text);
            assert_eq!(serde_json::to_string(&collector).unwrap(), format!("\"{collector}\""));
        }
        assert!("123456789012/eu-west-1/nothing".parse::<TaskId>().is_err());
        assert!("123456789012/eu-west-1".parse::<TaskId>().is_err());
    }
}
