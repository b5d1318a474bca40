//! Findings in the AWS Security Finding Format (ASFF), as `GetFindings` returns them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Deserialize;

use super::wire::{Strings, Time, list_answer, time};
use crate::model::{ObservationStatus, Question, TaskId};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawFinding {
    aws_account_id: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    product_arn: Option<String>,
    #[serde(default)]
    generator_id: Option<String>,
    #[serde(default)]
    record_state: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    compliance: Option<RawCompliance>,
    #[serde(default)]
    workflow: Option<RawWorkflow>,
    #[serde(default)]
    note: Option<RawNote>,
    #[serde(default)]
    severity: Option<RawSeverity>,
    #[serde(default)]
    product_fields: Option<BTreeMap<String, String>>,
    resources: Vec<RawResource>,
    #[serde(default, deserialize_with = "time")]
    updated_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    created_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    first_observed_at: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawCompliance {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    security_control_id: Option<String>,
    #[serde(default)]
    status_reasons: Option<Vec<RawReason>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawReason {
    #[serde(default)]
    reason_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawWorkflow {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawNote {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    updated_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSeverity {
    #[serde(default)]
    label: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawResource {
    r#type: String,
    id: String,
}

list_answer!(Findings, "Findings", RawFinding);

/// A current finding, reduced to what is judged: one per resource.
#[derive(Debug, Clone)]
pub(super) struct FindingRow {
    pub question: Arc<Question>,
    pub kind: Arc<str>,
    pub id: Box<str>,
    pub status: ObservationStatus,
    pub why: Option<Box<str>>,
    pub since: Option<Timestamp>,
    /// The Config rule that Security Hub names as its source.
    pub rule: Option<Arc<str>>,
}

/// Reads a page of findings; archived ones are history, not state, and are passed over.
///
/// A finding of another account or Region than the task's means that the question was another: the page is refused.
pub(super) fn findings(body: &[u8], task: &TaskId, strings: &mut Strings) -> Result<(Vec<FindingRow>, bool), String> {
    let (findings, more) = Findings::read(body).map_err(|e| e.to_string())?;
    let mut rows = Vec::with_capacity(findings.len());
    for finding in findings {
        let region = finding.region.as_deref().unwrap_or(task.region.as_str());
        if finding.aws_account_id != task.account.as_str() || region != task.region.as_str() {
            return Err(format!("it holds a finding of {} in {region}", finding.aws_account_id));
        }
        match finding.record_state.as_deref() {
            Some("ARCHIVED") => continue,
            Some("ACTIVE") => {}
            other => return Err(format!("it holds a finding whose RecordState is {other:?}")),
        }
        if finding.resources.is_empty() {
            return Err("it holds a finding without a resource".to_owned());
        }
        let question = Arc::new(question(&finding));
        let (status, why) = judge(&finding, &question);
        let since = match *question {
            Question::Product(_) => finding.first_observed_at.into_iter().chain(finding.created_at).min(),
            _ => finding.updated_at,
        };
        let rule = rule(&finding, strings);
        for resource in &finding.resources {
            rows.push(FindingRow {
                question: question.clone(),
                kind: strings.one(&resource.r#type),
                id: resource.id.as_str().into(),
                status,
                why: why.as_deref().map(Into::into),
                since: since.map(|t| t.0),
                rule: rule.clone(),
            });
        }
    }
    Ok((rows, more))
}

fn question(finding: &RawFinding) -> Question {
    let control = finding.compliance.as_ref().and_then(|c| c.security_control_id.as_deref());
    let generator = finding.generator_id.as_deref().and_then(|g| g.strip_prefix("security-control/"));
    if let Some(control) = control.or(generator).filter(|c| !c.is_empty()) {
        return Question::SecurityHub(control.to_owned());
    }
    let severity = finding.severity.as_ref().and_then(|s| s.label.as_deref()).unwrap_or("unknown");
    let state = match workflow(finding) {
        "SUPPRESSED" => "suppressed",
        "RESOLVED" => "resolved",
        _ => "open",
    };
    let product = finding.product_arn.as_deref().and_then(product).unwrap_or("unidentified");
    Question::Product(format!("{product}:{}:{state}", severity.to_ascii_lowercase()))
}

/// Returns the product of an ARN of a product or of a subscription to one: `guardduty`, or `company/product` where it is not AWS's.
///
/// `arn:aws:securityhub:eu-west-1::product/aws/guardduty`,
/// `arn:aws:securityhub:eu-west-1:111122223333:product-subscription/aws/guardduty`.
pub(super) fn product(arn: &str) -> Option<&str> {
    let resource = arn.splitn(6, ':').nth(5)?;
    let name = resource.strip_prefix("product/").or(resource.strip_prefix("product-subscription/"))?;
    Some(name.strip_prefix("aws/").unwrap_or(name)).filter(|name| !name.is_empty())
}

fn workflow(finding: &RawFinding) -> &str {
    finding.workflow.as_ref().and_then(|w| w.status.as_deref()).unwrap_or_default()
}

fn judge(finding: &RawFinding, question: &Question) -> (ObservationStatus, Option<String>) {
    let workflow = workflow(finding);
    if workflow == "SUPPRESSED" {
        return (ObservationStatus::NotAssessed, Some(suppressed(finding)));
    }
    if matches!(question, Question::Product(_)) {
        let title = finding.title.clone().unwrap_or_default();
        return match workflow {
            "RESOLVED" => (ObservationStatus::NotAssessed, Some(format!("marked RESOLVED by a person: {title}"))),
            _ => (ObservationStatus::Fail, Some(title)),
        };
    }
    let compliance = finding.compliance.as_ref();
    let status = compliance.and_then(|c| c.status.as_deref()).unwrap_or("without a status");
    let codes: Vec<_> = compliance
        .and_then(|c| c.status_reasons.as_ref())
        .into_iter()
        .flatten()
        .filter_map(|r| r.reason_code.as_deref())
        .collect();
    let because = if codes.is_empty() { status.to_owned() } else { format!("{status} ({})", codes.join(", ")) };
    match status {
        "PASSED" => (ObservationStatus::Pass, None),
        "FAILED" => (ObservationStatus::Fail, Some(because)),
        _ => (ObservationStatus::NotAssessed, Some(because)),
    }
}

fn suppressed(finding: &RawFinding) -> String {
    let status = finding.compliance.as_ref().and_then(|c| c.status.as_deref()).unwrap_or("without a status");
    let note = finding.note.as_ref();
    let text = note.and_then(|n| n.text.as_deref()).unwrap_or("no note");
    let by = note.and_then(|n| n.updated_by.as_deref()).unwrap_or("not said");
    format!("SUPPRESSED while {status}: {text} (by: {by})")
}

/// Returns the name of the Config rule behind a finding: `RelatedAWSResources:N/name` beside a type of `AWS::Config::ConfigRule`.
fn rule(finding: &RawFinding, strings: &mut Strings) -> Option<Arc<str>> {
    let fields = finding.product_fields.as_ref()?;
    let (key, _) = fields.iter().find(|(k, v)| {
        k.starts_with("RelatedAWSResources:") && k.ends_with("/type") && *v == "AWS::Config::ConfigRule"
    })?;
    let name = fields.get(&format!("{}/name", key.strip_suffix("/type")?))?;
    Some(strings.one(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ObservationStatus::{Fail, NotAssessed, Pass};

    fn read(extra: serde_json::Value) -> Result<Vec<FindingRow>, String> {
        let mut finding = serde_json::json!({
            "AwsAccountId": "111122223333", "Region": "eu-west-1", "ProductName": "Security Hub", "RecordState": "ACTIVE",
            "Compliance": {"Status": "PASSED", "SecurityControlId": "S3.8"}, "Workflow": {"Status": "RESOLVED"},
            "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::b"}], "UpdatedAt": "2026-11-01T00:00:00Z",
        });
        finding.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let body = serde_json::json!({"Findings": [finding]}).to_string();
        let task = "111122223333/eu-west-1/securityhub-findings".parse().unwrap();
        findings(body.as_bytes(), &task, &mut Strings::default()).map(|(rows, _)| rows)
    }

    fn status(extra: serde_json::Value) -> ObservationStatus {
        read(extra).unwrap()[0].status
    }

    #[test]
    fn only_passed_is_a_pass() {
        let compliance = |s: &str| serde_json::json!({"Compliance": {"Status": s, "SecurityControlId": "S3.8"}});
        assert_eq!(status(compliance("PASSED")), Pass);
        assert_eq!(status(compliance("FAILED")), Fail);
        for other in ["WARNING", "NOT_AVAILABLE", "", "SOMETHING_NEW"] {
            assert_eq!(status(compliance(other)), NotAssessed, "{other}");
        }
        assert_eq!(status(serde_json::json!({"Compliance": {"SecurityControlId": "S3.8"}})), NotAssessed);
    }

    #[test]
    fn a_suppression_is_shown_with_its_note_and_never_a_pass() {
        let rows = read(serde_json::json!({"Workflow": {"Status": "SUPPRESSED"},
            "Note": {"Text": "accepted", "UpdatedBy": "alice"}}))
        .unwrap();
        assert_eq!(rows[0].status, NotAssessed);
        let why = rows[0].why.as_deref().unwrap();
        assert!(why.contains("accepted") && why.contains("alice"), "{why}");
    }

    #[test]
    fn archived_findings_are_no_state_and_strangers_are_refused() {
        assert!(read(serde_json::json!({"RecordState": "ARCHIVED"})).unwrap().is_empty());
        assert!(read(serde_json::json!({"RecordState": "SOMETHING_NEW"})).is_err());
        assert!(read(serde_json::json!({"AwsAccountId": "999999999999"})).is_err());
        assert!(read(serde_json::json!({"Region": "us-east-1"})).is_err());
    }

    #[test]
    fn products_go_by_arn_severity_and_state_and_are_as_old_as_their_first_sight() {
        let finding = |workflow: &str| {
            let rows = read(serde_json::json!({"Compliance": null, "Severity": {"Label": "HIGH"},
                "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/access-analyzer",
                "Workflow": {"Status": workflow}, "CreatedAt": "2026-10-02T00:00:00Z",
                "FirstObservedAt": "2026-10-01T00:00:00Z"}));
            let row = rows.unwrap().remove(0);
            assert_eq!(row.since, "2026-10-01T00:00:00Z".parse().ok());
            (row.question.to_string(), row.status)
        };
        assert_eq!(finding("NEW"), ("product/access-analyzer:high:open".to_owned(), Fail));
        assert_eq!(finding("NOTIFIED"), ("product/access-analyzer:high:open".to_owned(), Fail));
        assert_eq!(finding("SUPPRESSED"), ("product/access-analyzer:high:suppressed".to_owned(), NotAssessed));
        assert_eq!(finding("RESOLVED"), ("product/access-analyzer:high:resolved".to_owned(), NotAssessed));
    }

    #[test]
    fn a_product_and_a_subscription_to_it_have_one_name() {
        assert_eq!(product("arn:aws:securityhub:us-east-1::product/aws/guardduty"), Some("guardduty"));
        assert_eq!(product("arn:aws:securityhub:us-east-1:1:product-subscription/aws/guardduty"), Some("guardduty"));
        assert_eq!(product("arn:aws:securityhub:us-east-1::product/prowler/prowler"), Some("prowler/prowler"));
        assert_eq!(product("arn:aws:securityhub:us-east-1:1:hub/default"), None);
    }

    #[test]
    fn the_rule_behind_a_control_is_read() {
        let rows = read(serde_json::json!({"ProductFields": {
            "RelatedAWSResources:0/type": "AWS::Config::ConfigRule", "RelatedAWSResources:0/name": "securityhub-s3-x"}}))
        .unwrap();
        assert_eq!(rows[0].rule.as_deref(), Some("securityhub-s3-x"));
    }
}
