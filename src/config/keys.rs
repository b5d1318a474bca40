//! Which keys there are, so that a misspelt one is never silently ignored.

use super::Fault;

const KEYS: &[(&str, &[&str])] = &[
    ("organization", &["role_name", "external_id", "session_duration", "regions", "home_region", "exclude"]),
    ("config", &["aggregator", "compliance"]),
    ("securityhub", &["findings"]),
    ("store", &["url", "retention"]),
    ("signing", &["key", "passphrase_file", "role"]),
    ("approvals", &["approvers"]),
    ("timestamp", &["authorities"]),
    ("catalog", &["frameworks"]),
    ("schedule", &["period", "fiscal_year_start", "time_zone", "next_run", "grace"]),
    ("limits", &["concurrency", "rates"]),
];

/// Names every unknown section and key, each with the nearest known one.
pub(super) fn unknown(table: &toml::Table) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (section, value) in table {
        let Some((_, keys)) = KEYS.iter().find(|(name, _)| name == section) else {
            faults.push(fault(section, section, KEYS.iter().map(|(name, _)| *name)));
            continue;
        };
        let Some(entries) = value.as_table() else {
            faults.push(Fault {
                code: "invalid-value",
                key: section.clone(),
                message: format!("is a section: write [{section}]"),
            });
            continue;
        };
        for key in entries.keys().filter(|key| !keys.contains(&key.as_str())) {
            faults.push(fault(&format!("{section}.{key}"), key, keys.iter().copied()));
        }
    }
    if let Some(list) = table.get("organization").and_then(|o| o.get("exclude")).and_then(toml::Value::as_array) {
        for (n, entry) in list.iter().enumerate().filter_map(|(n, e)| Some((n, e.as_table()?))) {
            let known = ["account", "ou", "tag", "by", "why"];
            for key in entry.keys().filter(|key| !known.contains(&key.as_str())) {
                faults.push(fault(&format!("organization.exclude[{n}].{key}"), key, known.into_iter()));
            }
        }
    }
    faults
}

fn fault<'a>(path: &str, key: &str, known: impl Iterator<Item = &'a str>) -> Fault {
    let nearest = known.map(|k| (strsim::damerau_levenshtein(key, k), k)).min();
    let message = match nearest {
        Some((distance, name)) if distance <= 3.max(key.len() / 2) => {
            format!("unknown key; did you mean '{name}'?")
        }
        Some((_, name)) => format!("unknown key; the nearest known one is '{name}'"),
        None => "unknown key".to_owned(),
    };
    Fault { code: "unknown-key", key: path.to_owned(), message }
}
