//! Security Hub: hubs and standards, findings, and the organisation-wide settings.

mod central;
mod findings;
mod hub;

use super::Route;
use crate::{
    call::Call,
    wire::{Answer, AwsError},
};

/// Paths of the served operations.
pub(super) const ROUTES: [Route; 19] = [
    ("GET", "/accounts", "DescribeHub"),
    ("POST", "/standards/get", "GetEnabledStandards"),
    ("GET", "/standards/controls/{StandardsSubscriptionArn}", "DescribeStandardsControls"),
    ("GET", "/securityControls/definitions", "ListSecurityControlDefinitions"),
    ("POST", "/securityControls/batchGet", "BatchGetSecurityControls"),
    ("GET", "/associations", "ListStandardsControlAssociations"),
    ("POST", "/findings", "GetFindings"),
    ("GET", "/organization/configuration", "DescribeOrganizationConfiguration"),
    ("GET", "/organization/admin", "ListOrganizationAdminAccounts"),
    ("GET", "/findingAggregator/list", "ListFindingAggregators"),
    ("GET", "/findingAggregator/get/{FindingAggregatorArn}", "GetFindingAggregator"),
    ("GET", "/members", "ListMembers"),
    ("GET", "/configurationPolicy/list", "ListConfigurationPolicies"),
    ("GET", "/configurationPolicy/get/{Identifier}", "GetConfigurationPolicy"),
    ("POST", "/configurationPolicyAssociation/list", "ListConfigurationPolicyAssociations"),
    ("GET", "/automationrules/list", "ListAutomationRules"),
    ("POST", "/automationrules/get", "BatchGetAutomationRules"),
    ("GET", "/hubv2", "DescribeSecurityHubV2"),
    ("GET", "/productSubscriptions", "ListEnabledProductsForImport"),
];

pub(super) fn answer(call: &Call<'_>) -> Option<Answer> {
    type Operation = fn(&Call<'_>) -> Answer;
    let operation: Operation = match call.operation {
        "DescribeHub" => hub::describe,
        "GetEnabledStandards" => hub::standards,
        "DescribeStandardsControls" => hub::standards_controls,
        "ListSecurityControlDefinitions" => hub::definitions,
        "BatchGetSecurityControls" => hub::controls,
        "ListStandardsControlAssociations" => hub::associations,
        "ListEnabledProductsForImport" => hub::products,
        "DescribeSecurityHubV2" => return Some(hub::second_generation(call)),
        "GetFindings" => findings::get,
        "DescribeOrganizationConfiguration" => central::organization,
        "ListOrganizationAdminAccounts" => return Some(central::administrators(call)),
        "ListFindingAggregators" => central::aggregators,
        "GetFindingAggregator" => central::aggregator,
        "ListMembers" => central::members,
        "ListConfigurationPolicies" => central::policies,
        "GetConfigurationPolicy" => central::policy,
        "ListConfigurationPolicyAssociations" => central::associations,
        "ListAutomationRules" => central::automation_rules,
        "BatchGetAutomationRules" => central::automation_rules_by_arn,
        _ => return None,
    };
    Some(subscribed(call).and_then(|()| operation(call)))
}

/// Every call but a few needs Security Hub to be on in the caller's account and Region.
fn subscribed(call: &Call<'_>) -> Result<(), AwsError> {
    if call.world.target(call.account(), call.region).hub {
        return Ok(());
    }
    let message = format!("Account {} is not subscribed to AWS Security Hub", call.account());
    Err(AwsError::with_status(401, "InvalidAccessException", message))
}

/// Some calls are for the organisation's Security Hub administrator only: the same code, another message.
fn administrator(call: &Call<'_>) -> Result<(), AwsError> {
    if call.account() == call.world.org.audit {
        return Ok(());
    }
    let message = format!("Account {} is not an administrator for this organization", call.account());
    Err(AwsError::with_status(401, "InvalidAccessException", message))
}
