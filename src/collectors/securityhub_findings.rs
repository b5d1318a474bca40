//! Security Hub findings of one target, from every product.
//!
//! Only findings with RecordState ACTIVE are asked for: ARCHIVED ones describe resources or controls that are gone, Security Hub deletes
//! them after 30 days, and a run states what holds now. What was archived since the last run is visible as an observation that ended.
//!
//! Account and Region are filtered in both modes: in the home Region of the administrator, an unfiltered question would bring everybody's
//! findings under this target's name, and count them twice.
//!
//! Where nothing reached the home Region, the target itself is asked: it may be no member, its Region may not be linked, or its hub may be
//! off, and none of these may pass for "no findings".

use aws_sdk_securityhub::types::{AwsSecurityFindingFilters, StringFilter, StringFilterComparison};

use super::job::{Job, Weight};
use crate::{
    aws::{Caller, Quota, pages},
    model::Mode,
};

pub(super) async fn collect(job: &Job<'_>) {
    let first = findings(job, &job.caller).await;
    if first == Some(0) && job.task.mode == Mode::Central {
        findings(job, &job.target).await;
    }
}

/// Returns how many there are; `None` where the listing failed.
async fn findings(job: &Job<'_>, caller: &Caller) -> Option<usize> {
    let client = caller.securityhub_client();
    let filters = AwsSecurityFindingFilters::builder()
        .aws_account_id(equals(job.task.account.as_str()))
        .region(equals(job.task.region.as_str()))
        .record_state(equals("ACTIVE"))
        .build();
    let request = client.get_findings().filters(filters).max_results(100);
    let mut count = 0;
    let listed = pages!(caller, Quota::SECURITYHUB_FINDINGS, "GetFindings", request, |page| {
        count += page.findings.map_or(0, |f| f.len());
    });
    job.saw(count);
    job.keep(Weight::Essential, listed).map(|()| count)
}

fn equals(value: &str) -> StringFilter {
    StringFilter::builder().value(value).comparison(StringFilterComparison::Equals).build()
}
