//! `orgproof status`: the period so far, and what to ask of whom.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::{
    super::{Exit, Failure, Output, clock, one_line},
    Setting,
    exception::scope,
    sealing,
};
use crate::{
    archive::{Kind, chain, chain::Link},
    audit::{
        additions::Additions,
        status::{self, Refusal, StandingGap, Status},
    },
    model::Validity,
    sign,
};

pub(super) fn run(setting: &Setting, period: Option<&str>, output: &Output) -> Result<Exit, Failure> {
    let now = clock::now();
    let schedule = &setting.config.schedule;
    let period = sealing::period(&setting.config, period)?;
    let store = sealing::store(setting)?;
    let links = chain::read(&*store).map_err(Failure::usage)?;
    let catalog = sealing::catalog(setting, &[]).map(|(catalog, _)| catalog);
    let mut status =
        status::status(&*store, &links, schedule, &period, catalog.as_ref().ok(), now).map_err(Failure::usage)?;
    if status.closed_by.is_none() {
        status.refusals.extend(surroundings(setting, &links, catalog.err()));
    }
    output.result(&status, || human(&status))?;
    Ok(if status.is_incomplete() { Exit::Incomplete } else { Exit::Done })
}

/// What the close needs besides the store: a catalogue without faults, and the key that sealed so far.
fn surroundings(setting: &Setting, links: &[Link], catalog: Option<Failure>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if let Some(failure) = catalog {
        refusals.push(Refusal { code: "catalog-faulty", what: failure.message });
    }
    let passphrases = sealing::passphrases(setting).without_terminal();
    let ask = |path: &str| passphrases.get(path);
    // A look at the period asks no network, and nobody for a passphrase: such a key shows itself when it seals.
    if !sign::is_file(&setting.config.signing.key) {
        return refusals;
    }
    match sign::open(&setting.config.signing.key, &sealing::access(setting, None, &ask)) {
        Err(sign::SignError::Locked { .. }) => {}
        Err(error) => refusals.push(Refusal { code: "key-unreadable", what: error.to_string() }),
        Ok(signer) => {
            let ours = signer.public_key().fingerprint();
            if let Some(sealed) = links.last().map(|l| l.seal().key.id).filter(|id| *id != ours) {
                let what = format!("the store was sealed with the key {sealed}, and signing.key is {ours}");
                refusals.push(Refusal { code: "other-key", what });
            }
        }
    }
    refusals
}

fn human(status: &Status) -> String {
    let mut text = String::new();
    let (period, days) = (&status.period, &status.days);
    let _ = writeln!(
        text,
        "{}: {} of {} days are over ({} to {}, days in {}), as of {}",
        period.label, days.over, days.total, period.from, period.to, status.time_zone, status.now
    );
    runs(&mut text, status);
    let _ = match days.unobserved.as_slice() {
        [] => writeln!(text, "\nDays without a closed run: none of {}", days.over),
        some => writeln!(text, "\nDays without a closed run: {} of {}: {}", some.len(), days.over, ranges(some)),
    };
    if let Some((date, false)) = days.today {
        let _ = writeln!(text, "  today, {date}, has none yet");
    }
    gaps(&mut text, status);
    amended(&mut text, status);
    close(&mut text, status);
    text
}

/// How many unanswered items are named; 'evidence list' names all.
const LISTED: usize = 10;

fn amended(text: &mut String, status: &Status) {
    let Some(Additions { exceptions, attestations, unanswered, soon, .. }) = &status.amended else { return };
    let exceptions: Vec<_> = exceptions
        .iter()
        .map(|e| (&e.stated.id, format!("{} ({})", e.stated.check, scope(&e.stated)), e.stated.expires, e))
        .map(|(id, what, ends, e)| (id, what, ends, e.validity, e.ends_soon))
        .collect();
    let attestations: Vec<_> = attestations
        .iter()
        .map(|a| {
            let stated = &a.stated;
            let what = format!("{}/{}/{}", stated.framework, stated.requirement, stated.item);
            (&stated.id, what, stated.valid_until, a.validity, a.ends_soon)
        })
        .collect();
    for (title, all) in [("Exceptions", &exceptions), ("Attestations", &attestations)] {
        let count = |validity| all.iter().filter(|(.., v, _)| *v == validity).count();
        let _ = writeln!(
            text,
            "\n{title}: {} in force, {} lapsed, {} revoked",
            count(Validity::InForce),
            count(Validity::Lapsed),
            count(Validity::Revoked)
        );
        for (id, what, ends, ..) in all.iter().filter(|(.., ends_soon)| *ends_soon) {
            let _ = writeln!(text, "  ends by {soon}  {id}  {what}: at {ends}");
        }
        for (id, what, ends, ..) in all.iter().filter(|(.., v, _)| *v == Validity::Lapsed) {
            let _ = writeln!(text, "  lapsed  {id}  {what}: at {ends}");
        }
    }
    let _ = writeln!(text, "Items that a person has to confirm and nobody has: {}", unanswered.len());
    for open in unanswered.iter().take(LISTED) {
        let _ = writeln!(text, "  {}  {}", open.item, one_line(&open.title));
    }
    if unanswered.len() > LISTED {
        let _ = writeln!(text, "  and {} more: 'orgproof evidence list'", unanswered.len() - LISTED);
    }
}

fn runs(text: &mut String, status: &Status) {
    let aborted: Vec<_> = status.runs.iter().filter(|run| run.kind == Kind::RunAbort).collect();
    let closed = status.runs.len() - aborted.len();
    let _ =
        writeln!(text, "\nRuns: {closed} closed, {} aborted, {} missed or late", aborted.len(), status.missed.len());
    for run in aborted {
        let kept = run.archive.as_deref().unwrap_or("nothing was kept");
        let reason = run.reason.as_deref().unwrap_or("no reason was sealed");
        let _ = writeln!(text, "  aborted  {} opened {}: {reason} ({kept})", run.run, run.opened);
    }
    for missed in &status.missed {
        let began = missed.began.map_or_else(|| "none has begun".to_owned(), |at| format!("the next began at {at}"));
        let _ = writeln!(text, "  missed   a run was due by {}; {began}", missed.expected_by);
    }
    if let Some(open) = &status.open {
        let _ = writeln!(text, "  open     {} since {}: under way, or left open by a crash", open.run, open.opened);
    }
    if let Some(due) = status.next.as_ref().filter(|_| status.closed_by.is_none()) {
        let late = if due.overdue { "OVERDUE: " } else { "" };
        let by = if due.stated_by == "seal" { "" } else { " (by the configuration: the last run sealed no promise)" };
        let _ = writeln!(text, "  {late}the next run is due by {}{by}", due.by);
    }
}

/// Dates as ranges: `2026-10-03, 2026-10-07 to 2026-10-09`.
fn ranges(dates: &[Date]) -> String {
    let mut ranges: Vec<(Date, Date)> = Vec::new();
    for date in dates {
        match ranges.last_mut() {
            Some((_, end)) if end.tomorrow().ok() == Some(*date) => *end = *date,
            _ => ranges.push((*date, *date)),
        }
    }
    let one = |(a, b): &(Date, Date)| if a == b { a.to_string() } else { format!("{a} to {b}") };
    ranges.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn gaps(text: &mut String, status: &Status) {
    let Some(newest) = &status.newest else {
        text.push_str("\nGaps: not known, for no run of the period was closed, or its archive cannot be read\n");
        return;
    };
    let tasks: u64 = newest.gaps.iter().map(|g| g.gap.tasks).sum();
    let _ = writeln!(
        text,
        "\nGaps of the newest run ({}, closed {}): {tasks} of {} tasks",
        newest.run, newest.closed, newest.tasks
    );
    if let Some(why) = &newest.organization_unreadable {
        let _ = writeln!(text, "  account names are not known: {why}");
    }
    for gap in &newest.gaps {
        one_gap(text, gap);
    }
}

fn one_gap(text: &mut String, standing: &StandingGap) {
    let gap = &standing.gap;
    let _ = writeln!(text, "\n  {} [{}]: {} tasks in {} accounts", gap.title, gap.cause, gap.tasks, gap.accounts);
    let _ = writeln!(text, "    {}", gap.means);
    let new = standing.standing.iter().filter(|s| !s.in_previous_run && !s.since_the_first_run).count();
    let old = standing.standing.iter().filter(|s| s.runs > 1).max_by_key(|s| s.runs);
    match old {
        Some(old) => {
            let least = if old.since_the_first_run { ", the first there is to compare" } else { "" };
            let _ = writeln!(
                text,
                "    since:  longest in {} for {} runs, first in that of {}{least}; new with this run in {new} accounts",
                old.account, old.runs, old.first_seen
            );
        }
        None if new > 0 => text.push_str("    since:  new with this run\n"),
        None => text.push_str("    since:  not known, for there is no closed run before\n"),
    }
    let _ = writeln!(text, "    ask:    {}\n    request, ready to send:", gap.whom);
    for line in gap.request.lines() {
        let _ = writeln!(text, "      | {line}");
    }
}

fn close(text: &mut String, status: &Status) {
    if let Some(sequence) = status.closed_by {
        let _ = writeln!(text, "\n{} was closed by seal {sequence}.", status.period.label);
        return;
    }
    if status.now < status.period.to {
        let _ = writeln!(text, "\nThe period can be closed from {} on.", status.period.to);
    } else {
        text.push_str("\nThe period is over and not closed.\n");
    }
    if status.refusals.is_empty() {
        text.push_str(
            "Nothing else that was looked at stands against it; 'orgproof seal --dry-run' judges the evidence too.\n",
        );
        return;
    }
    text.push_str("What stands against it now:\n");
    for refusal in &status.refusals {
        let _ = writeln!(text, "  {}: {}", refusal.code, refusal.what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_in_a_row_are_one_range() {
        let dates: Vec<Date> =
            ["2026-10-03", "2026-10-07", "2026-10-08", "2026-10-31", "2026-11-01"].map(|d| d.parse().unwrap()).into();
        assert_eq!(ranges(&dates), "2026-10-03, 2026-10-07 to 2026-10-08, 2026-10-31 to 2026-11-01");
    }
}
