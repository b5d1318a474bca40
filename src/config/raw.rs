//! The file as typed, and the way from there to what is meant: every fault is collected, none hides another.

use std::{collections::BTreeMap, fmt};

use jiff::SignedDuration;
use serde::Deserialize;

use super::{
    Config, Excluded, Exclusion, Fault, Limits, OrganizationSettings, Reading, Regions, Signing, schedule::RawSchedule,
};
use crate::{
    model::{Region, Sha256Digest},
    store::Retention,
};

#[derive(Deserialize)]
pub(super) struct Raw {
    organization: RawOrganization,
    #[serde(default)]
    config: RawConfig,
    #[serde(default)]
    securityhub: RawSecurityHub,
    store: RawStore,
    signing: RawSigning,
    #[serde(default)]
    approvals: RawApprovals,
    #[serde(default)]
    timestamp: RawTimestamp,
    catalog: RawCatalog,
    #[serde(default)]
    schedule: RawSchedule,
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
    retention: Option<String>,
}

#[derive(Deserialize)]
struct RawSigning {
    key: String,
    passphrase_file: Option<String>,
    role: Option<String>,
}

#[derive(Deserialize, Default)]
struct RawApprovals {
    approvers: Option<String>,
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
pub(super) struct Check<'a>(&'a mut Vec<Fault>);

impl Check<'_> {
    pub(super) fn fault(&mut self, code: &'static str, key: &str, message: impl Into<String>) {
        self.0.push(Fault { code, key: key.to_owned(), message: message.into() });
    }

    pub(super) fn parsed<T: std::str::FromStr>(&mut self, key: &str, text: &str) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        text.parse().map_err(|e: T::Err| self.fault("invalid-value", key, e.to_string())).ok()
    }
}

impl Raw {
    pub(super) fn validate(self, faults: &mut Vec<Fault>, digest: Sha256Digest, bytes: Vec<u8>) -> Option<Config> {
        let mut check = Check(faults);
        if !self.timestamp.authorities.is_empty() {
            check.fault(
                "unsupported",
                "timestamp.authorities",
                "this version asks no timestamp authority yet: leave the list empty, and seals rest on the machine's clock",
            );
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
        let signing = self.signing.validate(&mut check);
        let limits = self.limits.validate(&mut check);
        let retention = self.store.retention(&mut check);
        let organization = self.organization.validate(&mut check);
        let schedule = self.schedule.validate(&mut check);
        Some(Config {
            organization: organization?,
            aggregator,
            compliance: self.config.compliance,
            findings: self.securityhub.findings,
            store: self.store.url,
            retention,
            signing,
            approvers: self.approvals.approvers.filter(|path| !path.is_empty()),
            frameworks: self.catalog.frameworks,
            schedule: schedule?,
            limits,
            digest,
            bytes,
        })
    }
}

impl RawStore {
    fn retention(&self, check: &mut Check<'_>) -> Option<Retention> {
        let key = "store.retention";
        match (&self.retention, self.url.starts_with("s3:")) {
            (Some(text), true) => check.parsed(key, text),
            (None, true) => {
                let message =
                    "an S3 store needs the time for which evidence cannot be deleted by anybody, such as \"7y\"";
                check.fault("missing", key, message);
                None
            }
            (Some(_), false) => {
                let message = "a directory cannot keep files from being deleted: remove it, or use an s3:// store";
                check.fault("unsupported", key, message);
                None
            }
            (None, false) => None,
        }
    }
}

impl RawSigning {
    fn validate(self, check: &mut Check<'_>) -> Signing {
        let kms = self.key.starts_with("awskms:");
        if self.passphrase_file.is_some() && kms {
            check.fault(
                "invalid-value",
                "signing.passphrase_file",
                "belongs to a key in a file; a key of AWS KMS has none",
            );
        }
        if let Some(role) = &self.role {
            let parts: Vec<&str> = role.splitn(6, ':').collect();
            let whole = matches!(parts.as_slice(), ["arn", _, "iam", "", account, resource]
                if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && resource.starts_with("role/"));
            if !kms {
                check.fault(
                    "invalid-value",
                    "signing.role",
                    "belongs to a key of AWS KMS (awskms:///alias/NAME); a file needs none",
                );
            } else if !whole {
                check.fault(
                    "invalid-value",
                    "signing.role",
                    "the role's whole ARN, as in arn:aws:iam::111122223333:role/OrgProofSeal",
                );
            }
        }
        Signing { key: self.key, passphrase_file: self.passphrase_file, role: self.role }
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
