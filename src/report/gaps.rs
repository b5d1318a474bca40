//! Gaps by cause, each with what it means and a request that is ready to send to whoever can close it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{text::visible, texts::Texts};
use crate::model::{AccountId, Coverage, CoverageState};

/// Accounts that a request names one by one; the rest is counted, and listed in `coverage.csv`.
pub const LISTED_ACCOUNTS: usize = 200;

/// Why something that should be known is not: what distinguishes whom to ask for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The role or a call was refused, for a reason that AWS does not tell.
    Denied,
    /// Refused, and the message names an organisation policy.
    DeniedByPolicy,
    /// Config does not record.
    ConfigOff,
    /// Security Hub is off.
    SecurityhubOff,
    /// The recorder leaves out what is needed.
    NotRecorded,
    /// Outdated by the service's own word.
    Stale,
    /// A named Region is not opted in.
    RegionDisabled,
    /// Throttled past the budget.
    Throttled,
    /// No answer in time.
    TimedOut,
    /// Something is missing.
    Partial,
    /// Gathered, kept apart.
    Withheld,
    /// Another error.
    Failed,
    /// Never begun.
    NotRun,
}

impl Cause {
    /// Every cause, in the order of the reports.
    #[cfg(test)]
    pub const ALL: [Self; 13] = [
        Self::Denied,
        Self::DeniedByPolicy,
        Self::ConfigOff,
        Self::SecurityhubOff,
        Self::NotRecorded,
        Self::Stale,
        Self::RegionDisabled,
        Self::Throttled,
        Self::TimedOut,
        Self::Partial,
        Self::Withheld,
        Self::Failed,
        Self::NotRun,
    ];

    /// Returns the name that texts and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::DeniedByPolicy => "denied-by-policy",
            Self::ConfigOff => "config-off",
            Self::SecurityhubOff => "securityhub-off",
            Self::NotRecorded => "not-recorded",
            Self::Stale => "stale",
            Self::RegionDisabled => "region-disabled",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed-out",
            Self::Partial => "partial",
            Self::Withheld => "withheld",
            Self::Failed => "failed",
            Self::NotRun => "not-run",
        }
    }

    /// Returns the cause of a ledger line that is a gap.
    pub fn of(line: &Coverage) -> Self {
        match line.state {
            CoverageState::Denied if names_policy(line.error.as_deref()) => Self::DeniedByPolicy,
            CoverageState::Denied => Self::Denied,
            CoverageState::Throttled => Self::Throttled,
            CoverageState::TimedOut => Self::TimedOut,
            CoverageState::NotEnabled if line.collector.as_str().starts_with("securityhub") => Self::SecurityhubOff,
            CoverageState::NotEnabled => Self::ConfigOff,
            CoverageState::NotRecorded => Self::NotRecorded,
            CoverageState::Stale => Self::Stale,
            CoverageState::RegionDisabled => Self::RegionDisabled,
            CoverageState::Partial => Self::Partial,
            CoverageState::Withheld => Self::Withheld,
            CoverageState::NotRun => Self::NotRun,
            CoverageState::Failed | CoverageState::Collected | CoverageState::Empty | CoverageState::OutOfScope => {
                Self::Failed
            }
        }
    }
}

fn names_policy(error: Option<&str>) -> bool {
    error.is_some_and(|e| {
        let e = e.to_ascii_lowercase();
        e.contains("service control policy") || e.contains("resource control policy")
    })
}

/// Returns whether a ledger line means that something which should be known is not; a line that contradicts itself does.
pub fn is_gap(line: &Coverage) -> bool {
    let calm = matches!(
        line.state,
        CoverageState::Collected | CoverageState::Empty | CoverageState::RegionDisabled | CoverageState::OutOfScope
    );
    line.gap || !calm
}

/// All gaps of one cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// Name of the cause.
    pub cause: &'static str,
    /// Title.
    pub title: String,
    /// What it means.
    pub means: String,
    /// Whom to ask.
    pub whom: String,
    /// The request, ready to send.
    pub request: String,
    /// Tasks concerned.
    pub tasks: u64,
    /// Accounts concerned.
    pub accounts: u64,
    /// One entry per account, sorted.
    pub places: Vec<Place>,
}

/// Gaps of one cause in one account.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Place {
    /// Account id.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Regions, sorted.
    pub regions: BTreeSet<String>,
    /// Collectors, sorted.
    pub collectors: BTreeSet<&'static str>,
    /// What was said, each message once.
    pub said: BTreeSet<String>,
    /// Since when, the earliest that is known.
    pub since: Option<String>,
}

/// Groups the ledger's gaps by cause, in the order of [`Cause`].
pub fn by_cause(coverage: &[Coverage], names: &BTreeMap<&AccountId, &str>, texts: &Texts) -> Vec<Gap> {
    let mut grouped: BTreeMap<Cause, (u64, BTreeMap<&AccountId, Place>)> = BTreeMap::new();
    for line in coverage.iter().filter(|l| is_gap(l)) {
        let (tasks, places) = grouped.entry(Cause::of(line)).or_default();
        *tasks += 1;
        let place = places.entry(&line.account).or_insert_with(|| Place {
            account: line.account.to_string(),
            name: names.get(&line.account).copied().unwrap_or_default().to_owned(),
            ..Place::default()
        });
        place.regions.insert(line.region.to_string());
        place.collectors.insert(line.collector.as_str());
        place.said.extend(line.error.clone());
        if let Some(since) = line.since.map(|s| s.to_string())
            && place.since.as_ref().is_none_or(|known| since < *known)
        {
            place.since = Some(since);
        }
    }
    grouped.into_iter().map(|(cause, (tasks, places))| describe(cause, tasks, places, texts)).collect()
}

fn describe(cause: Cause, tasks: u64, places: BTreeMap<&AccountId, Place>, texts: &Texts) -> Gap {
    let text = |part: &str| texts.get(&format!("cause.{}.{part}", cause.as_str())).to_owned();
    let places: Vec<Place> = places.into_values().collect();
    let mut lines: Vec<String> = places.iter().take(LISTED_ACCOUNTS).map(request_line).collect();
    if let Some(more) = places.len().checked_sub(LISTED_ACCOUNTS).filter(|more| *more > 0) {
        lines.push(format!("- {}", texts.fill("gap.more", &[("count", &more.to_string())])));
    }
    let request = super::texts::fill(text("request").trim(), &[("where", &lines.join("\n"))]);
    Gap {
        cause: cause.as_str(),
        title: text("title"),
        means: text("means"),
        whom: text("whom"),
        request,
        tasks,
        accounts: places.len() as u64,
        places,
    }
}

fn request_line(place: &Place) -> String {
    let regions: Vec<_> = place.regions.iter().map(String::as_str).collect();
    format!("- {} ({}): {}", place.account, visible(&place.name), regions.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_gap_of_the_ledger_is_in_exactly_one_cause() {
        let assessment = sample::assessment();
        let texts = Texts::load(super::super::Language::English).unwrap();
        let gaps = by_cause(&assessment.coverage, &BTreeMap::new(), &texts);
        let counted: u64 = gaps.iter().map(|g| g.tasks).sum();
        assert_eq!(counted, assessment.coverage.iter().filter(|c| c.gap).count() as u64);
        assert!(gaps.len() >= 8, "the sample is meant to hold many kinds");
        for gap in &gaps {
            assert!(!gap.request.contains('{'), "{}", gap.request);
            assert!(gap.request.contains(&gap.places[0].account));
        }
    }

    #[test]
    fn a_line_whose_state_says_gap_is_one_whatever_its_flag_says() {
        let mut line = sample::assessment().coverage.into_iter().find(|c| c.state == CoverageState::Denied).unwrap();
        line.gap = false;
        assert!(is_gap(&line));
        line.state = CoverageState::Collected;
        line.gap = true;
        assert!(is_gap(&line));
    }
}
