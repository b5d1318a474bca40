//! The laws of comparison, on the reports' sample organisation.

use super::*;
use crate::{
    model::{Assessment, ObservationStatus, Sha256Digest, Status},
    report::sample,
};

fn side(assessment: Assessment, sequence: u64) -> Side {
    Side {
        archive: format!("{sequence:08}-period-close.zip"),
        seal: Sha256Digest::of(sequence.to_string()),
        log: "log".to_owned(),
        sequence,
        closed: assessment.header.closed,
        label: "2026Q4".to_owned(),
        aborted: false,
        organization: Ok(assessment.organization.clone()),
        coverage: assessment.coverage.clone(),
        assessment: Some(assessment),
    }
}

fn compare(change: impl FnOnce(&mut Assessment)) -> Diff {
    let (before, mut after) = (sample::assessment(), sample::assessment());
    change(&mut after);
    diff(&side(before, 1), &side(after, 2))
}

fn kinds(changes: &[Change]) -> Vec<Kind> {
    changes.iter().map(|c| c.kind).collect()
}

#[test]
fn an_assessment_does_not_differ_from_itself() {
    let nothing = compare(|_| {});
    assert_eq!((nothing.accounts.len(), nothing.coverage.len(), nothing.guardrails.len()), (0, 0, 0));
    assert_eq!((nothing.requirements, nothing.resources), (Some(vec![]), Some(vec![])));
    assert_eq!(nothing.notes, Vec::<String>::new());
}

#[test]
fn whatever_becomes_not_assessed_is_shown_as_not_observed_and_never_as_changed() {
    let all = compare(|after| {
        for finding in &mut after.findings {
            finding.status = Status::NotAssessed;
        }
        for line in &mut after.results {
            line.status = ObservationStatus::NotAssessed;
        }
    });
    for changes in [all.requirements.unwrap(), all.resources.unwrap()] {
        assert!(!changes.is_empty());
        assert!(changes.iter().all(|c| c.kind == Kind::NotObserved), "{changes:?}");
    }
}

#[test]
fn a_failing_resource_that_is_no_longer_named_is_gone_only_where_everything_was_seen() {
    let before = sample::assessment();
    let calm = |l: &&crate::model::ResultLine| {
        let target = (&l.account, &l.region);
        l.status == ObservationStatus::Fail
            && !before.coverage.iter().any(|c| is_gap(c) && (&c.account, &c.region) == target)
            && !before.results.iter().any(|o| {
                o.check == l.check && (&o.account, &o.region) == target && o.status == ObservationStatus::NotAssessed
            })
    };
    let failing = before.results.iter().find(calm).expect("the sample has a failure without a gap beside it").clone();
    let gone = compare(|after| after.results.retain(|l| *l != failing)).resources.unwrap();
    assert_eq!(kinds(&gone), [Kind::Gone]);
    assert_eq!((gone[0].before.as_deref(), gone[0].after.as_deref()), (Some("fail"), None));
    let unseen = compare(|after| {
        after.results.retain(|l| *l != failing);
        let line = after.coverage.iter_mut().find(|c| c.account == failing.account && c.region == failing.region);
        line.unwrap().state = CoverageState::Denied;
    });
    assert_eq!(kinds(&unseen.resources.unwrap()), [Kind::NotObserved]);
    assert_eq!(kinds(&unseen.coverage), [Kind::NotObserved]);
}

fn policy(document: Option<&str>, targets: Option<&[&str]>) -> crate::model::Policy {
    crate::model::Policy {
        id: "p-1".to_owned(),
        name: "guard".to_owned(),
        policy_type: "SERVICE_CONTROL_POLICY".to_owned(),
        document: document.map(str::to_owned),
        sha256: document.map(Sha256Digest::of),
        targets: targets.map(|ids| {
            let target = |id: &&str| crate::model::PolicyTarget { id: (*id).to_owned(), kind: "ROOT".to_owned() };
            ids.iter().map(target).collect()
        }),
        evidence: None,
    }
}

/// What of policy `p-1` differs, from one state to the other, where Organizations answered everything or not.
fn guard(
    from: Option<crate::model::Policy>,
    to: Option<crate::model::Policy>,
    whole: bool,
) -> Vec<(Kind, &'static str)> {
    let mut a = sample::assessment().organization;
    let mut b = a.clone();
    (a.policies, b.policies) = (from.into_iter().collect(), to.into_iter().collect());
    guardrails::compare(&a, &b, (whole, whole)).into_iter().map(|c| (c.kind, c.what)).collect()
}

#[test]
fn guardrails_are_compared_by_hash_and_attachment_and_what_could_not_be_read_is_no_change() {
    let full = || Some(policy(Some("{}"), Some(&["r-1"])));
    assert_eq!(guard(full(), full(), true), []);
    assert_eq!(guard(full(), Some(policy(Some("{ }"), Some(&["r-1"]))), true), [(Kind::Changed, "document")]);
    assert_eq!(guard(full(), Some(policy(Some("{}"), Some(&[]))), true), [(Kind::Gone, "attachment")]);
    assert_eq!(guard(full(), Some(policy(None, Some(&["r-1"]))), true), [(Kind::NotObserved, "document")]);
    assert_eq!(guard(full(), Some(policy(Some("{}"), None)), true), [(Kind::NotObserved, "attachment")]);
    assert_eq!(guard(full(), None, true), [(Kind::Gone, "policy")]);
    assert_eq!(guard(full(), None, false), [(Kind::NotObserved, "policy")]);
    assert_eq!(guard(None, full(), true), [(Kind::New, "policy"), (Kind::New, "attachment")]);
    assert!(guard(None, full(), false).iter().all(|(kind, _)| *kind == Kind::NotObservedBefore));
}

#[test]
fn accounts_come_go_and_change_state() {
    let changes = compare(|after| {
        after.organization.accounts.remove(0);
        after.organization.accounts[0].state = crate::model::AccountState::Suspended;
        after.organization.accounts[1].parent = None;
    });
    assert!(changes.accounts.iter().any(|c| c.kind == Kind::Gone && c.what == "account"));
    assert!(changes.accounts.iter().any(|c| c.kind == Kind::Changed && c.after.as_deref() == Some("SUSPENDED")));
    assert!(changes.accounts.iter().any(|c| c.kind == Kind::NotObserved && c.what == "parent"));
}
