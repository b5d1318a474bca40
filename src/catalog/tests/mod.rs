//! The laws of the catalogue: what is shipped is whole, what is wrong is named, what was sealed rebuilds.

mod damaged;
mod operating;
mod overlays;
mod properties;
mod round_trips;
mod schema;
mod views;

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use super::*;

/// Shipped frameworks, with the names that the facts have for them.
const COMPLETE: &[(&str, &str, &str)] = &[
    ("aws-fsbp", "AWS_FSBP", "1.0"),
    ("cis-aws-1.4", "CIS_AWS", "1.4"),
    ("cis-aws-3.0", "CIS_AWS", "3.0"),
    ("cis-aws-5.0", "CIS_AWS", "5.0"),
    ("fisc-11", "FISC", "11"),
    ("hipaa", "HIPAA", "2013"),
    ("iso-27001-2022", "ISO_27001", "2022"),
    ("nist-800-171-r2", "NIST_800_171", "r2"),
    ("nist-800-53-r5", "NIST_800_53", "r5"),
    ("nist-csf-2.0", "NIST_CSF", "2.0"),
    ("pci-dss-4.0.1", "PCI_DSS", "4.0.1"),
    ("soc2-2017", "SOC2_TSC", "2017"),
];

/// Everything shipped, loaded once.
static ALL: LazyLock<Catalog> =
    LazyLock::new(|| load(&owned(&shipped()), Path::new(".")).unwrap_or_else(|faults| panic!("{faults}")).0);

fn by_id(id: &str) -> &'static Framework {
    ALL.frameworks.iter().find(|framework| framework.id == id).unwrap()
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn the_order_of_the_users_own_files_and_of_their_checks_changes_no_check() {
    let (a, _) = load(&owned(&["s3-data-leak", "cis-aws-3.0"]), Path::new(".")).unwrap();
    let (b, _) = load(&owned(&["cis-aws-3.0", "s3-data-leak"]), Path::new(".")).unwrap();
    assert_eq!(a.checks, b.checks);
    assert_eq!(a.frameworks[0], b.frameworks[1]);
    assert_eq!(a.frameworks[1], b.frameworks[0]);
}

/// The requirement ids of one framework in `controls/facts/frameworks.csv`.
fn published(framework: &str, version: &str) -> BTreeSet<String> {
    let mut reader = csv::Reader::from_reader(&include_bytes!("../../../controls/facts/frameworks.csv")[..]);
    let rows = reader.records().map(Result::unwrap);
    rows.filter(|row| &row[0] == framework && &row[1] == version).map(|row| row[2].to_owned()).collect()
}

#[test]
fn everything_shipped_is_free_of_faults() {
    let catalog = &*ALL;
    assert_eq!(catalog.frameworks.len(), shipped().len());
    assert!(!catalog.checks.is_empty());
}

#[test]
fn shipped_frameworks_hold_every_published_requirement_and_invent_none() {
    for (id, framework, version) in COMPLETE {
        let ours: BTreeSet<_> = by_id(id).requirements.iter().map(|r| r.id.clone()).collect();
        let theirs = published(framework, version);
        assert!(!theirs.is_empty());
        assert_eq!(ours, theirs, "{id}");
    }
}

/// The requirements of one framework that a facts file maps: columns 0 and 1 or 1 and 2 name it, the next one the id.
fn mapped(bytes: &[u8], first: usize, framework: &str, version: &str) -> BTreeSet<String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let rows = reader.records().map(Result::unwrap);
    let rows = rows.filter(|row| &row[first] == framework && &row[first + 1] == version);
    rows.map(|row| row[first + 2].to_owned()).collect()
}

#[test]
fn a_requirement_is_automated_exactly_where_the_facts_know_a_control_or_rule() {
    let rules = include_bytes!("../../../controls/facts/config_rule_requirements.csv");
    let controls = include_bytes!("../../../controls/facts/securityhub_control_requirements.csv");
    for (id, framework, version) in COMPLETE {
        let automated = |r: &&Requirement| r.items.iter().any(|item| matches!(item.how, How::Automated { .. }));
        let requirements = &by_id(id).requirements;
        let ours: BTreeSet<_> = requirements.iter().filter(automated).map(|r| r.id.clone()).collect();
        let mut theirs = mapped(rules, 0, framework, version);
        theirs.extend(mapped(controls, 1, framework, version));
        // CIS by hand: a subject that an edition shares with another one, whose control AWS documents there.
        let by_hand = |id: &&String| framework == &"CIS_AWS" && !theirs.contains(*id);
        let more: BTreeSet<_> = ours.iter().filter(by_hand).cloned().collect();
        assert!(more.len() <= 14, "{id}: {more:?}");
        theirs.extend(more);
        assert_eq!(ours, theirs, "{id}");
    }
}

#[test]
fn every_shipped_check_of_security_hub_has_awss_severity_and_its_own_id() {
    let catalog = &*ALL;
    let mut reader = csv::Reader::from_reader(&include_bytes!("../../../controls/facts/securityhub_controls.csv")[..]);
    let mut compared = 0;
    for row in reader.records().map(Result::unwrap) {
        let Some(check) = catalog.checks.get(&format!("securityhub/{}", &row[0])) else { continue };
        assert_eq!(check.ask, Ask::SecurityHub { control: row[0].to_owned() });
        assert_eq!(format!("{:?}", check.severity).to_uppercase(), &row[2], "{}", check.id);
        compared += 1;
    }
    assert!(compared > 400, "{compared}");
}

#[test]
fn every_current_control_has_a_check_and_the_six_rules_that_newcomers_ask_about_too() {
    let checks = shipped_checks().unwrap();
    for (control, _) in facts::CONTROLS.iter().filter(|(_, status)| *status == "current") {
        assert!(checks.contains_key(&format!("securityhub/{control}")), "{control}");
    }
    let rules = ["S3_BUCKET_PUBLIC_READ_PROHIBITED", "ELB_LOGGING_ENABLED", "INCOMING_SSH_DISABLED"];
    for rule in rules.iter().chain(&["EC2_INSTANCE_MANAGED_BY_SSM", "CLOUD_TRAIL_ENABLED", "ACCESS_KEYS_ROTATED"]) {
        let check = &checks[&format!("config/{rule}")];
        assert_eq!(check.ask, Ask::ConfigRule { identifier: (*rule).to_owned() });
    }
}

#[test]
fn things_that_no_region_owns_are_global() {
    let catalog = &*ALL;
    let iam = |check: &&Check| check.resource_types.iter().any(|kind| kind.starts_with("AWS::IAM::"));
    let found: Vec<_> = catalog.checks.values().filter(iam).collect();
    assert!(!found.is_empty() && found.iter().all(|check| check.global));
    assert!(catalog.checks["securityhub/IAM.6"].global && catalog.checks["securityhub/S3.1"].global);
    assert!(!catalog.checks["securityhub/IAM.28"].global && !catalog.checks["securityhub/EC2.7"].global);
}

#[test]
fn a_sealed_catalogue_rebuilds_with_the_same_content_and_digest() {
    let (catalog, files) = load(&owned(&["s3-data-leak", "cis-aws-3.0"]), Path::new(".")).unwrap();
    assert_eq!(Catalog::from_files(&files).unwrap(), catalog);
    assert_eq!(catalog.frameworks[0].id, "s3-data-leak");
    let (other, _) = load(&owned(&["s3-data-leak"]), Path::new(".")).unwrap();
    assert_ne!(other.digest, catalog.digest);
}
