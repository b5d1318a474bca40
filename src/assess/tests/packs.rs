//! Conformance packs: each of their rules counts, and a pack that is not there or not known satisfies nothing.

use serde_json::{Value, json};

use super::*;
use crate::{
    model::{Collector, Mode},
    observe::fixture::{self, ASKED, AUDIT, HOME, MEMBER, OTHER, REGIONS, task},
};

const PACK: &str = "pack/baseline";

fn catalog() -> Catalog {
    let check = super::check(PACK, Ask::ConformancePack { name: "baseline".into() }, &[]);
    let framework = Framework {
        id: "f".into(),
        title: text("f"),
        version: "1".into(),
        operating: Operating::default(),
        requirements: vec![requirement(PACK, vec![PACK.to_owned()])],
    };
    let checks = [(PACK.to_owned(), check)].into();
    Catalog { frameworks: vec![framework], checks, digest: Sha256Digest::of("catalogue") }
}

/// A world in which the pack brought the one rule that there is.
fn world() -> World {
    let mut world = World::new(Mode::FanOut);
    for (account, region) in ASKED.into_iter().flat_map(|a| REGIONS.map(|r| (a, r))) {
        tell(&mut world, account, region, "OrgConformsPack-baseline-ab12cd34", "CREATE_COMPLETE", &["our-s3"]);
    }
    world
}

/// Says of a target which pack it has, how it stands and which rules it brought.
fn tell(world: &mut World, account: &str, region: &str, name: &str, state: &str, rules: &[&str]) {
    let listed = world.attempts.get_mut(&task(account, region, Collector::ConfigRules)).unwrap();
    listed.retain(|a| !a.operation.contains("ConformancePack"));
    let rules: Vec<Value> = rules.iter().map(|r| json!({"ConfigRuleName": r, "ComplianceType": "COMPLIANT"})).collect();
    let named = json!({"ConformancePackName": name});
    listed.extend([
        fixture::answer("DescribeConformancePacks", json!({}), &json!({"ConformancePackDetails": [named]})),
        fixture::answer(
            "DescribeConformancePackStatus",
            json!({}),
            &json!({"ConformancePackStatusDetails": [{"ConformancePackName": name, "ConformancePackState": state}]}),
        ),
        fixture::answer(
            "DescribeConformancePackCompliance",
            named,
            &json!({"ConformancePackName": name, "ConformancePackRuleComplianceList": rules}),
        ),
    ]);
}

fn status(world: &World) -> (Status, String) {
    verdict(&judge_by(&catalog(), world, &world.observe()), PACK)
}

#[test]
fn every_rule_of_the_pack_counts() {
    assert_eq!(status(&world()).0, Status::Satisfied);
    let mut failing = world();
    let item = fixture::item(MEMBER, OTHER, "b", &[("our-s3", "NON_COMPLIANT")]);
    failing.set(&task(MEMBER, OTHER, Collector::ConfigCompliance), "SelectResourceConfig", &json!({"Results": [item]}));
    let (verdict, why) = status(&failing);
    assert_eq!(verdict, Status::NotSatisfied);
    assert!(why.contains("S3_X: "), "the rule is named: {why}");
}

#[test]
fn a_pack_whose_rules_have_nothing_to_judge_does_not_apply_there() {
    let mut empty = world();
    let none = json!({"AggregateComplianceByConfigRules": []});
    let aggregate = task(AUDIT, HOME, Collector::ConfigAggregateCompliance);
    empty.set(&aggregate, "DescribeAggregateComplianceByConfigRules", &none);
    let compliance = |account, region| task(account, region, Collector::ConfigCompliance);
    empty.set(&compliance(MEMBER, OTHER), "SelectResourceConfig", &json!({"Results": []}));
    assert_eq!(status(&empty).0, Status::Satisfied, "elsewhere the rule has buckets");
    for (account, region) in ASKED.into_iter().flat_map(|a| REGIONS.map(|r| (a, r))) {
        empty.set(&compliance(account, region), "SelectResourceConfig", &json!({"Results": []}));
    }
    assert_eq!(status(&empty).0, Status::NotApplicable);
}

#[test]
fn a_pack_that_is_missing_broken_or_unread_satisfies_nothing() {
    let spoiled = |name: &str, state: &str, rules: &[&str]| {
        let mut world = world();
        tell(&mut world, MEMBER, HOME, name, state, rules);
        status(&world)
    };
    for (name, state, rules, said) in [
        ("another", "CREATE_COMPLETE", &["our-s3"][..], "the pack is not deployed"),
        ("baseline", "CREATE_FAILED", &["our-s3"], "the pack is CREATE_FAILED"),
        ("baseline", "CREATE_COMPLETE", &[], "which rules the pack brought was not read"),
        ("baseline", "CREATE_COMPLETE", &["our-s3", "gone"], "rule gone of the pack is not among the deployed rules"),
    ] {
        let (verdict, why) = spoiled(name, state, rules);
        assert_eq!(verdict, Status::NotAssessed, "{why}");
        assert!(why.contains(said), "{why}");
    }
    let mut unlisted = world();
    let rules = unlisted.attempts.get_mut(&task(MEMBER, HOME, Collector::ConfigRules)).unwrap();
    rules.retain(|a| a.operation != "DescribeConformancePacks");
    assert_eq!(status(&unlisted).0, Status::NotAssessed);
}
