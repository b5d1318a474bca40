//! Security Hub findings of one target, from every product.
//!
//! Only findings with RecordState ACTIVE are asked for: ARCHIVED ones describe resources or controls that are gone, Security Hub deletes
//! them after 30 days, and a run states what holds now. What was archived since the last run is visible as an observation that ended.
//!
//! Account and Region are filtered in both modes: in the home Region of the administrator, an unfiltered question would bring everybody's
//! findings under this target's name, and count them twice.

use aws_sdk_securityhub::types::{AwsSecurityFindingFilters, StringFilter, StringFilterComparison};

use super::job::{Job, Weight};
use crate::aws::{Quota, pages};

pub(super) async fn collect(job: &Job<'_>) {
    let client = job.caller.securityhub_client();
    let filters = AwsSecurityFindingFilters::builder()
        .aws_account_id(equals(job.task.account.as_str()))
        .region(equals(job.task.region.as_str()))
        .record_state(equals("ACTIVE"))
        .build();
    let request = client.get_findings().filters(filters).max_results(100);
    let listed = pages!(job.caller, Quota::SECURITYHUB_FINDINGS, "GetFindings", request, |page| {
        job.saw(page.findings.map_or(0, |f| f.len()));
    });
    job.keep(Weight::Essential, listed);
}

fn equals(value: &str) -> StringFilter {
    StringFilter::builder().value(value).comparison(StringFilterComparison::Equals).build()
}
