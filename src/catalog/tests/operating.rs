//! Criteria of operating effectiveness: conservative by default, tightened freely, loosened only with a word.

use std::path::Path;

use jiff::SignedDuration;

use super::super::{Catalog, Faults, Operating, load, sheet};

const ITEM: &str = "\ntitle = \"t\"\ndescription = \"d\"\nresponsibility = \"customer\"\nresponsibility-reason = \"r\"\n\
    [[requirement.item]]\nid = \"a\"\ntitle = \"t\"\nnot-automated = \"n\"\n";

/// A base with one requirement that has criteria of its own and one that has not.
fn base(general: &str, special: &str) -> String {
    format!(
        "id = \"base\"\ntitle = \"t\"\nversion = \"1\"\n{general}\n\
         [[requirement]]\nid = \"plain\"{ITEM}\n[[requirement]]\nid = \"special\"\n{special}{ITEM}\n"
    )
}

fn overlay(rest: &str) -> String {
    format!("id = \"ours\"\ntitle = \"t\"\nversion = \"1\"\nfrom = \"base\"\n{rest}\n")
}

/// Loads a base and an overlay on it.
fn both(base: &str, overlay: &str) -> Result<Catalog, Faults> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.toml"), base).unwrap();
    std::fs::write(folder.path().join("ours.toml"), overlay).unwrap();
    let (catalog, files) = load(&["base.toml".to_owned(), "ours.toml".to_owned()], folder.path())?;
    assert_eq!(Catalog::from_files(&files).unwrap(), catalog);
    Ok(catalog)
}

fn days(catalog: &Catalog) -> Vec<u16> {
    catalog.frameworks[1].requirements.iter().map(|r| r.operating.max_days_failing).collect()
}

fn codes(result: Result<Catalog, Faults>) -> Vec<(&'static str, String, Option<usize>)> {
    result.unwrap_err().0.into_iter().map(|fault| (fault.code, fault.file, fault.line)).collect()
}

#[test]
fn what_nobody_sets_is_strict_and_shipped_frameworks_set_nothing_else() {
    let strict =
        Operating { max_days_failing: 0, max_unobserved_percent: 0, at_least_every: SignedDuration::from_hours(30) };
    assert_eq!(Operating::default(), strict);
    for framework in &super::ALL.frameworks {
        assert_eq!(framework.operating, strict);
        assert!(framework.requirements.iter().all(|r| r.operating == strict && r.loosened.is_empty()));
    }
}

#[test]
fn a_requirement_has_its_own_criteria_and_else_those_of_its_framework() {
    let general = "operating = { max-days-failing = 3, at-least-every = \"7d\" }";
    let catalog = both(&base(general, "operating = { max-days-failing = 5 }\n"), &overlay("")).unwrap();
    for framework in &catalog.frameworks {
        assert_eq!(framework.operating.max_days_failing, 3);
        let [plain, special] = &framework.requirements[..] else { panic!() };
        assert_eq!((plain.operating.max_days_failing, special.operating.max_days_failing), (3, 5));
        assert_eq!(special.operating.at_least_every, SignedDuration::from_hours(7 * 24));
        assert!(plain.loosened.is_empty() && special.loosened.is_empty());
    }
}

#[test]
fn an_overlay_tightens_without_a_word() {
    let base = base("operating = { max-days-failing = 3 }", "operating = { max-days-failing = 1 }\n");
    let catalog = both(&base, &overlay("operating = { max-days-failing = 2 }")).unwrap();
    assert_eq!(days(&catalog), [2, 1], "the tighter criterion of a requirement stands");
    assert!(catalog.frameworks[1].requirements.iter().all(|r| r.loosened.is_empty()));
}

#[test]
fn an_overlay_that_loosens_without_a_word_is_refused_wherever_it_does() {
    let base = base("operating = { max-days-failing = 1 }", "operating = { max-days-failing = 2 }\n");
    let general = codes(both(&base, &overlay("operating = { max-days-failing = 2 }")));
    assert_eq!(general, [("loosened-unsaid", "ours.toml".to_owned(), Some(5))]);
    let own = overlay(&format!("[[requirement]]\nid = \"special\"\noperating = {{ max-days-failing = 3 }}{ITEM}"));
    assert_eq!(codes(both(&base, &own)), [("loosened-unsaid", "ours.toml".to_owned(), Some(7))]);
    let every = codes(both(&base, &overlay("operating = { at-least-every = \"31h\" }")));
    assert_eq!(every, [("loosened-unsaid", "ours.toml".to_owned(), Some(5))], "the default is a criterion too");
}

#[test]
fn an_overlay_that_loosens_says_so_on_every_requirement_that_it_touches() {
    let base = base("", "operating = { max-days-failing = 1 }\n");
    let word = "loosened = { by = \"ciso@example.com\", why = \"Three days to mend.\" }";
    let rest = format!("operating = {{ max-days-failing = 3, at-least-every = \"24h\", {word} }}");
    let catalog = both(&base, &overlay(&rest)).unwrap();
    let [plain, special] = &catalog.frameworks[1].requirements[..] else { panic!() };
    assert_eq!(plain.operating.max_days_failing, 3);
    assert_eq!(plain.loosened[0].what, "3 days failing are allowed instead of 0");
    assert_eq!(plain.loosened[0].by, "ciso@example.com");
    assert_eq!(plain.loosened.len(), 1, "what is tightened needs no word");
    assert_eq!(special.operating.max_days_failing, 1, "what a requirement has for itself is not loosened in general");
    assert!(special.loosened.is_empty());
    assert_eq!(special.operating.every(), "24h");

    for framework in &catalog.frameworks {
        assert_eq!(sheet::import(&sheet::export(framework).unwrap()).unwrap(), *framework);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.toml"), framework.to_toml()).unwrap();
        let (read, _) = load(&["own.toml".to_owned()], folder.path()).unwrap();
        assert_eq!(read.frameworks[0], *framework, "the file that stands for itself keeps the sentence");
    }
}

#[test]
fn criteria_out_of_range_are_named_with_their_lines() {
    let wrong = "operating = { max-days-failing = 367, max-unobserved-percent = 100, at-least-every = \"2 months\" }";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.toml"), base(wrong, "")).unwrap();
    let Faults(faults) = load(&["base.toml".to_owned()], Path::new(folder.path())).unwrap_err();
    assert_eq!(faults.iter().map(|f| (f.code, f.line)).collect::<Vec<_>>(), [("invalid-value", Some(4)); 3]);
}
