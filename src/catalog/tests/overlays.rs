//! Overlays replace, add and choose, and rebuild from an archive like everything else.

use super::super::{Catalog, CatalogFiles, Faults, How, load};

/// Loads one file of the user's own.
fn load_own(text: &str) -> Result<(Catalog, CatalogFiles), Faults> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ours.toml"), text).unwrap();
    load(&["ours.toml".to_owned()], folder.path())
}

const OURS: &str = r#"
id = "ours"
title = "CIS as we apply it"
version = "2026"
from = "cis-aws-3.0"
only = ["1.4", "1.5", "2.1.2"]

[[requirement]]
id = "2.1.2"
title = "Object versions are locked"
description = "We lock objects instead of demanding MFA for deletion."
responsibility = "customer"
responsibility-reason = "Ours."

[[requirement.item]]
id = "a"
title = "MFA delete"
not-automated = "Object Lock makes deletion impossible."

[[requirement]]
id = "X-1"
title = "Instances are managed"
description = "Ours."
responsibility = "customer"
responsibility-reason = "Ours."

[[requirement.item]]
id = "a"
title = "Instances are managed"
confidence = "judgement"
source = "us"
checks = ["config/EC2_INSTANCE_MANAGED_BY_SSM"]
"#;

#[test]
fn an_overlay_chooses_replaces_in_place_and_adds_at_the_end() {
    let (catalog, files) = load_own(OURS).unwrap();
    let [framework] = &catalog.frameworks[..] else { panic!("the base was not asked for") };
    let ids: Vec<_> = framework.requirements.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["1.4", "1.5", "2.1.2", "X-1"]);
    assert!(matches!(framework.requirements[2].items[0].how, How::NotAutomated { .. }));
    assert!(!catalog.checks.contains_key("securityhub/S3.20"));
    assert!(files.contains_key("frameworks/cis-aws-3.0.toml") && files.contains_key("own/ours.toml"));
    assert_eq!(Catalog::from_files(&files).unwrap(), catalog);
}

#[test]
fn an_overlay_may_stand_beside_its_base_and_on_another_overlay() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ours.toml"), OURS).unwrap();
    let theirs = OURS.replace("\"ours\"", "\"theirs\"").replace("from = \"cis-aws-3.0\"", "from = \"ours\"");
    std::fs::write(folder.path().join("theirs.toml"), theirs).unwrap();
    let wanted = ["theirs.toml", "cis-aws-3.0", "ours.toml"].map(str::to_owned);
    let (catalog, files) = load(&wanted, folder.path()).unwrap();
    let sizes: Vec<_> = catalog.frameworks.iter().map(|f| (f.id.as_str(), f.requirements.len())).collect();
    assert_eq!(sizes, [("theirs", 4), ("cis-aws-3.0", 62), ("ours", 4)]);
    assert_eq!(Catalog::from_files(&files).unwrap(), catalog);
}

#[test]
fn an_overlay_on_itself_is_a_fault() {
    let Faults(faults) = load_own(&OURS.replace("from = \"cis-aws-3.0\"", "from = \"ours\"")).unwrap_err();
    assert!(faults.iter().any(|fault| fault.code == "unknown-base"), "{faults:?}");
}

#[test]
fn the_baselines_of_nist_have_the_sizes_that_nist_publishes() {
    for (id, size) in [("low", 149), ("moderate", 287), ("high", 370), ("privacy", 96)] {
        let (catalog, _) = load(&[format!("nist-800-53-r5-{id}")], std::path::Path::new(".")).unwrap();
        assert_eq!(catalog.frameworks[0].requirements.len(), size, "{id}");
    }
}

#[test]
fn a_file_with_nothing_but_checks_stands_for_itself_until_a_framework_uses_them() {
    const CHECK: &str = r#"
[[check]]
id = "ours/ssh"
title = "No SSH"
config-rule = "INCOMING_SSH_DISABLED"
severity = "high"
pass = "p"
fail = "f"
not-applicable = "n"
not-assessed = "u"
remedy = "r"
"#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my-check.toml"), CHECK).unwrap();
    let user = OURS.replace("config/EC2_INSTANCE_MANAGED_BY_SSM", "ours/ssh");
    std::fs::write(folder.path().join("ours.toml"), user).unwrap();

    let (alone, files) = load(&["my-check.toml".to_owned()], folder.path()).unwrap();
    assert_eq!(alone.frameworks[0].id, "my-check");
    assert_eq!(alone.frameworks[0].requirements[0].id, "ours/ssh");
    assert!(alone.checks.contains_key("ours/ssh"));
    assert_eq!(Catalog::from_files(&files).unwrap(), alone);

    let (used, _) = load(&["my-check.toml".to_owned(), "ours.toml".to_owned()], folder.path()).unwrap();
    assert_eq!(used.frameworks.iter().map(|f| f.id.as_str()).collect::<Vec<_>>(), ["ours"]);
}
