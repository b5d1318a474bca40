//! The organisation file: what exists, and what is wrong with it. Its format is described in `README.md` beside this crate.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// A whole organisation, as declared.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// `o-…`.
    pub id: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    #[serde(default = "aws")]
    pub partition: String,
    /// Account id of the management account.
    pub management: String,
    /// Account id of the audit account: delegated administrator, owner of the aggregator, home of the handed-out keys.
    pub audit: String,
    /// Home Region of aggregator and Security Hub.
    pub home_region: String,
    /// Regions in which the organisation has Config, Security Hub and resources.
    pub regions: Vec<String>,
    /// Feature set: `ALL` or `CONSOLIDATED_BILLING`.
    #[serde(default = "all")]
    pub feature_set: String,
    /// Policy types that are enabled at the root.
    #[serde(default = "policy_types")]
    pub policy_types: Vec<String>,
    /// Whether accounts carry `State` (today), `Status` (until 2026-09) or neither.
    #[serde(default)]
    pub account_state_field: StateField,
    /// Services with trusted access.
    #[serde(default)]
    pub trusted_services: Vec<String>,
    /// Delegated administrators.
    #[serde(default, rename = "delegate")]
    pub delegates: Vec<Delegate>,
    /// The role in the members.
    #[serde(default)]
    pub auditor: Auditor,
    /// Organizational units.
    #[serde(default, rename = "unit")]
    pub units: Vec<Unit>,
    /// Accounts.
    #[serde(default, rename = "account")]
    pub accounts: Vec<Account>,
    /// Organisation policies.
    #[serde(default, rename = "policy")]
    pub policies: Vec<Policy>,
    /// AWS Config.
    #[serde(default)]
    pub config: Config,
    /// Security Hub.
    #[serde(default)]
    pub securityhub: SecurityHub,
    /// Resources that many accounts have.
    #[serde(default, rename = "population")]
    pub populations: Vec<Population>,
    /// Fraction of results that are not compliant, in a thousandth, drawn from the seed.
    #[serde(default)]
    pub failing_permille: u64,
    /// Seed of everything that is computed.
    #[serde(default)]
    pub seed: String,
    /// Results that differ from "compliant"; the last that matches wins.
    #[serde(default, rename = "result")]
    pub results: Vec<ResultRule>,
    /// Troubles of account-Regions; all that match apply.
    #[serde(default, rename = "target")]
    pub targets: Vec<TargetRule>,
    /// Findings of other products.
    #[serde(default, rename = "finding")]
    pub findings: Vec<ProductFinding>,
    /// Faults of the services.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// What changes when the scenario clock passes a time.
    #[serde(default, rename = "change")]
    pub changes: Vec<Change>,
    /// Buckets.
    #[serde(default, rename = "bucket")]
    pub buckets: Vec<Bucket>,
}

/// A bucket in S3, empty at first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The account that owns it; nobody else may use it.
    pub account: String,
    /// Where it lies.
    pub region: String,
    /// Whether versions are kept.
    #[serde(default = "yes")]
    pub versioning: bool,
    /// Whether objects can be locked.
    #[serde(default = "yes")]
    pub object_lock: bool,
    /// Its policy.
    pub policy: Option<String>,
    /// Whether all public access is blocked.
    #[serde(default = "yes")]
    pub public_access_block: bool,
}

fn aws() -> String {
    "aws".to_owned()
}
fn all() -> String {
    "ALL".to_owned()
}
fn yes() -> bool {
    true
}
fn one() -> u32 {
    1
}
fn policy_types() -> Vec<String> {
    ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"].map(str::to_owned).to_vec()
}

/// Which of Organizations' two fields for an account's life-cycle state is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateField {
    /// `State`, as since 2026-09-09.
    #[default]
    State,
    /// `Status`, as before.
    Status,
    /// `State` and `Status`, as in the time between.
    Both,
    /// None of them.
    Neither,
}

/// An account that administers services by delegation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegate {
    /// Account id.
    pub account: String,
    /// Service principals.
    pub services: Vec<String>,
}

/// The audit role that members hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auditor {
    /// Role name.
    pub role: String,
    /// External id that the trust policy asks for.
    pub external_id: Option<String>,
    /// Pattern that the source identity must match.
    pub source_identity: String,
    /// Longest session.
    pub max_session_seconds: i64,
}

impl Default for Auditor {
    fn default() -> Self {
        Self {
            role: "OrgProofAudit".into(),
            external_id: None,
            source_identity: "orgproof-*".into(),
            max_session_seconds: 3600,
        }
    }
}

/// An organizational unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Name; unique in the file, other entries refer to it.
    pub name: String,
    /// Name of the parent unit; absent below the root.
    pub parent: Option<String>,
}

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Name of the unit; absent directly below the root.
    pub unit: Option<String>,
    /// `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`, `CLOSED` or `PENDING_ACTIVATION`.
    #[serde(default = "active")]
    pub state: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Whether the audit role exists.
    #[serde(default = "yes")]
    pub role: bool,
    /// The role trusts this principal instead of the audit account's.
    pub trusts: Option<String>,
    /// Opt-in Regions that are *not* enabled here although the organisation uses them.
    #[serde(default)]
    pub opted_out: Vec<String>,
}

fn active() -> String {
    "ACTIVE".to_owned()
}

/// An organisation policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// `p-…`.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Purpose.
    #[serde(default)]
    pub description: String,
    /// `SERVICE_CONTROL_POLICY`, `RESOURCE_CONTROL_POLICY`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether AWS wrote it.
    #[serde(default)]
    pub aws_managed: bool,
    /// The document, JSON text.
    pub document: String,
    /// `root`, unit names, account ids; `*` is every node, as AWS attaches its own allowing policies.
    pub targets: Vec<String>,
}

/// AWS Config in all targets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name of the organisation's aggregator; none without.
    pub aggregator: Option<String>,
    /// Days that history is kept; none where the default stands.
    pub retention_days: Option<u32>,
    /// Rules, present in every target.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

impl Default for Config {
    fn default() -> Self {
        Self { aggregator: Some("org".into()), retention_days: Some(2557), rules: Vec::new() }
    }
}

/// A Config rule of the organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Source identifier of the managed rule, or a Lambda ARN for a custom one.
    pub identifier: String,
    /// Name; without it the identifier in lower case with hyphens.
    pub name: Option<String>,
    /// Conformance pack that deploys it.
    pub pack: Option<String>,
    /// Resource type; without it, by the built-in table.
    pub resource_type: Option<String>,
    /// Input parameters, JSON text.
    pub parameters: Option<String>,
    /// Remediation.
    pub remediation: Option<Remediation>,
}

/// Remediation of a rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remediation {
    /// SSM document.
    pub document: String,
    /// Whether it runs by itself.
    #[serde(default = "yes")]
    pub automatic: bool,
    /// State of the execution on the first resource of each target; none where nothing ran.
    pub executed: Option<String>,
}

/// Security Hub in all targets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityHub {
    /// Whether it is on.
    pub enabled: bool,
    /// `SECURITY_CONTROL` (consolidated) or `STANDARD_CONTROL`.
    pub finding_generator: String,
    /// Controls that are disabled, everywhere.
    pub disabled_controls: Vec<String>,
    /// Whether the second generation is on as well.
    pub v2: bool,
}

impl Default for SecurityHub {
    fn default() -> Self {
        Self { enabled: true, finding_generator: "SECURITY_CONTROL".into(), disabled_controls: Vec::new(), v2: false }
    }
}

/// Resources that every matching target has.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// CloudFormation type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many in each target (global types: in the home Region only).
    #[serde(default = "one")]
    pub count: u32,
    /// Names, with `{account}`, `{region}` and `{n}` replaced.
    pub name: String,
    /// Where.
    #[serde(flatten)]
    pub scope: Scope,
}

/// Which targets an entry concerns. An absent list means all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Account ids.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Regions.
    #[serde(default)]
    pub regions: Vec<String>,
}

impl Scope {
    /// Returns whether the target is meant.
    pub fn covers(&self, account: &str, region: &str) -> bool {
        (self.accounts.is_empty() || self.accounts.iter().any(|a| a == account))
            && (self.regions.is_empty() || self.regions.iter().any(|r| r == region))
    }
}

/// A result other than "compliant".
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultRule {
    /// Where.
    #[serde(flatten)]
    pub scope: Scope,
    /// Rule identifiers, rule names or Security Hub control ids.
    pub checks: Vec<String>,
    /// Resource name, with `*`; absent means all.
    pub resource: Option<String>,
    /// `COMPLIANT`, `NON_COMPLIANT`, `NOT_APPLICABLE`, `INSUFFICIENT_DATA`.
    pub compliance: Option<String>,
    /// Security Hub status where it differs from what the compliance says: `WARNING`, `NOT_AVAILABLE`, `FAILED`, `PASSED`.
    pub status: Option<String>,
    /// Reason code beside `WARNING` and `NOT_AVAILABLE`.
    pub reason: Option<String>,
    /// Annotation.
    pub annotation: Option<String>,
    /// Security Hub workflow: `NEW`, `NOTIFIED`, `SUPPRESSED`, `RESOLVED`.
    pub workflow: Option<String>,
    /// Security Hub record state: `ACTIVE`, `ARCHIVED`.
    pub record: Option<String>,
    /// Note on the finding.
    pub note: Option<String>,
    /// Who wrote the note.
    pub note_by: Option<String>,
}

/// What is out of order in a target.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetRule {
    /// Where.
    #[serde(flatten)]
    pub scope: Scope,
    /// `on`, `stopped`, `failing` or `absent`.
    pub recorder: Option<String>,
    /// Since when the recorder is stopped or failing.
    pub since: Option<Timestamp>,
    /// `CONTINUOUS` or `DAILY`.
    pub recording_frequency: Option<String>,
    /// Resource types that are not recorded (`AWS::Config::ResourceCompliance` above all).
    pub not_recorded: Option<Vec<String>>,
    /// Whether Security Hub is on.
    pub hub: Option<bool>,
    /// Whether the account is a member of the Security Hub administrator.
    pub member: Option<bool>,
    /// State as an aggregator source: `SUCCEEDED`, `FAILED`, `OUTDATED` or `absent`.
    pub source: Option<String>,
}

/// A finding of GuardDuty, Inspector, Macie and others.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductFinding {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// `GuardDuty`, `Inspector`, `Macie`, …
    pub product: String,
    /// Title.
    pub title: String,
    /// ASFF type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `LOW`, `MEDIUM`, `HIGH`, `CRITICAL`.
    pub severity: String,
    /// Resource type in Security Hub's spelling.
    pub resource_type: String,
    /// Resource ARN or id.
    pub resource: String,
    /// Workflow status.
    #[serde(default = "new")]
    pub workflow: String,
    /// Record state.
    #[serde(default = "active")]
    pub record: String,
}

fn new() -> String {
    "NEW".to_owned()
}

/// A change of the organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When, by the scenario clock.
    pub at: Timestamp,
    /// Accounts that join, or replace the one with the same id.
    #[serde(default, rename = "account")]
    pub accounts: Vec<Account>,
    /// Account ids that leave.
    #[serde(default)]
    pub leave: Vec<String>,
    /// Policies that are added, or replace the one with the same id.
    #[serde(default, rename = "policy")]
    pub policies: Vec<Policy>,
    /// Policy ids that are deleted.
    #[serde(default)]
    pub delete_policies: Vec<String>,
    /// Results, added behind (so they win).
    #[serde(default, rename = "result")]
    pub results: Vec<ResultRule>,
    /// Troubles, added behind.
    #[serde(default, rename = "target")]
    pub targets: Vec<TargetRule>,
    /// Findings, added.
    #[serde(default, rename = "finding")]
    pub findings: Vec<ProductFinding>,
}
