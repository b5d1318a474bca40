//! Settings that the organisation's administrator sees: members, aggregation, central configuration, automation rules.

use serde_json::{Value, json};

use super::{administrator, hub::standard_arn};
use crate::{
    call::{Call, iso, last_run},
    controls::STANDARDS,
    hash,
    wire::{Answer, AwsError},
};

fn arn(call: &Call<'_>, region: &str, rest: &str) -> String {
    let org = &call.world.org;
    format!("arn:{}:securityhub:{region}:{}:{rest}", org.partition, org.audit)
}

fn missing(what: &str) -> AwsError {
    AwsError::with_status(
        404,
        "ResourceNotFoundException",
        format!("The request failed because {what} does not exist."),
    )
}

/// Central configuration is managed from the home Region alone.
fn at_home(call: &Call<'_>) -> Result<(), AwsError> {
    let org = &call.world.org;
    if call.account() == org.audit && call.region == org.home_region {
        return Ok(());
    }
    let message =
        "Must be a Security Hub delegated administrator with Central Configuration enabled, in the home Region";
    Err(AwsError::with_status(403, "AccessDeniedException", message))
}

pub(super) fn organization(call: &Call<'_>) -> Answer {
    administrator(call)?;
    Ok(json!({
        "AutoEnable": false, "MemberAccountLimitReached": false, "AutoEnableStandards": "NONE",
        "OrganizationConfiguration": {"ConfigurationType": "CENTRAL", "Status": "ENABLED"},
    }))
}

/// For the organisation's management account only.
pub(super) fn administrators(call: &Call<'_>) -> Answer {
    let org = &call.world.org;
    if call.account() != org.management {
        let message = format!("Account {} is not the management account of an organization", call.account());
        return Err(AwsError::with_status(401, "InvalidAccessException", message));
    }
    let size = call.page_size("MaxResults", 10, 10)?;
    call.list("AdminAccounts", vec![json!({"AccountId": org.audit, "Status": "ENABLED"})], size)
}

fn aggregator_arn(call: &Call<'_>) -> String {
    let id = hash::uuid(&["finding-aggregator", &call.world.org.id]);
    arn(call, &call.world.org.home_region, &format!("finding-aggregator/{id}"))
}

pub(super) fn aggregators(call: &Call<'_>) -> Answer {
    let size = call.page_size("MaxResults", 100, 100)?;
    let own = call.account() == call.world.org.audit;
    let items = if own { vec![json!({"FindingAggregatorArn": aggregator_arn(call)})] } else { Vec::new() };
    call.list("FindingAggregators", items, size)
}

pub(super) fn aggregator(call: &Call<'_>) -> Answer {
    let org = &call.world.org;
    let arn = aggregator_arn(call);
    if call.account() != org.audit || call.required("FindingAggregatorArn")? != arn {
        return Err(missing("the finding aggregator"));
    }
    let linked: Vec<_> = org.regions.iter().filter(|r| **r != org.home_region).collect();
    Ok(json!({
        "FindingAggregatorArn": arn, "FindingAggregationRegion": org.home_region,
        "RegionLinkingMode": "SPECIFIED_REGIONS", "Regions": linked,
    }))
}

pub(super) fn members(call: &Call<'_>) -> Answer {
    administrator(call)?;
    let size = call.page_size("MaxResults", 50, 50)?;
    let world = call.world;
    let only_associated = call.text("OnlyAssociated").is_none_or(|v| v != "false");
    let members = world.org.accounts.iter().filter(|a| a.id != world.org.audit).filter_map(|account| {
        let active = account.state == "ACTIVE";
        let state = world.target(&account.id, call.region);
        if !(active && state.hub && state.member) && (only_associated || !state.member) {
            return None;
        }
        let status = if active && state.hub { "Enabled" } else { "AccountSuspended" };
        Some(json!({
            "AccountId": account.id, "Email": format!("aws+{}@example.com", account.id),
            "AdministratorId": world.org.audit, "MasterId": world.org.audit, "MemberStatus": status,
            "InvitedAt": iso(world.founded), "UpdatedAt": iso(world.founded),
        }))
    });
    call.list("Members", members.collect(), size)
}

fn policy_id(call: &Call<'_>) -> String {
    hash::uuid(&["configuration-policy", &call.world.org.id])
}

fn policy_summary(call: &Call<'_>) -> Value {
    let id = policy_id(call);
    json!({
        "Arn": arn(call, &call.world.org.home_region, &format!("configuration-policy/{id}")), "Id": id, "Name": "baseline",
        "Description": "Security Hub with CIS 3.0 in every account", "UpdatedAt": iso(call.world.founded),
    })
}

pub(super) fn policies(call: &Call<'_>) -> Answer {
    at_home(call)?;
    let size = call.page_size("MaxResults", 100, 100)?;
    let mut item = policy_summary(call);
    item["ServiceEnabled"] = json!(true);
    call.list("ConfigurationPolicySummaries", vec![item], size)
}

pub(super) fn policy(call: &Call<'_>) -> Answer {
    at_home(call)?;
    let mut item = policy_summary(call);
    let wanted = call.required("Identifier")?;
    if item["Id"] != wanted && item["Arn"] != wanted {
        return Err(missing("the configuration policy"));
    }
    let standards: Vec<_> = STANDARDS.iter().map(|(s, _)| standard_arn(call, s)).collect();
    item["CreatedAt"] = json!(iso(call.world.founded));
    item["ConfigurationPolicy"] = json!({"SecurityHub": {
        "ServiceEnabled": true, "EnabledStandardIdentifiers": standards,
        "SecurityControlsConfiguration": {
            "DisabledSecurityControlIdentifiers": call.world.org.securityhub.disabled_controls,
        },
    }});
    Ok(item)
}

pub(super) fn associations(call: &Call<'_>) -> Answer {
    at_home(call)?;
    let size = call.page_size("MaxResults", 100, 100)?;
    let world = call.world;
    let item = |id: &str, kind: &str, how: &str, status: &str| {
        json!({
            "ConfigurationPolicyId": policy_id(call), "TargetId": id, "TargetType": kind, "AssociationType": how,
            "UpdatedAt": iso(world.founded), "AssociationStatus": status,
        })
    };
    let mut items = vec![item(world.root_id(), "ROOT", "APPLIED", "SUCCESS")];
    items.extend(
        world.org.units.iter().map(|u| item(world.unit_id(&u.name), "ORGANIZATIONAL_UNIT", "INHERITED", "SUCCESS")),
    );
    items.extend(world.org.accounts.iter().map(|a| {
        let good = a.state == "ACTIVE" && world.regions_of(&a.id).all(|r| world.target(&a.id, r).hub);
        item(&a.id, "ACCOUNT", "INHERITED", if good { "SUCCESS" } else { "FAILED" })
    }));
    let filter = |item: &Value| {
        [
            ("ConfigurationPolicyId", "ConfigurationPolicyId"),
            ("AssociationType", "AssociationType"),
            ("AssociationStatus", "AssociationStatus"),
        ]
        .iter()
        .all(|(name, member)| call.params["Filters"][name].as_str().is_none_or(|wanted| item[member] == wanted))
    };
    items.retain(filter);
    call.list("ConfigurationPolicyAssociationSummaries", items, size)
}

fn automation_rule(call: &Call<'_>) -> Value {
    let id = hash::uuid(&["automation-rule", &call.world.org.id]);
    json!({
        "RuleArn": arn(call, call.region, &format!("automation-rule/{id}")), "RuleStatus": "ENABLED", "RuleOrder": 1,
        "RuleName": "sandbox findings are informational", "Description": "Lowers what sandboxes report", "IsTerminal": false,
        "CreatedAt": iso(call.world.founded), "UpdatedAt": iso(last_run(call.now)),
        "CreatedBy": format!("arn:{}:iam::{}:role/SecurityEngineer", call.world.partition(), call.world.org.audit),
    })
}

/// Rules belong to the account that made them: the administrator made one, in its home Region; others have none.
fn own_automation_rules(call: &Call<'_>) -> Vec<Value> {
    let org = &call.world.org;
    let here = call.account() == org.audit && call.region == org.home_region;
    if here { vec![automation_rule(call)] } else { Vec::new() }
}

pub(super) fn automation_rules(call: &Call<'_>) -> Answer {
    let size = call.page_size("MaxResults", 100, 100)?;
    call.list("AutomationRulesMetadata", own_automation_rules(call), size)
}

pub(super) fn automation_rules_by_arn(call: &Call<'_>) -> Answer {
    let own = own_automation_rules(call);
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for arn in call.texts("AutomationRulesArns") {
        let Some(rule) = own.iter().find(|r| r["RuleArn"] == arn) else {
            unknown
                .push(json!({"RuleArn": arn, "ErrorCode": 404, "ErrorMessage": "The automation rule does not exist."}));
            continue;
        };
        let mut rule = rule.clone();
        rule["Criteria"] = json!({"ProductName": [{"Value": "Inspector", "Comparison": "EQUALS"}]});
        rule["Actions"] = json!([{
            "Type": "FINDING_FIELDS_UPDATE", "FindingFieldsUpdate": {"Severity": {"Label": "INFORMATIONAL"}},
        }]);
        found.push(rule);
    }
    Ok(json!({"Rules": found, "UnprocessedAutomationRules": unknown}))
}
