//! The laws of the verdicts, on a world whose every answer is right.

mod disagreements;
mod guarded;
mod laws;
mod packs;
mod products;
mod spoiled;
mod supplements;

use serde_json::Value;

use super::{Supplements, assess, results_files};
use crate::{
    catalog::{
        Ask, Catalog, Check, Conditional, Confidence, Framework, How, Item, MappedCheck, Means, Operating, Party,
        Requirement, Severity, Text,
    },
    model::{Assessment, AssessmentHeader, EvidenceRef, Period, Sha256Digest, Status},
    observe::{Observed, SEMANTICS, fixture::World},
};

pub(super) const RULE: &str = "config/S3_X";
pub(super) const CONTROL: &str = "securityhub/S3.8";
pub(super) const GUARD: &str = "guard/bucket-policy";

fn text(text: &str) -> Text {
    Text::from([("en".to_owned(), text.to_owned())])
}

fn check(id: &str, ask: Ask, types: &[&str]) -> Check {
    Check {
        id: id.to_owned(),
        title: text(id),
        ask,
        severity: Severity::High,
        means: Means {
            pass: String::new(),
            fail: String::new(),
            not_applicable: String::new(),
            not_assessed: String::new(),
        },
        remedy: "mend it".into(),
        resource_types: types.iter().map(|t| (*t).to_owned()).collect(),
        global: false,
    }
}

/// Every kind of check, each as an item of a requirement of its own, named like the check.
pub(super) fn catalog() -> Catalog {
    let state = |state: &str, of: Option<&str>| Ask::State { state: state.to_owned(), of: of.map(str::to_owned) };
    let guarded =
        || Ask::GuardedActions { actions: vec!["s3:PutBucketPolicy".into()], conditional: Conditional::Question };
    let mut checks = vec![
        check(RULE, Ask::ConfigRule { identifier: "S3_X".into() }, &["AWS::S3::Bucket"]),
        check(CONTROL, Ask::SecurityHub { control: "S3.8".into() }, &["AWS::S3::Bucket"]),
        check(GUARD, guarded(), &[]),
        check("state/delegated-administrator", state("delegated-administrator", Some("config.amazonaws.com")), &[]),
        check("state/remediation-configured", state("remediation-configured", Some("S3_X")), &[]),
    ];
    for name in [
        "config-recorder",
        "region-covered",
        "aggregator-complete",
        "securityhub-enabled",
        "scp-enabled",
        "organization-all-features",
    ] {
        checks.push(check(&format!("state/{name}"), state(name, None), &[]));
    }
    let requirements = checks.iter().map(|c| requirement(&c.id, vec![c.id.clone()])).collect();
    let framework = Framework {
        id: "f".into(),
        title: text("f"),
        version: "1".into(),
        operating: Operating::default(),
        requirements,
    };
    Catalog {
        frameworks: vec![framework],
        checks: checks.into_iter().map(|c| (c.id.clone(), c)).collect(),
        digest: Sha256Digest::of("catalogue"),
    }
}

fn requirement(id: &str, checks: Vec<String>) -> Requirement {
    let mapped =
        checks.into_iter().map(|check| MappedCheck { check, confidence: Confidence::Judgement, source: "test".into() });
    Requirement {
        id: id.to_owned(),
        title: text(id),
        description: text(id),
        responsibility: Party::Customer,
        responsibility_reason: String::new(),
        aws_part: None,
        customer_response: None,
        items: vec![Item { id: "1".into(), title: text("1"), how: How::Automated { checks: mapped.collect() } }],
        owner: None,
        reviewed: None,
        operating: Operating::default(),
        loosened: vec![],
    }
}

pub(super) fn judge(world: &World, observed: &Observed) -> Assessment {
    judge_by(&catalog(), world, observed)
}

pub(super) fn judge_by(catalog: &Catalog, world: &World, observed: &Observed) -> Assessment {
    let at = "2026-11-20T00:00:00Z".parse().unwrap();
    let header = AssessmentHeader {
        semantics: SEMANTICS,
        period: Period { label: "2026Q4".into(), from: at, to: at },
        catalog: Sha256Digest::of("catalogue"),
        evidence: vec![],
        run: "r".into(),
        closed: at,
        frameworks: [].into(),
        overridden: vec![],
    };
    let line = |index: usize| EvidenceRef {
        seal: Sha256Digest::of("seal"),
        path: "data/coverage.ndjson".into(),
        line: index as u64 + 1,
    };
    let nothing = Supplements::none(at);
    assess(catalog, observed, &world.plan, &world.coverage, header, &line, &nothing).unwrap()
}

pub(super) fn assessed(world: &World) -> Assessment {
    judge(world, &world.observe())
}

/// Returns the verdict on the requirement that holds one check.
pub(super) fn verdict(assessment: &Assessment, check: &str) -> (Status, String) {
    let finding = assessment.findings.iter().find(|f| f.requirement == check).unwrap();
    assert_eq!(assessment.checks[check].status, finding.status);
    (finding.status, finding.why.clone())
}

pub(super) fn lines_of(assessment: &Assessment, name: &str) -> Vec<Value> {
    let files = results_files(assessment).unwrap();
    let bytes = &files.iter().find(|(n, _)| n.ends_with(name)).unwrap().1;
    String::from_utf8(bytes.clone()).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}
