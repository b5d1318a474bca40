//! Two runs or two assessments, compared. What was not observed on one side is said to be that: it never counts as a change.
//!
//! The organisation and the ledger are compared for both kinds; verdicts and resources for assessments, since runs hold none.

mod guardrails;
mod results;
mod side;

use std::collections::BTreeMap;

use serde::Serialize;

pub use side::{DiffError, Side, newest_runs, open};

use crate::{
    model::{Collector, Coverage, CoverageState, Organization, ScopeReason},
    report::gaps::is_gap,
};

/// How two views of one thing relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Not there before.
    New,
    /// No longer there, though looked for.
    Gone,
    /// There both times, and different.
    Changed,
    /// The later side did not observe it: nothing is known of a change.
    NotObserved,
    /// The earlier side did not observe it: nothing is known of a change.
    NotObservedBefore,
}

impl Kind {
    /// Returns the name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::NotObserved => "not-observed",
            Self::NotObservedBefore => "not-observed-before",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// How it differs.
    pub kind: Kind,
    /// What: an account, a task, a policy, a requirement, a resource.
    pub subject: String,
    /// What about it: `state`, `document`, `attachment`, `status`, …
    pub what: &'static str,
    /// Before; `None` where it was not there or not observed.
    pub before: Option<String>,
    /// After; `None` where it is not there or not observed.
    pub after: Option<String>,
    /// A name or a reason, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Everything that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// What limits the comparison as a whole.
    pub notes: Vec<String>,
    /// Accounts.
    pub accounts: Vec<Change>,
    /// Planned tasks and gaps.
    pub coverage: Vec<Change>,
    /// Policies by hash of document, attachments, policy types, delegation.
    pub guardrails: Vec<Change>,
    /// Verdicts on requirements; `None` for runs.
    pub requirements: Option<Vec<Change>>,
    /// Answers about resources, by check; `None` for runs.
    pub resources: Option<Vec<Change>>,
}

/// Compares `before` with `after`.
pub fn diff(before: &Side, after: &Side) -> Diff {
    let mut notes = notes(before, after);
    let (mut accounts, mut guardrails) = (Vec::new(), Vec::new());
    match (&before.organization, &after.organization) {
        (Ok(a), Ok(b)) => {
            let whole = (organization_whole(&before.coverage), organization_whole(&after.coverage));
            accounts = self::accounts(a, b);
            guardrails = guardrails::compare(a, b, whole);
        }
        (a, b) => {
            for (side, read) in [("before", a), ("after", b)] {
                if let Err(why) = read {
                    notes.push(format!("accounts and guardrails are not compared: {side}, {why}"));
                }
            }
        }
    }
    let assessed = before.assessment.as_ref().zip(after.assessment.as_ref());
    Diff {
        notes,
        accounts,
        coverage: coverage(before, after),
        guardrails,
        requirements: assessed.map(|(a, b)| results::requirements(a, b)),
        resources: assessed.map(|(a, b)| results::resources((a, &gaps(before)), (b, &gaps(after)))),
    }
}

fn notes(before: &Side, after: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    if before.seal == after.seal {
        notes.push("both are the same archive".to_owned());
    }
    if before.log != after.log {
        notes.push("the archives belong to two chains: they may be of two organizations or two stores".to_owned());
    } else if before.sequence > after.sequence {
        notes.push("the first archive is the later one: \"new\" and \"gone\" read backwards in time".to_owned());
    }
    for (side, of) in [("first", before), ("second", after)] {
        if of.aborted {
            notes.push(format!("the {side} run was aborted: most of what it lacks was never asked"));
        }
    }
    if let Some((a, b)) = before.assessment.as_ref().zip(after.assessment.as_ref()) {
        if a.header.catalog != b.header.catalog {
            notes.push(
                "the catalogues differ: a verdict may have changed with the requirement, not with the evidence"
                    .to_owned(),
            );
        }
        if a.header.semantics != b.header.semantics {
            notes.push("the rules of judging differ (semantics): a verdict may have changed with them".to_owned());
        }
    }
    notes
}

/// Accounts and Regions with gaps in a ledger.
fn gaps(side: &Side) -> Vec<(String, String)> {
    let gaps = side.coverage.iter().filter(|l| is_gap(l));
    gaps.map(|l| (l.account.to_string(), l.region.to_string())).collect()
}

fn organization_whole(coverage: &[Coverage]) -> bool {
    coverage.iter().any(|l| l.collector == Collector::Organization)
        && coverage.iter().filter(|l| l.collector == Collector::Organization).all(|l| !is_gap(l))
}

/// The list of accounts is whole wherever an organisation could be read at all: a listing cut short is refused when it is read.
fn accounts(a: &Organization, b: &Organization) -> Vec<Change> {
    let of = |o: &Organization| o.accounts.iter().map(|x| (x.id.clone(), x.clone())).collect::<BTreeMap<_, _>>();
    let (a, b) = (of(a), of(b));
    let mut changes = Vec::new();
    for (id, account) in &a {
        let Some(now) = b.get(id) else {
            let state = word(&account.state);
            changes.push(change(Kind::Gone, id, "account", Some(state), None, Some(account.name.clone())));
            continue;
        };
        let mut differs = |what, before: Option<String>, after: Option<String>| {
            if let Some(kind) = both(before.as_ref(), after.as_ref()) {
                changes.push(change(kind, id, what, before, after, Some(now.name.clone())));
            }
        };
        differs("state", Some(word(&account.state)), Some(word(&now.state)));
        differs("parent", account.parent.clone(), now.parent.clone());
        differs("name", Some(account.name.clone()), Some(now.name.clone()));
    }
    for (id, account) in b.iter().filter(|(id, _)| !a.contains_key(*id)) {
        let state = word(&account.state);
        changes.push(change(Kind::New, id, "account", None, Some(state), Some(account.name.clone())));
    }
    changes
}

/// Compares two values of which each may be unknown.
fn both<T: PartialEq>(before: Option<&T>, after: Option<&T>) -> Option<Kind> {
    match (before, after) {
        (Some(a), Some(b)) => (a != b).then_some(Kind::Changed),
        (Some(_), None) => Some(Kind::NotObserved),
        (None, Some(_)) => Some(Kind::NotObservedBefore),
        (None, None) => None,
    }
}

/// Gaps that opened, closed or have another cause, and tasks that only one side planned.
fn coverage(before: &Side, after: &Side) -> Vec<Change> {
    let of = |side: &Side| side.coverage.iter().map(|l| (l.task.clone(), l.clone())).collect::<BTreeMap<_, _>>();
    let (a, b) = (of(before), of(after));
    let mut changes = Vec::new();
    for (task, line) in &a {
        let was = line.state.as_str().to_owned();
        let Some(now) = b.get(task) else {
            changes.push(change(Kind::Gone, task, "task", Some(was), None, None));
            continue;
        };
        let scope = |l: &Coverage| l.state == CoverageState::OutOfScope;
        let kind = match (is_gap(line), is_gap(now)) {
            (false, true) => Kind::NotObserved,
            (true, false) => Kind::NotObservedBefore,
            (true, true) if line.state != now.state => Kind::Changed,
            (false, false) if scope(line) != scope(now) => Kind::Changed,
            _ => continue,
        };
        let is = now.state.as_str().to_owned();
        let note = now.error.clone().or_else(|| line.error.clone().filter(|_| is_gap(line)));
        changes.push(change(kind, task, "coverage", Some(was), Some(is), note));
    }
    for (task, line) in b.iter().filter(|(task, _)| !a.contains_key(*task)) {
        let is = Some(line.state.as_str().to_owned());
        changes.push(change(Kind::New, task, "task", None, is, line.error.clone()));
    }
    changes
}

fn change(
    kind: Kind,
    subject: &impl ToString,
    what: &'static str,
    before: Option<String>,
    after: Option<String>,
    note: Option<String>,
) -> Change {
    Change { kind, subject: subject.to_string(), what, before, after, note }
}

/// The word that files use for a value.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Why an account outside the scope is so.
fn scope_note(reason: &ScopeReason) -> String {
    format!("out of scope: {reason}")
}

#[cfg(test)]
mod tests;
