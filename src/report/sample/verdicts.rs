//! The sample's answers and verdicts, counted from its ledger.

use std::collections::BTreeMap;

use super::{CHECKS, HOSTILE, at, seal};
use crate::model::{
    CheckResult, Counts, Coverage, CoverageState, EvidenceRef, Finding, ItemMode, ItemResult, ObservationStatus,
    Resource, ResultLine, Status,
};

/// Position of the check that passes everywhere it is asked.
const TRAIL: usize = 1;

fn resource_id(kind: &str, account: &str, region: &str, n: usize) -> String {
    match kind {
        "AWS::S3::Bucket" if account == "340000000003" => HOSTILE[n % HOSTILE.len()].to_owned(),
        "AWS::S3::Bucket" => {
            format!("{region}-{}-{}", &account[..3], ["invoices", "exports", "static-assets", "logs"][n % 4])
        }
        "AWS::IAM::User" => {
            format!("arn:aws:iam::{account}:user/{}", ["deploy", "breakglass", "j.tanaka", "m.rossi"][n % 4])
        }
        "AWS::EC2::SecurityGroup" => format!("arn:aws:ec2:{region}:{account}:security-group/sg-0{n}a1b2c3d4e5f6a7b"),
        "AWS::KMS::Key" => format!("arn:aws:kms:{region}:{account}:key/0f3c1e{n}a-52b7-4a4e-9f1d-7c2f0a6f8b1e"),
        _ => account.to_owned(),
    }
}

/// One answer or more per target and check; a gap of the ledger is an answer that is missing.
pub fn results(coverage: &[Coverage]) -> Vec<ResultLine> {
    let mut lines = Vec::new();
    for (c, (check, _, _, kind, _)) in CHECKS.iter().enumerate() {
        for (i, line) in coverage.iter().enumerate() {
            let wanted = if check.starts_with("securityhub") { "securityhub-findings" } else { "config-compliance" };
            if line.collector.as_str() != wanted || line.state == CoverageState::OutOfScope {
                continue;
            }
            // The trail is asked of one account alone, which has no gap: so one requirement is satisfied.
            if c == TRAIL && line.account.as_str() != "111111111111" {
                continue;
            }
            if line.gap {
                lines.push(gap_line(check, line, i));
                continue;
            }
            let (account, region) = (line.account.as_str(), line.region.as_str());
            for n in 0..if *kind == "AWS::::Account" { 1 } else { 4 } {
                let status = match (c * 7 + i * 3 + n * 5) % 41 {
                    0 | 1 if c != TRAIL && c != 4 => ObservationStatus::Fail,
                    2 if c == 5 => ObservationStatus::NotAssessed,
                    3 => ObservationStatus::NotApplicable,
                    _ => ObservationStatus::Pass,
                };
                lines.push(answer(
                    check,
                    line,
                    Resource { kind: (*kind).to_owned(), id: resource_id(kind, account, region, n) },
                    status,
                    i as u64 * 4 + n as u64 + 1,
                ));
            }
        }
        if kind == &"AWS::S3::Bucket" {
            for (n, id) in HOSTILE.into_iter().enumerate() {
                let line = coverage.iter().find(|l| l.account.as_str() == "222222222222").unwrap();
                lines.push(answer(
                    check,
                    line,
                    Resource { kind: (*kind).to_owned(), id: id.to_owned() },
                    ObservationStatus::Fail,
                    n as u64 + 1,
                ));
            }
        }
    }
    lines.sort();
    lines
}

fn answer(check: &str, line: &Coverage, resource: Resource, status: ObservationStatus, at_line: u64) -> ResultLine {
    let why = match status {
        ObservationStatus::Pass => "COMPLIANT",
        ObservationStatus::Fail => "NON_COMPLIANT: the source says that it does not hold",
        ObservationStatus::NotApplicable => "NOT_APPLICABLE",
        ObservationStatus::NotAssessed => "suppressed by j.tanaka: \"accepted until the migration\"",
    };
    ResultLine {
        check: check.to_owned(),
        account: line.account.clone(),
        region: line.region.clone(),
        resource,
        status,
        why: why.to_owned(),
        observed: Some(at(12)),
        since: (status == ObservationStatus::Fail).then(|| at(-60 * 24 * 3)),
        evidence: Some(EvidenceRef {
            seal: seal(),
            path: format!("data/bodies/{}/{}.000.ndjson", line.account, line.region),
            line: at_line,
        }),
    }
}

fn gap_line(check: &str, line: &Coverage, index: usize) -> ResultLine {
    ResultLine {
        check: check.to_owned(),
        account: line.account.clone(),
        region: line.region.clone(),
        resource: Resource { kind: "AWS::::Account".to_owned(), id: line.account.to_string() },
        status: ObservationStatus::NotAssessed,
        why: format!("gap: {} is {}", line.collector, line.state.as_str()),
        observed: None,
        since: line.since,
        evidence: Some(EvidenceRef { seal: seal(), path: "data/coverage.ndjson".to_owned(), line: index as u64 + 1 }),
    }
}

fn verdict(counts: &Counts) -> (Status, String) {
    let Counts { pass, fail, not_assessed, .. } = *counts;
    match (fail, not_assessed, pass) {
        (0, 0, 0) => (Status::NotApplicable, "there is nothing that it could apply to".to_owned()),
        (0, 0, _) => (Status::Satisfied, format!("all {pass} answers are passes")),
        (0, ..) => (Status::NotAssessed, format!("{not_assessed} answers are missing")),
        _ => (Status::NotSatisfied, format!("{fail} failures were seen; {not_assessed} answers are missing")),
    }
}

/// Counts the answers of each check.
pub fn checks(results: &[ResultLine]) -> BTreeMap<String, CheckResult> {
    CHECKS
        .iter()
        .map(|(id, title, severity, _, remedy)| {
            let mut counts = Counts::default();
            results.iter().filter(|r| r.check == *id).for_each(|r| counts.add(r.status));
            let (status, why) = verdict(&counts);
            let check = CheckResult {
                check: (*id).to_owned(),
                title: (*title).to_owned(),
                severity: (*severity).to_owned(),
                status,
                why,
                counts,
                remedy: (*remedy).to_owned(),
            };
            ((*id).to_owned(), check)
        })
        .collect()
}

/// Two small frameworks in which every verdict occurs.
pub fn findings(checks: &BTreeMap<String, CheckResult>) -> Vec<Finding> {
    let finding = |framework: &str, requirement: &str, title: &str, used: &[usize], confidence: &str, manual: bool| {
        let mut items: Vec<_> = used
            .iter()
            .map(|n| {
                let check = &checks[CHECKS[*n].0];
                ItemResult {
                    item: format!("{}", n + 1),
                    title: check.title.clone(),
                    mode: ItemMode::Automated,
                    status: check.status,
                    why: check.why.clone(),
                    checks: vec![check.check.clone()],
                    confidence: confidence.to_owned(),
                }
            })
            .collect();
        if manual {
            items.push(ItemResult {
                item: "review".to_owned(),
                title: "The exceptions are reviewed by the owner".to_owned(),
                mode: ItemMode::Manual,
                status: Status::NotAssessed,
                why: "no minutes of a review are attached for this period (every quarter, by the head of platform)"
                    .to_owned(),
                checks: Vec::new(),
                confidence: String::new(),
            });
        }
        let status = [Status::NotSatisfied, Status::NotAssessed, Status::Satisfied]
            .into_iter()
            .find(|s| items.iter().any(|i| i.status == *s))
            .unwrap_or(Status::NotApplicable);
        let mut counts = Counts::default();
        for check in used.iter().map(|n| &checks[CHECKS[*n].0]) {
            counts.pass += check.counts.pass;
            counts.fail += check.counts.fail;
            counts.not_applicable += check.counts.not_applicable;
            counts.not_assessed += check.counts.not_assessed;
        }
        Finding {
            framework: framework.to_owned(),
            requirement: requirement.to_owned(),
            title: title.to_owned(),
            responsibility: if used.is_empty() { "shared" } else { "customer" }.to_owned(),
            responsibility_reason: "The setting is made in the customer's own accounts.".to_owned(),
            aws_part: used.is_empty().then(|| "Protects the buildings and the hardware; attested by SOC 2.".to_owned()),
            customer_response: Some("Rolled out by the platform team through the landing zone.".to_owned()),
            status,
            why: items.iter().find(|i| i.status == status).map(|i| i.why.clone()).unwrap_or_default(),
            items,
            counts,
        }
    };
    vec![
        finding(
            "cis-aws-3.0",
            "1.10",
            "Multi-factor authentication for every console user",
            &[0],
            "aws-documented",
            false,
        ),
        finding("cis-aws-3.0", "1.16", "Full administrative policies are attached to nobody", &[], "judgement", true),
        finding("cis-aws-3.0", "2.1.4", "S3 buckets block public access", &[2, 7], "aws-documented", false),
        finding("cis-aws-3.0", "3.1", "CloudTrail records in all Regions", &[1], "aws-documented", false),
        finding("cis-aws-3.0", "3.3", "AWS Config records in all Regions", &[8], "derived", false),
        finding("cis-aws-3.0", "3.6", "Customer-managed keys rotate", &[6], "aws-documented", false),
        finding("cis-aws-3.0", "5.4", "Default security groups restrict all traffic", &[5], "aws-documented", false),
        finding("cis-aws-3.0", "5.6", "Instances use the instance metadata service's version 2", &[], "derived", false),
        finding("s3-data-leak", "LEAK-1", "No bucket is public by policy or ACL", &[2, 3], "aws-documented", false),
        finding(
            "s3-data-leak",
            "LEAK-2",
            "Public access stays blocked, and what slips through is mended",
            &[7],
            "judgement",
            true,
        ),
        finding("s3-data-leak", "LEAK-3", "Nobody but the platform changes bucket settings", &[4], "judgement", false),
    ]
}
