//! The period so far, for whoever has to bring it to its close: runs, days without one, gaps and what to ask of whom.
//!
//! Everything comes from the chain and the ledgers of its closed runs; no seal is verified here, and no verdict drawn. A run
//! belongs to the day, in the schedule's time zone, on which it was opened, as it belongs to the period.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Date};
use serde::Serialize;

use super::{
    additions::{Additions, additions},
    organization,
};
use crate::{
    archive::{
        Kind,
        chain::{self, Link},
        seal::Missed,
    },
    catalog::Catalog,
    config::Schedule,
    model::{AccountId, Coverage, Period, TaskId},
    report::{
        Language, ReportError,
        gaps::{self, Cause, Gap},
        texts::Texts,
    },
    store::Store,
};

/// The period so far.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The period.
    pub period: Period,
    /// When this was asked.
    pub now: Timestamp,
    /// Time zone in which days are counted.
    pub time_zone: String,
    /// Runs that ended, oldest first.
    pub runs: Vec<Run>,
    /// The run that is under way, or was left open by a crash: which of the two cannot be told from here.
    pub open: Option<OpenRun>,
    /// Runs that were due within the period and had not begun in time.
    pub missed: Vec<Missed>,
    /// When the next run has to have begun.
    pub next: Option<Due>,
    /// Days of the period so far.
    pub days: Days,
    /// The newest closed run's ledger.
    pub newest: Option<Newest>,
    /// Number of the seal that closed the period, where one did.
    pub closed_by: Option<u64>,
    /// What stands against the close, apart from the period's end.
    pub refusals: Vec<Refusal>,
    /// Exceptions and attestations: what ends within 30 days or with the period, what lapsed, what nobody has answered. `None`
    /// where an amend archive cannot be read.
    pub amended: Option<Additions>,
}

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Number of its last seal.
    pub sequence: u64,
    /// `run-close` or `run-abort`.
    pub kind: Kind,
    /// Run id.
    pub run: String,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it ended.
    pub closed: Timestamp,
    /// Gaps in its ledger, where it has one.
    pub gaps: Option<u64>,
    /// Why it was aborted.
    pub reason: Option<String>,
    /// Its archive in the store; `None` for an aborted run that left none.
    pub archive: Option<String>,
}

/// A run without an end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenRun {
    /// Run id.
    pub run: String,
    /// When it was opened.
    pub opened: Timestamp,
}

/// When the next run is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The latest time at which it may begin.
    pub by: Timestamp,
    /// True where that has passed.
    pub overdue: bool,
    /// `seal`: the last run promised it; `configuration`: the last run ended without a promise, and the schedule says so.
    pub stated_by: &'static str,
}

/// Days of the period so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Days {
    /// Days of the whole period.
    pub total: u64,
    /// Days that are over.
    pub over: u64,
    /// Those of them on which no run was opened that was closed.
    pub unobserved: Vec<Date>,
    /// The day that is not over yet, and whether a closed run was opened on it.
    pub today: Option<(Date, bool)>,
}

/// The newest closed run.
#[derive(Debug, Serialize)]
pub struct Newest {
    /// Run id.
    pub run: String,
    /// Number of its seal.
    pub sequence: u64,
    /// When it was closed.
    pub closed: Timestamp,
    /// Planned tasks.
    pub tasks: u64,
    /// Why account names are missing below, where the organisation could not be read.
    pub organization_unreadable: Option<String>,
    /// Gaps by cause.
    pub gaps: Vec<StandingGap>,
}

/// Gaps of one cause, and since when each account's stand.
#[derive(Debug, Serialize)]
pub struct StandingGap {
    /// The gaps, with a request that is ready to send.
    #[serde(flatten)]
    pub gap: Gap,
    /// One entry an account, as in `places`.
    pub standing: Vec<Standing>,
}

/// Since when an account's gaps stand, as far as runs saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Account.
    pub account: AccountId,
    /// True where a task of these was a gap in the closed run before, too.
    pub in_previous_run: bool,
    /// Consecutive closed runs, the newest among them, in which the longest-standing of these tasks was a gap.
    pub runs: u64,
    /// The first of these runs.
    pub first_run: String,
    /// When it was opened. Nothing is claimed of the time between it and the run before.
    pub first_seen: Timestamp,
    /// True where no earlier run can say otherwise.
    pub since_the_first_run: bool,
}

/// Something that stands against the close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Stable name.
    pub code: &'static str,
    /// What, and the next step.
    pub what: String,
}

impl Status {
    /// Returns whether something is missing: gaps, runs, days, or what the close needs.
    pub fn is_incomplete(&self) -> bool {
        let overdue = self.next.as_ref().is_some_and(|due| due.overdue) && self.closed_by.is_none();
        let gaps = self.newest.as_ref().is_some_and(|newest| !newest.gaps.is_empty());
        gaps || overdue
            || !self.missed.is_empty()
            || !self.days.unobserved.is_empty()
            || self.runs.iter().any(|run| run.kind == Kind::RunAbort)
            || !self.refusals.is_empty()
    }
}

/// Reads the period so far out of the chain and the ledgers of its closed runs.
///
/// # Errors
/// The embedded texts cannot be read (a fault of this program). What the store lacks is said in the status instead.
pub fn status(
    store: &dyn Store,
    links: &[Link],
    schedule: &Schedule,
    period: &Period,
    catalog: Option<&Catalog>,
    now: Timestamp,
) -> Result<Status, ReportError> {
    let runs: Vec<Run> = runs(links).into_iter().filter(|run| period.contains(run.opened)).collect();
    let mut missed = chain::missed_runs(links, now);
    missed.retain(|m| period.contains(m.expected_by));
    let open = chain::open_run(links)
        .map(|link| OpenRun { run: link.seal().run.clone().unwrap_or_default(), opened: link.seal().opened });
    let closed_by = links.iter().map(Link::seal).find(|seal| {
        seal.kind == Kind::PeriodClose
            && seal.period.as_ref().is_some_and(|p| (p.from, p.to) == (period.from, period.to))
    });
    let mut refusals = refusals(store, &runs, open.as_ref());
    let newest = match newest(store, links, period) {
        Ok(newest) => newest,
        Err(what) => {
            refusals.push(Refusal { code: "archive-unreadable", what });
            None
        }
    };
    let amended = match super::period::amendments(store, links) {
        Ok(amended) => Some(additions(&amended, catalog, now, soon(period, now))),
        Err(error) => {
            refusals.push(Refusal { code: "amendment-unreadable", what: error.to_string() });
            None
        }
    };
    let newest = newest.map(|((run, ledger), earlier)| describe(store, &run, &ledger, &earlier)).transpose()?;
    Ok(Status {
        days: days(period, schedule, &runs, now),
        time_zone: schedule.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        next: next(links, schedule, now),
        period: period.clone(),
        now,
        runs,
        open,
        missed,
        newest,
        amended,
        closed_by: closed_by.map(|seal| seal.sequence),
        refusals: if closed_by.is_some() { Vec::new() } else { refusals },
    })
}

/// What ends within 30 days, or before the period does, ends soon.
fn soon(period: &Period, now: Timestamp) -> Timestamp {
    now.checked_add((30 * 24).hours()).unwrap_or(Timestamp::MAX).max(period.to)
}

fn runs(links: &[Link]) -> Vec<Run> {
    let ended = links.iter().filter(|link| link.seal().kind.ends_run());
    ended
        .map(|link| {
            let seal = link.seal();
            Run {
                sequence: seal.sequence,
                kind: seal.kind,
                run: seal.run.clone().unwrap_or_default(),
                opened: seal.opened,
                closed: seal.closed,
                gaps: seal.gaps,
                reason: seal.reason.clone(),
                archive: chain::archive_of(link),
            }
        })
        .collect()
}

fn refusals(store: &dyn Store, runs: &[Run], open: Option<&OpenRun>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if let Some(open) = open {
        let what = format!(
            "the run {} was opened at {} and has not ended; let it end, or start another, which records it as aborted",
            open.run, open.opened
        );
        refusals.push(Refusal { code: "run-not-ended", what });
    }
    if !runs.iter().any(|run| run.kind == Kind::RunClose) {
        let what = "no run of the period was closed: run 'orgproof collect' within the period".to_owned();
        refusals.push(Refusal { code: "no-run", what });
    }
    for archive in runs.iter().filter_map(|run| run.archive.as_ref()) {
        // What cannot be asked is treated as absent: both need somebody to look.
        if !store.exists(archive).unwrap_or(false) {
            let what = format!("{archive} is sealed in the chain and not in the store; restore it from a copy");
            refusals.push(Refusal { code: "archive-missing", what });
        }
    }
    refusals
}

/// Says when the next run is due: what the last run promised, or where it promised nothing, what the schedule says.
pub fn next(links: &[Link], schedule: &Schedule, now: Timestamp) -> Option<Due> {
    let last = links.iter().map(Link::seal).rfind(|seal| seal.kind == Kind::RunOpen || seal.kind.ends_run())?;
    if last.kind == Kind::RunOpen {
        return None;
    }
    let (by, stated_by) = match last.next_run_expected_by {
        Some(by) => (by, "seal"),
        None => {
            let by = last.closed.checked_add(schedule.next_run).and_then(|t| t.checked_add(schedule.grace)).ok()?;
            (by, "configuration")
        }
    };
    Some(Due { by, overdue: now > by, stated_by })
}

/// Counts the days of a period at `now`.
pub fn days(period: &Period, schedule: &Schedule, runs: &[Run], now: Timestamp) -> Days {
    let zone = &schedule.time_zone;
    let day = |at: Timestamp| zone.to_datetime(at).date();
    let closed: BTreeSet<Date> =
        runs.iter().filter(|run| run.kind == Kind::RunClose).map(|run| day(run.opened)).collect();
    let mut days = Days { total: 0, over: 0, unobserved: Vec::new(), today: None };
    let mut date = day(period.from);
    while let Ok(start) = zone.to_timestamp(date.at(0, 0, 0, 0)) {
        let Ok(after) = date.checked_add(1.day()) else { break };
        let Ok(end) = zone.to_timestamp(after.at(0, 0, 0, 0)) else { break };
        if start >= period.to {
            break;
        }
        days.total += 1;
        if end <= now {
            days.over += 1;
            if !closed.contains(&date) {
                days.unobserved.push(date);
            }
        } else if start <= now {
            days.today = Some((date, closed.contains(&date)));
        }
        date = after;
    }
    days
}

type Ledger = (Run, Vec<Coverage>);

/// The newest closed run of the period with its ledger, and those before it.
fn newest(store: &dyn Store, links: &[Link], period: &Period) -> Result<Option<(Ledger, Vec<Run>)>, String> {
    let mut closed: Vec<Run> = runs(links).into_iter().filter(|run| run.kind == Kind::RunClose).collect();
    let Some(at) = closed.iter().rposition(|run| period.contains(run.opened)) else { return Ok(None) };
    closed.truncate(at + 1);
    let Some(newest) = closed.pop() else { return Ok(None) };
    Ok(Some((ledger(store, newest)?, closed)))
}

fn ledger(store: &dyn Store, run: Run) -> Result<Ledger, String> {
    let name = run.archive.clone().unwrap_or_default();
    let read = chain::open_archive(store, &name).and_then(|archive| archive.coverage());
    read.map(|ledger| (run, ledger)).map_err(|e| format!("{name}: {e}"))
}

fn describe(store: &dyn Store, run: &Run, coverage: &[Coverage], earlier: &[Run]) -> Result<Newest, ReportError> {
    let read = chain::open_archive(store, run.archive.as_deref().unwrap_or_default())
        .map_err(|e| e.to_string())
        .and_then(|archive| organization::read(&archive).map_err(|e| e.to_string()));
    let names: BTreeMap<&AccountId, &str> =
        read.iter().flat_map(|o| &o.accounts).map(|account| (&account.id, account.name.as_str())).collect();
    let texts = Texts::load(Language::English)?;
    let standing = standing(run, coverage, earlier.iter().rev().map_while(|run| ledger(store, run.clone()).ok()));
    let gaps = gaps::by_cause(coverage, &names, &texts);
    Ok(Newest {
        run: run.run.clone(),
        sequence: run.sequence,
        closed: run.closed,
        tasks: coverage.len() as u64,
        organization_unreadable: read.as_ref().err().cloned(),
        gaps: gaps
            .into_iter()
            .map(|gap| {
                let of = |((cause, _), standing): (&(Cause, AccountId), &Standing)| {
                    (cause.as_str() == gap.cause).then(|| standing.clone())
                };
                let standing = standing.iter().filter_map(of).collect();
                StandingGap { gap, standing }
            })
            .collect(),
    })
}

/// Says, for each cause and account, since when the longest-standing gap was one in every closed run.
///
/// `earlier` are the closed runs before, newest first; they are read only while a gap goes on. What ended a gap is a run that
/// planned the task and got its answer, or did not plan it.
pub fn standing(
    newest: &Run,
    coverage: &[Coverage],
    earlier: impl Iterator<Item = Ledger>,
) -> BTreeMap<(Cause, AccountId), Standing> {
    let gap = |line: &&Coverage| gaps::is_gap(line);
    let mut going: BTreeSet<TaskId> = coverage.iter().filter(gap).map(|line| line.task.clone()).collect();
    let first = |run: &Run, runs: u64| (runs, run.run.clone(), run.opened);
    let mut since: BTreeMap<TaskId, _> = going.iter().map(|task| (task.clone(), first(newest, 1))).collect();
    let mut earlier = earlier.peekable();
    let (mut runs, mut exhausted) = (1, earlier.peek().is_none());
    while !going.is_empty() {
        let Some((run, ledger)) = earlier.next() else { break };
        runs += 1;
        let then: BTreeSet<&TaskId> = ledger.iter().filter(gap).map(|line| &line.task).collect();
        going.retain(|task| then.contains(task));
        for task in &going {
            since.insert(task.clone(), first(&run, runs));
        }
        exhausted = earlier.peek().is_none();
    }
    let mut standing: BTreeMap<(Cause, AccountId), Standing> = BTreeMap::new();
    for line in coverage.iter().filter(gap) {
        let Some((runs, run, opened)) = since.get(&line.task) else { continue };
        let entry = Standing {
            account: line.account.clone(),
            in_previous_run: *runs > 1,
            runs: *runs,
            first_run: run.clone(),
            first_seen: *opened,
            since_the_first_run: exhausted && going.contains(&line.task),
        };
        let known = standing.entry((Cause::of(line), line.account.clone())).or_insert_with(|| entry.clone());
        if entry.runs > known.runs {
            *known = entry;
        }
    }
    standing
}

#[cfg(test)]
mod tests;
