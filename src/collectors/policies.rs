//! Organisation policies of every enabled type: documents and targets.
//!
//! Listing policies and asking each for its targets costs a tenth of asking each node for its policies.

use std::collections::BTreeSet;

use super::job::{Job, Weight};
use crate::aws::{Quota, Signal, call, pages};

/// How often a type is listed again because a policy vanished between listing and reading.
const ROUNDS: usize = 3;

pub(super) async fn collect(job: &Job<'_>, types: &BTreeSet<String>) {
    for policy_type in types {
        let mut read = BTreeSet::new();
        for _ in 0..ROUNDS {
            let Some(listed) = list(job, policy_type).await else { break };
            let mut changed = false;
            for policy in listed.into_iter().filter(|p| !read.contains(p)).collect::<Vec<_>>() {
                changed |= one(job, &policy).await;
                read.insert(policy);
            }
            // The race is on record: the first listing names the policy, its reading failed, the next listing shows what holds now.
            if !changed {
                break;
            }
        }
    }
}

async fn list(job: &Job<'_>, policy_type: &str) -> Option<BTreeSet<String>> {
    let client = job.caller.organizations_client();
    let mut policies = BTreeSet::new();
    let request = client.list_policies().filter(policy_type.into());
    let listed = pages!(job.caller, Quota::ORGANIZATIONS, "ListPolicies", request, |page| {
        policies.extend(page.policies.unwrap_or_default().into_iter().filter_map(|p| p.id));
    });
    job.keep(Weight::Auxiliary, listed)?;
    job.saw(policies.len());
    Some(policies)
}

/// Reads a policy and its targets; returns whether it vanished meanwhile.
async fn one(job: &Job<'_>, policy: &str) -> bool {
    let client = job.caller.organizations_client();
    let request = client.describe_policy().policy_id(policy);
    let document = call!(job.caller, Quota::ORGANIZATIONS, "DescribePolicy", request).map(|_| ());
    let request = client.list_targets_for_policy().policy_id(policy);
    let targets = pages!(job.caller, Quota::ORGANIZATIONS, "ListTargetsForPolicy", request, |_| ());
    let mut changed = false;
    for answer in [document, targets] {
        changed |= answer.as_ref().is_err_and(|f| f.signal == Signal::Changed);
        job.keep_unless(Weight::Auxiliary, &[Signal::Changed], answer);
    }
    changed
}
