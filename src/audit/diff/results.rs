//! Verdicts and answers of two assessments.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Kind, change, scope_note, word};
use crate::model::{AccountId, Assessment, Finding, ObservationStatus, ResultLine, Status};

/// Compares the verdicts. To or from "not assessed" is no change of verdict.
pub(super) fn requirements(a: &Assessment, b: &Assessment) -> Vec<Change> {
    let of = |x: &Assessment| {
        let key = |f: &Finding| format!("{} {}", f.framework, f.requirement);
        x.findings.iter().map(|f| (key(f), f.clone())).collect::<BTreeMap<_, _>>()
    };
    let (a, b) = (of(a), of(b));
    let status = |f: &Finding| Some(f.status.as_str().to_owned());
    let mut changes = Vec::new();
    for (id, was) in &a {
        let Some(now) = b.get(id) else {
            changes.push(change(Kind::Gone, id, "requirement", status(was), None, Some(was.title.clone())));
            continue;
        };
        let kind = match (was.status, now.status) {
            (before, after) if before == after => continue,
            (_, Status::NotAssessed) => Kind::NotObserved,
            (Status::NotAssessed, _) => Kind::NotObservedBefore,
            _ => Kind::Changed,
        };
        changes.push(change(kind, id, "verdict", status(was), status(now), Some(now.why.clone())));
    }
    for (id, now) in b.iter().filter(|(id, _)| !a.contains_key(*id)) {
        changes.push(change(Kind::New, id, "requirement", None, status(now), Some(now.title.clone())));
    }
    changes
}

type Key<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// One answer for each check and resource: of several, the gravest.
fn answers(x: &Assessment) -> BTreeMap<Key<'_>, &ResultLine> {
    let mut answers: BTreeMap<Key<'_>, &ResultLine> = BTreeMap::new();
    for line in &x.results {
        let key = (
            line.check.as_str(),
            line.account.as_str(),
            line.region.as_str(),
            line.resource.kind.as_str(),
            line.resource.id.as_str(),
        );
        let known = answers.entry(key).or_insert(line);
        if gravity(line.status) > gravity(known.status) {
            *known = line;
        }
    }
    answers
}

fn gravity(status: ObservationStatus) -> u8 {
    match status {
        ObservationStatus::NotApplicable => 0,
        ObservationStatus::Pass => 1,
        ObservationStatus::NotAssessed => 2,
        ObservationStatus::Fail => 3,
    }
}

/// What an assessment did not see.
struct Unseen<'a> {
    lines: BTreeSet<(&'a str, &'a str, &'a str)>,
    targets: BTreeSet<(&'a str, &'a str)>,
    checks: BTreeSet<&'a str>,
    assessment: &'a Assessment,
}

impl<'a> Unseen<'a> {
    fn of(x: &'a Assessment, gaps: &'a [(String, String)]) -> Self {
        let not = x.results.iter().filter(|l| l.status == ObservationStatus::NotAssessed);
        Self {
            lines: not.map(|l| (l.check.as_str(), l.account.as_str(), l.region.as_str())).collect(),
            targets: gaps.iter().map(|(a, r)| (a.as_str(), r.as_str())).collect(),
            checks: x.checks.keys().map(String::as_str).chain(x.results.iter().map(|l| l.check.as_str())).collect(),
            assessment: x,
        }
    }

    /// Why a resource that this side does not name was not looked for, if it was not.
    fn why(&self, key: &Key<'_>) -> Option<String> {
        let (check, account, region, ..) = *key;
        if !self.checks.contains(check) {
            return Some("the check was not asked".to_owned());
        }
        let id: Option<AccountId> = account.parse().ok();
        if let Some(reason) = id.and_then(|id| self.assessment.out_of_scope.get(&id)) {
            return Some(scope_note(reason));
        }
        if self.lines.contains(&(check, account, region)) {
            return Some("the check has no whole answer from this account and Region".to_owned());
        }
        self.targets.contains(&(account, region)).then(|| "the account and Region has gaps in the ledger".to_owned())
    }
}

/// Compares the answers about resources; `gaps` of each side are the accounts and Regions with gaps in its ledger.
///
/// A resource that is no longer named where everything was seen is gone; where not everything was seen, it was not observed.
pub(super) fn resources(
    (a, a_gaps): (&Assessment, &[(String, String)]),
    (b, b_gaps): (&Assessment, &[(String, String)]),
) -> Vec<Change> {
    let (unseen_before, unseen_after) = (Unseen::of(a, a_gaps), Unseen::of(b, b_gaps));
    let (a, b) = (answers(a), answers(b));
    let status = |l: &ResultLine| Some(word(&l.status));
    let mut changes = Vec::new();
    for (key, was) in &a {
        let Some(now) = b.get(key) else {
            let why = unseen_after.why(key);
            let kind = if why.is_some() { Kind::NotObserved } else { Kind::Gone };
            changes.push(change(kind, &subject(key), "answer", status(was), None, why));
            continue;
        };
        let kind = match (was.status, now.status) {
            (before, after) if before == after => continue,
            (_, ObservationStatus::NotAssessed) => Kind::NotObserved,
            (ObservationStatus::NotAssessed, _) => Kind::NotObservedBefore,
            _ => Kind::Changed,
        };
        changes.push(change(kind, &subject(key), "answer", status(was), status(now), Some(now.why.clone())));
    }
    for (key, now) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
        let unseen = unseen_before.why(key);
        let kind = match (now.status, &unseen) {
            (ObservationStatus::NotAssessed, _) => Kind::NotObserved,
            (_, Some(_)) => Kind::NotObservedBefore,
            (_, None) => Kind::New,
        };
        let note = unseen.or_else(|| Some(now.why.clone()));
        changes.push(change(kind, &subject(key), "answer", None, status(now), note));
    }
    changes
}

fn subject((check, account, region, kind, id): &Key<'_>) -> String {
    format!("{check} {account} {region} {kind} {id}")
}
