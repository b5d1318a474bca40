//! A catalogue file as it was written: nothing believed yet, every value with its line.

use super::Text;

/// A value and the line on which it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub value: T,
    pub line: usize,
}

/// A catalogue whose files were read but not validated.
#[derive(Debug, Default)]
pub(super) struct UnvalidatedCatalog {
    pub files: Vec<UnvalidatedFile>,
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct UnvalidatedFile {
    /// As faults name it.
    pub shown: String,
    /// Path in the archive.
    pub path: String,
    /// Whether its framework was asked for; one that was not is there for an overlay to build on.
    pub wanted: bool,
    pub framework: Option<UnvalidatedFramework>,
    pub checks: Vec<UnvalidatedCheck>,
}

/// A framework: `None` wherever a fault has been reported already.
#[derive(Debug)]
pub(super) struct UnvalidatedFramework {
    pub id: Option<At<String>>,
    pub title: Option<Text>,
    pub version: Option<At<String>>,
    /// The framework that this one overlays.
    pub from: Option<At<String>>,
    /// The requirements that it takes over from there; all where it names none.
    pub only: Vec<At<String>>,
    pub operating: Option<UnvalidatedOperating>,
    pub requirements: Vec<UnvalidatedRequirement>,
}

#[derive(Debug)]
pub(super) struct UnvalidatedRequirement {
    pub line: usize,
    pub id: Option<At<String>>,
    pub title: Option<Text>,
    pub description: Option<Text>,
    pub responsibility: Option<At<String>>,
    pub responsibility_reason: Option<At<String>>,
    pub aws_part: Option<UnvalidatedAwsPart>,
    pub customer_response: Option<At<String>>,
    pub items: Vec<UnvalidatedItem>,
    pub owner: Option<At<String>>,
    pub reviewed: Option<At<String>>,
    pub operating: Option<UnvalidatedOperating>,
    pub loosened: Vec<UnvalidatedLoosening>,
}

/// Criteria of operating effectiveness; what is not stated is `None`.
#[derive(Debug)]
pub(super) struct UnvalidatedOperating {
    pub max_days_failing: Option<At<i64>>,
    pub max_unobserved_percent: Option<At<i64>>,
    pub at_least_every: Option<At<String>>,
    /// On whose word an overlay asks less.
    pub loosened: Option<UnvalidatedLoosening>,
}

#[derive(Debug)]
pub(super) struct UnvalidatedLoosening {
    /// What is asked less; `None` where the place says it.
    pub what: Option<At<String>>,
    pub by: Option<At<String>>,
    pub why: Option<At<String>>,
}

#[derive(Debug)]
pub(super) struct UnvalidatedAwsPart {
    pub what: Option<At<String>>,
    pub attestation: Option<At<String>>,
}

#[derive(Debug)]
pub(super) struct UnvalidatedItem {
    pub line: usize,
    pub id: Option<At<String>>,
    pub title: Option<Text>,
    /// The ways in which it says it is confirmed; exactly one is right.
    pub modes: Vec<UnvalidatedHow>,
}

#[derive(Debug)]
pub(super) enum UnvalidatedHow {
    Checks(Vec<UnvalidatedMapping>),
    Manual { evidence: Option<At<String>>, frequency: Option<At<String>>, by: Option<At<String>> },
    NotAutomated(At<String>),
    Inherited(At<String>),
}

#[derive(Debug)]
pub(super) struct UnvalidatedMapping {
    pub check: Option<At<String>>,
    pub confidence: Option<At<String>>,
    pub source: Option<At<String>>,
}

#[derive(Debug)]
pub(super) struct UnvalidatedCheck {
    pub line: usize,
    pub id: Option<At<String>>,
    pub title: Option<Text>,
    /// The questions it asks; exactly one is right.
    pub questions: Vec<UnvalidatedAsk>,
    pub severity: Option<At<String>>,
    pub pass: Option<At<String>>,
    pub fail: Option<At<String>>,
    pub not_applicable: Option<At<String>>,
    pub not_assessed: Option<At<String>>,
    pub remedy: Option<At<String>>,
    pub resource_types: Vec<At<String>>,
    pub global: bool,
}

#[derive(Debug)]
pub(super) enum UnvalidatedAsk {
    ConfigRule(At<String>),
    SecurityHub(At<String>),
    GuardedActions {
        line: usize,
        actions: Vec<At<String>>,
        conditional: Option<At<String>>,
    },
    State {
        state: At<String>,
        of: Option<At<String>>,
    },
    ConformancePack(At<String>),
    Product {
        product: At<String>,
        min_severity: Option<At<String>>,
        max_age_days: Option<At<i64>>,
        /// The line of the check, and the answers that say whether the product is on.
        enabled_by: (usize, Vec<At<String>>),
    },
}
