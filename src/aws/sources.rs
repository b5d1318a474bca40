//! What the Config aggregator says about its sources, learnt once a run: central answers are only as good as it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Aws, Caller, Failure, Quota, Signal, pages};

/// The aggregator's sources by account and Region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The aggregator; `None` where there is none.
    pub aggregator: Option<String>,
    /// By (account id, Region).
    pub states: BTreeMap<(String, String), SourceState>,
}

/// How well the aggregator is informed about one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// `SUCCEEDED`, `FAILED` or `OUTDATED`.
    pub status: String,
    /// Time of the last update.
    pub updated: Option<Timestamp>,
    /// AWS's error code and message, where there is one.
    pub said: Option<String>,
}

impl Sources {
    /// Asks for the aggregators and the state of their sources.
    pub(crate) async fn ask(aws: &Aws, caller: &Caller) -> Result<Self, Failure> {
        let client = caller.config_client();
        let mut names = BTreeSet::new();
        let wanted = aws.aggregator().map(|name| vec![name.to_owned()]);
        let request = client.describe_configuration_aggregators().set_configuration_aggregator_names(wanted);
        pages!(caller, Quota::CONFIG, "DescribeConfigurationAggregators", request, |page| {
            let found = page.configuration_aggregators.unwrap_or_default();
            names.extend(found.into_iter().filter_map(|a| a.configuration_aggregator_name));
        })?;
        if names.len() > 1 {
            return Err(ambiguous(&names));
        }
        let Some(name) = names.pop_first() else { return Ok(Self::default()) };
        let mut states = BTreeMap::new();
        let request =
            client.describe_configuration_aggregator_sources_status().configuration_aggregator_name(&name).limit(100);
        pages!(caller, Quota::CONFIG, "DescribeConfigurationAggregatorSourcesStatus", request, |page| {
            for source in page.aggregated_source_status_list.unwrap_or_default() {
                let (Some(id), Some(region)) = (source.source_id, source.aws_region) else { continue };
                let said: Vec<_> = [source.last_error_code, source.last_error_message].into_iter().flatten().collect();
                let state = SourceState {
                    status: source.last_update_status.map_or_else(String::new, |s| s.as_str().to_owned()),
                    updated: source.last_update_time.and_then(timestamp),
                    said: (!said.is_empty()).then(|| said.join(": ")),
                };
                states.insert((id, region), state);
            }
        })?;
        Ok(Self { aggregator: Some(name), states })
    }
}

/// Which of several is meant is not ours to guess: they may cover different accounts.
fn ambiguous(names: &BTreeSet<String>) -> Failure {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    Failure {
        signal: Signal::NoAggregator,
        operation: "DescribeConfigurationAggregators".to_owned(),
        code: "ambiguous".to_owned(),
        message: format!("there are several aggregators ({})", names.join(", ")),
    }
}

impl Aws {
    /// Returns the aggregator's sources, asking only where nobody has in this run.
    pub(crate) async fn sources(&self, caller: &Caller) -> Result<&Sources, Failure> {
        self.shared.sources.get_or_try_init(|| Sources::ask(self, caller)).await
    }

    /// Leaves what a task has asked for itself for the others.
    pub(crate) fn know_sources(&self, sources: Sources) {
        // Whoever came first has asked the same aggregator in the same run.
        let _ = self.shared.sources.set(sources);
    }
}

/// Converts the SDK's time; `None` where it lies outside what a calendar holds.
pub(crate) fn timestamp(time: aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
