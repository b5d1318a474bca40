//! What was seen: one answer to one question about one resource at one time. Independent of the catalogue.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, EvidenceRef, Region};

/// A question that a source answers, written `<kind>/<name>`; the catalogue's checks ask these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Question {
    /// `config-rule/S3_BUCKET_PUBLIC_READ_PROHIBITED`: an AWS managed rule by its source identifier, however it is
    /// named in the account; `config-rule/custom:<name>` for custom rules, by rule name.
    ConfigRule(String),
    /// `securityhub/S3.8`: a Security Hub control by its security control id.
    SecurityHub(String),
    /// `guarded-action/s3:PutBucketPolicy`: is this action denied by SCP or RCP?
    GuardedAction(String),
    /// `state/config-recorder`: something that we read from the services' own configuration.
    State(String),
    /// `product/guardduty`: findings of a product that reports through Security Hub.
    Product(String),
    /// `manual/<item>`: a piece of manual evidence or an attestation.
    Manual(String),
}

/// A text that is no question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a question (config-rule/…, securityhub/…, guarded-action/…, state/…, product/… or manual/…)")]
pub struct InvalidQuestion(String);

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::ConfigRule(name) => ("config-rule", name),
            Self::SecurityHub(name) => ("securityhub", name),
            Self::GuardedAction(name) => ("guarded-action", name),
            Self::State(name) => ("state", name),
            Self::Product(name) => ("product", name),
            Self::Manual(name) => ("manual", name),
        };
        write!(f, "{kind}/{name}")
    }
}

impl FromStr for Question {
    type Err = InvalidQuestion;
    fn from_str(text: &str) -> Result<Self, InvalidQuestion> {
        let error = || InvalidQuestion(text.to_owned());
        let (kind, name) = text.split_once('/').ok_or_else(error)?;
        if name.is_empty() {
            return Err(error());
        }
        let name = name.to_owned();
        Ok(match kind {
            "config-rule" => Self::ConfigRule(name),
            "securityhub" => Self::SecurityHub(name),
            "guarded-action" => Self::GuardedAction(name),
            "state" => Self::State(name),
            "product" => Self::Product(name),
            "manual" => Self::Manual(name),
            _ => return Err(error()),
        })
    }
}

impl TryFrom<String> for Question {
    type Error = InvalidQuestion;
    fn try_from(text: String) -> Result<Self, InvalidQuestion> {
        text.parse()
    }
}

impl From<Question> for String {
    fn from(question: Question) -> Self {
        question.to_string()
    }
}

/// What was looked at. An account as a whole is `AWS::::Account`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// CloudFormation-style type, such as `AWS::S3::Bucket`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Identifier as the source gave it: hostile text is possible, escape it where it is shown.
    pub id: String,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObservationStatus {
    /// The source says that the resource complies.
    Pass,
    /// The source says that it does not.
    Fail,
    /// The source says that the question does not concern the resource.
    NotApplicable,
    /// The source gave no answer: insufficient data, suppression, error, gap.
    NotAssessed,
}

/// One answer, traceable to the raw record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Observation {
    /// The question.
    pub question: Question,
    /// Where the resource lives.
    pub account: AccountId,
    /// The Region in which it was evaluated.
    pub region: Region,
    /// The resource.
    pub resource: Resource,
    /// The answer.
    pub status: ObservationStatus,
    /// Why, in a few words: the source's own status, annotation, suppression note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it was read, by our clock.
    pub observed: Timestamp,
    /// Since when it is so, by the source's own times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The raw record.
    pub evidence: EvidenceRef,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_read_back_as_written() {
        for text in [
            "config-rule/custom:a/b",
            "securityhub/S3.8",
            "guarded-action/s3:*",
            "state/hub",
            "product/macie",
            "manual/x",
        ] {
            assert_eq!(text.parse::<Question>().unwrap().to_string(), text);
        }
        assert!("config-rule/".parse::<Question>().is_err());
        assert!("rule/x".parse::<Question>().is_err());
    }
}
