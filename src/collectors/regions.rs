//! `account:ListRegions`: which Regions an account has opted in to.

use super::job::{Job, Weight};
use crate::aws::{Quota, pages};

pub(super) async fn collect(job: &Job<'_>) {
    let client = job.caller.account_client();
    let listed = pages!(job.caller, Quota::ACCOUNT, "ListRegions", client.list_regions().max_results(50), |page| {
        job.saw(page.regions.map_or(0, |r| r.len()));
    });
    job.keep(Weight::Essential, listed);
}
