//! AWS Security Finding Format (2018-10-08): our own findings for Security Hub's `BatchImportFindings`.
//!
//! One file per call (at most 100 findings): `aws securityhub batch-import-findings --cli-input-json file://asff-001.json`.
//! What was not assessed is `WARNING`, what does not apply `NOT_AVAILABLE`; neither is ever `PASSED`.

use serde_json::{Value, json};

use super::{
    ReportError, ReportFile, Source,
    exported::{self, Exported, SEVERITIES, cut},
    tables::name_of,
};
use crate::model::Status;

/// Findings of one call (API limit).
const BATCH: usize = 100;

/// Writes `asff-001.json` and so on.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let findings: Vec<Value> = exported::all(source).iter().map(|e| finding(source, e)).collect();
    let batches = findings.chunks(BATCH).chain(findings.is_empty().then_some(&[][..]));
    batches
        .enumerate()
        .map(|(n, batch)| {
            let mut bytes = serde_json::to_vec_pretty(&json!({ "Findings": batch }))
                .map_err(|e| ReportError::Write { format: "asff", why: e.to_string() })?;
            bytes.push(b'\n');
            Ok((format!("asff-{:03}.json", n + 1), bytes))
        })
        .collect()
}

fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

fn finding(source: &Source<'_>, e: &Exported<'_>) -> Value {
    let (account, region) = exported::home(source);
    let (partition, header) = (partition(region), &source.assessment.header);
    let (status, reason) = match e.status {
        Status::Satisfied => ("PASSED", "SATISFIED"),
        Status::NotSatisfied => ("FAILED", "NOT_SATISFIED"),
        Status::NotAssessed => ("WARNING", "NOT_ASSESSED"),
        Status::NotApplicable => ("NOT_AVAILABLE", "NOT_APPLICABLE"),
    };
    let closed = header.closed.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": cut(&e.id, 512),
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "ProductName": "orgproof",
        "CompanyName": "orgproof",
        "GeneratorId": cut(&format!("orgproof/{}/{}", e.framework.unwrap_or("gap"), e.generator), 512),
        "AwsAccountId": account,
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "CreatedAt": closed,
        "UpdatedAt": closed,
        "Severity": { "Label": SEVERITIES.get(e.severity).unwrap_or(&"medium").to_uppercase() },
        "Title": cut(&e.title, 256),
        "Description": cut(&e.description, 1024),
        "Remediation": { "Recommendation": { "Text": cut(&e.remedy, 512) } },
        "ProductFields": {
            "orgproof/period": cut(&header.period.label, 1024),
            "orgproof/run": cut(&header.run, 1024),
            "orgproof/verdict": e.status.as_str(),
            "orgproof/catalog": header.catalog.to_string(),
            "orgproof/seal": header.evidence.last().map(ToString::to_string).unwrap_or_else(|| "none".to_owned()),
        },
        "Resources": resources(e, account, region, partition),
        "Compliance": {
            "Status": status,
            "StatusReasons": [{ "ReasonCode": reason, "Description": cut(&e.description, 1024) }],
        },
        "RecordState": "ACTIVE",
    })
}

/// Names what did not pass; where nothing is to be named, the account that read the organisation.
fn resources(e: &Exported<'_>, account: &str, region: &str, partition: &str) -> Vec<Value> {
    let whole = |id: &str| json!({ "Type": "AwsAccount", "Id": format!("AWS::::Account:{id}"), "Partition": partition, "Region": region });
    if !e.accounts.is_empty() {
        return e.accounts.iter().map(|a| whole(a)).collect();
    }
    if e.resources.is_empty() {
        return vec![whole(account)];
    }
    let one = |r: &&crate::model::ResultLine| {
        json!({
            "Type": "Other",
            "Id": cut(&r.resource.id, 512),
            "Partition": partition,
            "Region": r.region.as_str(),
            "Details": { "Other": {
                "account": r.account.as_str(),
                "type": cut(&r.resource.kind, 256),
                "check": cut(&r.check, 256),
                "answer": name_of(r.status),
                "why": cut(&r.why, 1024),
            } },
        })
    };
    e.resources.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_requirement_and_gap_is_handed_on_and_only_the_satisfied_pass() {
        let assessment = sample::assessment();
        let files = crate::report::render("asff", &assessment, &sample::provenance()).unwrap();
        let batch: Value = serde_json::from_slice(&files[0].1).unwrap();
        let findings = batch["Findings"].as_array().unwrap();
        let passed = findings.iter().filter(|f| f["Compliance"]["Status"] == "PASSED").count();
        assert_eq!(passed, assessment.findings.iter().filter(|f| f.status == Status::Satisfied).count());
        let gaps = findings.iter().filter(|f| f["GeneratorId"].as_str().unwrap().starts_with("orgproof/gap/")).count();
        assert_eq!(findings.len(), assessment.findings.len() + gaps);
        assert!(gaps >= 10);
        for f in findings {
            let resources = f["Resources"].as_array().unwrap().len();
            assert!((1..=32).contains(&resources));
            assert!(f["Title"].as_str().unwrap().chars().count() <= 256);
        }
    }
}
