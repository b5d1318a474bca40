//! Recorders, what they record, whether they work, where they deliver, and how long history is kept.

use jiff::Timestamp;

use super::job::{Job, Weight};
use crate::aws::{Failure, Quota, Signal, call, pages, timestamp};

pub(super) async fn collect(job: &Job<'_>) {
    let client = job.caller.config_client();
    let recorders =
        call!(job.caller, Quota::CONFIG, "DescribeConfigurationRecorders", client.describe_configuration_recorders());
    if let Some(found) = job.keep_unless(Weight::Essential, &[Signal::NotEnabled], recorders) {
        job.saw(found.configuration_recorders().len());
    }
    job.keep(Weight::Essential, recorder_state(job).await);
    let channels = call!(job.caller, Quota::CONFIG, "DescribeDeliveryChannels", client.describe_delivery_channels());
    if let Some(found) = job.keep(Weight::Auxiliary, channels) {
        job.saw(found.delivery_channels().len());
    }
    let status =
        call!(job.caller, Quota::CONFIG, "DescribeDeliveryChannelStatus", client.describe_delivery_channel_status());
    job.keep(Weight::Auxiliary, status);
    let request = client.describe_retention_configurations();
    let retention = pages!(job.caller, Quota::CONFIG, "DescribeRetentionConfigurations", request, |page| {
        job.saw(page.retention_configurations.map_or(0, |r| r.len()));
    });
    job.keep_unless(Weight::Auxiliary, &[Signal::Absent], retention);
}

/// Whether Config records in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RecorderState {
    /// At least one recorder records and delivers.
    On,
    /// None does: why, and since when.
    Off(String, Option<Timestamp>),
}

/// Asks the target for its recorders' status.
pub(super) async fn recorder_state(job: &Job<'_>) -> Result<RecorderState, Failure> {
    let client = job.target.config_client();
    let request = client.describe_configuration_recorder_status();
    let answer = call!(job.target, Quota::CONFIG, "DescribeConfigurationRecorderStatus", request);
    let none = || RecorderState::Off("AWS Config has no recorder here".to_owned(), None);
    let recorders = match answer {
        Ok(answer) => answer.configuration_recorders_status.unwrap_or_default(),
        Err(failure) if failure.signal == Signal::NotEnabled => return Ok(none()),
        Err(failure) => return Err(failure),
    };
    let mut state = none();
    for recorder in recorders {
        let name = recorder.name.unwrap_or_default();
        let failed = recorder.last_status.as_ref().is_some_and(|s| s.as_str().eq_ignore_ascii_case("failure"));
        if recorder.recording && !failed {
            return Ok(RecorderState::On);
        }
        state = if recorder.recording {
            let said = [recorder.last_error_code, recorder.last_error_message].into_iter().flatten();
            let said: Vec<_> = said.collect();
            let why = format!("the recorder {name:?} fails to deliver ({})", said.join(": "));
            RecorderState::Off(why, recorder.last_status_change_time.and_then(timestamp))
        } else {
            let since = recorder.last_stop_time.or(recorder.last_status_change_time).and_then(timestamp);
            RecorderState::Off(format!("the recorder {name:?} is switched off"), since)
        };
    }
    Ok(state)
}
