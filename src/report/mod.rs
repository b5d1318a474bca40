//! Assessment -> bytes. Every form is a pure function of the [`Assessment`] and of how it can be verified.
//!
//! No clock, no network, no randomness: the same arguments give the same bytes. All counts come from one shared view, so
//! that every form states the same numbers. Text from outside (names, ids, messages) is escaped in each form by that
//! form's own rule; a gap never wears the word, the colour or the symbol of a pass.
//!
//! To add a form: a file here, a line in [`REPORTS`], a template in `reports/`. The columns and fields are documented in
//! `reports/README.md`.

mod asff;
mod csv;
mod exported;
pub(crate) mod gaps;
mod html;
mod json;
mod map;
mod markdown;
mod ocsf;
mod oscal;
#[cfg(test)]
pub(crate) mod sample;
mod tables;
mod template;
pub(crate) mod text;
pub(crate) mod texts;
mod view;
mod xlsx;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::texts::Language;
use self::{texts::Texts, view::View};
use crate::model::{AccountId, Assessment, Sha256Digest};

/// A file of a report: name relative to the output folder, and bytes.
pub type ReportFile = (String, Vec<u8>);

/// How a reader can check what the report says, without us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Name and version of the tool, such as `orgproof 0.1.0`.
    pub tool: String,
    /// The archives that were read, oldest first.
    pub archives: Vec<SealedArchive>,
    /// Fingerprint of the key that sealed them, as `ssh-keygen -l` writes it; `None` where no signature is known.
    pub key: Option<String>,
    /// The signer's name in the auditor's `allowed_signers`, such as `evidence@example.org`.
    pub identity: Option<String>,
}

/// An archive, by the name of its file and by its seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedArchive {
    /// File name without a folder; `None` where only the seal is known.
    pub name: Option<String>,
    /// SHA-256 of its `seal.json`.
    pub seal: Sha256Digest,
    /// When it was closed, by its own word.
    pub closed: Option<Timestamp>,
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No such form.
    #[error("there is no report format {asked:?}; choose one of: {known}")]
    UnknownFormat {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// No such language.
    #[error("reports are not written in {asked:?}; choose one of: {known}")]
    UnknownLanguage {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// An embedded template failed.
    #[error("the template {name} failed ({source}); this is a fault of this program, please report it")]
    Template {
        /// The template.
        name: &'static str,
        /// What went wrong.
        source: minijinja::Error,
    },
    /// Embedded texts are malformed.
    #[error("the texts for {language:?} are malformed ({source}); this is a fault of this program, please report it")]
    Texts {
        /// The language.
        language: &'static str,
        /// What went wrong.
        source: toml::de::Error,
    },
    /// A value could not be written in this form.
    #[error("the {format} report could not be written ({why}); this is a fault of this program, please report it")]
    Write {
        /// The form.
        format: &'static str,
        /// What went wrong.
        why: String,
    },
}

/// What a form is made from.
#[derive(Debug)]
pub struct Source<'a> {
    assessment: &'a Assessment,
    view: View<'a>,
    texts: Texts,
}

impl Source<'_> {
    /// Returns the account's name; empty where Organizations does not know the account.
    fn account_name(&self, id: &AccountId) -> &str {
        let accounts = &self.view.accounts;
        accounts.binary_search_by_key(&id.as_str(), |a| a.id).ok().and_then(|i| accounts.get(i)).map_or("", |a| a.name)
    }
}

/// A form of report.
#[derive(Debug)]
pub struct Report {
    /// Name, as `--format` takes it.
    pub format: &'static str,
    /// What it is for, in a phrase.
    pub about: &'static str,
    render: fn(&Source<'_>) -> Result<Vec<ReportFile>, ReportError>,
}

/// Every form.
pub static REPORTS: &[Report] = &[
    Report { format: "html", about: "one self-contained page for people", render: html::render },
    Report { format: "xlsx", about: "a workbook for auditors", render: xlsx::render },
    Report { format: "csv", about: "tables for spreadsheets and scripts", render: csv::render },
    Report { format: "json", about: "everything, for machines", render: json::render },
    Report { format: "oscal", about: "OSCAL 1.1 assessment results", render: oscal::render },
    Report { format: "asff", about: "our own findings for AWS Security Hub", render: asff::render },
    Report { format: "ocsf", about: "our own findings for OCSF data lakes", render: ocsf::render },
    Report { format: "markdown", about: "a summary for a pull request or a chat", render: markdown::render },
];

/// Writes `assessment` in one form, in English.
///
/// # Errors
/// An unknown form, or a fault in an embedded template.
pub fn render(
    format: &str,
    assessment: &Assessment,
    how_to_verify: &Provenance,
) -> Result<Vec<ReportFile>, ReportError> {
    render_in(Language::English, format, assessment, how_to_verify)
}

/// Writes `assessment` in one form and language.
///
/// # Errors
/// An unknown form, or a fault in an embedded template or text.
pub fn render_in(
    language: Language,
    format: &str,
    assessment: &Assessment,
    how_to_verify: &Provenance,
) -> Result<Vec<ReportFile>, ReportError> {
    let report = REPORTS.iter().find(|r| r.format == format).ok_or_else(|| {
        let known: Vec<_> = REPORTS.iter().map(|r| r.format).collect();
        ReportError::UnknownFormat { asked: format.to_owned(), known: known.join(", ") }
    })?;
    let texts = Texts::load(language)?;
    let view = View::new(assessment, how_to_verify, &texts);
    (report.render)(&Source { assessment, view, texts })
}

#[cfg(test)]
mod tests;
