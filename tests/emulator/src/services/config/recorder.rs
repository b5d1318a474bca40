//! Recorders, delivery channels and retention of one account-Region.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    call::{Call, compact, epoch, last_run},
    wire::{Answer, AwsError},
    world::TargetState,
};

fn state(call: &Call<'_>) -> TargetState {
    call.world.target(call.account(), call.region)
}

fn arn(call: &Call<'_>) -> String {
    let partition = call.world.partition();
    format!(
        "arn:{partition}:config:{}:{}:configuration-recorder/default/{}",
        call.region,
        call.account(),
        crate::hash::hex(&["recorder", call.account(), call.region], 16)
    )
}

/// Refuses names that do not exist.
fn named(call: &Call<'_>, exists: bool, parameter: &str, code: &str) -> Result<(), AwsError> {
    match call.texts(parameter).into_iter().find(|name| !exists || *name != "default") {
        Some(name) => Err(AwsError::new(code, format!("Cannot find {name}"))),
        None => Ok(()),
    }
}

pub(super) fn describe(call: &Call<'_>) -> Answer {
    let state = state(call);
    let exists = state.recorder != "absent";
    named(call, exists, "ConfigurationRecorderNames", "NoSuchConfigurationRecorderException")?;
    let home = call.region == call.world.org.home_region;
    let excluded = !state.not_recorded.is_empty() || !home;
    let group = if excluded {
        let mut kinds = state.not_recorded;
        if !home {
            kinds
                .extend(["AWS::IAM::Group", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::IAM::User"].map(str::to_owned));
        }
        json!({
            "allSupported": false, "includeGlobalResourceTypes": false, "resourceTypes": [],
            "exclusionByResourceTypes": {"resourceTypes": kinds},
            "recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"},
        })
    } else {
        json!({
            "allSupported": true, "includeGlobalResourceTypes": true, "resourceTypes": [],
            "exclusionByResourceTypes": {"resourceTypes": []},
            "recordingStrategy": {"useOnly": "ALL_SUPPORTED_RESOURCE_TYPES"},
        })
    };
    let role = format!(
        "arn:{}:iam::{}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
        call.world.partition(),
        call.account()
    );
    let recorder = json!({
        "arn": arn(call), "name": "default", "roleARN": role, "recordingGroup": group,
        "recordingMode": {"recordingFrequency": state.recording_frequency}, "recordingScope": "PAID",
    });
    Ok(json!({"ConfigurationRecorders": if exists { vec![recorder] } else { Vec::new() }}))
}

pub(super) fn status(call: &Call<'_>) -> Answer {
    let state = state(call);
    let exists = state.recorder != "absent";
    named(call, exists, "ConfigurationRecorderNames", "NoSuchConfigurationRecorderException")?;
    let since = state.since.unwrap_or(call.world.founded);
    let failing = state.recorder == "failing";
    let stopped = state.recorder == "stopped";
    let changed = if failing || stopped { since } else { last_run(call.now) };
    let status = compact(json!({
        "arn": arn(call), "name": "default", "recording": !stopped,
        "lastStartTime": epoch(call.world.founded),
        "lastStopTime": if stopped { epoch(since) } else { Value::Null },
        "lastStatus": if failing { "Failure" } else { "Success" },
        "lastErrorCode": if failing { json!("AccessDenied") } else { Value::Null },
        "lastErrorMessage": if failing { json!("The recorder's role may not write to the bucket.") } else { Value::Null },
        "lastStatusChangeTime": epoch(changed),
    }));
    Ok(json!({"ConfigurationRecordersStatus": if exists { vec![status] } else { Vec::new() }}))
}

pub(super) fn channels(call: &Call<'_>) -> Answer {
    let exists = state(call).recorder != "absent";
    named(call, exists, "DeliveryChannelNames", "NoSuchDeliveryChannelException")?;
    let channel = json!({
        "name": "default", "s3BucketName": format!("config-history-{}", call.world.org.audit),
        "configSnapshotDeliveryProperties": {"deliveryFrequency": "TwentyFour_Hours"},
    });
    Ok(json!({"DeliveryChannels": if exists { vec![channel] } else { Vec::new() }}))
}

pub(super) fn channel_status(call: &Call<'_>) -> Answer {
    let state = state(call);
    let exists = state.recorder != "absent";
    named(call, exists, "DeliveryChannelNames", "NoSuchDeliveryChannelException")?;
    let at = if state.recorder == "on" { last_run(call.now) } else { state.since.unwrap_or(call.world.founded) };
    let next = at.saturating_add(SignedDuration::from_hours(24)).unwrap_or(at);
    let info = json!({
        "lastStatus": "Success", "lastAttemptTime": epoch(at), "lastSuccessfulTime": epoch(at), "nextDeliveryTime": epoch(next),
    });
    let status = json!({
        "name": "default", "configSnapshotDeliveryInfo": info, "configHistoryDeliveryInfo": info,
        "configStreamDeliveryInfo": {"lastStatus": "Success", "lastStatusChangeTime": epoch(at)},
    });
    Ok(json!({"DeliveryChannelsStatus": if exists { vec![status] } else { Vec::new() }}))
}

pub(super) fn retention(call: &Call<'_>) -> Answer {
    let days = call.world.org.config.retention_days.filter(|_| state(call).recorder != "absent");
    if let Some(name) =
        call.texts("RetentionConfigurationNames").into_iter().find(|n| days.is_none() || *n != "default")
    {
        return Err(AwsError::new("NoSuchRetentionConfigurationException", format!("Cannot find {name}")));
    }
    let items = days.map(|d| json!({"Name": "default", "RetentionPeriodInDays": d})).into_iter().collect();
    call.list("RetentionConfigurations", items, 1)
}
