//! The laws of the catalogue: what is shipped is whole, what is wrong is named, what was sealed rebuilds.

mod damaged;
mod views;

use std::{collections::BTreeSet, path::Path};

use super::*;

/// Shipped frameworks, with the names that the facts have for them.
const COMPLETE: &[(&str, &str, &str)] = &[("cis-aws-3.0", "CIS_AWS", "3.0")];

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
    let (catalog, _) = load(&owned(&shipped()), Path::new(".")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(catalog.frameworks.len(), shipped().len());
    assert!(!catalog.checks.is_empty());
}

#[test]
fn shipped_frameworks_hold_every_published_requirement_and_invent_none() {
    for (id, framework, version) in COMPLETE {
        let (catalog, _) = load(&owned(&[id]), Path::new(".")).unwrap();
        let ours: BTreeSet<_> = catalog.frameworks[0].requirements.iter().map(|r| r.id.clone()).collect();
        let theirs = published(framework, version);
        assert!(!theirs.is_empty());
        assert_eq!(ours, theirs, "{id}");
    }
}

#[test]
fn a_sealed_catalogue_rebuilds_with_the_same_content_and_digest() {
    let (catalog, files) = load(&owned(&["s3-data-leak", "cis-aws-3.0"]), Path::new(".")).unwrap();
    assert_eq!(Catalog::from_files(&files).unwrap(), catalog);
    assert_eq!(catalog.frameworks[0].id, "s3-data-leak");
    let (other, _) = load(&owned(&["s3-data-leak"]), Path::new(".")).unwrap();
    assert_ne!(other.digest, catalog.digest);
}
