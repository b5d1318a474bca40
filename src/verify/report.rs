//! What a verification found, what it could not check and what it did not try; as JSON and in words.

use std::{collections::BTreeMap, fmt::Write};

use jiff::Timestamp;
use serde::Serialize;

use super::{ChainKey, Depth, ProofSummary, Standing};
use crate::{archive::Kind, model::Sha256Digest};

/// What a problem means for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Something is not what was sealed: exit code 4.
    Failed,
    /// The input is not there or cannot be read: exit code 2.
    Usage,
    /// A run is missing, overdue or was not ended: exit code 3.
    Incomplete,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable kebab-case name of the kind of problem.
    pub code: &'static str,
    /// What it means for the exit code.
    pub class: Class,
    /// The archive or store.
    pub input: String,
    /// The file concerned, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What should be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The whole in one sentence.
    pub message: String,
}

impl Problem {
    /// Names a failure.
    pub(super) fn new(code: &'static str, input: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            class: Class::Failed,
            input: input.to_owned(),
            file: None,
            expected: None,
            found: None,
            message: message.into(),
        }
    }

    /// Adds the file concerned.
    pub(super) fn file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// Adds what was expected and what was found.
    pub(super) fn values(mut self, expected: impl ToString, found: impl ToString) -> Self {
        (self.expected, self.found) = (Some(expected.to_string()), Some(found.to_string()));
        self
    }

    /// Changes what it means for the exit code.
    pub(super) fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }
}

/// One thing that could not be checked, and what would make it possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// Stable kebab-case name.
    pub code: &'static str,
    /// The archive or store.
    pub input: String,
    /// Why, and what to do.
    pub message: String,
}

/// What was learned of one archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveSummary {
    /// The file, folder or object.
    pub input: String,
    /// SHA-256 of its `seal.json`.
    pub seal: Sha256Digest,
    /// What the seal marks.
    pub kind: Kind,
    /// Its place in the chain.
    pub sequence: u64,
    /// Id of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Label of the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// When it was sealed, by the sealing machine's clock.
    pub closed: Timestamp,
    /// Fingerprint of the key that signed it; absent where no signature holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Sha256Digest>,
    /// Whether that key is trusted, directly or by succession.
    pub trusted: bool,
    /// How far that key is to be believed, and by what.
    pub trust: Standing,
    /// Files in `data/` that were compared with the manifest.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records in the salted tree.
    pub records: u64,
    /// Tasks by state.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub coverage: BTreeMap<String, u64>,
    /// Tasks that are gaps.
    pub gaps: u64,
    /// Whether the verdicts were rebuilt from the evidence and found equal.
    pub reperformed: bool,
    /// Which of clock, endpoint, proxy or trust roots were overridden.
    pub overridden: Vec<String>,
}

/// What was learned of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainSummary {
    /// The store.
    pub input: String,
    /// Id of the log.
    pub log: String,
    /// Number of seals.
    pub seals: u64,
    /// Root of the tree of seals, base64 as in a checkpoint.
    pub root: String,
    /// Seals by kind.
    pub kinds: BTreeMap<String, u64>,
    /// The keys that sealed it, oldest first.
    pub keys: Vec<ChainKey>,
}

/// The outcome of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How far it was to go.
    pub depth: Depth,
    /// Everything that is wrong, not the first only.
    pub problems: Vec<Problem>,
    /// What could not be checked.
    pub unchecked: Vec<Unchecked>,
    /// What was not tried at this depth.
    pub not_done: Vec<String>,
    /// What a reader should know and that is no fault.
    pub notices: Vec<String>,
    /// Archives.
    pub archives: Vec<ArchiveSummary>,
    /// Chains.
    pub chains: Vec<ChainSummary>,
    /// What proof files show, one for each archive that they show something of.
    pub proofs: Vec<ProofSummary>,
    /// The exit code that follows.
    pub exit_code: u8,
}

impl Report {
    pub(super) fn new(depth: Depth) -> Self {
        Self {
            depth,
            problems: Vec::new(),
            unchecked: Vec::new(),
            not_done: Vec::new(),
            notices: Vec::new(),
            archives: Vec::new(),
            chains: Vec::new(),
            proofs: Vec::new(),
            exit_code: 0,
        }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn unchecked(&mut self, code: &'static str, input: &str, message: impl Into<String>) {
        let unchecked = Unchecked { code, input: input.to_owned(), message: message.into() };
        if !self.unchecked.contains(&unchecked) {
            self.unchecked.push(unchecked);
        }
    }

    pub(super) fn notice(&mut self, notice: impl Into<String>) {
        let notice = notice.into();
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    pub(super) fn not_done(&mut self, what: &str) {
        if !self.not_done.iter().any(|n| n == what) {
            self.not_done.push(what.to_owned());
        }
    }

    /// Settles the exit code: 4 failed, 2 unreadable input, 5 not everything could be checked, 3 a run is missing, 0.
    pub(super) fn settle(mut self) -> Self {
        let any = |class| self.problems.iter().any(|p| p.class == class);
        self.exit_code = if any(Class::Failed) {
            4
        } else if any(Class::Usage) {
            2
        } else if !self.unchecked.is_empty() {
            5
        } else if any(Class::Incomplete) {
            3
        } else {
            0
        };
        self
    }

    /// Returns whether nothing is wrong and nothing was left unchecked.
    pub fn is_clean(&self) -> bool {
        self.exit_code == 0
    }

    /// Writes the report in words, for a terminal.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for archive in &self.archives {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}", archive.line());
            let gaps: Vec<String> = archive.coverage.iter().map(|(state, n)| format!("{n} {state}")).collect();
            if !gaps.is_empty() {
                let _ = writeln!(out, "    coverage: {}; {} of these tasks are gaps", gaps.join(", "), archive.gaps);
            }
            if !archive.overridden.is_empty() {
                let _ = writeln!(out, "    overridden while it was made: {}", archive.overridden.join(", "));
            }
        }
        for chain in &self.chains {
            let kinds: Vec<String> = chain.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            let _ =
                writeln!(out, "{}: chain {} of {} seals ({})", chain.input, chain.log, chain.seals, kinds.join(", "));
            for key in &chain.keys {
                let _ = writeln!(
                    out,
                    "    seals {} to {}: key {} ({}), {}",
                    key.first,
                    key.last,
                    key.key,
                    key.assurance,
                    words(key.trust)
                );
            }
        }
        self.proofs.iter().for_each(|proof| proof.render(&mut out));
        for problem in &self.problems {
            let _ = writeln!(out, "PROBLEM [{}] {}: {}", problem.code, problem.input, problem.message);
            if let (Some(expected), Some(found)) = (&problem.expected, &problem.found) {
                let _ = writeln!(out, "    expected {expected}\n    found    {found}");
            }
        }
        for unchecked in &self.unchecked {
            let _ = writeln!(out, "NOT CHECKED [{}] {}: {}", unchecked.code, unchecked.input, unchecked.message);
        }
        for what in &self.not_done {
            let _ = writeln!(out, "not done at depth {}: {what}", self.depth.as_str());
        }
        for notice in &self.notices {
            let _ = writeln!(out, "note: {notice}");
        }
        out.push_str(match self.exit_code {
            0 => "Verified: everything that was checked is as it was sealed.\n",
            3 => "What is there is as it was sealed, but a run is missing, overdue or was not ended.\n",
            5 => "No problem was found, but not everything could be checked: see above.\n",
            2 => "Not verified: an input could not be read.\n",
            _ => "VERIFICATION FAILED.\n",
        });
        out
    }
}

/// What a key's standing means, after its name.
/// Says how far a key is to be believed.
pub(super) fn words(trust: Standing) -> &'static str {
    match trust {
        Standing::Direct => "trusted",
        Standing::Succession => "trusted by succession: a trusted key handed over to it",
        Standing::Predecessor => "NOT trusted itself: a trusted key took over from it and vouches for what stood then",
        Standing::None => "which is NOT trusted",
    }
}

impl ArchiveSummary {
    fn line(&self) -> String {
        let by = match (&self.signed_by, self.trust) {
            (Some(key), Standing::Direct) => format!("signed by trusted key {key}"),
            (Some(key), trust) => format!("signed by key {key}, {}", words(trust)),
            (None, _) => "NOT validly signed".to_owned(),
        };
        let again = if self.reperformed { "; verdicts re-performed, equal byte for byte" } else { "" };
        format!(
            "{}: {} (seal {} of its chain), {}, {} files, {} bytes, {} records{again}",
            self.input, self.kind, self.sequence, by, self.files, self.bytes, self.records
        )
    }
}
