//! Security Hub in one target: the hub, its standards, how each control is set, and which products report to it.

use std::collections::BTreeSet;

use super::job::{Job, Weight, unprocessed};
use crate::{
    aws::{Failure, Quota, Signal, call, pages},
    model::CoverageState,
};

const QUOTA: Quota = Quota::SECURITYHUB;
/// `BatchGetSecurityControls` takes at most 100.
const CONTROLS_A_CALL: usize = 100;

pub(super) async fn collect(job: &Job<'_>) {
    let client = job.caller.securityhub_client();
    match call!(job.caller, QUOTA, "DescribeHub", client.describe_hub()) {
        Ok(_) => {
            job.saw(1);
            standards(job).await;
            controls(job).await;
            products(job).await;
        }
        // Also 404: a hub that is not there is switched off.
        Err(failure) if failure.signal == Signal::Absent => {
            job.decide(CoverageState::NotEnabled, format!("Security Hub is not enabled here ({failure})"), None);
        }
        Err(failure) => job.fail(Weight::Essential, failure),
    }
    // The second generation is asked on its own: either may be on without the other, and its absence is no gap.
    let second = call!(job.caller, QUOTA, "DescribeSecurityHubV2", client.describe_security_hub_v2());
    job.keep_unless(Weight::Auxiliary, &[Signal::Absent, Signal::NotEnabled], second);
}

async fn standards(job: &Job<'_>) {
    let client = job.caller.securityhub_client();
    let mut subscriptions = BTreeSet::new();
    let request = client.get_enabled_standards().max_results(100);
    let listed = pages!(job.caller, QUOTA, "GetEnabledStandards", request, |page| {
        let found = page.standards_subscriptions.unwrap_or_default();
        subscriptions.extend(found.into_iter().filter_map(|s| s.standards_subscription_arn));
    });
    job.keep(Weight::Essential, listed);
    job.saw(subscriptions.len());
    for subscription in &subscriptions {
        let request = client.describe_standards_controls().standards_subscription_arn(subscription).max_results(100);
        let listed: Result<(), Failure> = pages!(job.caller, QUOTA, "DescribeStandardsControls", request, |page| {
            job.saw(page.controls.map_or(0, |c| c.len()));
        });
        job.keep(Weight::Auxiliary, listed);
    }
}

async fn controls(job: &Job<'_>) {
    let client = job.caller.securityhub_client();
    let mut ids = BTreeSet::new();
    let request = client.list_security_control_definitions().max_results(100);
    let listed = pages!(job.caller, QUOTA, "ListSecurityControlDefinitions", request, |page| {
        let found = page.security_control_definitions.unwrap_or_default();
        ids.extend(found.into_iter().filter_map(|d| d.security_control_id));
    });
    job.keep(Weight::Auxiliary, listed);
    let ids: Vec<_> = ids.into_iter().collect();
    for batch in ids.chunks(CONTROLS_A_CALL) {
        let Some(left) = settings(job, batch.to_vec()).await else { continue };
        // Once more for what was left out: then it is a gap.
        if !left.is_empty()
            && let Some(left) = settings(job, left).await
            && !left.is_empty()
        {
            job.fail(Weight::Auxiliary, unprocessed("BatchGetSecurityControls", left.len()));
        }
    }
}

/// Asks which products report to Security Hub here: without that, "no finding" of a product says nothing.
async fn products(job: &Job<'_>) {
    let client = job.caller.securityhub_client();
    let request = client.list_enabled_products_for_import().max_results(100);
    let listed = pages!(job.caller, QUOTA, "ListEnabledProductsForImport", request, |page| {
        job.saw(page.product_subscriptions.map_or(0, |p| p.len()));
    });
    job.keep(Weight::Auxiliary, listed);
}

/// Reads the settings of controls; returns those that AWS left unprocessed.
async fn settings(job: &Job<'_>, ids: Vec<String>) -> Option<Vec<String>> {
    let client = job.caller.securityhub_client();
    let request = client.batch_get_security_controls().set_security_control_ids(Some(ids));
    let answer = call!(job.caller, QUOTA, "BatchGetSecurityControls", request);
    let answer = job.keep(Weight::Auxiliary, answer)?;
    job.saw(answer.security_controls().len());
    Some(answer.unprocessed_ids.unwrap_or_default().into_iter().filter_map(|u| u.security_control_id).collect())
}
