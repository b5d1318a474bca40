//! What can be wrong with a catalogue, each with a stable code, and all of it at once.

use std::fmt;

/// One fault, where it lies and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file as the user named it, or the shipped path such as `frameworks/cis-aws-3.0.toml`.
    pub file: String,
    /// Line, from 1; absent where the whole file is meant.
    pub line: Option<usize>,
    /// Stable kebab-case code, one of [`CODES`].
    pub code: &'static str,
    /// What is wrong, in one sentence that names the thing.
    pub what: String,
    /// What to do, such as `did you mean "securityhub/S3.8"?`.
    pub help: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {} [{}]", self.what, self.code)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Every fault of a catalogue, sorted by file and line; never empty when it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Adds a fault without help.
    pub(super) fn add(&mut self, code: &'static str, at: (&str, usize), what: String) {
        self.push(code, at, what, None);
    }

    /// Adds a fault. Line 0 means the whole file.
    pub(super) fn push(&mut self, code: &'static str, at: (&str, usize), what: String, help: Option<String>) {
        let line = Some(at.1).filter(|&line| line > 0);
        self.0.push(Fault { file: at.0.to_owned(), line, code, what, help });
    }

    /// Returns `value` where nothing is wrong, and otherwise every fault, sorted.
    pub(super) fn none_or<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort();
        self.0.dedup();
        Err(self)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.0 {
            writeln!(f, "{fault}")?;
        }
        let count = self.0.len();
        write!(f, "{count} {} in the catalogue", if count == 1 { "fault" } else { "faults" })
    }
}

impl std::error::Error for Faults {}

/// Every code and what it means; `controls lint` explains them, and each has a damaged fixture among the tests.
pub const CODES: &[(&str, &str)] = &[
    ("check-several-questions", "A check asks more than one question."),
    ("check-without-question", "A check asks nothing."),
    ("duplicate-check", "Two checks have the same id."),
    ("duplicate-framework", "A framework is asked for or defined twice."),
    ("duplicate-item", "Two items of a requirement have the same id."),
    ("duplicate-mapping", "An item names the same check twice."),
    ("duplicate-requirement", "Two requirements of a framework have the same id."),
    ("empty-list", "A list that has to hold something is empty."),
    ("empty-text", "A text that has to say something is empty."),
    ("framework-without-requirements", "A framework has no requirement."),
    ("id-not-file-name", "A framework's id differs from its file's name."),
    ("inherited-without-aws-part", "An item is inherited from AWS, but the requirement does not say what AWS does."),
    ("invalid-date", "A review date is not YYYY-MM-DD."),
    ("invalid-id", "An id holds characters that archives and links cannot carry."),
    ("invalid-toml", "A file is not TOML."),
    ("invalid-value", "A value is none of the words, or not within the range, that are allowed there."),
    ("item-several-modes", "An item is confirmed in more than one way."),
    ("item-without-mode", "An item does not say how it is confirmed."),
    ("loosened-unsaid", "An overlay asks less than what it builds on, and does not say on whose word and why."),
    ("malformed-action", "An IAM action is not service:Action."),
    ("missing-english", "A text lacks its English version."),
    ("missing-key", "A key that has to be there is missing."),
    ("requirement-without-items", "A requirement has no checklist item."),
    ("retired-control", "A Security Hub control was retired or renamed by AWS."),
    ("state-subject", "A state lacks the thing that it is about, or names one that it cannot have."),
    ("unknown-base", "An overlay builds on a framework that is not there."),
    ("unknown-check", "An item names a check that no file defines."),
    ("unknown-config-rule", "An AWS Config managed rule is not known to AWS's list."),
    ("unknown-control", "A Security Hub control is not known to AWS's list."),
    ("unknown-framework", "A framework that was asked for is neither shipped nor a file."),
    ("unknown-key", "A key has no meaning where it stands."),
    ("unknown-requirement", "An overlay takes over a requirement that its base does not have."),
    ("unknown-state", "A state is none of those that the program reads."),
    ("unreadable-file", "A file cannot be read as UTF-8 text."),
    ("wrong-type", "A value is of another type than its key needs."),
];
