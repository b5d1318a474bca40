//! One damaged file for each lint code: the fault must be named with its code and its line.

use std::collections::BTreeSet;

use super::super::{CODES, Catalog, CatalogFiles, Fault, Faults, load};

/// A small framework with one requirement and one check: line numbers in the fixtures below count from here.
const GOOD: &str = r#"id = "own"
title = "Own"
version = "1"

[[requirement]]
id = "R-1"
title = "One"
description = "Something."
responsibility = "customer"
responsibility-reason = "Ours."
reviewed = "2026-11-23"

[[requirement.item]]
id = "a"
title = "It holds"
checks = [{ check = "own/one", confidence = "judgement", source = "us" }]

[[check]]
id = "own/one"
title = "One"
config-rule = "S3_BUCKET_PUBLIC_READ_PROHIBITED"
severity = "high"
pass = "p"
fail = "f"
not-applicable = "n"
not-assessed = "u"
remedy = "r"
"#;

/// How the item of [`GOOD`] is confirmed.
const CHECKS: &str = r#"checks = [{ check = "own/one", confidence = "judgement", source = "us" }]"#;
/// The item of [`GOOD`] with its header.
const ITEM: &str = r#"[[requirement.item]]
id = "a"
title = "It holds"
checks = [{ check = "own/one", confidence = "judgement", source = "us" }]
"#;
/// The question of [`GOOD`].
const RULE: &str = r#"config-rule = "S3_BUCKET_PUBLIC_READ_PROHIBITED""#;

/// Code, line (0 for the whole file), what is replaced in [`GOOD`], by what.
const DAMAGED: &[(&str, usize, &str, &str)] = &[
    ("check-several-questions", 18, RULE, "config-rule = \"custom:x\"\nsecurityhub = \"S3.8\""),
    ("check-without-question", 18, RULE, ""),
    ("duplicate-check", 19, "id = \"own/one\"", "id = \"securityhub/S3.8\""),
    ("duplicate-item", 18, "\n[[check]]", "[[requirement.item]]\nid = \"a\"\n[[check]]"),
    ("duplicate-mapping", 16, "checks = [", "checks = [{ check = \"own/one\" }, "),
    ("duplicate-requirement", 18, "\n[[check]]", "[[requirement]]\nid = \"R-1\"\n[[check]]"),
    ("empty-list", 13, CHECKS, "checks = []"),
    ("empty-text", 8, "Something.", "  "),
    ("framework-without-requirements", 0, "[[requirement]]", "[[check]]"),
    ("inherited-without-aws-part", 13, CHECKS, "inherited = \"SOC 2\""),
    ("invalid-date", 11, "2026-11-23", "23.11.2026"),
    (
        "invalid-value",
        24,
        RULE,
        "product = \"guardduty\"\nmin-severity = \"high\"\nmax-age-days = 7\nenabled-by = [\"GuardDuty.1\"]",
    ),
    (
        "unknown-control",
        24,
        RULE,
        "product = \"guardduty\"\nmin-severity = \"high\"\nmax-age-days = 7\nenabled-by = [\"securityhub/GuardDuty.111\"]",
    ),
    ("empty-list", 18, RULE, "product = \"guardduty\"\nmin-severity = \"high\"\nmax-age-days = 7"),
    ("check-several-questions", 18, RULE, "conformance-pack = \"p\"\nsecurityhub = \"S3.8\""),
    ("invalid-id", 1, "id = \"own\"", "id = \"our own\""),
    ("invalid-toml", 3, "version = \"1\"", "version = "),
    ("invalid-value", 9, "\"customer\"", "\"costumer\""),
    (
        "item-several-modes",
        13,
        CHECKS,
        "not-automated = \"w\"\nmanual = { evidence = \"e\", frequency = \"f\", by = \"b\" }",
    ),
    ("item-without-mode", 13, CHECKS, ""),
    (
        "loosened-unsaid",
        4,
        "version = \"1\"\n",
        "version = \"1\"\noperating = { at-least-every = \"31h\" }\nfrom = \"cis-aws-3.0\"\n",
    ),
    ("malformed-action", 21, RULE, "guarded-actions = [\"PutBucketPolicy\"]\nconditional = \"accept\""),
    ("missing-english", 7, "title = \"One\"\ndesc", "title = { ja = \"一\" }\ndesc"),
    ("missing-key", 18, "remedy = \"r\"", ""),
    ("requirement-without-items", 5, ITEM, ""),
    ("retired-control", 21, RULE, "securityhub = \"S3.4\""),
    ("state-subject", 21, RULE, "state = \"remediation-configured\""),
    ("unknown-base", 4, "version = \"1\"\n", "version = \"1\"\nfrom = \"cis-aws-9.9\""),
    ("unknown-check", 16, "check = \"own/one\"", "check = \"own/on\""),
    ("unknown-config-rule", 21, "READ_PROHIBITED", "READ_PROHIBITD"),
    ("unknown-control", 21, RULE, "securityhub = \"S3.888\""),
    ("unknown-key", 8, "description", "descripton"),
    ("unknown-requirement", 5, "version = \"1\"\n", "version = \"1\"\nfrom = \"cis-aws-3.0\"\nonly = [\"9.9\"]"),
    ("unknown-state", 21, RULE, "state = \"config-recoder\""),
    ("wrong-type", 3, "\"1\"", "1"),
];

/// Codes whose fault lies in the set of files rather than in a text; each has a test of its own below.
const OF_FILES: &[&str] = &["duplicate-framework", "id-not-file-name", "unknown-framework", "unreadable-file"];

/// Loads `text` as a user's own file.
fn faults_of(text: &[u8]) -> Vec<Fault> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), text).unwrap();
    load(&["own.toml".to_owned()], folder.path()).map_or_else(|Faults(faults)| faults, |_| Vec::new())
}

#[test]
fn the_undamaged_file_has_no_fault() {
    assert_eq!(faults_of(GOOD.as_bytes()), []);
}

#[test]
fn every_damage_is_named_with_its_code_and_line() {
    for (code, line, from, to) in DAMAGED {
        assert!(GOOD.contains(from), "{code}");
        let faults = faults_of(GOOD.replacen(from, to, 1).as_bytes());
        let line = Some(*line).filter(|&line| line > 0);
        let found = faults.iter().any(|f| f.code == *code && f.line == line && f.file == "own.toml");
        assert!(found, "{code} on line {line:?} is not among\n{}", Faults(faults));
    }
}

#[test]
fn every_code_has_a_damaged_fixture_and_none_is_unlisted() {
    let listed: BTreeSet<_> = CODES.iter().map(|(code, _)| *code).collect();
    let damaged = DAMAGED.iter().map(|(code, ..)| *code).chain(OF_FILES.iter().copied());
    assert_eq!(listed, damaged.collect());
    assert_eq!(listed.len(), CODES.len());
}

#[test]
fn all_faults_of_a_file_come_at_once() {
    let text =
        GOOD.replace("customer", "costumer").replace("READ_PROHIBITED", "READ_PROHIBITD").replace("2026-11-23", "x");
    let codes: Vec<_> = faults_of(text.as_bytes()).into_iter().map(|fault| fault.code).collect();
    assert_eq!(codes, ["invalid-value", "invalid-date", "unknown-config-rule"]);
}

#[test]
fn what_was_meant_is_suggested() {
    let faults = faults_of(GOOD.replace("READ_PROHIBITED", "READ_PROHIBITD").as_bytes());
    assert_eq!(faults[0].help.as_deref(), Some("did you mean \"S3_BUCKET_PUBLIC_READ_PROHIBITED\"?"));
    let text = "own.toml:21: AWS Config has no managed rule \"S3_BUCKET_PUBLIC_READ_PROHIBITD\" [unknown-config-rule]";
    assert!(faults[0].to_string().starts_with(text), "{}", faults[0]);
}

#[test]
fn faults_of_the_set_of_files_are_named() {
    let base = std::path::Path::new(".");
    let codes = |wanted: &[&str]| {
        let wanted: Vec<_> = wanted.iter().map(|id| (*id).to_owned()).collect();
        let Faults(faults) = load(&wanted, base).unwrap_err();
        faults.into_iter().map(|fault| (fault.code, fault.help)).collect::<Vec<_>>()
    };
    let did_you_mean = Some("did you mean \"cis-aws-3.0\"?".to_owned());
    assert_eq!(codes(&["cis-aws-3"]), [("unknown-framework", did_you_mean)]);
    assert_eq!(codes(&["s3-data-leak", "s3-data-leak"]), [("duplicate-framework", None)]);
    assert_eq!(codes(&["absent/own.toml"])[0].0, "unreadable-file");
    assert_eq!(faults_of(&[0xff, 0xfe])[0].code, "unreadable-file");

    let index = b"files = [\"frameworks/other.toml\"]".to_vec();
    let files = [("catalog.toml".to_owned(), index), ("frameworks/other.toml".to_owned(), GOOD.into())];
    let Faults(faults) = Catalog::from_files(&CatalogFiles::from(files)).unwrap_err();
    assert_eq!((faults[0].code, faults[0].line), ("id-not-file-name", Some(1)));
}

#[test]
fn a_sealed_catalogue_survives_what_aws_retires() {
    let text = GOOD.replace(RULE, "securityhub = \"S3.4\"");
    let index = b"files = [\"own/own.toml\"]".to_vec();
    let files = [("catalog.toml".to_owned(), index), ("own/own.toml".to_owned(), text.into_bytes())];
    assert!(Catalog::from_files(&CatalogFiles::from(files)).is_ok());
}
