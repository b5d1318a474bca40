//! Organisation policies, where they are attached, and who administers what.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Kind, both, change};
use crate::model::{Organization, Policy};

/// Compares guardrails; `whole` says, for each side, whether everything that was asked of Organizations was answered.
///
/// Where it was not, what is missing was not observed, and what is new was perhaps only not observed before.
pub(super) fn compare(a: &Organization, b: &Organization, whole: (bool, bool)) -> Vec<Change> {
    let gone = if whole.1 { Kind::Gone } else { Kind::NotObserved };
    let new = if whole.0 { Kind::New } else { Kind::NotObservedBefore };
    let mut changes = policies(a, b, gone, new);
    changes.extend(sets("policy type", &types(a), &types(b), gone, new));
    changes.extend(sets("delegation or trusted access", &services(a), &services(b), gone, new));
    changes
}

fn policies(a: &Organization, b: &Organization, gone: Kind, new: Kind) -> Vec<Change> {
    let of = |o: &Organization| o.policies.iter().map(|p| (p.id.clone(), p.clone())).collect::<BTreeMap<_, _>>();
    let (a, b) = (of(a), of(b));
    let hash = |p: &Policy| p.sha256.map(|d| d.to_string());
    let mut changes = Vec::new();
    for (id, was) in &a {
        let Some(now) = b.get(id) else {
            changes.push(change(gone, id, "policy", hash(was), None, Some(was.name.clone())));
            continue;
        };
        let (before, after) = (hash(was), hash(now));
        if let Some(kind) = both(before.as_ref(), after.as_ref()) {
            changes.push(change(kind, id, "document", before, after, Some(now.name.clone())));
        }
        if was.name != now.name {
            changes.push(change(Kind::Changed, id, "name", Some(was.name.clone()), Some(now.name.clone()), None));
        }
        changes.extend(attachments(was, now));
    }
    for (id, now) in b.iter().filter(|(id, _)| !a.contains_key(*id)) {
        changes.push(change(new, id, "policy", None, hash(now), Some(now.name.clone())));
        let nowhere = Policy { targets: Some(Vec::new()), ..now.clone() };
        changes.extend(attachments(&nowhere, now).into_iter().map(|c| Change { kind: new, ..c }));
    }
    changes
}

fn attachments(was: &Policy, now: &Policy) -> Vec<Change> {
    let note = Some(now.name.clone());
    let (before, after) = match (&was.targets, &now.targets) {
        (Some(before), Some(after)) => (before, after),
        (before, after) => {
            let unknown = both(before.as_ref(), after.as_ref());
            return unknown.map(|kind| change(kind, &now.id, "attachment", None, None, note)).into_iter().collect();
        }
    };
    let target = |t: &crate::model::PolicyTarget| Some(format!("{} {}", t.kind, t.id));
    let lost = before.iter().filter(|t| !after.contains(t));
    let won = after.iter().filter(|t| !before.contains(t));
    lost.map(|t| change(Kind::Gone, &now.id, "attachment", target(t), None, note.clone()))
        .chain(won.map(|t| change(Kind::New, &now.id, "attachment", None, target(t), note.clone())))
        .collect()
}

type Facts = BTreeMap<String, BTreeSet<String>>;

fn types(o: &Organization) -> Facts {
    let each = o.roots.iter().flat_map(|r| r.policy_types.iter().map(move |t| (r, t)));
    each.map(|(r, t)| (format!("{} {}", r.id, t.policy_type), BTreeSet::from([t.status.clone()]))).collect()
}

fn services(o: &Organization) -> Facts {
    let each = o.services.iter();
    each.map(|s| {
        let mut facts: BTreeSet<String> = s.administrators.iter().map(|a| format!("administered by {a}")).collect();
        if s.trusted {
            facts.insert("trusted access".to_owned());
        }
        (s.service.clone(), facts)
    })
    .collect()
}

fn sets(what: &'static str, a: &Facts, b: &Facts, gone: Kind, new: Kind) -> Vec<Change> {
    let subjects: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let none = BTreeSet::new();
    let mut changes = Vec::new();
    for subject in subjects {
        let (before, after) = (a.get(subject).unwrap_or(&none), b.get(subject).unwrap_or(&none));
        changes.extend(before.difference(after).map(|f| change(gone, subject, what, Some(f.clone()), None, None)));
        changes.extend(after.difference(before).map(|f| change(new, subject, what, None, Some(f.clone()), None)));
    }
    changes
}
