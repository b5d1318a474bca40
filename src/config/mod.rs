//! `orgproof.toml`: parsed as typed, then validated with all faults at once.
//!
//! Unknown keys are faults that name the nearest known key; paths are relative to the file; AWS credentials and endpoints
//! never stand here, they come from the standard chain and the environment.

mod keys;
mod raw;
mod schedule;

use std::{collections::BTreeMap, fmt, path::Path};

use jiff::{SignedDuration, tz::TimeZone};
use serde::Deserialize;

pub use schedule::{Cadence, InvalidPeriod};

use crate::{
    model::{AccountId, Region, Sha256Digest},
    store::Retention,
};

/// The file that `orgproof init` writes.
pub const TEMPLATE: &str = include_str!("template.toml");

/// A validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who is audited.
    pub organization: OrganizationSettings,
    /// The Config aggregator's name; `None` where there is none.
    pub aggregator: Option<String>,
    /// How compliance is read.
    pub compliance: Reading,
    /// How Security Hub findings are read.
    pub findings: Reading,
    /// Where archives live, such as `file:evidence` or `s3://bucket/prefix`.
    pub store: String,
    /// How long an S3 store keeps what is written, against everybody; always there with one, never with a directory.
    pub retention: Option<Retention>,
    /// Who seals.
    pub signing: Signing,
    /// Path of the approvers file, in the form of `allowed_signers`; `None` where nobody's signature is asked for.
    pub approvers: Option<String>,
    /// Framework ids or paths.
    pub frameworks: Vec<String>,
    /// Periods and runs.
    pub schedule: Schedule,
    /// How hard to ask.
    pub limits: Limits,
    /// SHA-256 of the file's bytes, as pinned in seals.
    pub digest: Sha256Digest,
    /// The file's bytes, as kept in archives.
    pub bytes: Vec<u8>,
}

/// Who seals, and how its key is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// The key: `file:keys/seal.pem` or `awskms:///alias/evidence-seal`.
    pub key: String,
    /// A file that holds the passphrase of an encrypted key file.
    pub passphrase_file: Option<String>,
    /// Role to assume for sealing with a key of AWS KMS.
    pub role: Option<String>,
}

/// Who is audited, and as whom.
#[derive(Debug, Clone)]
pub struct OrganizationSettings {
    /// Role assumed in every account.
    pub role_name: String,
    /// External id, where the role's trust policy wants one.
    pub external_id: Option<String>,
    /// Length of a role session in seconds, 900 to 43200 (STS AssumeRole).
    pub session_seconds: u32,
    /// Regions named, or all that exist.
    pub regions: Regions,
    /// Security Hub's aggregation Region, and the aggregator's.
    pub home_region: Region,
    /// Accounts left out, by whom and why.
    pub exclude: Vec<Exclusion>,
}

/// Which Regions are audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// Every Region that `account:ListRegions` lists; those not opted in are no gap.
    All,
    /// These; one of them not opted in is a gap.
    Named(Vec<Region>),
}

/// Leaves accounts out of scope; they stay in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// Which accounts.
    pub what: Excluded,
    /// Who decided.
    pub by: String,
    /// Why.
    pub why: String,
}

/// Which accounts an exclusion names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excluded {
    /// One account.
    Account(AccountId),
    /// Every account below an organizational unit.
    Unit(String),
    /// Every account with this tag.
    Tag {
        /// Tag key.
        key: String,
        /// Tag value.
        value: String,
    },
}

/// Where results are read: the planner's choice, or a fixed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// The planner compares the calls and takes the cheaper.
    #[default]
    Auto,
    /// From the aggregated view (Config aggregator, Security Hub home Region).
    Central,
    /// Inside each account and Region.
    FanOut,
}

/// Periods and runs.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Length of a period.
    pub period: Cadence,
    /// First month of the fiscal year, 1 to 12.
    pub fiscal_year_start: i8,
    /// Time zone in which periods begin and end.
    pub time_zone: TimeZone,
    /// A further run is due within this time of the last.
    pub next_run: SignedDuration,
    /// How late it may be.
    pub grace: SignedDuration,
}

/// How hard to ask.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Tasks under way at once.
    pub concurrency: usize,
    /// Requests a second by service, where the defaults don't fit.
    pub rates: BTreeMap<String, f64>,
}

/// Something wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// The key, dotted.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Everything wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            let line = if n == 0 { "" } else { "\n" };
            write!(f, "{line}{}: {} [{}]", fault.key, fault.message, fault.code)?;
        }
        Ok(())
    }
}

/// Why a configuration cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}. Write one with 'orgproof init', or name another with --config.")]
    Unreadable {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: not TOML: {message}")]
    Syntax {
        /// The file.
        path: String,
        /// Where and why.
        message: String,
    },
    /// The file says something that cannot be.
    #[error("{path}:\n{faults}")]
    Invalid {
        /// The file.
        path: String,
        /// All faults.
        faults: Faults,
    },
}

impl Config {
    /// Reads and validates the file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has faults (all of them are named).
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| ConfigError::Unreadable { path: shown.clone(), source })?;
        Self::parse(bytes, &shown)
    }

    /// Validates the bytes of a configuration file; `path` is only named in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(bytes: Vec<u8>, path: &str) -> Result<Self, ConfigError> {
        let syntax = |message: String| ConfigError::Syntax { path: path.to_owned(), message };
        let text = std::str::from_utf8(&bytes).map_err(|e| syntax(e.to_string()))?;
        let table: toml::Table = toml::from_str(text).map_err(|e| syntax(e.to_string()))?;
        let mut faults = keys::unknown(&table);
        if !faults.is_empty() {
            return Err(ConfigError::Invalid { path: path.to_owned(), faults: Faults(faults) });
        }
        let raw: raw::Raw = toml::from_str(text).map_err(|e| syntax(e.to_string()))?;
        let config = raw.validate(&mut faults, Sha256Digest::of(&bytes), bytes);
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(ConfigError::Invalid { path: path.to_owned(), faults: Faults(faults) }),
        }
    }
}

#[cfg(test)]
mod tests;
