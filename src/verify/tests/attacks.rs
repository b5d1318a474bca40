//! Damage to one archive, unpacked: each row of the attack table that concerns its files.

use std::{fs, path::Path};

use super::fixture::{Fixture, PageCounter, SALT, codes, edit, facts, signer, stage_run, task};
use crate::{
    archive::{Reader, Staging, Statement, manifest, seal::MANIFESTS},
    model::{Collector, Coverage, CoverageState, Sha256Digest},
    sign::{Algorithm, FileSigner, Signer, dsse, sshsig},
    verify::{Depth, Options, Report, Trust, verify},
};

const RUN: &str = "00000002-run-close.zip";
const BODY: &str = "data/bodies/111111111111/eu-west-1.000.ndjson";

/// Unpacks a genuine archive, damages it, and verifies the folder.
fn damaged(damage: impl FnOnce(&Path)) -> Report {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.run(0);
    let folder = fixture.unpack(RUN);
    assert!(fixture.verify(std::slice::from_ref(&folder)).is_clean(), "genuine before the damage");
    damage(&folder);
    let report = fixture.verify(&[folder]);
    assert_eq!(report.exit_code, 4, "{}", report.render());
    report
}

/// Rewrites manifest and tagmanifest over the files as they are: what an attacker without the key can do.
pub(super) fn rewrite_manifests(folder: &Path) {
    let reader = Reader::open(folder).unwrap();
    let hash = |name: &str| Sha256Digest::of(fs::read(folder.join(name)).unwrap());
    let names = reader.names();
    let data = names.iter().filter(|n| n.starts_with("data/")).map(|n| (*n, hash(n)));
    fs::write(folder.join(MANIFESTS[0]), manifest::render(data)).unwrap();
    let tags = crate::archive::TAG_FILES.into_iter().map(|n| (n, hash(n)));
    fs::write(folder.join(MANIFESTS[1]), manifest::render(tags)).unwrap();
}

/// Seals the folder as it is with `key`: what an attacker with a key can do.
pub(super) fn reseal(folder: &Path, key: &FileSigner, change: impl FnOnce(&mut Statement)) {
    let mut statement = Statement::parse(&fs::read(folder.join("seal.json")).unwrap()).unwrap();
    for subject in &mut statement.subject {
        subject.digest.sha256 = Sha256Digest::of(fs::read(folder.join(&subject.name)).unwrap());
    }
    change(&mut statement);
    let bytes = statement.to_bytes().unwrap();
    fs::write(folder.join("seal.json.sig"), sshsig::sign(key, sshsig::SEAL_NAMESPACE, &bytes).unwrap()).unwrap();
    fs::write(folder.join("seal.dsse.json"), dsse::seal(key, &bytes).unwrap()).unwrap();
    fs::write(folder.join("seal.json"), bytes).unwrap();
}

#[test]
fn one_changed_byte_is_named_by_its_file() {
    let report = damaged(|f| edit(&f.join(BODY), "minute", "minutE"));
    assert!(report.problems.iter().any(|p| p.code == "file-changed" && p.file.as_deref() == Some(BODY)));
}

#[test]
fn a_file_changed_together_with_the_manifests_breaks_the_seal() {
    let report = damaged(|f| {
        edit(&f.join(BODY), "minute", "minutE");
        rewrite_manifests(f);
    });
    assert!(codes(&report).contains(&"seal-mismatch"), "{}", report.render());
    assert!(codes(&report).contains(&"records-root"), "the tree over the records is a second lock");
}

#[test]
fn what_was_added_removed_or_renamed_is_named() {
    let report = damaged(|f| fs::write(f.join("data/extra.ndjson"), "{}").unwrap());
    assert_eq!(codes(&report), ["unlisted-file"]);
    let report = damaged(|f| fs::write(f.join("README"), "trust me").unwrap());
    assert_eq!(codes(&report), ["unlisted-file"]);
    let report = damaged(|f| fs::remove_file(f.join("data/inputs/configuration.toml")).unwrap());
    assert_eq!(codes(&report), ["file-missing"]);
    let report = damaged(|f| {
        fs::rename(f.join("data/inputs/configuration.toml"), f.join("data/inputs/configuration.bak")).unwrap();
    });
    assert_eq!(codes(&report), ["unlisted-file", "file-missing"]);
    let report = damaged(|f| std::os::unix::fs::symlink("/etc/passwd", f.join("data/passwd")).unwrap());
    assert_eq!(codes(&report), ["not-a-plain-file"]);
    let report = damaged(|f| fs::write(f.join("VERIFY.md"), "All is well. Run nothing.").unwrap());
    assert_eq!(codes(&report), ["file-changed"]);
}

#[test]
fn without_a_whole_signature_nothing_is_signed() {
    for name in ["seal.json.sig", "seal.dsse.json"] {
        let report = damaged(|f| fs::remove_file(f.join(name)).unwrap());
        assert_eq!(codes(&report), ["signature-missing"], "{name}");
        assert!(!report.archives[0].trusted && report.archives[0].signed_by.is_none());
        let report = damaged(|f| fs::write(f.join(name), "").unwrap());
        assert_eq!(codes(&report), ["signature-invalid"], "{name}");
    }
    let report = damaged(|f| {
        let text = fs::read_to_string(f.join("seal.dsse.json")).unwrap();
        let (head, _) = text.split_once("\"signatures\":").unwrap();
        fs::write(f.join("seal.dsse.json"), format!("{head}\"signatures\":[]}}")).unwrap();
    });
    assert_eq!(codes(&report), ["signature-invalid"], "an empty list of signatures");
    assert!(report.problems[0].message.starts_with("not signed by a trusted key"));
}

#[test]
fn a_seal_by_another_key_is_never_a_success() {
    for (algorithm, seed) in [(Algorithm::P256, 4), (Algorithm::Ed25519, 3)] {
        let report = damaged(|f| {
            edit(&f.join(BODY), "minute", "minutE");
            rewrite_manifests(f);
            let key = FileSigner::from_seed(algorithm, &[seed; 32]).unwrap();
            let id = key.public_key().fingerprint();
            reseal(f, &key, |s| s.predicate.key.id = id);
        });
        assert!(codes(&report).contains(&"untrusted-key"), "{}", report.render());
        assert!(codes(&report).contains(&"inclusion-proof"), "the checkpoint is not by that key either");
    }
}

#[test]
fn without_trust_it_is_open_who_sealed_and_never_a_success() {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.run(0);
    let options = Options { trust: Trust::none(), ..fixture.options() };
    let report = verify(&[fixture.archive(RUN)], &options, Some(&PageCounter));
    assert_eq!((report.exit_code, report.unchecked[0].code), (5, "no-trust"));
    assert!(!report.archives[0].trusted);
}

#[test]
fn a_subject_missing_doubled_or_of_another_name_is_refused_even_when_signed() {
    let key = signer(Algorithm::P256);
    for change in [
        (|s: &mut Statement| drop(s.subject.pop())) as fn(&mut Statement),
        |s| s.subject.push(s.subject[0].clone()),
        |s| s.subject[1] = s.subject[0].clone(),
        |s| s.subject[0].name = "manifest-md5.txt".to_owned(),
    ] {
        let report = damaged(|f| reseal(f, &key, change));
        assert!(codes(&report).contains(&"seal-subjects"), "{}", report.render());
    }
}

#[test]
fn a_genuine_checkpoint_of_another_state_proves_nothing_here() {
    let other = Fixture::new(Algorithm::P256);
    other.run(3);
    let report = damaged(|f| {
        let elsewhere = other.unpack(RUN);
        fs::copy(elsewhere.join("seal.tlog-proof"), f.join("seal.tlog-proof")).unwrap();
    });
    assert_eq!(codes(&report), ["inclusion-proof"]);
    for (from, to) in [("index 2", "index 0"), ("tlog-proof@v1", "tlog-proof@v2"), ("orgproof/", "orgproof/0")] {
        let report = damaged(|f| edit(&f.join("seal.tlog-proof"), from, to));
        assert_eq!(codes(&report), ["inclusion-proof"], "{from}");
    }
}

/// An insider who holds the key and seals a ledger that does not tell the truth about the rest.
fn dishonest(damage: impl FnOnce(&Path)) -> Report {
    let key = signer(Algorithm::P256);
    let report = damaged(|f| {
        damage(f);
        rewrite_manifests(f);
        reseal(f, &key, |_| {});
    });
    // A seal made again is not the one in the chain.
    assert!(codes(&report).contains(&"inclusion-proof"));
    report
}

#[test]
fn a_gap_cannot_be_dropped_nor_called_collected() {
    let report = dishonest(|f| {
        let text = fs::read_to_string(f.join("data/coverage.ndjson")).unwrap();
        fs::write(f.join("data/coverage.ndjson"), text.lines().next().unwrap().to_owned() + "\n").unwrap();
    });
    assert!(codes(&report).contains(&"task-sets-differ") && codes(&report).contains(&"seal-counts-differ"));
    let report = dishonest(|f| {
        let denied = task("222222222222", Collector::ConfigRules);
        let lie = Coverage::close(&denied, CoverageState::Collected, None, None, 1);
        let text = fs::read_to_string(f.join("data/coverage.ndjson")).unwrap();
        let first = text.lines().next().unwrap();
        fs::write(f.join("data/coverage.ndjson"), format!("{first}\n{}\n", serde_json::to_string(&lie).unwrap()))
            .unwrap();
    });
    assert!(codes(&report).contains(&"collected-without-evidence") && codes(&report).contains(&"seal-counts-differ"));
    let report = dishonest(|f| edit(&f.join("data/coverage.ndjson"), "\"gap\":true", "\"gap\":false"));
    assert!(codes(&report).contains(&"gap-flag"));
    let report = dishonest(|f| {
        let text = fs::read_to_string(f.join("data/plan.ndjson")).unwrap();
        fs::write(f.join("data/plan.ndjson"), text.lines().next().unwrap().to_owned() + "\n").unwrap();
    });
    assert!(codes(&report).contains(&"plan-mismatch") && codes(&report).contains(&"task-sets-differ"));
}

#[test]
fn calls_and_bodies_must_agree() {
    let report = dishonest(|f| edit(&f.join(BODY), "minute", "minutE"));
    assert!(codes(&report).contains(&"body-mismatch"));
    let report = dishonest(|f| {
        let text = fs::read_to_string(f.join(BODY)).unwrap();
        fs::write(f.join(BODY), format!("{text}{{\"planted\":true}}\n")).unwrap();
    });
    assert!(codes(&report).contains(&"unreferenced-body") && codes(&report).contains(&"records-root"));
    let report = dishonest(|f| edit(&f.join("data/coverage.ndjson"), "\"calls\":2", "\"calls\":3"));
    assert!(codes(&report).contains(&"call-count-differs"));
}

#[test]
fn a_changed_verdict_is_found_by_doing_it_again() {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.run(0);
    let staging = Staging::create(&fixture.path("staging")).unwrap();
    let mut chain = fixture.chain();
    let mut facts = facts(60);
    facts.evidence = vec![chain.links()[2].digest];
    staging.add("data/evidence.ndjson", format!("{{\"seal\":\"{}\"}}\n", facts.evidence[0]).as_bytes()).unwrap();
    staging.add("data/results/observations.ndjson", b"{\"check\":\"page\",\"status\":\"pass\"}\n").unwrap();
    staging.add("data/results/findings.ndjson", b"{\"status\":\"satisfied\"}\n").unwrap();
    chain.assessment(&staging, &facts, &SALT).unwrap();
    drop(chain);
    let both = [fixture.archive(RUN), fixture.archive("00000003-assessment.zip")];
    let report = fixture.verify(&both);
    assert_eq!(codes(&report), ["verdict-changed", "verdict-changed"], "the lie is sealed, signed and in the chain");
    assert!(report.problems[0].message.contains("line 1"));
    // Less deep, the same lie is not seen, and the report says so.
    let shallow = verify(&both, &Options { depth: Depth::Bytes, ..fixture.options() }, Some(&PageCounter));
    assert_eq!(shallow.exit_code, 0, "{}", shallow.render());
    assert!(shallow.not_done.iter().any(|n| n.contains("verdicts")));
    // Without the evidence it cannot be done, and that is no success.
    let alone = fixture.verify(&both[1..]);
    assert_eq!((alone.exit_code, alone.unchecked[0].code), (5, "evidence-not-given"));
}

#[test]
fn verdicts_under_rules_that_we_do_not_know_are_left_open_and_never_called_wrong() {
    struct Newer;
    impl crate::verify::Reperform for Newer {
        fn semantics(&self) -> u32 {
            2
        }
        fn results(&self, _: &Reader, _: &[&Reader], _: &mut dyn crate::archive::FileSink) -> Result<(), String> {
            Err("must not be asked".to_owned())
        }
    }
    let fixture = Fixture::with_runs(1);
    let report = verify(&[fixture.store()], &fixture.options(), Some(&Newer));
    assert_eq!((report.exit_code, report.unchecked[0].code), (5, "unknown-semantics"), "{}", report.render());
    assert!(report.unchecked[0].message.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn all_problems_are_reported_not_the_first() {
    let report = damaged(|f| {
        edit(&f.join(BODY), "minute", "minutE");
        fs::write(f.join("data/extra"), "x").unwrap();
        fs::remove_file(f.join("seal.tlog-proof")).unwrap();
        fs::remove_file(f.join("bagit.txt")).unwrap();
    });
    let found = codes(&report);
    for code in ["file-changed", "unlisted-file", "inclusion-proof", "file-missing", "body-mismatch"] {
        assert!(found.contains(&code), "{code} in {found:?}");
    }
}

#[test]
fn a_genuine_run_verifies_whole_from_the_zip_and_states_its_gaps() {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.run(0);
    let report = fixture.verify(&[fixture.archive(RUN)]);
    assert!(report.is_clean(), "{}", report.render());
    let archive = &report.archives[0];
    assert_eq!((archive.trusted, archive.gaps, archive.records, archive.coverage["denied"]), (true, 1, 2, 1));
    assert!(report.render().contains("1 of these tasks are gaps"));
    assert!(!serde_json::to_string(&report).unwrap().contains("222222222222"), "a seal's report names no account");
}

#[test]
fn the_same_run_sealed_twice_gives_the_same_bytes() {
    let bytes: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            let fixture = Fixture::new(Algorithm::P256);
            fixture.run(0);
            fs::read(fixture.archive(RUN)).unwrap()
        })
        .collect();
    assert!(bytes[0] == bytes[1]);
}

#[test]
fn a_file_changed_on_disk_before_sealing_is_not_sealed() {
    let fixture = Fixture::new(Algorithm::P256);
    let staging = stage_run(&fixture.path("staging"), 0);
    let mut chain = fixture.chain();
    chain.open_run(&facts(0)).unwrap();
    edit(&fixture.path("staging").join(BODY), "minute", "minutE");
    assert!(chain.close_run(&staging, &facts(0), &SALT).is_err());
    assert_eq!(chain.links().len(), 1);
}
