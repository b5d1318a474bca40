//! Rules, their evaluation and their results; conformance packs.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    call::{Call, compact, epoch, last_run},
    controls::is_periodic,
    estate::{DeployedRule, Estate, Verdict},
    hash,
    wire::{Answer, AwsError},
};

/// Returns the target's estate.
pub(super) fn estate<'a>(call: &Call<'a>) -> Estate<'a> {
    Estate::of(call.world, call.principal.account.as_str(), call.region)
}

/// Returns the rules that a request names, or all; a name that does not exist is an error.
fn named<'a>(call: &Call<'_>, estate: &Estate<'a>) -> Result<Vec<DeployedRule<'a>>, AwsError> {
    let mut rules = estate.rules();
    let names = call.texts("ConfigRuleNames");
    if names.len() > 25 {
        return Err(call.invalid("at most 25 rule names"));
    }
    if let Some(missing) = names.iter().find(|n| !rules.iter().any(|r| r.name == **n)) {
        return Err(no_such_rule(missing));
    }
    if !names.is_empty() {
        rules.retain(|r| names.contains(&r.name.as_str()));
    }
    Ok(rules)
}

fn no_such_rule(name: &str) -> AwsError {
    AwsError::new(
        "NoSuchConfigRuleException",
        format!("The ConfigRule '{name}' provided in the request is invalid. Please check the configRule name."),
    )
}

pub(super) fn describe(call: &Call<'_>) -> Answer {
    let estate = estate(call);
    let (account, region, partition) = (call.account(), call.region, call.world.partition());
    let items = named(call, &estate)?.into_iter().map(|rule| {
        let custom = rule.identifier.starts_with("arn:");
        let periodic = is_periodic(&rule.identifier, &rule.kind);
        let scope = if periodic { Value::Null } else { json!({"ComplianceResourceTypes": [rule.kind]}) };
        let message = if periodic { "ScheduledNotification" } else { "ConfigurationItemChangeNotification" };
        let mut source =
            json!({"Owner": if custom { "CUSTOM_LAMBDA" } else { "AWS" }, "SourceIdentifier": rule.identifier});
        if custom {
            source["SourceDetails"] = json!([{"EventSource": "aws.config", "MessageType": message}]);
        }
        compact(json!({
            "ConfigRuleName": rule.name, "ConfigRuleArn": rule.arn(partition, account, region),
            "ConfigRuleId": rule.id(account, region), "Scope": scope, "Source": source,
            "Description": rule.control.map_or("", |c| c.title),
            "InputParameters": rule.declared.and_then(|d| d.parameters.clone()).unwrap_or_else(|| "{}".into()),
            "MaximumExecutionFrequency": if periodic { json!("TwentyFour_Hours") } else { Value::Null },
            "ConfigRuleState": "ACTIVE", "CreatedBy": rule.created_by,
            "EvaluationModes": [{"Mode": "DETECTIVE"}],
        }))
    });
    call.list("ConfigRules", items.collect(), 25)
}

pub(super) fn evaluation_status(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 25, 50)?;
    let estate = estate(call);
    let (account, region, partition) = (call.account(), call.region, call.world.partition());
    let ran = if estate.evaluates() { last_run(call.now) } else { estate.state.since.unwrap_or(call.world.founded) };
    let items = named(call, &estate)?.into_iter().map(|rule| {
        json!({
            "ConfigRuleName": rule.name, "ConfigRuleArn": rule.arn(partition, account, region),
            "ConfigRuleId": rule.id(account, region), "FirstActivatedTime": epoch(call.world.founded),
            "LastSuccessfulInvocationTime": epoch(ran), "LastSuccessfulEvaluationTime": epoch(ran),
            "FirstEvaluationStarted": true,
        })
    });
    call.list("ConfigRulesEvaluationStatus", items.collect(), size)
}

/// Sums results as Config does: any failure fails; nothing that counts is INSUFFICIENT_DATA; counts are capped.
pub(super) fn summed(results: &[(&crate::estate::Resource, Verdict<'_>)], cap: usize) -> Value {
    let count = |what: &str| results.iter().filter(|(_, v)| v.compliance == what).count();
    let (bad, good) = (count("NON_COMPLIANT"), count("COMPLIANT"));
    if bad == 0 && good == 0 {
        return json!({"ComplianceType": "INSUFFICIENT_DATA"});
    }
    let (kind, n) = if bad > 0 { ("NON_COMPLIANT", bad) } else { ("COMPLIANT", good) };
    let counted = json!({"CappedCount": n.min(cap), "CapExceeded": n > cap});
    if kind == "COMPLIANT" {
        // A compliant rule carries no contributor count on AWS either: there are no violating resources.
        return json!({"ComplianceType": kind});
    }
    json!({"ComplianceType": kind, "ComplianceContributorCount": counted})
}

pub(super) fn compliance(call: &Call<'_>) -> Answer {
    let estate = estate(call);
    let wanted = call.texts("ComplianceTypes");
    let items = named(call, &estate)?.into_iter().filter_map(|rule| {
        let compliance = summed(&estate.evaluate(&rule), 25);
        let fits = wanted.is_empty() || wanted.iter().any(|w| compliance["ComplianceType"] == **w);
        fits.then(|| json!({"ConfigRuleName": rule.name, "Compliance": compliance}))
    });
    call.list("ComplianceByConfigRules", items.collect(), 25)
}

/// Since when a resource has its present state: some time before the last run, the same on every call.
pub(super) fn since(call: &Call<'_>, rule: &str, resource: &str) -> Timestamp {
    let ago = i64::try_from(hash::number(&["since", rule, resource]) % (200 * 86_400)).unwrap_or(0);
    let base = call.world.founded.as_second() + 400 * 86_400;
    Timestamp::from_second(base + ago).unwrap_or(call.world.founded)
}

pub(super) fn details(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 10, 100)?;
    let name = call.required("ConfigRuleName")?;
    let estate = estate(call);
    let rule = estate.rules().into_iter().find(|r| r.name == name).ok_or_else(|| no_such_rule(name))?;
    let wanted = call.texts("ComplianceTypes");
    let ran = last_run(call.now);
    let results = estate.evaluate(&rule).into_iter().filter(|(_, v)| {
        v.compliance != "INSUFFICIENT_DATA" && (wanted.is_empty() || wanted.contains(&v.compliance.as_str()))
    });
    let items = results.map(|(resource, verdict)| {
        let recorded = since(call, &rule.name, &resource.arn);
        compact(json!({
            "EvaluationResultIdentifier": {
                "EvaluationResultQualifier": {
                    "ConfigRuleName": rule.name, "ResourceType": resource.kind, "ResourceId": resource.id,
                    "EvaluationMode": "DETECTIVE",
                },
                "OrderingTimestamp": epoch(recorded),
            },
            "ComplianceType": verdict.compliance,
            "ResultRecordedTime": epoch(recorded), "ConfigRuleInvokedTime": epoch(ran),
            "Annotation": verdict.rule.and_then(|r| r.annotation.clone()),
        }))
    });
    call.list("EvaluationResults", items.collect(), size)
}

fn pack_names(call: &Call<'_>) -> BTreeSet<String> {
    let estate = estate(call);
    let packs: BTreeSet<String> = estate.rules().iter().filter_map(|r| r.declared?.pack.clone()).collect();
    packs.into_iter().map(|p| format!("OrgConformsPack-{p}-{}", hash::hex(&["org-pack", &p], 8))).collect()
}

fn pack_id(call: &Call<'_>, name: &str) -> (String, String) {
    let id = format!("conformance-pack-{}", hash::hex(&["pack-id", name, call.account(), call.region], 9));
    let partition = call.world.partition();
    let arn = format!("arn:{partition}:config:{}:{}:conformance-pack/{name}/{id}", call.region, call.account());
    (id, arn)
}

fn wanted_packs(call: &Call<'_>) -> Result<Vec<String>, AwsError> {
    let all = pack_names(call);
    let names = call.texts("ConformancePackNames");
    if let Some(missing) = names.iter().find(|n| !all.contains(**n)) {
        return Err(AwsError::new("NoSuchConformancePackException", format!("Cannot find {missing}")));
    }
    Ok(all.into_iter().filter(|p| names.is_empty() || names.contains(&p.as_str())).collect())
}

pub(super) fn packs(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 20, 20)?;
    let items = wanted_packs(call)?.into_iter().map(|name| {
        let (id, arn) = pack_id(call, &name);
        json!({
            "ConformancePackName": name, "ConformancePackArn": arn, "ConformancePackId": id,
            "ConformancePackInputParameters": [], "LastUpdateRequestedTime": epoch(call.world.founded),
            "CreatedBy": "config-multiaccountsetup.amazonaws.com",
        })
    });
    call.list("ConformancePackDetails", items.collect(), size)
}

pub(super) fn pack_status(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 20, 20)?;
    let items = wanted_packs(call)?.into_iter().map(|name| {
        let (id, arn) = pack_id(call, &name);
        let stack = format!(
            "arn:{}:cloudformation:{}:{}:stack/awsconfigconforms-{name}/{}",
            call.world.partition(),
            call.region,
            call.account(),
            hash::uuid(&["stack", &name, call.account(), call.region])
        );
        json!({
            "ConformancePackName": name, "ConformancePackId": id, "ConformancePackArn": arn,
            "ConformancePackState": "CREATE_COMPLETE", "StackArn": stack,
            "LastUpdateRequestedTime": epoch(call.world.founded), "LastUpdateCompletedTime": epoch(call.world.founded),
        })
    });
    call.list("ConformancePackStatusDetails", items.collect(), size)
}

/// The pack's rules, each with its verdict.
pub(super) fn pack_compliance(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 1000, 1000)?;
    let name = call.required("ConformancePackName")?;
    let estate = estate(call);
    let declared = |rule: &DeployedRule<'_>| rule.declared.and_then(|d| d.pack.clone());
    let of_pack = |pack: &str| format!("OrgConformsPack-{pack}-{}", hash::hex(&["org-pack", pack], 8)) == name;
    if !pack_names(call).contains(name) {
        return Err(AwsError::new("NoSuchConformancePackException", format!("Cannot find {name}")));
    }
    let rules = estate.rules().into_iter().filter(|rule| declared(rule).is_some_and(|pack| of_pack(&pack)));
    let items: Vec<_> = rules
        .map(|rule| {
            let compliance = summed(&estate.evaluate(&rule), 25);
            json!({"ConfigRuleName": rule.name, "ComplianceType": compliance["ComplianceType"], "Controls": []})
        })
        .collect();
    let mut answer = call.list("ConformancePackRuleComplianceList", items, size)?;
    answer["ConformancePackName"] = json!(name);
    Ok(answer)
}
