//! AWS Organizations: who belongs to the organisation, how it is arranged, and who administers what.
//!
//! Policies are in `policies.rs`. Without the organisation itself or its list of accounts there is nothing to audit: that ends the run.

use std::collections::{BTreeSet, VecDeque};

use futures::{StreamExt, stream};

use super::{
    job::{Job, Weight},
    policies,
};
use crate::aws::{Failure, Quota, Signal, call, pages};

/// Tags are asked account by account; the rate is the quota's, so this only hides the round trip.
const TAGS_AT_ONCE: usize = 4;

pub(super) async fn collect(job: &Job<'_>) {
    let client = job.caller.organizations_client();
    let described = call!(job.caller, Quota::ORGANIZATIONS, "DescribeOrganization", client.describe_organization());
    if !fatal(job, described.map(|_| ())) {
        return;
    }
    job.saw(1);
    let mut accounts = Accounts::default();
    let listed = pages!(job.caller, Quota::ORGANIZATIONS, "ListAccounts", client.list_accounts(), |page| {
        for account in page.accounts.unwrap_or_default() {
            accounts.all_have_paths &= account.paths.is_some_and(|p| !p.is_empty());
            accounts.ids.extend(account.id);
        }
    });
    if !fatal(job, listed) {
        return;
    }
    job.saw(accounts.ids.len());
    let roots = roots(job).await;
    let parents = units(job, roots.ids).await;
    if !accounts.all_have_paths {
        for parent in &parents {
            // An OU that went away meanwhile holds no account; its accounts are in the listing, with another parent or none.
            job.keep_unless(Weight::Essential, &[Signal::Changed], accounts_of(job, parent).await);
        }
    }
    tags(job, &accounts.ids).await;
    policies::collect(job, &roots.policy_types).await;
    delegation(job).await;
}

/// Returns whether the run can go on.
fn fatal(job: &Job<'_>, answer: Result<(), Failure>) -> bool {
    let Err(failure) = answer else { return true };
    if failure.signal != Signal::Aborted {
        job.aws.no_organization(&failure);
    }
    job.fail(Weight::Essential, failure);
    false
}

struct Accounts {
    ids: BTreeSet<String>,
    all_have_paths: bool,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { ids: BTreeSet::new(), all_have_paths: true }
    }
}

#[derive(Default)]
struct Roots {
    ids: Vec<String>,
    policy_types: BTreeSet<String>,
}

async fn roots(job: &Job<'_>) -> Roots {
    let client = job.caller.organizations_client();
    let mut roots = Roots::default();
    let listed = pages!(job.caller, Quota::ORGANIZATIONS, "ListRoots", client.list_roots(), |page| {
        for root in page.roots.unwrap_or_default() {
            let enabled = |s: &aws_sdk_organizations::types::PolicyTypeSummary| {
                s.status.as_ref().is_some_and(|s| s.as_str() == "ENABLED")
            };
            let types = root.policy_types.unwrap_or_default().into_iter().filter(enabled);
            roots.policy_types.extend(types.filter_map(|t| t.r#type).map(|t| t.as_str().to_owned()));
            roots.ids.extend(root.id);
        }
    });
    job.keep(Weight::Essential, listed);
    roots.ids.sort();
    roots.ids.dedup();
    roots
}

/// Walks the tree breadth first and returns every root and OU.
async fn units(job: &Job<'_>, roots: Vec<String>) -> Vec<String> {
    let client = job.caller.organizations_client();
    let mut seen: BTreeSet<_> = roots.iter().cloned().collect();
    let mut all = Vec::new();
    let mut waiting: VecDeque<_> = roots.into();
    while let Some(parent) = waiting.pop_front() {
        let mut children = BTreeSet::new();
        let request = client.list_organizational_units_for_parent().parent_id(&parent);
        let listed = pages!(job.caller, Quota::ORGANIZATIONS, "ListOrganizationalUnitsForParent", request, |page| {
            let units = page.organizational_units.unwrap_or_default();
            children.extend(units.into_iter().filter_map(|u| u.id));
        });
        job.keep_unless(Weight::Essential, &[Signal::Changed], listed);
        job.saw(children.len());
        // A unit moved during the walk may turn up twice; a cycle must not keep us here for ever.
        waiting.extend(children.into_iter().filter(|child| seen.insert(child.clone())));
        all.push(parent);
    }
    all
}

async fn accounts_of(job: &Job<'_>, parent: &str) -> Result<(), Failure> {
    let client = job.caller.organizations_client();
    let request = client.list_accounts_for_parent().parent_id(parent);
    pages!(job.caller, Quota::ORGANIZATIONS, "ListAccountsForParent", request, |_| ())
}

async fn tags(job: &Job<'_>, accounts: &BTreeSet<String>) {
    let answers = stream::iter(accounts.clone()).map(|account| tags_of(job, account)).buffered(TAGS_AT_ONCE);
    answers
        .for_each(|answer| async move {
            job.keep_unless(Weight::Auxiliary, &[Signal::Changed], answer);
        })
        .await;
}

async fn tags_of(job: &Job<'_>, account: String) -> Result<(), Failure> {
    let client = job.caller.organizations_client();
    let request = client.list_tags_for_resource().resource_id(account);
    pages!(job.caller, Quota::ORGANIZATIONS, "ListTagsForResource", request, |_| ())
}

async fn delegation(job: &Job<'_>) {
    let client = job.caller.organizations_client();
    let mut administrators = BTreeSet::new();
    let request = client.list_delegated_administrators();
    let listed = pages!(job.caller, Quota::ORGANIZATIONS, "ListDelegatedAdministrators", request, |page| {
        let found = page.delegated_administrators.unwrap_or_default();
        administrators.extend(found.into_iter().filter_map(|a| a.id));
    });
    job.keep(Weight::Auxiliary, listed);
    for administrator in &administrators {
        let request = client.list_delegated_services_for_account().account_id(administrator);
        let services = pages!(job.caller, Quota::ORGANIZATIONS, "ListDelegatedServicesForAccount", request, |_| ());
        job.keep_unless(Weight::Auxiliary, &[Signal::Changed], services);
    }
    let request = client.list_aws_service_access_for_organization();
    let access = pages!(job.caller, Quota::ORGANIZATIONS, "ListAWSServiceAccessForOrganization", request, |_| ());
    job.keep(Weight::Auxiliary, access);
    let policy = call!(job.caller, Quota::ORGANIZATIONS, "DescribeResourcePolicy", client.describe_resource_policy());
    job.keep_unless(Weight::Auxiliary, &[Signal::Absent], policy);
}
