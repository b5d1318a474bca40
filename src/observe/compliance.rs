//! Resource x rule compliance of one target: rows of `SelectResourceConfig` and `SelectAggregateResourceConfig`, and Config's own
//! details by rule.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::wire::{Strings, Time, list_answer, time};
use crate::model::{ObservationStatus, TaskId};

/// One resource's answer to one rule, by the rule's name in the account.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub rule: Arc<str>,
    pub kind: Arc<str>,
    pub id: Box<str>,
    pub status: ObservationStatus,
    /// The time that Config gives for this record: at that time it was so.
    pub since: Option<Timestamp>,
    pub annotation: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawItem {
    account_id: String,
    aws_region: String,
    configuration: RawConfiguration,
    #[serde(default, deserialize_with = "time")]
    configuration_item_capture_time: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConfiguration {
    target_resource_id: String,
    target_resource_type: String,
    config_rule_list: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry {
    config_rule_name: String,
    compliance_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawResult {
    evaluation_result_identifier: RawIdentifier,
    compliance_type: String,
    #[serde(default, deserialize_with = "time")]
    result_recorded_time: Option<Time>,
    #[serde(default)]
    annotation: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawIdentifier {
    evaluation_result_qualifier: RawQualifier,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawQualifier {
    config_rule_name: String,
    resource_type: String,
    resource_id: String,
}

/// A rule's compliance as a whole, with the count of what is responsible for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawVerdict {
    pub config_rule_name: String,
    #[serde(default)]
    pub compliance: Option<RawCompliance>,
    #[serde(default)]
    pub account_id: Option<String>,
    #[serde(default)]
    pub aws_region: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawCompliance {
    #[serde(default)]
    pub compliance_type: Option<String>,
    #[serde(default)]
    pub compliance_contributor_count: Option<RawCount>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawCount {
    #[serde(default)]
    pub capped_count: Option<u64>,
    #[serde(default)]
    pub cap_exceeded: Option<bool>,
}

list_answer!(Selected, "Results", String);
list_answer!(Details, "EvaluationResults", RawResult);
list_answer!(Verdicts, "ComplianceByConfigRules", RawVerdict);
list_answer!(AggregateVerdicts, "AggregateComplianceByConfigRules", RawVerdict);

/// Reads a page of selected `AWS::Config::ResourceCompliance` items.
///
/// An item of another account or Region than the task's means that the question was another: the page is refused.
pub(super) fn selected(body: &[u8], task: &TaskId, strings: &mut Strings) -> Result<(Vec<Row>, bool), String> {
    let (items, more) = Selected::read(body).map_err(|e| e.to_string())?;
    let mut rows = Vec::with_capacity(items.len() * 2);
    for text in items {
        let item: RawItem = serde_json::from_str(&text).map_err(|e| format!("an item of Results: {e}"))?;
        if item.account_id != task.account.as_str() || item.aws_region != task.region.as_str() {
            return Err(format!("it holds an item of {} in {}", item.account_id, item.aws_region));
        }
        let kind = strings.one(&item.configuration.target_resource_type);
        for entry in item.configuration.config_rule_list {
            rows.push(Row {
                rule: strings.one(&entry.config_rule_name),
                kind: kind.clone(),
                id: item.configuration.target_resource_id.as_str().into(),
                status: status(&entry.compliance_type),
                since: item.configuration_item_capture_time.map(|t| t.0),
                annotation: None,
            });
        }
    }
    Ok((rows, more))
}

/// Reads a page of `GetComplianceDetailsByConfigRule`.
pub(super) fn details(body: &[u8], strings: &mut Strings) -> Result<(Vec<Row>, bool), String> {
    let (results, more) = Details::read(body).map_err(|e| e.to_string())?;
    let rows = results.into_iter().map(|result| {
        let of = result.evaluation_result_identifier.evaluation_result_qualifier;
        Row {
            rule: strings.one(&of.config_rule_name),
            kind: strings.one(&of.resource_type),
            id: of.resource_id.into(),
            status: status(&result.compliance_type),
            since: result.result_recorded_time.map(|t| t.0),
            annotation: result.annotation.filter(|a| !a.is_empty()).map(Into::into),
        }
    });
    Ok((rows.collect(), more))
}

pub(super) fn verdicts(body: &[u8]) -> Result<(Vec<RawVerdict>, bool), String> {
    Verdicts::read(body).map_err(|e| e.to_string())
}

pub(super) fn aggregate_verdicts(body: &[u8]) -> Result<(Vec<RawVerdict>, bool), String> {
    AggregateVerdicts::read(body).map_err(|e| e.to_string())
}

/// Returns the answer that a compliance type stands for; one that we do not know is no answer.
pub(super) fn status(compliance_type: &str) -> ObservationStatus {
    match compliance_type {
        "COMPLIANT" => ObservationStatus::Pass,
        "NON_COMPLIANT" => ObservationStatus::Fail,
        "NOT_APPLICABLE" => ObservationStatus::NotApplicable,
        _ => ObservationStatus::NotAssessed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(account: &str) -> String {
        let item = format!(
            r#"{{"accountId":"{account}","awsRegion":"eu-west-1","resourceId":"AWS::S3::Bucket/b","later":1,
               "configuration":{{"targetResourceId":"b","targetResourceType":"AWS::S3::Bucket","complianceType":"NON_COMPLIANT",
               "configRuleList":[{{"configRuleName":"r1","complianceType":"COMPLIANT"}},
                                 {{"configRuleName":"r2","complianceType":"NON_COMPLIANT"}},
                                 {{"configRuleName":"r3","complianceType":"SOMETHING_NEW"}}]}}}}"#
        );
        serde_json::json!({"Results": [item], "NextToken": ""}).to_string()
    }

    #[test]
    fn an_item_is_one_row_per_rule_and_the_rules_own_type_counts() {
        let task: TaskId = "111122223333/eu-west-1/config-compliance".parse().unwrap();
        let (rows, more) = selected(page("111122223333").as_bytes(), &task, &mut Strings::default()).unwrap();
        let seen: Vec<_> = rows.iter().map(|r| (&*r.rule, r.status)).collect();
        use ObservationStatus::{Fail, NotAssessed, Pass};
        assert_eq!(seen, [("r1", Pass), ("r2", Fail), ("r3", NotAssessed)]);
        assert!(!more);
    }

    #[test]
    fn an_answer_about_another_account_is_refused() {
        let task: TaskId = "111122223333/eu-west-1/config-compliance".parse().unwrap();
        assert!(selected(page("999999999999").as_bytes(), &task, &mut Strings::default()).is_err());
    }

    #[test]
    fn an_answer_without_its_list_is_not_an_empty_list() {
        let task: TaskId = "111122223333/eu-west-1/config-compliance".parse().unwrap();
        assert!(selected(b"{}", &task, &mut Strings::default()).is_err());
        assert!(details(b"{}", &mut Strings::default()).is_err());
    }
}
