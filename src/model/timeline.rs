//! A period's words: what held when, as far as runs saw it, and what changed around the controls.
//!
//! Times between two observations belong to nobody until a rule gives them to one: the rules are in `period`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, Region, Resource, Sha256Digest};

/// What held during an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Seen to comply at both ends, near enough to each other.
    Compliant,
    /// Seen not to comply, or said by the source to be so since then.
    NonCompliant,
    /// Nothing vouches for it.
    Unobserved,
    /// Seen not to apply, or out of scope by decision.
    NotApplicable,
    /// Not compliant, and an exception was in force.
    Excepted,
}

impl Held {
    /// Every state, in the order in which reports show them.
    pub const ALL: [Self; 5] =
        [Self::Compliant, Self::NonCompliant, Self::Unobserved, Self::NotApplicable, Self::Excepted];

    /// Returns the kebab-case name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "compliant",
            Self::NonCompliant => "non-compliant",
            Self::Unobserved => "unobserved",
            Self::NotApplicable => "not-applicable",
            Self::Excepted => "excepted",
        }
    }
}

/// Why an interval is unobserved, or rests on more than our own observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// Before the period's first observation or after its last one, within one sampling interval.
    PeriodEdge,
    /// It changed at some moment between the two observations.
    Changed,
    /// The two observations lie further apart than the sampling interval.
    TooFarApart,
    /// A run looked and got no answer.
    NoAnswer,
    /// The source's own time of change says so, not an observation.
    SourceTime,
}

impl Because {
    /// Returns the kebab-case name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PeriodEdge => "period-edge",
            Self::Changed => "changed",
            Self::TooFarApart => "too-far-apart",
            Self::NoAnswer => "no-answer",
            Self::SourceTime => "source-time",
        }
    }
}

/// A stretch of time and what held in it, `from` inclusive to `to` exclusive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// What held.
    pub state: Held,
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
    /// Why it is unobserved, or that the source's own time carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// What a run said where it got no answer, or why it does not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The two instants between which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// It had not happened yet; `None` where no observation of the period says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// It had happened.
    pub by: Timestamp,
    /// True where the source's own time of change made the window narrower than the two observations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub narrowed: bool,
}

/// How a failure ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It was seen to comply.
    Remedied,
    /// It was seen not to apply any more.
    NotApplicable,
    /// The resource was looked for and is gone: no remedy was seen.
    Gone,
    /// Its account left the scope: no remedy was seen.
    OutOfScope,
}

impl Ended {
    /// Returns the kebab-case name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Remedied => "remedied",
            Self::NotApplicable => "not-applicable",
            Self::Gone => "gone",
            Self::OutOfScope => "out-of-scope",
        }
    }
}

/// The end of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ending {
    /// When.
    pub window: Window,
    /// How.
    pub how: Ended,
}

/// One failure, from one pass or absence to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// When it began.
    pub began: Window,
    /// The last observation that saw it.
    pub last: Timestamp,
    /// When it ended; `None` where the last observation still saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ending>,
    /// Seconds that it lasted at least, within the period.
    pub at_least: i64,
    /// Seconds that it may have lasted at most, within the period.
    pub at_most: i64,
}

/// One line of `data/results/timeline.ndjson`: a check, at one resource, throughout the period.
///
/// A place (account and Region as a whole, `AWS::::Account`) has a line of its own for the times at which it was not known which
/// resources there are, or at which there was nothing to ask.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimelineRow {
    /// Catalogue id of the check.
    pub check: String,
    /// Account.
    pub account: AccountId,
    /// Region.
    pub region: Region,
    /// Resource.
    pub resource: Resource,
    /// True where the line is about the place, not about a resource.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub place: bool,
    /// What held when, in order. Time before the resource came and after it went is in none of them.
    pub intervals: Vec<Interval>,
    /// Number of observations that count.
    pub observations: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Seconds of the longest time between two of them, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap: Option<i64>,
    /// Failures, in order: more than one is recurrence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// Seconds by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seconds {
    /// Compliant.
    pub compliant: i64,
    /// Not compliant.
    pub non_compliant: i64,
    /// Unobserved.
    pub unobserved: i64,
    /// Not applicable.
    pub not_applicable: i64,
    /// Excepted.
    pub excepted: i64,
}

impl Seconds {
    /// Adds `seconds` to a state.
    pub fn add(&mut self, state: Held, seconds: i64) {
        *match state {
            Held::Compliant => &mut self.compliant,
            Held::NonCompliant => &mut self.non_compliant,
            Held::Unobserved => &mut self.unobserved,
            Held::NotApplicable => &mut self.not_applicable,
            Held::Excepted => &mut self.excepted,
        } += seconds;
    }

    /// Returns the seconds of a state.
    pub fn of(&self, state: Held) -> i64 {
        match state {
            Held::Compliant => self.compliant,
            Held::NonCompliant => self.non_compliant,
            Held::Unobserved => self.unobserved,
            Held::NotApplicable => self.not_applicable,
            Held::Excepted => self.excepted,
        }
    }
}

/// A check's period over its whole population: what its picture shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTimeline {
    /// Catalogue id.
    pub check: String,
    /// Seconds between two observations up to which the time between them is vouched for.
    pub at_least_every: i64,
    /// Lines of `timeline.ndjson`.
    pub rows: u64,
    /// Seconds of all lines together.
    pub seconds: Seconds,
    /// The same by day of the period, counted in 24 hours from its first instant.
    pub days: Vec<Seconds>,
    /// Failures of all lines.
    pub failures: u64,
    /// Those that were remedied within the period.
    pub remedied: u64,
    /// Those that the last observation still saw.
    pub open: u64,
    /// Lines with more than one failure.
    pub recurring: u64,
    /// Seconds that the longest remedied failure took at most, from the earliest begin to the latest end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest_remedy: Option<i64>,
    /// Seconds of the longest time between two observations of one resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap: Option<i64>,
}

/// One line of `data/results/changes.ndjson`: something around the controls changed between two runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EnvironmentChange {
    /// The run that saw it as it was before; `None` for what holds of the period as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// The run that saw it as it is now; `None` where none has, such as after a missed last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Timestamp>,
    /// What kind of thing: `account`, `scope`, `policy`, `attachment`, `recorder`, `rule`, `run`, …
    pub kind: String,
    /// Which: an account, `account/region`, a policy.
    pub subject: String,
    /// What about it.
    pub what: String,
    /// Before; `None` where it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// After; `None` where it is no longer there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// A name or a reason, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Whether a requirement operated throughout the period; never better than what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operated {
    /// What was seen is within the catalogue's criteria, and what was not seen is too.
    Operated,
    /// What was seen is beyond them.
    DidNotOperate,
    /// What was seen is within them, but too much was not seen to say so.
    NotShown,
    /// It was seen throughout that there is nothing to which it could apply.
    NotApplicable,
}

impl Operated {
    /// Returns the kebab-case name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operated => "operated",
            Self::DidNotOperate => "did-not-operate",
            Self::NotShown => "not-shown",
            Self::NotApplicable => "not-applicable",
        }
    }
}

/// A requirement's verdict over the period, beside the state at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The verdict.
    pub verdict: Operated,
    /// Why, in one sentence.
    pub why: String,
    /// Days on which something was seen failing.
    pub days_failing: u64,
    /// Days on which something may have been failing: the windows in which failures began and ended count too.
    pub days_failing_at_most: u64,
    /// Share of the time for which nothing vouches, in hundredths of a percent, rounded up; edges of the period within one sampling
    /// interval and windows of change aside.
    pub unobserved: u64,
    /// The criteria, in words.
    pub criteria: String,
}

/// One run of the period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PeriodRun {
    /// Number of its last seal.
    pub sequence: u64,
    /// Digest of that seal.
    pub seal: Sha256Digest,
    /// Run id.
    pub run: String,
    /// True where it did not end well: only what its ledger calls complete counts.
    pub aborted: bool,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it ended.
    pub closed: Timestamp,
    /// When the next run had to have been opened, as its seal promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_expected_by: Option<Timestamp>,
    /// Gaps in its ledger.
    pub gaps: u64,
}

/// A period as reports show it, apart from the lines of `timeline.ndjson`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodView {
    /// The end of what is judged: the period's end, or where it is not over the close of its newest run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Its runs, oldest first.
    pub runs: Vec<PeriodRun>,
    /// Its checks, by id.
    pub checks: BTreeMap<String, CheckTimeline>,
    /// What changed around the controls, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<EnvironmentChange>,
}
