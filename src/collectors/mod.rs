//! Sources of evidence: one file each, one line each in `COLLECTORS`.
//!
//! A collector asks its questions, lets the caller record every answer raw, and reads only what it needs for the next question. A failed
//! question never drops its siblings: the task goes on and says at its end what is missing (`job.rs`).
//!
//! | asked | by whom | where |
//! | --- | --- | --- |
//! | `organization`, `config-aggregator`, `config-aggregate-compliance`, `securityhub-organization` | the audit account | home Region |
//! | `regions` | the account's audit role | home Region |
//! | `config-recorder`, `config-rules`, `securityhub-hub` | the account's audit role | the target's Region |
//! | `config-compliance`, `securityhub-findings`, fan-out | the account's audit role | the target's Region |
//! | the same, central | the audit account, over the aggregated view | home Region |
//!
//! A central question that brings nothing, or that the target knows better (has its recorder stopped?), is followed by one to the target:
//! silence in an aggregated view is no evidence.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use crate::{
    aws::Aws,
    model::{Collector, CoverageState, PlannedTask},
    spool::{Outcome, Sink},
};

mod config_aggregate_compliance;
mod config_aggregator;
mod config_compliance;
mod config_recorder;
mod config_rules;
mod job;
mod organization;
mod policies;
mod regions;
mod securityhub_findings;
mod securityhub_hub;
mod securityhub_organization;
#[cfg(test)]
mod tests;

use job::Job;

type Collect = for<'j> fn(&'j Job<'j>) -> BoxFuture<'j, ()>;

/// Every source and what gathers it.
const COLLECTORS: &[(Collector, Collect)] = &[
    (Collector::Organization, |job| organization::collect(job).boxed()),
    (Collector::Regions, |job| regions::collect(job).boxed()),
    (Collector::ConfigAggregator, |job| config_aggregator::collect(job).boxed()),
    (Collector::ConfigAggregateCompliance, |job| config_aggregate_compliance::collect(job).boxed()),
    (Collector::ConfigRecorder, |job| config_recorder::collect(job).boxed()),
    (Collector::ConfigRules, |job| config_rules::collect(job).boxed()),
    (Collector::ConfigCompliance, |job| config_compliance::collect(job).boxed()),
    (Collector::SecurityhubOrganization, |job| securityhub_organization::collect(job).boxed()),
    (Collector::SecurityhubHub, |job| securityhub_hub::collect(job).boxed()),
    (Collector::SecurityhubFindings, |job| securityhub_findings::collect(job).boxed()),
];

/// Does one task, and says how it ended whatever happened.
pub async fn run(aws: &Aws, task: &PlannedTask, sink: Arc<dyn Sink>) -> Outcome {
    let closed = |state, error: &str| Outcome { state, error: Some(error.to_owned()), since: None };
    if task.out_of_scope.is_some() {
        return closed(CoverageState::OutOfScope, "not asked: out of scope");
    }
    let Some((_, collect)) = COLLECTORS.iter().find(|(collector, _)| *collector == task.collector) else {
        return closed(CoverageState::Failed, "no collector is registered for this source");
    };
    let job = Job::new(aws, task, Arc::clone(&sink));
    // Without credentials every question would fail alike: the refusal itself is the task's end.
    let outcome = match job.caller.prepare().await {
        Err(failure) => Outcome { state: failure.signal.state(), error: Some(failure.to_string()), since: None },
        Ok(()) => match AssertUnwindSafe(collect(&job)).catch_unwind().await {
            Ok(()) => job.finish(),
            Err(_) => closed(CoverageState::Failed, "internal error while collecting; please report it"),
        },
    };
    if outcome.state == CoverageState::RegionDisabled {
        confirm_disabled(aws, task, sink, outcome).await
    } else {
        outcome
    }
}

/// AWS refuses unknown credentials in the same words as a Region that is not opted in, and only the latter is no gap: the account's own list
/// of Regions must agree.
async fn confirm_disabled(aws: &Aws, task: &PlannedTask, sink: Arc<dyn Sink>, refused: Outcome) -> Outcome {
    let said = refused.error.as_deref().unwrap_or_default();
    let error = match aws.opted_in(&task.account, &task.region, sink).await {
        Ok(false) => return refused,
        Ok(true) => format!("{said} (although the Region is opted in)"),
        Err(failure) => format!("{said} (whether the Region is opted in could not be learnt: {failure})"),
    };
    Outcome { state: CoverageState::Denied, error: Some(error), since: None }
}
