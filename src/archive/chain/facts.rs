//! What the caller tells of a run or an assessment.

use jiff::Timestamp;

use crate::{
    archive::seal::Tool,
    model::{Period, Sha256Digest},
};

/// What the caller knows of a run or an assessment. The rest of the seal is computed from the chain and the files.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Id of the run; absent for assessments.
    pub run: Option<String>,
    /// The audit period.
    pub period: Option<Period>,
    /// Digest of the configuration.
    pub configuration: Option<Sha256Digest>,
    /// Digest of the catalogue.
    pub catalog: Option<Sha256Digest>,
    /// Version of the observation and verdict rules.
    pub semantics: u32,
    /// When the run or assessment began.
    pub opened: Timestamp,
    /// Now: when the seal is made.
    pub closed: Timestamp,
    /// When the next run has to have begun.
    pub next_run_expected_by: Option<Timestamp>,
    /// Which of clock, endpoint, proxy or trust roots were overridden.
    pub overridden: Vec<String>,
    /// Evidence seals read by an assessment, oldest first.
    pub evidence: Vec<Sha256Digest>,
    /// Why a run was aborted.
    pub reason: Option<String>,
    /// When the run went on after it had been interrupted.
    pub resumed: Vec<Timestamp>,
    /// What makes the archive.
    pub tool: Tool,
}

impl Facts {
    /// Starts from what every seal needs; the other fields are public.
    pub fn new(semantics: u32, opened: Timestamp, closed: Timestamp) -> Self {
        Self {
            run: None,
            period: None,
            configuration: None,
            catalog: None,
            semantics,
            opened,
            closed,
            next_run_expected_by: None,
            overridden: Vec::new(),
            evidence: Vec::new(),
            reason: None,
            resumed: Vec::new(),
            tool: Tool::this(None),
        }
    }
}
