//! Exceptions and attestations: what they can do, and above all what they cannot.

use serde_json::json;

use super::*;
use crate::{
    assess::{Entry, Exceptions, Place},
    model::{
        Attestation, Authentication, Collector, CoverageState, Exception, ExceptionResult, Mode, Revocation, Validity,
    },
    observe::fixture::{self, ASKED, MEMBER, OTHER, REGIONS, World, task},
};

const NOW: &str = "2026-11-20T00:00:00Z";

fn exception() -> Exception {
    Exception {
        id: "E-1".into(),
        check: RULE.into(),
        account: MEMBER.parse().ok(),
        ou: None,
        tag: None,
        region: None,
        resource: Some("b".into()),
        owner: "owner@example.com".into(),
        approver: "approver@example.com".into(),
        reason: "being moved".into(),
        compensating: None,
        from: None,
        expires: "2026-12-01T00:00:00Z".parse().unwrap(),
    }
}

fn attestation() -> Attestation {
    Attestation {
        id: "A-1".into(),
        framework: "f".into(),
        requirement: "manual".into(),
        item: "1".into(),
        statement: "seen".into(),
        holds: true,
        by: "auditor".into(),
        observed: "2026-11-10T00:00:00Z".parse().unwrap(),
        valid_until: "2026-12-10T00:00:00Z".parse().unwrap(),
        files: vec![],
    }
}

/// What was sealed on the first of the month, by word alone.
fn entry<T>(stated: T) -> Entry<T> {
    Entry {
        stated,
        recorded: "2026-11-01T00:00:00Z".parse().unwrap(),
        revoked: None,
        authentication: Authentication::unsigned(),
        evidence: EvidenceRef { seal: Sha256Digest::of("amend"), path: "data/amendments.ndjson".into(), line: 1 },
        void: None,
    }
}

/// A world in which one bucket of the member fails.
fn failing() -> World {
    let mut world = World::new(Mode::FanOut);
    let items = json!({"Results": [fixture::item(MEMBER, OTHER, "b", &[("our-s3", "NON_COMPLIANT")])]});
    world.set(&task(MEMBER, OTHER, Collector::ConfigCompliance), "SelectResourceConfig", &items);
    world
}

fn judged(world: &World, exceptions: Vec<Exception>, attestations: Vec<Attestation>) -> Assessment {
    let exceptions = exceptions.into_iter().map(entry).collect();
    let attestations = attestations.into_iter().map(entry).collect();
    judged_with(world, Supplements { exceptions, attestations, at: NOW.parse().unwrap() })
}

fn judged_with(world: &World, supplements: Supplements) -> Assessment {
    let mut catalog = catalog();
    let mut manual = requirement("manual", vec![]);
    manual.items[0].how = How::Manual { evidence: "a form".into(), frequency: "yearly".into(), by: "somebody".into() };
    catalog.frameworks[0].requirements.push(manual);
    let observed = world.observe();
    let header = judge(world, &observed).header;
    let line = |_: usize| EvidenceRef { seal: Sha256Digest::of("seal"), path: "data/coverage.ndjson".into(), line: 1 };
    assess(&catalog, &observed, &world.plan, &world.coverage, header, &line, &supplements).unwrap()
}

fn outcome(assessment: &Assessment) -> &ExceptionResult {
    &assessment.exceptions[0]
}

#[test]
fn an_excepted_failure_stays_a_failure_in_the_results() {
    let assessment = judged(&failing(), vec![exception()], vec![]);
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
    let result = outcome(&assessment);
    assert_eq!((result.failures, result.covered, result.validity), (1, 1, Validity::InForce));
    assert_eq!(result.accounts, [MEMBER.parse().unwrap()]);
}

#[test]
fn an_exception_that_is_void_or_about_something_else_changes_no_verdict() {
    type Spoil = fn(&mut Exception);
    let spoil: [(&str, Spoil); 8] = [
        ("expired", |e| e.expires = NOW.parse().unwrap()),
        ("not begun", |e| e.from = Some(e.expires)),
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
        let assessment = judged(&failing(), vec![exception], vec![]);
        assert_eq!(verdict(&assessment, RULE).0, Status::NotSatisfied, "{how}");
        let result = outcome(&assessment);
        assert_eq!(result.why.is_some(), !how.starts_with("other"), "{how}");
        assert_eq!(result.covered, 0, "{how}");
    }
}

#[test]
fn what_was_not_seen_cannot_be_excepted() {
    let everything = Exception { account: None, resource: None, ..exception() };
    let mut world = World::new(Mode::FanOut);
    world.close(&task(MEMBER, OTHER, Collector::ConfigCompliance), CoverageState::Denied);
    assert_eq!(verdict(&judged(&world, vec![everything.clone()], vec![]), RULE).0, Status::NotAssessed);
    let suspended = Exception { check: CONTROL.into(), ..everything };
    let mut world = World::new(Mode::FanOut);
    let findings = json!({"Findings": [fixture::finding(MEMBER, OTHER, "FAILED", "SUPPRESSED")]});
    world.set(&task(MEMBER, OTHER, Collector::SecurityhubFindings), "GetFindings", &findings);
    assert_eq!(verdict(&judged(&world, vec![suspended], vec![]), CONTROL).0, Status::NotAssessed);
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
    let assessment = judged(&world, vec![everything], vec![]);
    assert_eq!(verdict(&assessment, RULE).0, Status::NotAssessed);
    assert_eq!(outcome(&assessment).failures, 6);
}

#[test]
fn an_attestation_confirms_a_manual_item_while_it_is_valid() {
    let status = |attestations| {
        let assessment = judged(&World::new(Mode::FanOut), vec![], attestations);
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
    assert_eq!(verdict(&judged(&failing(), vec![], vec![word]), RULE).0, Status::NotSatisfied);
}

#[test]
fn a_revoked_exception_has_no_effect_from_its_revocation_on() {
    let revoked = |at: &str| {
        let revocation = Revocation {
            id: "R-1".into(),
            of: "E-1".into(),
            by: "ciso".into(),
            reason: "moved".into(),
            at: at.parse().unwrap(),
        };
        let exceptions = vec![Entry { revoked: Some(revocation), ..entry(exception()) }];
        judged_with(&failing(), Supplements { exceptions, attestations: vec![], at: NOW.parse().unwrap() })
    };
    let before = revoked("2026-11-19T00:00:00Z");
    assert_eq!(verdict(&before, RULE).0, Status::NotSatisfied);
    assert_eq!(outcome(&before).validity, Validity::Revoked);
    assert_eq!(
        verdict(&revoked("2026-11-21T00:00:00Z"), RULE).0,
        Status::Satisfied,
        "it stood at the time of judgement"
    );
}

#[test]
fn nobody_accepts_a_failure_before_the_exception_was_sealed() {
    let late = Entry { recorded: "2026-11-21T00:00:00Z".parse().unwrap(), ..entry(exception()) };
    let supplements = Supplements { exceptions: vec![late], attestations: vec![], at: NOW.parse().unwrap() };
    let assessment = judged_with(&failing(), supplements);
    assert_eq!(verdict(&assessment, RULE).0, Status::NotSatisfied);
    assert_eq!(outcome(&assessment).validity, Validity::NotYet);
}

#[test]
fn units_and_tags_reach_the_accounts_below_and_no_other() {
    let organization = judge(&failing(), &failing().observe()).organization;
    let account = organization.accounts.iter().find(|a| a.id.as_str() == MEMBER).unwrap();
    let parent = account.parent.clone().unwrap();
    let region = REGIONS[0].parse().unwrap();
    let at = NOW.parse().unwrap();
    let reaches = |ou: Option<&str>, tag: Option<&str>| {
        let scoped = Exception {
            account: None,
            resource: None,
            ou: ou.map(str::to_owned),
            tag: tag.map(str::to_owned),
            ..exception()
        };
        let supplements = Supplements { exceptions: vec![entry(scoped)], attestations: vec![], at };
        let place = Place { check: RULE, account: &account.id, region: &region, resource: "b" };
        Exceptions::new(&supplements, &organization).covering(place, at).is_some()
    };
    assert!(reaches(None, None) && reaches(Some(&parent), None));
    assert!(!reaches(Some("ou-nowhere"), None) && !reaches(None, Some("no=tag")) && !reaches(None, Some("malformed")));
    for (key, value) in &account.tags {
        assert!(reaches(Some(&parent), Some(&format!("{key}={value}"))));
    }
}

#[test]
fn an_attestation_that_nothing_can_use_says_so() {
    let word = Attestation { requirement: RULE.into(), ..attestation() };
    let elsewhere = Attestation { id: "A-2".into(), framework: "other".into(), ..attestation() };
    let assessment =
        judged(&failing(), vec![], vec![word, elsewhere, Attestation { id: "A-3".into(), ..attestation() }]);
    let validity: Vec<_> = assessment.attestations.iter().map(|a| (a.validity, a.decides)).collect();
    assert_eq!(validity, [(Validity::Void, false), (Validity::Void, false), (Validity::InForce, true)]);
}
