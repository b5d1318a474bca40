//! Config rules of one target: which managed rule stands behind which name, did it run, and what remedies are attached.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Deserialize;

use super::wire::{Strings, Time, list_answer, time};
use crate::model::EvidenceRef;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawRule {
    pub config_rule_name: String,
    source: RawSource,
    #[serde(default)]
    scope: Option<RawScope>,
    #[serde(default)]
    config_rule_state: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSource {
    owner: String,
    #[serde(default)]
    source_identifier: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawScope {
    #[serde(default)]
    compliance_resource_types: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawEvaluation {
    pub config_rule_name: String,
    #[serde(default, deserialize_with = "time")]
    last_successful_invocation_time: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    last_failed_invocation_time: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    last_successful_evaluation_time: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    last_failed_evaluation_time: Option<Time>,
    #[serde(default)]
    last_error_code: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawRemediation {
    pub config_rule_name: String,
    #[serde(default)]
    pub automatic: Option<bool>,
    #[serde(default)]
    pub target_id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawExecution {
    pub resource_key: RawKey,
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub last_updated_time: Option<Time>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawKey {
    pub resource_type: String,
    pub resource_id: String,
}

list_answer!(Rules, "ConfigRules", RawRule);
list_answer!(Evaluations, "ConfigRulesEvaluationStatus", RawEvaluation);
list_answer!(Remediations, "RemediationConfigurations", RawRemediation);
list_answer!(Executions, "RemediationExecutionStatuses", RawExecution);

type List<T> = Result<(Vec<T>, bool), serde_json::Error>;

pub(super) fn rules(body: &[u8]) -> List<RawRule> {
    Rules::read(body)
}

pub(super) fn evaluations(body: &[u8]) -> List<RawEvaluation> {
    Evaluations::read(body)
}

pub(super) fn remediations(body: &[u8]) -> List<RawRemediation> {
    Remediations::read(body)
}

pub(super) fn executions(body: &[u8]) -> List<RawExecution> {
    Executions::read(body)
}

/// A deployed rule, by its name in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Managed source identifier, or `custom:<name>`.
    pub identifier: Arc<str>,
    pub deployment: Deployment,
    pub evidence: EvidenceRef,
}

/// What a target says about one managed or custom rule, whatever its name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleState {
    /// What keeps its silence from meaning "no resources"; empty where the rule is active and ran without error.
    pub doubts: Vec<String>,
    /// Resource types of its scope; empty where it does not say.
    pub resource_types: Vec<String>,
    /// The record of the rule.
    pub evidence: EvidenceRef,
}

/// How one deployment of a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployment {
    pub resource_types: Vec<String>,
    pub doubt: Option<String>,
}

/// Reads a rule and what its evaluation status says.
pub(super) fn rule(raw: &RawRule, evaluation: Option<&RawEvaluation>, strings: &mut Strings, at: EvidenceRef) -> Rule {
    let name = &raw.config_rule_name;
    let identifier = match raw.source.source_identifier.as_deref() {
        Some(identifier) if raw.source.owner == "AWS" => strings.one(identifier),
        _ => strings.one(&format!("custom:{name}")),
    };
    let resource_types = raw.scope.clone().unwrap_or_default().compliance_resource_types.unwrap_or_default();
    let state = raw.config_rule_state.as_deref().unwrap_or("ACTIVE");
    let doubt = if state == "ACTIVE" || state == "EVALUATING" {
        ran(name, evaluation)
    } else {
        Some(format!("rule {name} is {state}"))
    };
    Rule { identifier, deployment: Deployment { resource_types, doubt }, evidence: at }
}

fn ran(name: &str, evaluation: Option<&RawEvaluation>) -> Option<String> {
    let Some(status) = evaluation else { return Some(format!("rule {name} has no evaluation status")) };
    let latest = |a: Option<Time>, b: Option<Time>| -> Option<Timestamp> { a.max(b).map(|t| t.0) };
    let good = latest(status.last_successful_evaluation_time, status.last_successful_invocation_time);
    let bad = latest(status.last_failed_evaluation_time, status.last_failed_invocation_time);
    match (good, bad) {
        (None, _) => Some(format!("rule {name} was never evaluated")),
        (Some(good), Some(bad)) if bad > good => Some(format!("rule {name}'s last evaluation failed")),
        _ => status.last_error_code.as_ref().map(|code| format!("rule {name} reports {code}")),
    }
}

/// Unites the deployments of each identifier: the doubts of one are the doubts of all.
pub(super) fn by_identifier(rules: &BTreeMap<String, Rule>) -> BTreeMap<String, RuleState> {
    let mut states: BTreeMap<String, RuleState> = BTreeMap::new();
    for rule in rules.values() {
        let state = states.entry(rule.identifier.to_string()).or_insert_with(|| RuleState {
            doubts: Vec::new(),
            resource_types: Vec::new(),
            evidence: rule.evidence.clone(),
        });
        state.doubts.extend(rule.deployment.doubt.clone());
        state.resource_types.extend(rule.deployment.resource_types.iter().cloned());
        state.resource_types.sort();
        state.resource_types.dedup();
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sha256Digest;

    fn read(rule: &str, evaluation: Option<&str>) -> Rule {
        let at = EvidenceRef { seal: Sha256Digest::of(""), path: "p".into(), line: 1 };
        let evaluation = evaluation.map(|e| serde_json::from_str::<RawEvaluation>(e).unwrap());
        super::rule(&serde_json::from_str(rule).unwrap(), evaluation.as_ref(), &mut Strings::default(), at)
    }

    const MANAGED: &str = r#"{"ConfigRuleName":"our-s3","Source":{"Owner":"AWS","SourceIdentifier":"S3_X"}}"#;

    #[test]
    fn managed_rules_go_by_their_source_and_custom_ones_by_their_name() {
        assert_eq!(&*read(MANAGED, None).identifier, "S3_X");
        let custom =
            r#"{"ConfigRuleName":"mine","Source":{"Owner":"CUSTOM_LAMBDA","SourceIdentifier":"arn:aws:lambda:x"}}"#;
        assert_eq!(&*read(custom, None).identifier, "custom:mine");
        assert_eq!(&*read(r#"{"ConfigRuleName":"g","Source":{"Owner":"CUSTOM_POLICY"}}"#, None).identifier, "custom:g");
    }

    #[test]
    fn silence_is_doubtful_unless_the_rule_ran() {
        let doubt = |evaluation| read(MANAGED, evaluation).deployment.doubt;
        assert!(doubt(None).is_some());
        assert!(doubt(Some(r#"{"ConfigRuleName":"our-s3"}"#)).is_some());
        assert_eq!(doubt(Some(r#"{"ConfigRuleName":"our-s3","LastSuccessfulEvaluationTime":1.7e9}"#)), None);
        assert!(
            doubt(Some(r#"{"ConfigRuleName":"our-s3","LastSuccessfulEvaluationTime":1,"LastFailedEvaluationTime":2}"#))
                .is_some()
        );
        let deleting = MANAGED.replace("}}", r#"},"ConfigRuleState":"DELETING"}"#);
        let ran = Some(r#"{"ConfigRuleName":"our-s3","LastSuccessfulEvaluationTime":1.7e9}"#);
        assert!(read(&deleting, ran).deployment.doubt.is_some());
    }
}
