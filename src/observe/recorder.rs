//! Config recorders and delivery channels of one target: is it on, and what does it record?

use serde::Deserialize;

use super::wire::{Time, list_answer, time};
use crate::model::EvidenceRef;

/// Types that a recorder of "all supported types" records only with `includeGlobalResourceTypes`.
const GLOBAL_TYPES: [&str; 4] = ["AWS::IAM::User", "AWS::IAM::Group", "AWS::IAM::Role", "AWS::IAM::Policy"];

/// The type under which Config records compliance itself.
pub const RESOURCE_COMPLIANCE: &str = "AWS::Config::ResourceCompliance";

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawRecorder {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    recording_group: Option<RawGroup>,
    /// Set on recorders that an AWS service keeps for itself; Config rules do not see what those record.
    #[serde(default)]
    service_principal: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawGroup {
    #[serde(default)]
    all_supported: Option<bool>,
    #[serde(default)]
    include_global_resource_types: Option<bool>,
    #[serde(default)]
    resource_types: Option<Vec<String>>,
    #[serde(default)]
    exclusion_by_resource_types: Option<RawExclusion>,
    #[serde(default)]
    recording_strategy: Option<RawStrategy>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawExclusion {
    #[serde(default)]
    resource_types: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStrategy {
    #[serde(default)]
    use_only: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawStatus {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    recording: Option<bool>,
    #[serde(default)]
    last_status: Option<String>,
    #[serde(default)]
    last_error_code: Option<String>,
    #[serde(default, deserialize_with = "time")]
    last_start_time: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    last_stop_time: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    last_status_change_time: Option<Time>,
    #[serde(default)]
    service_principal: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct RawChannel {}

list_answer!(Recorders, "ConfigurationRecorders", RawRecorder);
list_answer!(Statuses, "ConfigurationRecordersStatus", RawStatus);
list_answer!(Channels, "DeliveryChannels", RawChannel);

pub(super) fn recorders(body: &[u8]) -> Result<(Vec<RawRecorder>, bool), serde_json::Error> {
    Recorders::read(body)
}

pub(super) fn statuses(body: &[u8]) -> Result<(Vec<RawStatus>, bool), serde_json::Error> {
    Statuses::read(body)
}

pub(super) fn channels(body: &[u8]) -> Result<(Vec<RawChannel>, bool), serde_json::Error> {
    Channels::read(body)
}

/// What a target's recorder does, by its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecorderState {
    /// True where a recorder of the account's own is recording, its last delivery did not fail, and a delivery channel exists.
    pub on: bool,
    /// In a few words, why it is off; the recording group where it is on.
    pub why: String,
    /// Since when, by Config's own times.
    pub since: Option<jiff::Timestamp>,
    /// The record that says so.
    pub evidence: EvidenceRef,
    recorded: Recorded,
}

/// Which resource types a recorder records. Written `all`, `regional`, `only A,B` or `but A,B`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// All supported types.
    All {
        /// The global ones too.
        globals: bool,
    },
    /// These alone.
    Only(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
}

impl Recorded {
    /// Returns whether `resource_type` is among them.
    pub fn includes(&self, resource_type: &str) -> bool {
        match self {
            Self::All { globals } => *globals || !GLOBAL_TYPES.contains(&resource_type),
            Self::Only(types) => types.iter().any(|t| t == resource_type),
            Self::AllBut(types) => !types.iter().any(|t| t == resource_type),
        }
    }
}

impl std::fmt::Display for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All { globals: true } => f.write_str("all"),
            Self::All { globals: false } => f.write_str("regional"),
            Self::Only(types) => write!(f, "only {}", types.join(",")),
            Self::AllBut(types) => write!(f, "but {}", types.join(",")),
        }
    }
}

impl std::str::FromStr for Recorded {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let list = |types: &str| types.split(',').map(str::to_owned).collect();
        match text.split_once(' ') {
            None if text == "all" => Ok(Self::All { globals: true }),
            None if text == "regional" => Ok(Self::All { globals: false }),
            Some(("only", types)) => Ok(Self::Only(list(types))),
            Some(("but", types)) => Ok(Self::AllBut(list(types))),
            _ => Err(()),
        }
    }
}

impl RecorderState {
    /// Returns whether the recorder is on and records `resource_type`.
    pub fn records(&self, resource_type: &str) -> bool {
        self.on && self.recorded.includes(resource_type)
    }

    /// Returns which types it records; `None` where it is off.
    pub fn recorded(&self) -> Option<&Recorded> {
        self.on.then_some(&self.recorded)
    }

    /// Returns what a recorder that is on leaves out of what Config supports; global types are expected in the home Region only.
    ///
    /// Compliance records are no resources: AWS itself suggests leaving them out where cost matters.
    pub fn leaves_out(&self, home: bool) -> Option<String> {
        match &self.recorded {
            Recorded::All { globals } => (home && !globals)
                .then(|| "it leaves out global resource types, which the home Region should record".into()),
            Recorded::Only(types) => {
                Some(format!("it records {} resource types and leaves out the others", types.len()))
            }
            Recorded::AllBut(types) => {
                let missed = |t: &&String| *t != RESOURCE_COMPLIANCE && (home || !GLOBAL_TYPES.contains(&t.as_str()));
                let missed: Vec<_> = types.iter().filter(missed).map(String::as_str).collect();
                (!missed.is_empty()).then(|| format!("it leaves out {}", missed.join(", ")))
            }
        }
    }
}

/// Judges a target's recorders; `None` where one of the two answers is missing.
pub(super) fn judge(
    recorders: Option<(&[RawRecorder], EvidenceRef)>,
    statuses: Option<(&[RawStatus], EvidenceRef)>,
    channels: Option<usize>,
) -> Option<RecorderState> {
    let (recorders, described) = recorders?;
    let off = |why: String, since, evidence| {
        Some(RecorderState { on: false, why, since, evidence, recorded: Recorded::Only(Vec::new()) })
    };
    let Some(recorder) = recorders.iter().find(|r| r.service_principal.is_none()) else {
        return off("there is no configuration recorder".into(), None, described);
    };
    let (statuses, evidence) = statuses?;
    let own = |s: &&RawStatus| s.service_principal.is_none() && (s.name == recorder.name || s.name.is_none());
    let Some(status) = statuses.iter().find(own) else {
        return off("the recorder has no status".into(), None, evidence);
    };
    if status.recording != Some(true) {
        let since = status.last_stop_time.map(|t| t.0);
        return off("the recorder is stopped".into(), since, evidence);
    }
    if let Some(last) = status.last_status.as_deref().filter(|s| s.eq_ignore_ascii_case("failure")) {
        let code = status.last_error_code.as_deref().unwrap_or("no error code");
        let since = status.last_status_change_time.map(|t| t.0);
        return off(format!("the recorder's last delivery ended in {last} ({code})"), since, evidence);
    }
    if channels == Some(0) {
        return off("the recorder has no delivery channel".into(), None, evidence);
    }
    let recorded = recorded(recorder.recording_group.clone().unwrap_or_default());
    let why = match &recorded {
        Recorded::All { globals: true } => "records all supported resource types, global ones included".to_owned(),
        Recorded::All { globals: false } => "records all supported regional resource types".to_owned(),
        Recorded::Only(types) => format!("records {} resource types", types.len()),
        Recorded::AllBut(types) => format!("records all but {} resource types", types.len()),
    };
    Some(RecorderState { on: true, why, since: status.last_start_time.map(|t| t.0), evidence, recorded })
}

fn recorded(group: RawGroup) -> Recorded {
    let strategy = group.recording_strategy.and_then(|s| s.use_only);
    match strategy.as_deref() {
        Some("EXCLUSION_BY_RESOURCE_TYPES") => {
            Recorded::AllBut(group.exclusion_by_resource_types.and_then(|e| e.resource_types).unwrap_or_default())
        }
        Some("INCLUSION_BY_RESOURCE_TYPES") => Recorded::Only(group.resource_types.unwrap_or_default()),
        _ if group.all_supported == Some(true) => {
            Recorded::All { globals: group.include_global_resource_types == Some(true) }
        }
        _ => Recorded::Only(group.resource_types.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sha256Digest;

    fn judged(recorders: &str, statuses: &str, channels: usize) -> RecorderState {
        let evidence = EvidenceRef { seal: Sha256Digest::of(""), path: "p".into(), line: 1 };
        let recorders = super::recorders(recorders.as_bytes()).unwrap().0;
        let statuses = super::statuses(statuses.as_bytes()).unwrap().0;
        judge(Some((&recorders, evidence.clone())), Some((&statuses, evidence)), Some(channels)).unwrap()
    }

    const ON: &str = r#"{"ConfigurationRecordersStatus":[{"name":"default","recording":true,"lastStatus":"Success"}]}"#;

    #[test]
    fn only_a_recording_delivering_recorder_of_the_accounts_own_is_on() {
        let all = r#"{"ConfigurationRecorders":[{"name":"default","recordingGroup":{"allSupported":true}}]}"#;
        assert!(judged(all, ON, 1).on);
        assert!(!judged(all, ON, 0).on);
        assert!(!judged(all, r#"{"ConfigurationRecordersStatus":[{"name":"default","recording":false}]}"#, 1).on);
        let failing =
            r#"{"ConfigurationRecordersStatus":[{"name":"default","recording":true,"lastStatus":"FAILURE"}]}"#;
        assert!(!judged(all, failing, 1).on);
        assert!(!judged(all, r#"{"ConfigurationRecordersStatus":[]}"#, 1).on);
        assert!(!judged(r#"{"ConfigurationRecorders":[]}"#, ON, 1).on);
        let service = r#"{"ConfigurationRecorders":[{"name":"x","servicePrincipal":"securityhub.amazonaws.com"}]}"#;
        assert!(!judged(service, ON, 1).on);
    }

    #[test]
    fn a_type_is_recorded_only_where_the_group_says_so() {
        let group = |group: &str| {
            judged(&format!(r#"{{"ConfigurationRecorders":[{{"name":"default","recordingGroup":{group}}}]}}"#), ON, 1)
        };
        let regional = group(r#"{"allSupported":true,"includeGlobalResourceTypes":false}"#);
        assert!(regional.records("AWS::S3::Bucket") && !regional.records("AWS::IAM::User"));
        let globals = group(r#"{"allSupported":true,"includeGlobalResourceTypes":true}"#);
        assert!(globals.records("AWS::IAM::User"));
        let some = group(r#"{"allSupported":false,"resourceTypes":["AWS::S3::Bucket"]}"#);
        assert!(some.records("AWS::S3::Bucket") && !some.records("AWS::EC2::Instance"));
        let but = group(
            r#"{"recordingStrategy":{"useOnly":"EXCLUSION_BY_RESOURCE_TYPES"},
                "exclusionByResourceTypes":{"resourceTypes":["AWS::S3::Bucket"]}}"#,
        );
        assert!(!but.records("AWS::S3::Bucket") && but.records("AWS::EC2::Instance"));
        assert!(!group("{}").records("AWS::S3::Bucket"));
        assert!(globals.leaves_out(true).is_none() && regional.leaves_out(false).is_none());
        assert!(regional.leaves_out(true).is_some(), "the home Region records the global types");
        assert!(some.leaves_out(false).is_some() && but.leaves_out(false).is_some());
        let cheap = group(
            r#"{"recordingStrategy":{"useOnly":"EXCLUSION_BY_RESOURCE_TYPES"},
                "exclusionByResourceTypes":{"resourceTypes":["AWS::Config::ResourceCompliance"]}}"#,
        );
        assert!(cheap.leaves_out(true).is_none() && !cheap.records(RESOURCE_COMPLIANCE));
    }
}
