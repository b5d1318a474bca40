//! Resource x rule compliance of one target.
//!
//! Recorded `AWS::Config::ResourceCompliance` items are the cheap way: one item holds a resource with all its rules. Where that type is not
//! recorded, each rule is asked for its details instead. Rules with non-compliant resources are asked in any case, for annotations and times.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    config_aggregator::{NONE, explain},
    config_recorder::{RecorderState, recorder_state},
    job::{Job, Weight},
};
use crate::{
    aws::{Failure, Quota, Signal, Sources, pages},
    model::{CoverageState, Mode},
};

const COLUMNS: &str = "SELECT accountId, awsRegion, resourceId, configurationItemCaptureTime, configuration.complianceType, \
     configuration.targetResourceId, configuration.targetResourceType, configuration.configRuleList.configRuleName, \
     configuration.configRuleList.configRuleArn, configuration.configRuleList.configRuleId, \
     configuration.configRuleList.complianceType WHERE resourceType = 'AWS::Config::ResourceCompliance'";

pub(super) async fn collect(job: &Job<'_>) {
    match job.task.mode {
        Mode::Central => central(job).await,
        Mode::FanOut => inside(job).await,
    }
}

/// Over the aggregator, which is only as good as its source's last update, and knows nothing of a recorder that has stopped.
async fn central(job: &Job<'_>) {
    match recorder_state(job).await {
        Ok(RecorderState::Off(why, since)) => return job.decide(CoverageState::NotEnabled, why, since),
        Err(failure) if failure.signal == Signal::RegionDisabled => return job.fail(Weight::Essential, failure),
        // The target may refuse us: reading over the aggregator is for that, too.
        Ok(RecorderState::On) | Err(_) => {}
    }
    let sources = job.aws.sources(&job.caller).await.map_err(explain);
    let Some(sources) = job.keep(Weight::Essential, sources) else { return };
    let Some(aggregator) = &sources.aggregator else {
        return job.decide(CoverageState::NotEnabled, NONE, None);
    };
    let known = judge_source(job, sources);
    let (account, region) = (&job.task.account, &job.task.region);
    let request = job
        .caller
        .config_client()
        .select_aggregate_resource_config()
        .configuration_aggregator_name(aggregator)
        .expression(format!("{COLUMNS} AND accountId = '{account}' AND awsRegion = '{region}'"))
        .limit(100);
    let mut rows = 0;
    let listed = pages!(job.caller, Quota::CONFIG, "SelectAggregateResourceConfig", request, |page| {
        rows += page.results.map_or(0, |r| r.len());
    });
    job.saw(rows);
    if rows > 0 && !known {
        job.decide(
            CoverageState::Stale,
            "the aggregator has results, but no longer names this target as a source",
            None,
        );
    }
    // No row may mean that there is nothing, that the type is not recorded, or that Config is off: only the target knows.
    if job.keep(Weight::Essential, listed).is_some() && rows == 0 {
        inside(job).await;
    }
}

/// Returns whether the aggregator names the target as a source.
fn judge_source(job: &Job<'_>, sources: &Sources) -> bool {
    let key = (job.task.account.to_string(), job.task.region.to_string());
    let Some(source) = sources.states.get(&key) else { return false };
    if source.status != "SUCCEEDED" {
        let said = source.said.as_deref().unwrap_or("no reason given");
        let why = format!("the aggregator's source is {}: {said}", source.status);
        job.decide(CoverageState::Stale, why, source.updated);
    }
    true
}

/// In the target itself.
async fn inside(job: &Job<'_>) {
    let Some(state) = job.keep(Weight::Essential, recorder_state(job).await) else { return };
    if let RecorderState::Off(why, since) = state {
        // Whatever is still stored describes an earlier time, and would pass for today's.
        return job.decide(CoverageState::NotEnabled, why, since);
    }
    let (mut rows, mut failing) = (0, BTreeSet::new());
    let client = job.target.config_client();
    let request = client.select_resource_config().expression(COLUMNS).limit(100);
    let listed = pages!(job.target, Quota::CONFIG, "SelectResourceConfig", request, |page| {
        let found = page.results.unwrap_or_default();
        rows += found.len();
        failing.extend(found.iter().flat_map(|row| non_compliant_rules(row)));
    });
    job.saw(rows);
    match listed {
        Ok(()) if rows == 0 => fallback(job).await,
        Ok(()) => details(job, &failing, &["NON_COMPLIANT"], Weight::Auxiliary).await,
        // The rules can still be asked one by one where the query itself is not to be had.
        Err(failure) if rows == 0 && failure.signal == Signal::Other => fallback(job).await,
        Err(failure) => job.fail(Weight::Essential, failure),
    }
}

/// Nothing is recorded: asks which rules have results, then each of them.
async fn fallback(job: &Job<'_>) {
    let client = job.target.config_client();
    let mut rules = BTreeSet::new();
    let request = client.describe_compliance_by_config_rule();
    let listed = pages!(job.target, Quota::CONFIG, "DescribeComplianceByConfigRule", request, |page| {
        for rule in page.compliance_by_config_rules.unwrap_or_default() {
            let state = rule.compliance.and_then(|c| c.compliance_type);
            if state.is_some_and(|s| matches!(s.as_str(), "COMPLIANT" | "NON_COMPLIANT")) {
                rules.extend(rule.config_rule_name);
            }
        }
    });
    job.keep(Weight::Essential, listed);
    details(job, &rules, &["COMPLIANT", "NON_COMPLIANT"], Weight::Essential).await;
}

async fn details(job: &Job<'_>, rules: &BTreeSet<String>, states: &[&str], weight: Weight) {
    for rule in rules {
        // The rule was deleted a moment ago: the listing that named it is on record, and so is this answer.
        job.keep_unless(weight, &[Signal::Changed], details_of(job, rule, states).await);
    }
}

async fn details_of(job: &Job<'_>, rule: &str, states: &[&str]) -> Result<(), Failure> {
    let client = job.target.config_client();
    let states = states.iter().map(|s| aws_sdk_config::types::ComplianceType::from(*s)).collect();
    let request = client
        .get_compliance_details_by_config_rule()
        .config_rule_name(rule)
        .set_compliance_types(Some(states))
        .limit(100);
    pages!(job.target, Quota::CONFIG, "GetComplianceDetailsByConfigRule", request, |page| {
        job.saw(page.evaluation_results.map_or(0, |r| r.len()));
    })
}

#[derive(Deserialize)]
struct Row {
    configuration: Option<RowConfiguration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowConfiguration {
    #[serde(default)]
    config_rule_list: Vec<RowRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowRule {
    config_rule_name: Option<String>,
    compliance_type: Option<String>,
}

/// Reads from a result row which rules its resource violates. A row that can't be read names none here; `observe` reports it.
fn non_compliant_rules(row: &str) -> Vec<String> {
    let rules = serde_json::from_str::<Row>(row).ok().and_then(|r| r.configuration).map(|c| c.config_rule_list);
    let failing = |r: RowRule| r.config_rule_name.filter(|_| r.compliance_type.as_deref() == Some("NON_COMPLIANT"));
    rules.unwrap_or_default().into_iter().filter_map(failing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_stays_within_what_config_accepts() {
        let longest = format!("{COLUMNS} AND accountId = '123456789012' AND awsRegion = 'ap-southeast-1'");
        assert!(longest.len() <= 4096, "{}", longest.len());
    }

    #[test]
    fn only_the_violated_rules_of_a_row_are_asked_again() {
        let row = r#"{"resourceId":"x","configuration":{"complianceType":"NON_COMPLIANT","configRuleList":[
            {"configRuleName":"a","complianceType":"COMPLIANT"},{"configRuleName":"b","complianceType":"NON_COMPLIANT"}]}}"#;
        assert_eq!(non_compliant_rules(row), ["b"]);
        assert!(non_compliant_rules("{}").is_empty() && non_compliant_rules("broken").is_empty());
    }
}
