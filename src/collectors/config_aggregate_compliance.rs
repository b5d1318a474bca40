//! Each rule's result as the aggregator counts it: an independent cross-check of what the targets say themselves.

use super::{
    config_aggregator::{NONE, explain},
    job::{Job, Weight},
};
use crate::{
    aws::{Quota, pages},
    model::CoverageState,
};

pub(super) async fn collect(job: &Job<'_>) {
    let sources = job.aws.sources(&job.caller).await.map_err(explain);
    let Some(sources) = job.keep(Weight::Essential, sources) else { return };
    let Some(aggregator) = &sources.aggregator else {
        return job.decide(CoverageState::NotEnabled, NONE, None);
    };
    let client = job.caller.config_client();
    let request =
        client.describe_aggregate_compliance_by_config_rules().configuration_aggregator_name(aggregator).limit(1000);
    let listed = pages!(job.caller, Quota::CONFIG, "DescribeAggregateComplianceByConfigRules", request, |page| {
        job.saw(page.aggregate_compliance_by_config_rules.map_or(0, |r| r.len()));
    });
    job.keep(Weight::Essential, listed);
}
