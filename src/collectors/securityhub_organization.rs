//! Security Hub's organisation-wide settings: administration, aggregation, members, central configuration, automation rules.

use std::collections::BTreeSet;

use aws_sdk_securityhub::types::OrganizationConfigurationConfigurationType as Configuration;

use super::job::{Job, Weight};
use crate::aws::{Failure, Quota, Signal, call, pages};

const QUOTA: Quota = Quota::SECURITYHUB;
/// `BatchGetAutomationRules` takes at most 100.
const RULES_A_CALL: usize = 100;

pub(super) async fn collect(job: &Job<'_>) {
    let client = job.caller.securityhub_client();
    let request = client.describe_organization_configuration();
    let described = call!(job.caller, QUOTA, "DescribeOrganizationConfiguration", request);
    let described = job.keep(Weight::Essential, described);
    // Only the management account may ask who the administrators are. Whoever got an answer above is one, and Organizations names them all.
    let calm: &[Signal] = if described.is_some() { &[Signal::Denied, Signal::NotEnabled] } else { &[] };
    let configuration = described.and_then(|d| d.organization_configuration);
    job.saw(usize::from(configuration.is_some()));
    let central = configuration.and_then(|c| c.configuration_type) == Some(Configuration::Central);
    let request = client.list_organization_admin_accounts();
    let admins = pages!(job.caller, QUOTA, "ListOrganizationAdminAccounts", request, |page| {
        job.saw(page.admin_accounts.map_or(0, |a| a.len()));
    });
    job.keep_unless(Weight::Auxiliary, calm, admins);
    aggregators(job).await;
    let request = client.list_members().only_associated(false).max_results(50);
    let members = pages!(job.caller, QUOTA, "ListMembers", request, |page| {
        job.saw(page.members.map_or(0, |m| m.len()));
    });
    job.keep(Weight::Essential, members);
    central_configuration(job, central).await;
    automation_rules(job).await;
}

async fn aggregators(job: &Job<'_>) {
    let client = job.caller.securityhub_client();
    let mut arns = BTreeSet::new();
    let request = client.list_finding_aggregators();
    let listed = pages!(job.caller, QUOTA, "ListFindingAggregators", request, |page| {
        let found = page.finding_aggregators.unwrap_or_default();
        arns.extend(found.into_iter().filter_map(|a| a.finding_aggregator_arn));
    });
    job.keep(Weight::Auxiliary, listed);
    for arn in &arns {
        let request = client.get_finding_aggregator().finding_aggregator_arn(arn);
        let one = call!(job.caller, QUOTA, "GetFindingAggregator", request);
        job.keep(Weight::Auxiliary, one);
    }
}

/// Where configuration is local to each account, AWS refuses these questions: that is no gap.
async fn central_configuration(job: &Job<'_>, central: bool) {
    let calm: &[Signal] = if central { &[] } else { &[Signal::Denied, Signal::NotEnabled, Signal::Absent] };
    let client = job.caller.securityhub_client();
    let mut ids = BTreeSet::new();
    let request = client.list_configuration_policies().max_results(100);
    let listed: Result<(), Failure> = pages!(job.caller, QUOTA, "ListConfigurationPolicies", request, |page| {
        let found = page.configuration_policy_summaries.unwrap_or_default();
        ids.extend(found.into_iter().filter_map(|p| p.id));
    });
    job.keep_unless(Weight::Auxiliary, calm, listed);
    for id in &ids {
        let one = call!(job.caller, QUOTA, "GetConfigurationPolicy", client.get_configuration_policy().identifier(id));
        job.keep_unless(Weight::Auxiliary, &[Signal::Absent], one);
    }
    let request = client.list_configuration_policy_associations().max_results(100);
    let associations = pages!(job.caller, QUOTA, "ListConfigurationPolicyAssociations", request, |_| ());
    job.keep_unless(Weight::Auxiliary, calm, associations);
}

/// `ListAutomationRules` has a token but no paginator in the SDK; the page macro does not mind.
async fn automation_rules(job: &Job<'_>) {
    let client = job.caller.securityhub_client();
    let mut arns = BTreeSet::new();
    let request = client.list_automation_rules().max_results(100);
    let listed = pages!(job.caller, QUOTA, "ListAutomationRules", request, |page| {
        let found = page.automation_rules_metadata.unwrap_or_default();
        arns.extend(found.into_iter().filter_map(|r| r.rule_arn));
    });
    job.keep(Weight::Auxiliary, listed);
    let arns: Vec<_> = arns.into_iter().collect();
    for batch in arns.chunks(RULES_A_CALL) {
        let request = client.batch_get_automation_rules().set_automation_rules_arns(Some(batch.to_vec()));
        let answer = call!(job.caller, QUOTA, "BatchGetAutomationRules", request);
        let Some(answer) = job.keep(Weight::Auxiliary, answer) else { continue };
        let left = answer.unprocessed_automation_rules().len();
        if left > 0 {
            job.fail(Weight::Auxiliary, super::job::unprocessed("BatchGetAutomationRules", left));
        }
    }
}
