//! Security Hub in one target: is it on, are its standards ready, which controls are enabled?

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::wire::{Time, list_answer, time};
use crate::model::EvidenceRef;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawHub {
    #[serde(rename = "HubArn")]
    _hub_arn: String,
    #[serde(default, deserialize_with = "time")]
    pub subscribed_at: Option<Time>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawStandard {
    pub standards_subscription_arn: String,
    #[serde(default)]
    pub standards_status: Option<String>,
}

/// A control as `BatchGetSecurityControls` or `DescribeStandardsControls` states it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawControl {
    #[serde(alias = "SecurityControlId")]
    control_id: String,
    #[serde(default, alias = "SecurityControlStatus")]
    control_status: Option<String>,
    #[serde(default)]
    disabled_reason: Option<String>,
}

list_answer!(Standards, "StandardsSubscriptions", RawStandard);
list_answer!(StandardControls, "Controls", RawControl);
list_answer!(SecurityControls, "SecurityControls", RawControl);
list_answer!(Products, "ProductSubscriptions", String);

type List<T> = Result<(Vec<T>, bool), serde_json::Error>;

pub(super) fn standards(body: &[u8]) -> List<RawStandard> {
    Standards::read(body)
}

pub(super) fn standard_controls(body: &[u8]) -> List<RawControl> {
    StandardControls::read(body)
}

pub(super) fn security_controls(body: &[u8]) -> List<RawControl> {
    SecurityControls::read(body)
}

pub(super) fn products(body: &[u8]) -> List<String> {
    Products::read(body)
}

/// Whether a control is on in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlState {
    /// True where it is enabled.
    pub enabled: bool,
    /// The reason given for disabling it.
    pub why: Option<String>,
    /// The record that says so.
    pub evidence: EvidenceRef,
}

/// What Security Hub says about itself in one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubState {
    /// Since when the account is subscribed; `None` where that was not said.
    pub subscribed: Option<Timestamp>,
    /// When that was read.
    pub read: Option<Timestamp>,
    /// Standards that are not `READY`, with their status.
    pub unready: Vec<String>,
    /// Number of standards that are on.
    pub standards: usize,
    /// Controls by security control id.
    pub controls: BTreeMap<String, ControlState>,
    /// Products whose findings it takes in, such as `guardduty`; `None` where that was not read to its end.
    pub products: Option<BTreeSet<String>>,
}

impl HubState {
    /// Takes what one standard says: a control is on where any standard has it on.
    pub(super) fn take_standard_controls(&mut self, controls: &[RawControl], evidence: &EvidenceRef) {
        for control in controls {
            let new = state(control, evidence);
            self.controls
                .entry(control.control_id.clone())
                .and_modify(|known| {
                    if !known.enabled && new.enabled {
                        *known = new.clone();
                    }
                })
                .or_insert(new);
        }
    }

    /// Returns what keeps the silence of an enabled control from meaning "no resources"; `None` where nothing does.
    ///
    /// Security Hub runs a new control within 24 hours of its being switched on.
    pub fn doubt(&self) -> Option<String> {
        if self.standards == 0 {
            return Some("no standard is enabled".to_owned());
        }
        if let Some(standard) = self.unready.first() {
            return Some(format!("standard {standard}"));
        }
        match (self.subscribed, self.read) {
            (Some(since), Some(read)) if read.duration_since(since).as_hours() >= 24 => None,
            (Some(_), Some(_)) => Some("Security Hub was switched on less than 24 hours before".to_owned()),
            _ => Some("it is not known since when Security Hub is on".to_owned()),
        }
    }
}

fn state(control: &RawControl, evidence: &EvidenceRef) -> ControlState {
    ControlState {
        enabled: control.control_status.as_deref() == Some("ENABLED"),
        why: control.disabled_reason.clone().filter(|r| !r.is_empty()),
        evidence: evidence.clone(),
    }
}

/// Returns what is said of a standard that is not ready.
pub(super) fn unready(standard: &RawStandard) -> Option<String> {
    let status = standard.standards_status.as_deref().unwrap_or("without a status");
    (status != "READY").then(|| format!("{} is {status}", standard.standards_subscription_arn))
}
