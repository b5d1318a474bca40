//! Sources of evidence: one file each, one line each in [`COLLECTORS`].
//!
//! A collector asks its questions, lets the caller record every answer raw, and reads only what it needs for the next question. A failed
//! question never drops its siblings: the task goes on and says at its end what is missing (`job.rs`).

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
    let job = Job::new(aws, task, sink);
    // Without credentials every question would fail alike: the refusal itself is the task's end.
    if let Err(failure) = job.caller.prepare().await {
        return Outcome { state: failure.signal.state(), error: Some(failure.to_string()), since: None };
    }
    match AssertUnwindSafe(collect(&job)).catch_unwind().await {
        Ok(()) => job.finish(),
        Err(_) => closed(CoverageState::Failed, "internal error while collecting; please report it"),
    }
}
