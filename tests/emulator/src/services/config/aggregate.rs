//! The organisation's aggregator: its sources and its rules' results.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rules::summed;
use crate::{
    call::{Call, compact, epoch, last_run, listed},
    estate::Estate,
    hash,
    wire::{Answer, AwsError},
};

/// Returns the aggregator's name where this account and Region hold it.
fn aggregator<'a>(call: &Call<'a>) -> Option<&'a str> {
    let org = &call.world.org;
    let here = call.account() == org.audit && call.region == org.home_region;
    org.config.aggregator.as_deref().filter(|_| here)
}

/// Checks that the named aggregator exists here.
pub(super) fn named(call: &Call<'_>) -> Result<(), AwsError> {
    let name = call.required("ConfigurationAggregatorName")?;
    if aggregator(call) == Some(name) { Ok(()) } else { Err(missing(name)) }
}

fn missing(name: &str) -> AwsError {
    AwsError::new(
        "NoSuchConfigurationAggregatorException",
        format!(
            "The configuration aggregator does not exist. Check the configuration aggregator name and try again: {name}"
        ),
    )
}

pub(super) fn describe(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 100, 100)?;
    let have = aggregator(call);
    if let Some(name) = call.texts("ConfigurationAggregatorNames").into_iter().find(|n| have != Some(*n)) {
        return Err(missing(name));
    }
    let partition = call.world.partition();
    let items = have.map(|name| {
        let account = call.account();
        let id = hash::hex(&["aggregator", name, account], 8);
        json!({
            "ConfigurationAggregatorName": name,
            "ConfigurationAggregatorArn":
                format!("arn:{partition}:config:{}:{account}:config-aggregator/config-aggregator-{id}", call.region),
            "OrganizationAggregationSource": {
                "RoleArn": format!("arn:{partition}:iam::{account}:role/ConfigAggregator"), "AllAwsRegions": true,
            },
            "CreationTime": epoch(call.world.founded), "LastUpdatedTime": epoch(call.world.founded),
        })
    });
    call.list("ConfigurationAggregators", items.into_iter().collect(), size)
}

pub(super) fn sources(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 100, 100)?;
    named(call)?;
    let wanted = call.texts("UpdateStatus");
    let now = last_run(call.now);
    let before = Timestamp::from_second(now.as_second() - 9 * 86_400).unwrap_or(now);
    let sources = call.world.sources().iter().filter(|(_, _, s)| wanted.is_empty() || wanted.contains(&s.as_str()));
    call.list_of("AggregatedSourceStatusList", sources.collect(), size, |(account, region, status)| {
        let good = status == "SUCCEEDED";
        let failed = status == "FAILED";
        compact(json!({
            "SourceId": account, "SourceType": "ACCOUNT", "AwsRegion": region, "LastUpdateStatus": status,
            "LastUpdateTime": epoch(if good { now } else { before }),
            "LastErrorCode": if failed { json!("AccessDenied") } else { Value::Null },
            "LastErrorMessage": if failed { json!("The aggregator is not authorized to read this source.") } else { Value::Null },
        }))
    })
}

/// Rules without results are left out; an aggregator knows only COMPLIANT and NON_COMPLIANT resources.
pub(super) fn compliance(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 1000, 1000)?;
    named(call)?;
    let filter = |name: &str| call.params["Filters"][name].as_str();
    let fits = |wanted: Option<&str>, is: &str| wanted.is_none_or(|w| w == is);
    let mut targets: Vec<_> = call.world.sources().iter().collect();
    targets.retain(|(account, region, source)| {
        source != "FAILED" && fits(filter("AccountId"), account) && fits(filter("AwsRegion"), region)
    });
    let (items, token) = call.page_through(targets.len(), size, |n| {
        let Some((account, region, _)) = targets.get(n) else { return Vec::new() };
        let estate = Estate::of(call.world, account, region);
        let rules = estate.rules().into_iter().filter(|r| fits(filter("ConfigRuleName"), &r.name));
        let rows = rules.filter_map(|rule| {
            let mut results = estate.evaluate(&rule);
            results.retain(|(_, v)| v.compliance == "COMPLIANT" || v.compliance == "NON_COMPLIANT");
            let mut compliance = summed(&results, 100);
            let kind = compliance["ComplianceType"].as_str()?.to_owned();
            if results.is_empty() || !fits(filter("ComplianceType"), &kind) {
                return None;
            }
            if kind == "COMPLIANT" {
                let cap = results.len();
                compliance["ComplianceContributorCount"] =
                    json!({"CappedCount": cap.min(100), "CapExceeded": cap > 100});
            }
            Some(json!({
                "ConfigRuleName": rule.name, "Compliance": compliance, "AccountId": account, "AwsRegion": region,
            }))
        });
        rows.collect()
    })?;
    Ok(listed("AggregateComplianceByConfigRules", items, token))
}
