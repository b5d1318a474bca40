//! The Config aggregator and the state of its sources.

use super::job::{Job, Weight};
use crate::{
    aws::{Failure, Signal, Sources},
    model::CoverageState,
};

pub(super) async fn collect(job: &Job<'_>) {
    let asked = Sources::ask(job.aws, &job.caller).await;
    let Some(sources) = job.keep(Weight::Essential, asked.map_err(explain)) else { return };
    if sources.aggregator.is_none() {
        job.decide(CoverageState::NotEnabled, NONE, None);
    }
    job.saw(sources.states.len() + usize::from(sources.aggregator.is_some()));
    job.aws.know_sources(sources);
}

/// What is said where nobody has made an aggregator.
pub(super) const NONE: &str =
    "no Config aggregator in the home Region; create one for the organization, or correct home_region";

/// A wrong name is the configuration's fault, not AWS's: says what to do.
pub(super) fn explain(mut failure: Failure) -> Failure {
    if failure.signal == Signal::NoAggregator {
        failure.message.push_str("; configuration error: set [config] aggregator to one that exists in home_region");
    }
    failure
}
