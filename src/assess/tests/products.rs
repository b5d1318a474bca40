//! Findings of products: what is open too long fails, what a person put away is never a pass, and silence needs a product that is on.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    catalog::ProductAsk,
    model::{AccountId, Collector, CoverageState, Mode, Question},
    observe::fixture::{self, ASKED, MEMBER, OTHER, REGIONS, task},
};

const PRODUCT: &str = "product/guardduty";

/// A catalogue with one check: GuardDuty, high, seven days.
fn catalog() -> Catalog {
    let ask = ProductAsk {
        product: "guardduty".into(),
        min_severity: Severity::High,
        max_age_days: 7,
        enabled_by: vec![Question::SecurityHub("GuardDuty.1".into()), Question::ConfigRule("GD".into())],
    };
    let check = super::check(PRODUCT, Ask::Product(ask), &[]);
    let framework = Framework {
        id: "f".into(),
        title: text("f"),
        version: "1".into(),
        operating: Operating::default(),
        requirements: vec![requirement(PRODUCT, vec![PRODUCT.to_owned()])],
    };
    let checks = [(PRODUCT.to_owned(), check)].into();
    Catalog { frameworks: vec![framework], checks, digest: Sha256Digest::of("catalogue") }
}

fn enabled(account: &str, region: &str, compliance: &str) -> Value {
    json!({"AwsAccountId": account, "Region": region, "RecordState": "ACTIVE", "Workflow": {"Status": "NEW"},
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        "Compliance": {"Status": compliance, "SecurityControlId": "GuardDuty.1"},
        "Resources": [{"Type": "AwsAccount", "Id": format!("AWS::::Account:{account}")}]})
}

/// A finding that was first seen `days` before it is read (2026-11-20).
fn found(account: &str, region: &str, severity: &str, workflow: &str, days: i64, resource: u8) -> Value {
    let read: jiff::Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
    let first = read - jiff::SignedDuration::from_hours(24 * days);
    json!({"AwsAccountId": account, "Region": region, "RecordState": "ACTIVE", "Workflow": {"Status": workflow},
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/guardduty", "Title": "Somebody else is here",
        "Severity": {"Label": severity}, "FirstObservedAt": first.to_string(), "UpdatedAt": read.to_string(),
        "Resources": [{"Type": "AwsEc2Instance", "Id": format!("i-{resource}")}]})
}

/// A world in which GuardDuty is on everywhere and reports `findings` of each target.
fn world(findings: impl Fn(&str, &str) -> Vec<Value>) -> World {
    let mut world = World::new(Mode::FanOut);
    for (account, region) in ASKED.into_iter().flat_map(|a| REGIONS.map(|r| (a, r))) {
        let mut all = vec![enabled(account, region, "PASSED")];
        all.extend(findings(account, region));
        world.set(&task(account, region, Collector::SecurityhubFindings), "GetFindings", &json!({"Findings": all}));
        subscribe(&mut world, account, region, &["arn:aws:securityhub:eu-west-1:1:product-subscription/aws/guardduty"]);
    }
    world
}

fn subscribe(world: &mut World, account: &str, region: &str, products: &[&str]) {
    let hub = world.attempts.get_mut(&task(account, region, Collector::SecurityhubHub)).unwrap();
    hub.retain(|a| a.operation != "ListEnabledProductsForImport");
    hub.push(fixture::answer("ListEnabledProductsForImport", json!({}), &json!({"ProductSubscriptions": products})));
}

fn assessed(world: &World) -> Assessment {
    judge_by(&catalog(), world, &world.observe())
}

fn status(world: &World) -> (Status, String) {
    verdict(&assessed(world), PRODUCT)
}

/// The verdict where one target, a member's other Region, has these findings.
fn with(findings: &[(&str, &str, i64)]) -> (Status, String) {
    status(&world(|account, region| {
        let here = account == MEMBER && region == OTHER;
        let each = findings.iter().filter(|_| here);
        each.map(|(severity, workflow, days)| found(account, region, severity, workflow, *days, 0)).collect()
    }))
}

#[test]
fn the_truth_table_of_findings() {
    assert_eq!(with(&[]).0, Status::Satisfied);
    for (severity, workflow, days, expected) in [
        ("HIGH", "NEW", 8, Status::NotSatisfied),
        ("CRITICAL", "NOTIFIED", 100, Status::NotSatisfied),
        ("HIGH", "NEW", 7, Status::Satisfied),
        ("MEDIUM", "NEW", 100, Status::Satisfied),
        ("HIGH", "SUPPRESSED", 1, Status::NotAssessed),
        ("HIGH", "RESOLVED", 1, Status::NotAssessed),
        ("MEDIUM", "SUPPRESSED", 1, Status::Satisfied),
        ("SOMETHING NEW", "NEW", 8, Status::NotSatisfied),
    ] {
        let (status, why) = with(&[(severity, workflow, days)]);
        assert_eq!(status, expected, "{severity} {workflow} {days}: {why}");
    }
}

#[test]
fn a_suppressed_finding_does_not_hide_behind_a_young_one_of_the_same_resource() {
    let (status, why) = with(&[("HIGH", "NEW", 1), ("HIGH", "SUPPRESSED", 90)]);
    assert_eq!(status, Status::NotAssessed, "{why}");
    assert_eq!(with(&[("HIGH", "NEW", 1), ("HIGH", "NEW", 90)]).0, Status::NotSatisfied, "the oldest counts");
}

#[test]
fn a_finding_of_unknown_age_is_not_within_the_time_allowed() {
    let world = world(|account, region| {
        let mut undated = found(account, region, "HIGH", "NEW", 1, 0);
        undated.as_object_mut().unwrap().remove("FirstObservedAt");
        vec![undated, found(account, region, "HIGH", "NEW", 2, 0)]
    });
    let (status, why) = status(&world);
    assert_eq!(status, Status::NotSatisfied);
    assert!(why.contains("not known since when"), "{why}");
}

#[test]
fn the_age_and_the_title_are_said() {
    let (_, why) = with(&[("HIGH", "NEW", 8)]);
    assert!(why.contains("high, open for 8 days, 7 allowed: Somebody else is here"), "{why}");
}

#[test]
fn silence_is_a_pass_only_of_a_product_that_is_on_and_reports() {
    let mut off = world(|_, _| vec![]);
    let findings = task(MEMBER, OTHER, Collector::SecurityhubFindings);
    off.set(&findings, "GetFindings", &json!({"Findings": [enabled(MEMBER, OTHER, "FAILED")]}));
    let (verdict, why) = status(&off);
    assert_eq!(verdict, Status::NotAssessed);
    assert!(why.contains("guardduty is off or not all on, says securityhub/GuardDuty.1"), "{why}");

    off.set(&findings, "GetFindings", &json!({"Findings": []}));
    let (verdict, why) = status(&off);
    assert!(verdict == Status::NotAssessed && why.contains("not known whether guardduty is on"), "{why}");

    let mut deaf = world(|_, _| vec![]);
    subscribe(&mut deaf, MEMBER, OTHER, &["arn:aws:securityhub:eu-west-1:1:product-subscription/aws/macie"]);
    let (verdict, why) = status(&deaf);
    assert!(verdict == Status::NotAssessed && why.contains("does not report to Security Hub"), "{why}");

    let mut unread = world(|_, _| vec![]);
    let hub = unread.attempts.get_mut(&task(MEMBER, OTHER, Collector::SecurityhubHub)).unwrap();
    hub.retain(|a| a.operation != "ListEnabledProductsForImport");
    let (verdict, why) = status(&unread);
    assert!(verdict == Status::NotAssessed && why.contains("was not read"), "{why}");
}

type Shape = Vec<(Vec<(usize, usize, i64, u8)>, usize)>;
const SEVERITIES: [&str; 4] = ["LOW", "HIGH", "CRITICAL", "HIGH"];
const WORKFLOWS: [&str; 5] = ["NEW", "NEW", "NOTIFIED", "SUPPRESSED", "RESOLVED"];

/// For each target: findings as (severity, workflow, age, resource), and the state in which the findings ended.
fn shapes() -> impl Strategy<Value = Shape> {
    let findings = prop::collection::vec((0..4_usize, 0..5_usize, 0..15_i64, 0..2_u8), 0..3);
    prop::collection::vec((findings, prop_oneof![9 => Just(0_usize), 1 => 0..14_usize]), 6)
}

fn shaped(shape: &Shape) -> World {
    let targets: Vec<(&str, &str)> = ASKED.into_iter().flat_map(|a| REGIONS.map(|r| (a, r))).collect();
    let mut world = world(|account, region| {
        let at = targets.iter().position(|target| *target == (account, region)).unwrap();
        let each = shape[at].0.iter();
        each.map(|(s, w, days, n)| found(account, region, SEVERITIES[*s], WORKFLOWS[*w], *days, *n)).collect()
    });
    for ((account, region), (_, state)) in targets.iter().zip(shape) {
        world.close(&task(account, region, Collector::SecurityhubFindings), CoverageState::ALL[*state]);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn satisfied_means_that_nothing_was_open_too_long_put_away_or_unread(shape in shapes()) {
        let (status, why) = status(&shaped(&shape));
        let counted = || shape.iter().filter(|(_, state)| *state != 9).flat_map(|(all, _)| all).filter(|f| f.0 > 0);
        let late = counted().any(|(_, w, days, _)| *w < 3 && *days > 7);
        if late {
            prop_assert_eq!(status, Status::NotSatisfied, "{}", why);
        }
        if status == Status::Satisfied {
            prop_assert!(!late && counted().all(|(_, w, _, _)| *w < 3));
            // (9 is region-disabled, unnamed: outside the population.)
            prop_assert!(shape.iter().all(|(_, state)| matches!(state, 0 | 1 | 9)));
        }
    }

    #[test]
    fn a_further_old_finding_never_improves_the_verdict_and_order_changes_no_byte(
        (shape, order) in shapes().prop_flat_map(|shape| {
            let tasks = shaped(&shape).attempts.len();
            (Just(shape), Just((0..tasks).collect::<Vec<_>>()).prop_shuffle())
        }),
        target in 0..6_usize,
    ) {
        let world = shaped(&shape);
        let one = results_files(&judge_by(&catalog(), &world, &world.observe())).unwrap();
        let other = results_files(&judge_by(&catalog(), &world, &world.observe_in(&order))).unwrap();
        prop_assert_eq!(one, other);
        let mut worse = shape;
        worse[target].1 = 0;
        worse[target].0.push((1, 0, 30, 1));
        prop_assert_eq!(status(&shaped(&worse)).0, Status::NotSatisfied);
    }
}

#[test]
fn each_line_names_an_account_that_was_asked() {
    let assessment = assessed(&world(|a, r| vec![found(a, r, "HIGH", "NEW", 9, 1)]));
    let asked: Vec<AccountId> = ASKED.iter().map(|a| a.parse().unwrap()).collect();
    let counted = assessment.results.iter().filter(|l| l.status == crate::model::ObservationStatus::Fail);
    let accounts: Vec<_> = counted.map(|line| line.account.clone()).collect();
    assert_eq!(accounts.len(), 6);
    assert!(accounts.iter().all(|a| asked.contains(a)));
    assert!(assessment.results.iter().all(|l| l.evidence.is_some()));
}
