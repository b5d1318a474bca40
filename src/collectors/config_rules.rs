//! Config rules with their parameters and last evaluations, conformance packs, and automatic remediation.

use std::collections::BTreeSet;

use super::job::{Job, Weight};
use crate::aws::{Failure, Quota, Signal, call, pages};

/// `DescribeRemediationConfigurations` takes at most 25 rule names.
const NAMES_A_CALL: usize = 25;

pub(super) async fn collect(job: &Job<'_>) {
    let client = job.caller.config_client();
    let mut rules = BTreeSet::new();
    let listed = pages!(job.caller, Quota::CONFIG, "DescribeConfigRules", client.describe_config_rules(), |page| {
        let found = page.config_rules.unwrap_or_default();
        job.saw(found.len());
        rules.extend(found.into_iter().filter_map(|r| r.config_rule_name));
    });
    job.keep(Weight::Essential, listed);
    let request = client.describe_config_rule_evaluation_status();
    let evaluated = pages!(job.caller, Quota::CONFIG, "DescribeConfigRuleEvaluationStatus", request, |_| ());
    job.keep(Weight::Auxiliary, evaluated);
    packs(job).await;
    remediation(job, &rules).await;
}

/// Which packs there are, how they stand, and which rules each brought.
async fn packs(job: &Job<'_>) {
    let client = job.caller.config_client();
    let mut names = BTreeSet::new();
    let request = client.describe_conformance_packs();
    let packs = pages!(job.caller, Quota::CONFIG, "DescribeConformancePacks", request, |page| {
        let found = page.conformance_pack_details.unwrap_or_default();
        job.saw(found.len());
        names.extend(found.into_iter().map(|p| p.conformance_pack_name));
    });
    job.keep(Weight::Auxiliary, packs);
    let request = client.describe_conformance_pack_status();
    let status = pages!(job.caller, Quota::CONFIG, "DescribeConformancePackStatus", request, |_| ());
    job.keep(Weight::Auxiliary, status);
    for name in &names {
        let request = client.describe_conformance_pack_compliance().conformance_pack_name(name).limit(1000);
        let rules: Result<(), Failure> =
            pages!(job.caller, Quota::CONFIG, "DescribeConformancePackCompliance", request, |_| ());
        // The pack went away meanwhile: then there is nothing to report on it.
        job.keep_unless(Weight::Auxiliary, &[Signal::Absent, Signal::Changed], rules);
    }
}

async fn remediation(job: &Job<'_>, rules: &BTreeSet<String>) {
    let client = job.caller.config_client();
    let names: Vec<_> = rules.iter().cloned().collect();
    let mut remedied = BTreeSet::new();
    for batch in names.chunks(NAMES_A_CALL) {
        let request = client.describe_remediation_configurations().set_config_rule_names(Some(batch.to_vec()));
        let answer = call!(job.caller, Quota::CONFIG, "DescribeRemediationConfigurations", request);
        let Some(answer) = job.keep(Weight::Auxiliary, answer) else { continue };
        let found = answer.remediation_configurations.unwrap_or_default();
        job.saw(found.len());
        remedied.extend(found.into_iter().map(|r| r.config_rule_name));
    }
    for rule in &remedied {
        // The rule or its remediation went away meanwhile: then there is nothing to report on it.
        let calm = [Signal::Absent, Signal::Changed];
        job.keep_unless(Weight::Auxiliary, &calm, executions(job, rule).await);
        job.keep_unless(Weight::Auxiliary, &calm, exceptions(job, rule).await);
    }
}

async fn executions(job: &Job<'_>, rule: &str) -> Result<(), Failure> {
    let client = job.caller.config_client();
    let request = client.describe_remediation_execution_status().config_rule_name(rule).limit(100);
    pages!(job.caller, Quota::CONFIG, "DescribeRemediationExecutionStatus", request, |page| {
        job.saw(page.remediation_execution_statuses.map_or(0, |s| s.len()));
    })
}

async fn exceptions(job: &Job<'_>, rule: &str) -> Result<(), Failure> {
    let client = job.caller.config_client();
    let request = client.describe_remediation_exceptions().config_rule_name(rule).limit(100);
    pages!(job.caller, Quota::CONFIG, "DescribeRemediationExceptions", request, |page| {
        job.saw(page.remediation_exceptions.map_or(0, |e| e.len()));
    })
}
