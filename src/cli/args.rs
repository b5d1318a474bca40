//! The arguments, and the help that is generated from them.

use std::path::PathBuf;

use super::commands::{evidence::EvidenceCommand, exception::ExceptionCommand};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Audits a whole AWS organisation and writes evidence that an auditor can check without us.
#[derive(Debug, Parser)]
#[command(name = "orgproof", version, after_help = EXIT_CODES, arg_required_else_help = true, infer_long_args = false)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

const EXIT_CODES: &str = "\
Exit codes:
   0  done and complete
   1  done, some requirement not satisfied
   2  usage, configuration or environment
   3  done but incomplete: gaps, an aborted run, a missing run
   4  verification failed
   5  could not be checked
  70  a bug";

const SAMPLE_METHOD: &str = "\
Without --seed, the population: hand its SHA-256 to the auditor, who then names a seed. By hand, from the archive:
  unzip -p ARCHIVE 'data/results/observations*.ndjson' | grep -F '{\"check\":\"ID\",' > population
  sha256sum population                                                    # the population's hash
  while IFS= read -r record; do
    digest=$(printf %s \"$record\" | sha256sum | cut -c1-64)
    printf '%s\\n%s' \"$SEED\" \"$digest\" | sha256sum | cut -c1-64 | sed \"s/$/ $digest/\"
  done < population | sort | head -n N                                    # ranks and digests of the sample";

/// Options of every command.
#[derive(Debug, ClapArgs)]
pub struct Global {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = "orgproof.toml")]
    pub config: PathBuf,
    /// Results as one JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say more
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented orgproof.toml
    Init,
    /// Show what a run would ask: targets, calls per service, time at the quotas
    #[cfg(feature = "aws")]
    Plan,
    /// Gather one run of evidence into the store, and seal it
    #[cfg(feature = "aws")]
    Collect {
        /// The period that the run belongs to, such as 2026Q4 (default: the one that contains now)
        #[arg(long)]
        period: Option<String>,
        /// Go on with a run that was interrupted (killed, disk full, credentials gone), after its last whole page; where there is
        /// none, begin a new one. Without this, what an interrupted run gathered is sealed as aborted first
        #[arg(long)]
        resume: bool,
    },
    /// Show the period so far: runs, days without one, gaps and what to ask of whom, what stands against the close
    Status {
        /// The period (default: the one that contains now)
        #[arg(long)]
        period: Option<String>,
    },
    /// Judge the store's evidence; no network, nothing sealed
    Assess {
        /// The period (default: the one that contains now)
        #[arg(long)]
        period: Option<String>,
        /// A further catalogue file, evaluated over the same evidence; may be given more than once
        #[arg(long = "with", value_name = "FILE")]
        with: Vec<PathBuf>,
        /// Where to write results/*.ndjson
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Close a period: judge its evidence and seal the period archive
    Seal {
        /// The period, such as 2026Q4
        #[arg(long)]
        period: String,
        /// Say what would be sealed, and seal nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Check archives or a store: files, seals, signatures, chain, and that the verdicts follow from the evidence
    Verify {
        /// Archives, unpacked archives, a store, or proof files: paths, or s3:// URLs
        #[arg(required = true, value_name = "ARCHIVE|STORE|PROOF")]
        inputs: Vec<PathBuf>,
        /// Whom to trust: an allowed_signers or PEM file, or a key's fingerprint. Never taken from inside an archive
        #[arg(long, value_name = "FILE|FINGERPRINT")]
        trust: Vec<String>,
        /// A checkpoint kept outside the store, which the chain must still contain
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// How far to go
        #[arg(long, value_enum, default_value_t = DepthArg::Replay)]
        depth: DepthArg,
    },
    /// Write a report of an assessment, offline
    Report {
        /// An assessment archive, or a store (its newest assessment is taken)
        #[arg(value_name = "ARCHIVE|STORE")]
        input: PathBuf,
        /// The form
        #[arg(long)]
        format: String,
        /// Where to write it
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The language of the report's own words
        #[arg(long, default_value = "en")]
        lang: String,
    },
    /// Compare two runs or two assessments; what was not observed is shown as that, never as a change
    Diff {
        /// The earlier archive; or alone, a store, for its two newest closed runs
        #[arg(value_name = "ARCHIVE|STORE")]
        a: PathBuf,
        /// The later archive
        #[arg(value_name = "ARCHIVE")]
        b: Option<PathBuf>,
    },
    /// Show a check's population, frozen by its hash; then draw a sample of it by the auditor's seed
    #[command(after_help = SAMPLE_METHOD)]
    Sample {
        /// An assessment archive, or a store (its newest assessment is taken)
        #[arg(value_name = "ARCHIVE|STORE")]
        archive: PathBuf,
        /// The check, such as securityhub/S3.8
        #[arg(long, value_name = "ID")]
        check: String,
        /// How many records to draw
        #[arg(long, value_name = "N", requires = "seed")]
        size: Option<usize>,
        /// The auditor's seed, chosen after the population's hash was given away
        #[arg(long, requires = "size")]
        seed: Option<String>,
    },
    /// Write an encrypted copy of an archive or a store, for the auditor
    #[cfg(feature = "age")]
    Export(super::commands::export::ExportArgs),
    /// Show some records of an assessment without the rest, so that their receiver can check them
    Prove(super::commands::prove::ProveArgs),
    /// Read and check the catalogue of controls
    Controls {
        /// What to do
        #[command(subcommand)]
        command: ControlsCommand,
    },
    /// Record and list manual evidence: a person's word on a checklist item, with the documents behind it
    Evidence {
        /// What to do
        #[command(subcommand)]
        command: EvidenceCommand,
    },
    /// Record, list and revoke exceptions: decisions to live with a failure for a time
    Exception {
        /// What to do
        #[command(subcommand)]
        command: ExceptionCommand,
    },
    /// Make and show the sealing key, or go on with another
    Keys {
        /// What to do
        #[command(subcommand)]
        command: KeysCommand,
    },
}

/// How far `verify` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DepthArg {
    /// Seals, signatures and the chain
    Seals,
    /// Also every byte of every file
    Bytes,
    /// Also the verdicts, rebuilt from the raw evidence
    Replay,
}

/// `orgproof controls …`
#[derive(Debug, Subcommand)]
pub enum ControlsCommand {
    /// Report every fault of the catalogue at once
    Lint {
        /// Files of your own to check with it (default: what the configuration names)
        #[arg(value_name = "FILE|ID")]
        wanted: Vec<String>,
    },
    /// List the frameworks that are shipped
    List,
    /// Show a framework, one of its requirements, or a check in full
    Show {
        /// A framework (cis-aws-3.0) or a check (securityhub/S3.8)
        name: String,
        /// A requirement of that framework, such as 2.1.4
        requirement: Option<String>,
    },
    /// Print requirement x responsibility x checks x mode
    Matrix,
    /// Count, per framework, what is automated, manual, deliberately not automated, and unmapped
    Coverage,
}

/// `orgproof keys …`
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key pair; the file is readable by its owner only and never overwritten
    Generate {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The algorithm
        #[arg(long, value_enum, default_value_t = AlgorithmArg::P256)]
        algorithm: AlgorithmArg,
        /// Encrypt the file with a passphrase: that of ORGPROOF_KEY_PASSPHRASE, or one that is asked for at the terminal
        #[arg(long)]
        passphrase: bool,
        /// Encrypt the file with the passphrase in the first line of this one (readable by its owner only)
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Go on with another key, in a seal that both sign; the old one then seals no more
    Rotate(super::commands::RotateArgs),
    /// Show the public key: its fingerprint, and what an auditor needs
    Show {
        /// The public key in PEM (SubjectPublicKeyInfo) alone
        #[arg(long, group = "what")]
        pem: bool,
        /// The line for an allowed_signers file (ssh-keygen -Y verify) alone
        #[arg(long, group = "what")]
        allowed_signers: bool,
        /// The fingerprint that an engagement letter quotes, alone
        #[arg(long, group = "what")]
        fingerprint: bool,
    },
}

/// Key algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AlgorithmArg {
    /// ECDSA on NIST P-256 with SHA-256
    P256,
    /// Ed25519
    Ed25519,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
