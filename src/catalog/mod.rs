//! The catalogue, validated: requirements, checklist items, and the checks that answer them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Question, Sha256Digest};

pub mod facts;
mod fault;
mod fields;
mod files;
mod operating;
mod overlay;
pub mod places;
mod questions;
mod raw;
mod read;
pub mod sheet;
mod suggest;
#[cfg(test)]
mod tests;
mod validate;
pub mod view;
mod write;

pub use fault::{CODES, Fault, Faults};
pub use files::{CatalogFiles, digest, load, shipped, shipped_checks};
pub use operating::{Loosened, Operating};

/// JSON Schema (draft 2020-12) of a catalogue file, for editors; the same as `controls/schema.json`.
pub const SCHEMA: &str = include_str!("../../controls/schema.json");

/// A text by language tag; `en` is always there.
pub type Text = BTreeMap<String, String>;

/// A validated catalogue: every reference resolves, every id is unique, every item says how it is confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// The frameworks that were asked for, in that order.
    pub frameworks: Vec<Framework>,
    /// Every check that those frameworks use, by id.
    pub checks: BTreeMap<String, Check>,
    /// SHA-256 over the catalogue's files, as pinned in the seal.
    pub digest: Sha256Digest,
}

/// A published set of requirements, or a policy of the organisation's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Framework {
    /// Id, such as `cis-aws-3.0`; also the file's name.
    pub id: String,
    /// Title.
    pub title: Text,
    /// Version as its publisher writes it.
    pub version: String,
    /// Criteria of operating effectiveness for the requirements that have none of their own.
    pub operating: Operating,
    /// Requirements in the publisher's order.
    pub requirements: Vec<Requirement>,
}

/// Who has to act under the shared-responsibility model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// AWS alone.
    Aws,
    /// Both.
    Shared,
    /// The customer alone.
    Customer,
}

/// One requirement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    /// Id as the publisher writes it, such as `2.1.4`.
    pub id: String,
    /// Title in our words.
    pub title: Text,
    /// Description in our words.
    pub description: Text,
    /// Who acts.
    pub responsibility: Party,
    /// Why that party.
    pub responsibility_reason: String,
    /// AWS's part, and the AWS Artifact report series that attests it.
    pub aws_part: Option<AwsPart>,
    /// What the customer does about it.
    pub customer_response: Option<String>,
    /// How it is confirmed; never empty.
    pub items: Vec<Item>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When the entry was last reviewed, `YYYY-MM-DD`.
    pub reviewed: Option<String>,
    /// By which criteria it counts as having operated throughout a period.
    pub operating: Operating,
    /// Where an overlay asks less than what it builds on, and on whose word.
    pub loosened: Vec<Loosened>,
}

/// AWS's part of a requirement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AwsPart {
    /// What AWS does.
    pub what: String,
    /// AWS Artifact report series that attests it, such as `SOC 2`.
    pub attestation: String,
}

/// One checklist item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Id, unique within the requirement.
    pub id: String,
    /// What is to be confirmed.
    pub title: Text,
    /// How it is confirmed.
    pub how: How,
}

/// How an item is confirmed. There is no fourth way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum How {
    /// By checks, all of which must hold.
    Automated {
        /// The checks and where their mapping comes from; never empty.
        checks: Vec<MappedCheck>,
    },
    /// By a person.
    Manual {
        /// Which evidence.
        evidence: String,
        /// How often, such as `every quarter`.
        frequency: String,
        /// By whom.
        by: String,
    },
    /// Deliberately not automated.
    NotAutomated {
        /// Why not: risk, priority or difficulty, in a sentence.
        reason: String,
    },
    /// AWS's part, confirmed by an attestation.
    Inherited {
        /// AWS Artifact report series.
        attestation: String,
    },
}

/// Whose word it is that a check serves a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// AWS documents the mapping.
    AwsDocumented,
    /// Derived through another documented mapping.
    Derived,
    /// Our judgement.
    Judgement,
}

/// A check as an item uses it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappedCheck {
    /// Check id.
    pub check: String,
    /// Whose word the mapping is.
    pub confidence: Confidence,
    /// The source of the mapping, such as `awsdocs-2026`.
    pub source: String,
}

/// A question with one answer per resource or account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Id, such as `config/S3_BUCKET_PUBLIC_READ_PROHIBITED`, `securityhub/S3.8` or `guard/s3-public-access`.
    pub id: String,
    /// Title in our words.
    pub title: Text,
    /// What is asked of the evidence.
    pub ask: Ask,
    /// Severity.
    pub severity: Severity,
    /// What pass, fail, not applicable and not assessed mean.
    pub means: Means,
    /// What to do about a failure.
    pub remedy: String,
    /// Resource types that make up its population; empty where it is asked of the account.
    pub resource_types: Vec<String>,
    /// True where the resources are global (IAM and others), so that one recording Region per account suffices.
    pub global: bool,
}

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// No risk by itself.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

/// What the four answers mean for a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Means {
    /// Pass.
    pub pass: String,
    /// Fail.
    pub fail: String,
    /// Not applicable.
    pub not_applicable: String,
    /// Not assessed.
    pub not_assessed: String,
}

/// What a check asks of the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum Ask {
    /// An AWS Config rule, by managed source identifier, or `custom:<rule name>`.
    ConfigRule {
        /// The identifier.
        identifier: String,
    },
    /// A Security Hub control.
    SecurityHub {
        /// Security control id, such as `S3.8`.
        control: String,
    },
    /// Actions that must be denied by SCP in every member account.
    GuardedActions {
        /// IAM actions, such as `s3:PutBucketPolicy`; each must be denied.
        actions: Vec<String>,
        /// Whether a denial under conditions counts (the conditions are shown, never resolved).
        conditional: Conditional,
    },
    /// A state that we read from the services' own configuration.
    State {
        /// Which state: see `observe::states`.
        state: String,
        /// A parameter of the state, such as the rule whose remediation must be configured.
        of: Option<String>,
    },
    /// A conformance pack: everything that its rules say.
    ConformancePack {
        /// Its name in the account; an organisation's pack by the name that it has there, without AWS's prefix and suffix.
        name: String,
    },
    /// What a product (GuardDuty, Inspector, Macie, IAM Access Analyzer or another) has found.
    Product(ProductAsk),
}

/// Which findings of a product fail, and what says that it is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductAsk {
    /// Name as in the product's ARN: `guardduty`, `inspector`, `macie`, `access-analyzer`, or `company/product`.
    pub product: String,
    /// Findings below it are not asked for.
    pub min_severity: Severity,
    /// Days for which a finding may be open: 0 where none may.
    pub max_age_days: u16,
    /// Answers that say whether the product is on: one has to pass, and none may fail. `SecurityHub` or `ConfigRule`; never empty.
    pub enabled_by: Vec<Question>,
}

/// Whether a denial under conditions counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conditional {
    /// It does: the exemption (such as a break-glass role) is intended.
    Accept,
    /// It does not: the answer is "not assessed", with the conditions shown.
    Question,
}
