//! Exceptions and attestations: what they can do, and above all what they cannot.

use serde_json::json;

use super::*;
use crate::{
    assess::{Attestation, Exception, ExceptionUse, Supplements, assess_with},
    model::{Collector, CoverageState, Mode},
    observe::fixture::{self, ASKED, MEMBER, OTHER, REGIONS, World, task},
};

const NOW: &str = "2026-11-20T00:00:00Z";

fn exception() -> Exception {
    Exception {
        id: "E-1".into(),
        check: RULE.into(),
        account: MEMBER.parse().ok(),
        region: None,
        resource: Some("b".into()),
        owner: "owner@example.com".into(),
        approver: "approver@example.com".into(),
        authenticated: false,
        reason: "being moved".into(),
        compensating: None,
        from: "2026-11-01T00:00:00Z".parse().unwrap(),
        expires: "2026-12-01T00:00:00Z".parse().unwrap(),
    }
}

fn attestation() -> Attestation {
    Attestation {
        framework: "f".into(),
        requirement: "manual".into(),
        item: "1".into(),
        statement: "seen".into(),
        holds: true,
        by: "auditor".into(),
        observed: "2026-11-10T00:00:00Z".parse().unwrap(),
        valid_until: "2026-12-10T00:00:00Z".parse().unwrap(),
        evidence: None,
    }
}

/// A world in which one bucket of the member fails.
fn failing() -> World {
    let mut world = World::new(Mode::FanOut);
    let items = json!({"Results": [fixture::item(MEMBER, OTHER, "b", &[("our-s3", "NON_COMPLIANT")])]});
    world.set(&task(MEMBER, OTHER, Collector::ConfigCompliance), "SelectResourceConfig", &items);
    world
}

fn judged(
    world: &World,
    exceptions: Vec<Exception>,
    attestations: Vec<Attestation>,
) -> (Assessment, Vec<ExceptionUse>) {
    let mut catalog = catalog();
    let mut manual = requirement("manual", vec![]);
    manual.items[0].how = How::Manual { evidence: "a form".into(), frequency: "yearly".into(), by: "somebody".into() };
    catalog.frameworks[0].requirements.push(manual);
    let observed = world.observe();
    let header = judge(world, &observed).header;
    let supplements = Supplements { exceptions, attestations, at: NOW.parse().unwrap() };
    let line = |_: usize| EvidenceRef { seal: Sha256Digest::of("seal"), path: "data/coverage.ndjson".into(), line: 1 };
    assess_with(&catalog, &observed, &world.plan, &world.coverage, header, &line, &supplements).unwrap()
}

#[test]
fn an_excepted_failure_stays_a_failure_in_the_results() {
    let (assessment, uses) = judged(&failing(), vec![exception()], vec![]);
    let (status, why) = verdict(&assessment, RULE);
    assert_eq!(status, Status::Satisfied, "{why}");
    assert!(why.contains("1 failures excepted"), "{why}");
    assert_eq!(assessment.checks[RULE].counts.fail, 1);
    let lines = lines_of(&assessment, "observations.ndjson");
    let line = lines.iter().find(|l| l["status"] == "fail").unwrap();
    let words = line["why"].as_str().unwrap();
    for word in ["NON_COMPLIANT", "E-1", "owner@example.com", "approver@example.com", "not authenticated", "2026-12-01"]
    {
        assert!(words.contains(word), "{words}");
    }
    assert_eq!((uses[0].failures, &uses[0].without_effect), (1, &None));
}

#[test]
fn an_exception_that_is_void_or_about_something_else_changes_no_verdict() {
    type Spoil = fn(&mut Exception);
    let spoil: [(&str, Spoil); 8] = [
        ("expired", |e| e.expires = NOW.parse().unwrap()),
        ("not begun", |e| e.from = e.expires),
        ("self-approved", |e| e.approver = " Owner@Example.com ".into()),
        ("unapproved", |e| e.approver = String::new()),
        ("other check", |e| e.check = CONTROL.into()),
        ("other account", |e| e.account = ASKED[0].parse().ok()),
        ("other Region", |e| e.region = REGIONS[0].parse().ok()),
        ("other resource", |e| e.resource = Some("B".into())),
    ];
    for (how, spoil) in spoil {
        let mut exception = exception();
        spoil(&mut exception);
        let (assessment, uses) = judged(&failing(), vec![exception], vec![]);
        assert_eq!(verdict(&assessment, RULE).0, Status::NotSatisfied, "{how}");
        assert_eq!(uses[0].without_effect.is_some(), !how.starts_with("other"), "{how}");
    }
}

#[test]
fn what_was_not_seen_cannot_be_excepted() {
    let everything = Exception { account: None, resource: None, ..exception() };
    let mut world = World::new(Mode::FanOut);
    world.close(&task(MEMBER, OTHER, Collector::ConfigCompliance), CoverageState::Denied);
    assert_eq!(verdict(&judged(&world, vec![everything.clone()], vec![]).0, RULE).0, Status::NotAssessed);
    let suspended = Exception { check: CONTROL.into(), ..everything };
    let mut world = World::new(Mode::FanOut);
    let findings = json!({"Findings": [fixture::finding(MEMBER, OTHER, "FAILED", "SUPPRESSED")]});
    world.set(&task(MEMBER, OTHER, Collector::SecurityhubFindings), "GetFindings", &findings);
    assert_eq!(verdict(&judged(&world, vec![suspended], vec![]).0, CONTROL).0, Status::NotAssessed);
}

#[test]
fn a_check_of_which_only_exceptions_are_left_is_not_satisfied() {
    let mut world = World::new(Mode::FanOut);
    for account in ASKED {
        for region in REGIONS {
            let items = json!({"Results": [fixture::item(account, region, "b", &[("our-s3", "NON_COMPLIANT")])]});
            world.set(&task(account, region, Collector::ConfigCompliance), "SelectResourceConfig", &items);
        }
    }
    let everything = Exception { account: None, resource: None, ..exception() };
    let (assessment, uses) = judged(&world, vec![everything], vec![]);
    assert_eq!(verdict(&assessment, RULE).0, Status::NotAssessed);
    assert_eq!(uses[0].failures, 6);
}

#[test]
fn an_attestation_confirms_a_manual_item_while_it_is_valid() {
    let status = |attestations| {
        let (assessment, _) = judged(&World::new(Mode::FanOut), vec![], attestations);
        let finding = assessment.findings.iter().find(|f| f.requirement == "manual").unwrap();
        (finding.status, finding.why.clone())
    };
    assert_eq!(status(vec![]).0, Status::NotAssessed);
    assert_eq!(status(vec![attestation()]).0, Status::Satisfied);
    let lapsed = Attestation { valid_until: NOW.parse().unwrap(), ..attestation() };
    let (verdict, why) = status(vec![lapsed.clone()]);
    assert!(verdict == Status::NotAssessed && why.contains("lapsed"), "{why}");
    let later = Attestation { observed: "2026-11-21T00:00:00Z".parse().unwrap(), ..attestation() };
    assert_eq!(status(vec![later]).0, Status::NotAssessed);
    let denied = Attestation { holds: false, ..attestation() };
    assert_eq!(status(vec![attestation(), denied.clone()]).0, Status::NotSatisfied);
    assert_eq!(status(vec![denied, attestation()]).0, Status::NotSatisfied, "order never matters");
    let lapsed_denial = Attestation { holds: false, ..lapsed };
    assert_eq!(status(vec![lapsed_denial, attestation()]).0, Status::Satisfied);
    let elsewhere = Attestation { item: "2".into(), ..attestation() };
    assert_eq!(status(vec![elsewhere]).0, Status::NotAssessed);
}

#[test]
fn an_attestation_says_nothing_about_an_automated_item() {
    let word = Attestation { requirement: RULE.into(), ..attestation() };
    assert_eq!(verdict(&judged(&failing(), vec![], vec![word]).0, RULE).0, Status::NotSatisfied);
}
