//! What an auditor runs: every problem at once, each with a stable code; and what could not be checked.
//!
//! Route: each input is opened ([`crate::archive::Reader`] refuses hostile containers), then
//! 1. the signatures and the place in the chain (depth `seals`),
//! 2. every file against the manifests, and the ledger against the evidence (depth `bytes`),
//! 3. the verdicts, rebuilt from the evidence (depth `replay`).
//!
//! A proof file shows single lines of an archive: its seal goes through step 1, its lines are held against the seal's tree.

mod archive;
mod chain;
mod content;
mod proof;
mod replay;
mod report;
mod succession;
#[cfg(test)]
mod tests;
mod trust;

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

pub use proof::{ProofSummary, Shown};
pub use report::{ArchiveSummary, ChainSummary, Class, Problem, Report, Unchecked};
pub use succession::{ChainKey, Standing};
pub use trust::{Trust, TrustError};

use crate::{
    archive::{FileSink, Input, InputError, Reader},
    store::Store,
};

/// How far a verification goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Seals, signatures, manifests' own hashes and the chain.
    Seals,
    /// And every file's bytes, and the ledger.
    Bytes,
    /// And the verdicts, rebuilt from the evidence.
    Replay,
}

impl Depth {
    /// Returns the name used on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seals => "seals",
            Self::Bytes => "bytes",
            Self::Replay => "replay",
        }
    }
}

impl std::str::FromStr for Depth {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Seals, Self::Bytes, Self::Replay]
            .into_iter()
            .find(|d| d.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no depth; write seals, bytes or replay"))
    }
}

/// What to verify against.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keys believed.
    pub trust: Trust,
    /// How far to go.
    pub depth: Depth,
    /// A checkpoint kept outside: the text of the C2SP note.
    pub checkpoint: Option<String>,
    /// Now, for "next run overdue".
    pub now: Timestamp,
}

/// Rebuilds the verdicts of an assessment archive from the evidence that it names.
pub trait Reperform {
    /// Returns the version of the observation and verdict rules that this implements.
    fn semantics(&self) -> u32;

    /// Gives every file below `data/results/` to `sink`, rebuilt from `evidence` (oldest first) and from the
    /// inputs in `assessment` alone.
    ///
    /// # Errors
    /// Where it cannot be done, in one sentence.
    fn results(&self, assessment: &Reader, evidence: &[&Reader], sink: &mut dyn FileSink) -> Result<(), String>;
}

/// Verifies archives (zips or unpacked folders), stores, proof files, or several of them together; each on disk or, by its URL, in S3.
pub fn verify(inputs: &[PathBuf], options: &Options, reperform: Option<&dyn Reperform>) -> Report {
    let mut report = Report::new(options.depth);
    let mut archives: Vec<Reader> = Vec::new();
    let mut stores: Vec<Box<dyn Store>> = Vec::new();
    let mut proofs = Vec::new();
    for input in inputs {
        let label = input.display().to_string();
        if proof::is_one(input) {
            proofs.extend(proof::open(input, &mut report));
            continue;
        }
        match Input::open(input) {
            Ok(Input::Archive(reader)) => archives.push(*reader),
            Ok(Input::Store(store)) => stores.push(store),
            Err(InputError::Archive(e)) => report.problem(archive::unopened(&label, &e)),
            Err(e) => {
                let code = if matches!(e, InputError::Unknown) { "input-unknown" } else { "input-unreadable" };
                report.problem(Problem::new(code, &label, e.to_string()).class(Class::Usage));
            }
        }
    }
    let chains: Vec<succession::Keys> =
        stores.iter().map(|store| chain::verify_store(&**store, options, &mut archives, &mut report)).collect();
    // The same archive may be given twice: alone and in a store.
    archives.sort_by_key(|a| (a.seal().predicate.sequence, a.seal_digest()));
    archives.dedup_by(|a, b| a.seal_digest() == b.seal_digest() && a.label() == b.label());
    for reader in &archives {
        archive::verify_archive(reader, options, &chains, &mut report);
    }
    chain::compare(&archives, options, &stores, &mut report);
    for proof in &proofs {
        proof.verify(&archives, &chains, options, &mut report);
    }
    replay::verify_verdicts(&archives, options, reperform, &mut report);
    remarks(options, &mut report);
    report.settle()
}

fn remarks(options: &Options, report: &mut Report) {
    if report.archives.is_empty() && report.chains.is_empty() && report.proofs.is_empty() {
        return;
    }
    if options.trust.is_empty() {
        report.unchecked(
            "no-trust",
            "signatures",
            "no --trust was given, so it is open who sealed this; a key found in an archive proves nothing. Give the \
             fingerprint, allowed_signers or PEM file that you were handed by another way",
        );
    }
    report.notice(
        "no timestamp authority signed these seals: when they were made rests on the clock of the machine that made them",
    );
    report.notice(
        "no verifier can find evidence that was invented before sealing; request ids in data/calls.ndjson can be matched \
         with the organisation's own CloudTrail",
    );
    if options.depth < Depth::Bytes {
        report.not_done("files were not compared with the manifests, nor the ledger with the evidence");
    }
    if options.depth < Depth::Replay {
        report.not_done("verdicts were not rebuilt from the evidence");
    }
}
