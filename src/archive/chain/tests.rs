//! The crash table: whichever write fails, and whether it was kept or not, the next writer goes on and nothing is lost.

use jiff::Timestamp;

use super::*;
use crate::{
    model::Coverage,
    sign::{Algorithm, FileSigner},
    store::memory::{Fault, MemoryStore},
};

fn now(minutes: i64) -> Timestamp {
    "2026-10-01T00:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_mins(minutes)
}

fn open(store: &MemoryStore) -> Result<Chain, ChainError> {
    let signer = FileSigner::from_seed(Algorithm::Ed25519, &[3; 32]).unwrap();
    Chain::open(Box::new(store.clone()), Box::new(signer), &[1; 16])
}

fn staging(folder: &std::path::Path) -> Staging {
    let staging = Staging::create(folder).unwrap();
    let none: Vec<Coverage> = Vec::new();
    assert!(none.is_empty());
    for name in ["data/plan.ndjson", "data/coverage.ndjson", "data/calls.ndjson"] {
        staging.add(name, b"").unwrap();
    }
    staging
}

fn facts(minutes: i64) -> Facts {
    Facts { run: Some(format!("run-{minutes}")), ..Facts::new(1, now(minutes), now(minutes + 1)) }
}

/// A run from open to close.
fn run(store: &MemoryStore, staging: &Staging, minutes: i64) -> Result<(), ChainError> {
    let mut chain = open(store)?;
    chain.open_run(&facts(minutes))?;
    chain.plan(Sha256Digest::of(""), &facts(minutes))?;
    chain.close_run(staging, &facts(minutes), &[5; 32])?;
    Ok(())
}

fn kinds(links: &[Link]) -> Vec<&'static str> {
    links.iter().map(|l| l.seal().kind.as_str()).collect()
}

/// Copies the store to disk and lets the verifier judge it.
fn verify(store: &MemoryStore, folder: &std::path::Path) -> crate::verify::Report {
    for name in store.list("").unwrap() {
        let place = folder.join(&name);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, store::read_all(store, &name, u64::MAX - 1).unwrap()).unwrap();
    }
    let signer = FileSigner::from_seed(Algorithm::Ed25519, &[3; 32]).unwrap();
    let options = crate::verify::Options {
        trust: crate::verify::Trust::key(signer.public_key()),
        depth: crate::verify::Depth::Bytes,
        checkpoint: None,
        now: now(0),
    };
    crate::verify::verify(&[folder.to_owned()], &options, None)
}

#[test]
fn whichever_write_fails_the_next_run_recognises_records_and_goes_on() {
    for fault in [Fault::Failed, Fault::FailedButPersisted] {
        let mut cases = 0;
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let store = MemoryStore::default();
            let staged = staging(&folder.path().join("staging"));
            run(&store, &staged, 0).unwrap();
            // The second run crashes at write number `at`.
            let second = staging(&folder.path().join("second"));
            store.fail_from(at, fault);
            let crashed = run(&store, &second, 10).is_err();
            store.heal();
            if !crashed {
                break;
            }
            cases += 1;
            let archived = store.exists("archives/00000005-run-close.zip").unwrap();
            let crashed = verify(&store, &folder.path().join("crashed"));
            assert!([0, 3].contains(&crashed.exit_code), "a crash is no forgery: {}", crashed.render());
            let third = staging(&folder.path().join("third"));
            run(&store, &third, 20).unwrap_or_else(|e| panic!("{fault:?} at write {at}: {e}"));
            let links = read(&store).unwrap();
            let kinds = kinds(&links);
            let case = format!("{fault:?} at write {at}: {kinds:?}");
            assert_eq!(kinds[..3], ["run-open", "run-plan", "run-close"], "{case}");
            assert_eq!(kinds[kinds.len() - 3..], ["run-open", "run-plan", "run-close"], "{case}");
            let middle = &kinds[3..kinds.len() - 3];
            // Either nothing of the crashed run was kept, or it ends in one close or one abort.
            assert!(
                middle.is_empty()
                    || middle.iter().filter(|k| k.ends_with("close") || k.ends_with("abort")).count() == 1
            );
            if archived {
                assert_eq!(
                    middle,
                    ["run-open", "run-plan", "run-close"],
                    "an archive once written is never lost: {case}"
                );
            }
            let report = verify(&store, &folder.path().join("copy"));
            assert!(report.is_clean(), "{case}\n{}", report.render());
        }
        // Three seals with five writes each, and the archive.
        assert_eq!(cases, 16, "{fault:?}");
    }
}

#[test]
fn the_very_first_seal_may_fail_too() {
    for fault in [Fault::Failed, Fault::FailedButPersisted] {
        for at in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let store = MemoryStore::default();
            let staged = staging(&folder.path().join("staging"));
            store.fail_from(at, fault);
            assert!(run(&store, &staged, 0).is_err());
            store.heal();
            run(&store, &staged, 10).unwrap();
            assert!(verify(&store, &folder.path().join("copy")).is_clean());
        }
    }
}

#[test]
fn after_a_failed_write_the_same_writer_cannot_go_on_as_if_nothing_had_been_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let mut chain = open(&store).unwrap();
    chain.open_run(&facts(0)).unwrap();
    // The archive is written, the commit fails: an abort now would claim the place that the archive has.
    store.fail_from(1, Fault::Failed);
    let staged = staging(&folder.path().join("staging"));
    assert!(chain.close_run(&staged, &facts(0), &[5; 32]).is_err());
    store.heal();
    assert!(matches!(chain.abort_run(None, &facts(0), &[5; 32]), Err(ChainError::Order(_))));
    drop(chain);
    assert_eq!(kinds(open(&store).unwrap().links()), ["run-open", "run-close"]);
}

#[test]
fn steps_out_of_order_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let mut chain = open(&store).unwrap();
    let staged = staging(&folder.path().join("staging"));
    assert!(matches!(chain.plan(Sha256Digest::of(""), &facts(0)), Err(ChainError::Order(_))));
    assert!(matches!(chain.close_run(&staged, &facts(0), &[5; 32]), Err(ChainError::Order(_))));
    chain.open_run(&facts(0)).unwrap();
    assert!(matches!(chain.period_close(&staged, &facts(0), &[5; 32]), Err(ChainError::Order(_))));
}
