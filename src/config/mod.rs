//! `orgproof.toml`: parsed as typed, then validated with all faults at once.
//!
//! Unknown keys are faults that name the nearest known key; paths are relative to the file; AWS credentials and endpoints
//! never stand here, they come from the standard chain and the environment.

mod keys;
mod schedule;

use std::{collections::BTreeMap, fmt, path::Path};

use jiff::{SignedDuration, tz::TimeZone};
use serde::Deserialize;

pub use schedule::{Cadence, InvalidPeriod};

use crate::model::{AccountId, Region, Sha256Digest};

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
    /// Where archives live, such as `file:evidence`.
    pub store: String,
    /// Key that seals, such as `file:keys/seal.pem`.
    pub key: String,
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
        let raw: Raw = toml::from_str(text).map_err(|e| syntax(e.to_string()))?;
        let config = raw.validate(&mut faults, Sha256Digest::of(&bytes), bytes);
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(ConfigError::Invalid { path: path.to_owned(), faults: Faults(faults) }),
        }
    }
}

#[derive(Deserialize)]
struct Raw {
    organization: RawOrganization,
    #[serde(default)]
    config: RawConfig,
    #[serde(default)]
    securityhub: RawSecurityHub,
    store: RawStore,
    signing: RawSigning,
    #[serde(default)]
    timestamp: RawTimestamp,
    catalog: RawCatalog,
    #[serde(default)]
    schedule: schedule::RawSchedule,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Deserialize)]
struct RawOrganization {
    role_name: String,
    external_id: Option<String>,
    session_duration: Option<String>,
    regions: Vec<String>,
    home_region: String,
    #[serde(default)]
    exclude: Vec<RawExclusion>,
}

#[derive(Deserialize)]
struct RawExclusion {
    account: Option<String>,
    ou: Option<String>,
    tag: Option<String>,
    by: Option<String>,
    why: Option<String>,
}

#[derive(Deserialize, Default)]
struct RawConfig {
    aggregator: Option<String>,
    #[serde(default)]
    compliance: Reading,
}

#[derive(Deserialize, Default)]
struct RawSecurityHub {
    #[serde(default)]
    findings: Reading,
}

#[derive(Deserialize)]
struct RawStore {
    url: String,
}

#[derive(Deserialize)]
struct RawSigning {
    key: String,
    role: Option<String>,
}

#[derive(Deserialize, Default)]
struct RawTimestamp {
    #[serde(default)]
    authorities: Vec<String>,
}

#[derive(Deserialize)]
struct RawCatalog {
    frameworks: Vec<String>,
}

#[derive(Deserialize, Default)]
struct RawLimits {
    concurrency: Option<usize>,
    #[serde(default)]
    rates: BTreeMap<String, f64>,
}

/// Collects faults while it turns what was typed into what is meant.
struct Check<'a>(&'a mut Vec<Fault>);

impl Check<'_> {
    fn fault(&mut self, code: &'static str, key: &str, message: impl Into<String>) {
        self.0.push(Fault { code, key: key.to_owned(), message: message.into() });
    }

    fn parsed<T: std::str::FromStr>(&mut self, key: &str, text: &str) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        text.parse().map_err(|e: T::Err| self.fault("invalid-value", key, e.to_string())).ok()
    }
}

impl Raw {
    fn validate(self, faults: &mut Vec<Fault>, digest: Sha256Digest, bytes: Vec<u8>) -> Option<Config> {
        let mut check = Check(faults);
        if !self.timestamp.authorities.is_empty() {
            check.fault(
                "unsupported",
                "timestamp.authorities",
                "this version asks no timestamp authority yet: leave the list empty, and seals rest on the machine's clock",
            );
        }
        if self.signing.role.is_some() {
            check.fault("unsupported", "signing.role", "this version seals with file keys only: remove the role");
        }
        if self.catalog.frameworks.is_empty() {
            check.fault(
                "missing",
                "catalog.frameworks",
                "name at least one framework; 'orgproof controls list' shows them",
            );
        }
        let aggregator = self.config.aggregator.filter(|name| !name.is_empty());
        if self.config.compliance == Reading::Central && aggregator.is_none() {
            check.fault(
                "missing",
                "config.aggregator",
                "compliance = \"central\" needs the name of a Config aggregator",
            );
        }
        let limits = self.limits.validate(&mut check);
        let organization = self.organization.validate(&mut check);
        let schedule = self.schedule.validate(&mut check);
        Some(Config {
            organization: organization?,
            aggregator,
            compliance: self.config.compliance,
            findings: self.securityhub.findings,
            store: self.store.url,
            key: self.signing.key,
            frameworks: self.catalog.frameworks,
            schedule: schedule?,
            limits,
            digest,
            bytes,
        })
    }
}

impl RawLimits {
    fn validate(self, check: &mut Check<'_>) -> Limits {
        let concurrency = self.concurrency.unwrap_or(64);
        if !(1..=4096).contains(&concurrency) {
            check.fault("invalid-value", "limits.concurrency", "from 1 to 4096 tasks at once");
        }
        for (service, rate) in &self.rates {
            let key = format!("limits.rates.{service}");
            if !["organizations", "sts", "config", "securityhub", "account"].contains(&service.as_str()) {
                check.fault("unknown-key", &key, "services are organizations, sts, config, securityhub and account");
            } else if !(rate.is_finite() && *rate > 0.0) {
                check.fault("invalid-value", &key, "requests a second, more than 0");
            }
        }
        Limits { concurrency, rates: self.rates }
    }
}

impl RawOrganization {
    fn validate(self, check: &mut Check<'_>) -> Option<OrganizationSettings> {
        let home_region = check.parsed("organization.home_region", &self.home_region);
        let regions = if self.regions == ["all"] {
            Some(Regions::All)
        } else {
            if self.regions.is_empty() {
                check.fault("missing", "organization.regions", "name the Regions to audit, or [\"all\"]");
            }
            let mut named: Vec<Region> =
                self.regions.iter().filter_map(|r| check.parsed("organization.regions", r)).collect();
            named.sort();
            named.dedup();
            Some(Regions::Named(named))
        };
        let name = self.role_name.as_str();
        if name.is_empty()
            || name.len() > 64
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
        {
            check.fault(
                "invalid-value",
                "organization.role_name",
                "the role's name without path or ARN, at most 64 characters",
            );
        }
        let session_seconds = self.session_duration.map_or(Some(3600), |text| {
            let duration: Option<SignedDuration> = check.parsed("organization.session_duration", &text);
            duration.and_then(|d| u32::try_from(d.as_secs()).ok())
        });
        if session_seconds.is_some_and(|s| !(900..=43_200).contains(&s)) {
            check.fault(
                "invalid-value",
                "organization.session_duration",
                "from 15m to 12h (1h at most where roles are chained)",
            );
        }
        let exclude = self.exclude.into_iter().enumerate().filter_map(|(n, e)| e.validate(n, check)).collect();
        Some(OrganizationSettings {
            role_name: self.role_name,
            external_id: self.external_id,
            session_seconds: session_seconds?,
            regions: regions?,
            home_region: home_region?,
            exclude,
        })
    }
}

impl RawExclusion {
    fn validate(self, n: usize, check: &mut Check<'_>) -> Option<Exclusion> {
        let key = format!("organization.exclude[{n}]");
        let what = match (self.account, self.ou, self.tag) {
            (Some(account), None, None) => Excluded::Account(check.parsed(&key, &account)?),
            (None, Some(unit), None) => Excluded::Unit(unit),
            (None, None, Some(tag)) => match tag.split_once('=') {
                Some((key, value)) => Excluded::Tag { key: key.to_owned(), value: value.to_owned() },
                None => {
                    check.fault("invalid-value", &key, "a tag is written \"key=value\"");
                    return None;
                }
            },
            _ => {
                check.fault("invalid-value", &key, "name exactly one of account, ou and tag");
                return None;
            }
        };
        let stated = |text: Option<String>| text.filter(|t| !t.trim().is_empty());
        match (stated(self.by), stated(self.why)) {
            (Some(by), Some(why)) => Some(Exclusion { what, by, why }),
            _ => {
                check.fault("missing", &key, "an exclusion says by whom (by = …) and why (why = …)");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
