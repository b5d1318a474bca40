//! Guarded actions: only a denial in every member account satisfies, and the management account proves nothing.

use serde_json::json;

use super::*;
use crate::{
    model::{Collector, CoverageState, Mode},
    observe::fixture::{AUDIT, HOME, MANAGEMENT, MEMBER, World, task},
};

/// Judges the guard with another statement in the place of the deny.
fn with_statement(conditional: Conditional, statement: serde_json::Value) -> (Status, String) {
    let mut world = World::new(Mode::FanOut);
    let id = task(AUDIT, HOME, Collector::Organization);
    let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let attempts = world.attempts.get_mut(&id).unwrap();
    let policy =
        attempts.iter_mut().find(|a| a.request["PolicyId"] == "p-deny" && a.operation == "DescribePolicy").unwrap();
    let summary = json!({"Id": "p-deny", "Name": "guard", "Type": "SERVICE_CONTROL_POLICY"});
    policy.body = json!({"Policy": {"PolicySummary": summary, "Content": document}}).to_string();
    let mut catalog = catalog();
    let actions = vec!["s3:PutBucketPolicy".into()];
    catalog.checks.get_mut(GUARD).unwrap().ask = Ask::GuardedActions { actions, conditional };
    let assessment = judge_by(&catalog, &world, &world.observe());
    verdict(&assessment, GUARD)
}

#[test]
fn a_conditional_denial_counts_only_where_accepted_and_only_if_it_spares_named_principals() {
    use Conditional::{Accept, Question};
    let deny = |condition: serde_json::Value| json!({"Effect": "Deny", "Action": "s3:PutBucketPolicy", "Resource": "*", "Condition": condition});
    let spares = deny(json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/BreakGlass"}}));
    let root = deny(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:root"}}));
    let nothing = json!({"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"});
    let table = [
        (Accept, &spares, Status::Satisfied),
        (Question, &spares, Status::NotAssessed),
        (Accept, &root, Status::NotAssessed),
        (Question, &root, Status::NotAssessed),
        (Accept, &nothing, Status::NotSatisfied),
    ];
    for (conditional, statement, expected) in table {
        let (status, why) = with_statement(conditional, statement.clone());
        assert_eq!(status, expected, "{conditional:?} {statement}: {why}");
    }
}

#[test]
fn the_management_account_is_listed_with_the_reason_and_proves_nothing() {
    let world = World::new(Mode::FanOut);
    let lines = lines_of(&assessed(&world), "observations.ndjson");
    let of = |account: &str| lines.iter().find(|l| l["check"] == GUARD && l["account"] == account).unwrap();
    assert_eq!(of(MANAGEMENT)["status"], "not-applicable");
    assert_eq!(of(MEMBER)["status"], "pass");
    assert!(of(MEMBER)["why"].as_str().unwrap().contains("p-deny"), "the policy that denies is named");
    assert!(of(MEMBER)["evidence"]["path"].as_str().unwrap().starts_with("data/bodies/"));
}

#[test]
fn a_gap_in_the_organisation_or_a_policy_unread_satisfies_no_guard() {
    let id = task(AUDIT, HOME, Collector::Organization);
    let mut partial = World::new(Mode::FanOut);
    partial.close(&id, CoverageState::Partial);
    assert_eq!(verdict(&assessed(&partial), GUARD).0, Status::NotAssessed);
    let mut unread = World::new(Mode::FanOut);
    unread.attempts.get_mut(&id).unwrap().retain(|a| a.operation != "DescribePolicy");
    assert_eq!(verdict(&assessed(&unread), GUARD).0, Status::NotAssessed);
}
