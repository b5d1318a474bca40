//! The laws of the period so far.

use jiff::{SignedDuration, tz::TimeZone};

use super::*;
use crate::{
    config::Cadence,
    model::{Collector, CoverageState, Mode, PlannedTask},
};

fn schedule(zone: &str) -> Schedule {
    Schedule {
        period: Cadence::Month,
        fiscal_year_start: 1,
        time_zone: TimeZone::get(zone).unwrap(),
        next_run: SignedDuration::from_hours(24),
        grace: SignedDuration::from_hours(6),
    }
}

fn run(id: &str, opened: &str, kind: Kind) -> Run {
    let opened: Timestamp = opened.parse().unwrap();
    let run = id.to_owned();
    Run { sequence: 0, kind, run, opened, closed: opened, gaps: None, reason: None, archive: None }
}

fn line(account: &str, state: CoverageState) -> Coverage {
    let task: TaskId = format!("{account}/eu-west-1/config-rules").parse().unwrap();
    let planned = PlannedTask {
        account: task.account.clone(),
        region: task.region.clone(),
        collector: Collector::ConfigRules,
        task,
        mode: Mode::FanOut,
        region_named: true,
        out_of_scope: None,
    };
    Coverage::close(&planned, state, None, None, 0)
}

const A: &str = "111111111111";
const B: &str = "222222222222";

#[test]
fn a_day_is_observed_by_a_closed_run_that_was_opened_on_it_in_the_schedules_time_zone() {
    let schedule = schedule("Asia/Tokyo");
    let period = schedule.period("2026-11").unwrap();
    // 15:30 UTC on the first is half past midnight on the second in Tokyo.
    let runs = [
        run("a", "2026-11-01T15:30:00Z", Kind::RunClose),
        run("b", "2026-11-03T00:00:00Z", Kind::RunAbort),
        run("c", "2026-11-04T00:00:00Z", Kind::RunClose),
    ];
    let days = days(&period, &schedule, &runs, "2026-11-05T00:00:00Z".parse().unwrap());
    let unobserved: Vec<String> = days.unobserved.iter().map(ToString::to_string).collect();
    assert_eq!(unobserved, ["2026-11-01", "2026-11-03"], "an aborted run is no observed day");
    assert_eq!((days.total, days.over), (30, 4));
    assert_eq!(days.today, Some(("2026-11-05".parse().unwrap(), false)), "a day that is not over is not yet missing");
}

#[test]
fn days_are_counted_once_where_clocks_change_and_none_before_or_after_the_period() {
    let schedule = schedule("Europe/Berlin");
    let period = schedule.period("2026-10").unwrap();
    let at = |text: &str| days(&period, &schedule, &[], text.parse().unwrap());
    let after = at("2027-01-01T00:00:00Z");
    assert_eq!((after.total, after.over, after.unobserved.len(), after.today), (31, 31, 31, None));
    let before = at("2026-09-01T00:00:00Z");
    assert_eq!((before.total, before.over, before.unobserved.len(), before.today), (31, 0, 0, None));
}

#[test]
fn a_gap_stands_since_the_first_of_the_unbroken_row_of_runs_in_which_it_was_one() {
    use CoverageState::{Collected, Denied, Throttled};
    let newest = run("n", "2026-11-04T00:00:00Z", Kind::RunClose);
    let ledger = |id: &str, at: &str, a, b| (run(id, at, Kind::RunClose), Vec::from([line(A, a), line(B, b)]));
    let earlier = [
        ledger("3", "2026-11-03T00:00:00Z", Throttled, Collected),
        ledger("2", "2026-11-02T00:00:00Z", Collected, Denied),
        ledger("1", "2026-11-01T00:00:00Z", Denied, Denied),
    ];
    let now = [line(A, Denied), line(B, Denied)];
    let standing = standing(&newest, &now, earlier.into_iter());
    let of = |account: &str| &standing[&(Cause::Denied, account.parse().unwrap())];
    assert_eq!((of(A).runs, of(A).first_run.as_str(), of(A).in_previous_run), (2, "3", true));
    assert!(!of(A).since_the_first_run);
    assert_eq!((of(B).runs, of(B).first_run.as_str(), of(B).in_previous_run), (1, "n", false));
}

#[test]
fn a_gap_that_no_run_was_ever_without_says_so() {
    let newest = run("n", "2026-11-04T00:00:00Z", Kind::RunClose);
    let alone = standing(&newest, &[line(A, CoverageState::Denied)], std::iter::empty());
    assert!(alone.values().all(|s| s.since_the_first_run && !s.in_previous_run) && alone.len() == 1);
    let before = [(run("1", "2026-11-03T00:00:00Z", Kind::RunClose), vec![line(A, CoverageState::Denied)])];
    let row = standing(&newest, &[line(A, CoverageState::Denied)], before.into_iter());
    assert!(row.values().all(|s| s.since_the_first_run && s.in_previous_run && s.runs == 2) && row.len() == 1);
}
