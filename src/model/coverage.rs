//! How each planned task ended. A gap is a recorded fact, never an absence.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, Collector, PlannedTask, Region, TaskId};

/// The one terminal state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoverageState {
    /// Everything that was asked was answered, and there was something.
    Collected,
    /// Everything that was asked was answered, and there was nothing to report.
    Empty,
    /// Some answers are missing.
    Partial,
    /// The role or a call was refused.
    Denied,
    /// The service kept throttling past the retry budget.
    Throttled,
    /// No answer within the time allowed.
    TimedOut,
    /// The service is switched off in the target (no recorder, no hub).
    NotEnabled,
    /// The service is on but does not record what the task needs.
    NotRecorded,
    /// The service reports that its data is outdated.
    Stale,
    /// The Region is not opted in.
    RegionDisabled,
    /// The account is not ACTIVE, or the configuration excludes it.
    OutOfScope,
    /// Gathered, but kept out of the plain archive by configuration.
    Withheld,
    /// Ended by an error of another kind.
    Failed,
    /// Never begun: the run was aborted before.
    NotRun,
}

impl CoverageState {
    /// Every state, in the order of the format document.
    pub const ALL: [Self; 14] = [
        Self::Collected,
        Self::Empty,
        Self::Partial,
        Self::Denied,
        Self::Throttled,
        Self::TimedOut,
        Self::NotEnabled,
        Self::NotRecorded,
        Self::Stale,
        Self::RegionDisabled,
        Self::OutOfScope,
        Self::Withheld,
        Self::Failed,
        Self::NotRun,
    ];

    /// Returns the kebab-case name used in `coverage.ndjson` and in the seal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collected => "collected",
            Self::Empty => "empty",
            Self::Partial => "partial",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed-out",
            Self::NotEnabled => "not-enabled",
            Self::NotRecorded => "not-recorded",
            Self::Stale => "stale",
            Self::RegionDisabled => "region-disabled",
            Self::OutOfScope => "out-of-scope",
            Self::Withheld => "withheld",
            Self::Failed => "failed",
            Self::NotRun => "not-run",
        }
    }
}

/// One line of `data/coverage.ndjson`: exactly one per planned task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The planned task.
    pub task: TaskId,
    /// The task's account.
    pub account: AccountId,
    /// The task's Region.
    pub region: Region,
    /// The task's collector.
    pub collector: Collector,
    /// How it ended.
    pub state: CoverageState,
    /// True where this state means that something which should be known is not.
    pub gap: bool,
    /// What was said: AWS's error code and message, or ours. Never holds a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Since when, where the service says so (recorder stopped, source outdated).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// API attempts recorded for this task.
    pub calls: u64,
    /// True where the run was interrupted while the task was under way: it went on after the last whole page, so its answers lie
    /// further apart than one run's otherwise do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
}

impl Coverage {
    /// Closes `task` in `state`; whether that is a gap follows from the state and the plan alone.
    pub fn close(
        task: &PlannedTask,
        state: CoverageState,
        error: Option<String>,
        since: Option<Timestamp>,
        calls: u64,
    ) -> Self {
        Self {
            task: task.task.clone(),
            account: task.account.clone(),
            region: task.region.clone(),
            collector: task.collector,
            state,
            gap: is_gap(state, task.region_named),
            error,
            since,
            calls,
            interrupted: false,
        }
    }
}

fn is_gap(state: CoverageState, region_named: bool) -> bool {
    match state {
        CoverageState::Collected | CoverageState::Empty | CoverageState::OutOfScope => false,
        CoverageState::RegionDisabled => region_named,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_four_states_can_be_anything_but_a_gap() {
        let calm: Vec<_> =
            CoverageState::ALL.into_iter().filter(|s| !is_gap(*s, false)).map(CoverageState::as_str).collect();
        assert_eq!(calm, ["collected", "empty", "region-disabled", "out-of-scope"]);
        assert!(is_gap(CoverageState::RegionDisabled, true), "a Region that the configuration names must be readable");
    }

    #[test]
    fn names_in_files_and_in_seals_are_the_same() {
        for state in CoverageState::ALL {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.as_str()));
        }
    }
}
