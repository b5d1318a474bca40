//! Identifiers that AWS has published: facts with provenance in `controls/facts/`, used by lint, never by a verdict.

use std::{collections::BTreeMap, sync::LazyLock};

/// AWS Config managed rules: identifier -> name under which AWS lists it. From `controls/facts/config_managed_rules.csv`.
pub(super) static CONFIG_RULES: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| column(include_bytes!("../../controls/facts/config_managed_rules.csv"), 1));

/// Security Hub controls: id -> `current` or `retired_or_renamed`. From `controls/facts/securityhub_controls.csv`.
pub(super) static CONTROLS: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| column(include_bytes!("../../controls/facts/securityhub_controls.csv"), 9));

/// States that the `observe` room reads, and whether each needs a subject (`of`).
pub const STATES: &[(&str, bool)] = &[
    ("aggregator-complete", false),
    ("config-recorder", false),
    ("delegated-administrator", true),
    ("organization-all-features", false),
    ("region-covered", false),
    ("remediation-configured", true),
    ("remediation-executed", true),
    ("scp-enabled", false),
    ("securityhub-enabled", false),
];

/// First column -> column `at`, of a CSV file with one header line.
fn column(bytes: &[u8], at: usize) -> BTreeMap<String, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let records = reader.records().filter_map(Result::ok);
    records.filter_map(|record| Some((record.get(0)?.to_owned(), record.get(at)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_lists_hold_what_every_newcomer_asks_about() {
        for rule in ["S3_BUCKET_PUBLIC_READ_PROHIBITED", "ELB_LOGGING_ENABLED", "INCOMING_SSH_DISABLED"] {
            assert!(CONFIG_RULES.contains_key(rule), "{rule}");
        }
        for rule in ["EC2_INSTANCE_MANAGED_BY_SSM", "CLOUD_TRAIL_ENABLED", "ACCESS_KEYS_ROTATED"] {
            assert!(CONFIG_RULES.contains_key(rule), "{rule}");
        }
        assert_eq!(CONFIG_RULES.len(), 805);
        assert_eq!(CONTROLS.len(), 584);
        assert_eq!(CONTROLS.get("S3.8").map(String::as_str), Some("current"));
    }
}
