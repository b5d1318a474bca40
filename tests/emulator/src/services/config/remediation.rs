//! Remediation of rules: what is configured, what ran, what is exempt.

use serde_json::{Value, json};

use super::rules::estate;
use crate::{
    call::{Call, compact, epoch, last_run},
    estate::{DeployedRule, Estate},
    organization::Remediation,
    wire::{Answer, AwsError},
};

fn remediation<'a>(rule: &DeployedRule<'a>) -> Option<&'a Remediation> {
    rule.declared?.remediation.as_ref()
}

pub(super) fn configurations(call: &Call<'_>) -> Answer {
    let names = call.texts("ConfigRuleNames");
    if names.is_empty() || names.len() > 25 {
        return Err(call.invalid("ConfigRuleNames must hold 1 to 25 names"));
    }
    let (account, region, partition) = (call.account(), call.region, call.world.partition());
    let rules = estate(call).rules();
    let items = rules.iter().filter(|r| names.contains(&r.name.as_str())).filter_map(|rule| {
        let remediation = remediation(rule)?;
        let id = crate::hash::uuid(&["remediation", &rule.name, account, region]);
        let role = format!("arn:{partition}:iam::{account}:role/ConfigRemediation");
        Some(compact(json!({
            "ConfigRuleName": rule.name, "TargetType": "SSM_DOCUMENT", "TargetId": remediation.document,
            "TargetVersion": "1", "ResourceType": rule.kind, "Automatic": remediation.automatic,
            "Parameters": {
                "AutomationAssumeRole": {"StaticValue": {"Values": [role]}},
                "S3BucketName": {"ResourceValue": {"Value": "RESOURCE_ID"}},
            },
            "MaximumAutomaticAttempts": if remediation.automatic { json!(5) } else { Value::Null },
            "RetryAttemptSeconds": if remediation.automatic { json!(60) } else { Value::Null },
            "Arn": format!("arn:{partition}:config:{region}:{account}:remediation-configuration/{}/{id}", rule.name),
        })))
    });
    Ok(json!({"RemediationConfigurations": items.collect::<Vec<_>>()}))
}

fn named<'a>(call: &Call<'_>, estate: &Estate<'a>) -> Result<Option<DeployedRule<'a>>, AwsError> {
    let name = call.required("ConfigRuleName")?;
    Ok(estate.rules().into_iter().find(|r| r.name == name))
}

/// One execution on the first resource of the rule, and a failed one on each that still is not compliant.
pub(super) fn executions(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 25, 100)?;
    let estate = estate(call);
    let rule = named(call, &estate)?;
    let Some((rule, remediation)) = rule.as_ref().and_then(|r| Some((r, remediation(r)?))) else {
        let message = "No remediation configuration exists for the rule.";
        return Err(AwsError::new("NoSuchRemediationConfigurationException", message));
    };
    let Some(executed) = &remediation.executed else {
        return call.list("RemediationExecutionStatuses", Vec::new(), size);
    };
    let at = last_run(call.now);
    let step = |execution: &str| {
        // Steps know other states than executions.
        let state = if execution == "QUEUED" { "PENDING" } else { execution };
        compact(json!({
            "Name": "Run", "State": state, "StartTime": epoch(at), "StopTime": epoch(at),
            "ErrorMessage": if state == "FAILED" { json!("Step fails when it is Execute/Cancelling action.") } else { Value::Null },
        }))
    };
    let results = estate.evaluate(rule);
    let items = results.into_iter().enumerate().filter_map(|(n, (resource, verdict))| {
        let bad = verdict.compliance == "NON_COMPLIANT";
        let state = if bad && remediation.automatic { "FAILED" } else { executed.as_str() };
        (n == 0 || bad).then(|| {
            json!({
                "ResourceKey": {"resourceType": resource.kind, "resourceId": resource.id}, "State": state,
                "StepDetails": [step(state)], "InvocationTime": epoch(at), "LastUpdatedTime": epoch(at),
            })
        })
    });
    call.list("RemediationExecutionStatuses", items.collect(), size)
}

/// Resources that a declared result sets apart from remediation: those with a note.
pub(super) fn exceptions(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 25, 100)?;
    let estate = estate(call);
    let Some(rule) = named(call, &estate)?.filter(|r| remediation(r).is_some()) else {
        return call.list("RemediationExceptions", Vec::new(), size);
    };
    let items = estate.evaluate(&rule).into_iter().filter_map(|(resource, verdict)| {
        let note = verdict.rule?.note.as_ref()?;
        Some(json!({
            "ConfigRuleName": rule.name, "ResourceType": resource.kind, "ResourceId": resource.id, "Message": note,
        }))
    });
    call.list("RemediationExceptions", items.collect(), size)
}
