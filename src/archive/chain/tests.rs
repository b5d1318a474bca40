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

/// Signs until it is told to be down: a key service that does not answer.
#[derive(Debug)]
struct Failing {
    inner: FileSigner,
    left: std::sync::atomic::AtomicUsize,
}

impl Signer for Failing {
    fn public_key(&self) -> &crate::sign::PublicKey {
        self.inner.public_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, crate::sign::SignError> {
        use std::sync::atomic::Ordering::SeqCst;
        if self.left.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_err() {
            return Err(crate::sign::SignError::Refused("no answer".to_owned()));
        }
        self.inner.sign(message)
    }
    fn assurance(&self) -> &'static str {
        "kms"
    }
}

#[test]
fn a_key_service_that_goes_down_at_any_signature_leaves_a_chain_that_the_next_run_goes_on_from() {
    for left in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let staged = staging(&folder.path().join("staging"));
        run(&store, &staged, 0).unwrap();
        let signer = Failing {
            inner: FileSigner::from_seed(Algorithm::Ed25519, &[3; 32]).unwrap(),
            left: std::sync::atomic::AtomicUsize::new(left),
        };
        let second = staging(&folder.path().join("second"));
        let crashed = (|| {
            let mut chain = Chain::open(Box::new(store.clone()), Box::new(signer), &[1; 16])?;
            chain.open_run(&facts(10))?;
            chain.plan(Sha256Digest::of(""), &facts(10))?;
            chain.close_run(&second, &facts(10), &[5; 32])
        })();
        if crashed.is_ok() {
            assert_eq!(left, 9, "three signatures for each of three seals");
            break;
        }
        assert!([0, 3].contains(&verify(&store, &folder.path().join("down")).exit_code));
        run(&store, &staging(&folder.path().join("third")), 20).unwrap();
        let report = verify(&store, &folder.path().join("copy"));
        assert!(report.is_clean(), "{left}\n{}", report.render());
    }
}

fn new_key() -> FileSigner {
    FileSigner::from_seed(Algorithm::P256, &[8; 32]).unwrap()
}

fn moment(minutes: i64) -> Facts {
    Facts::new(1, now(minutes), now(minutes))
}

#[test]
fn whichever_write_of_a_rotation_fails_exactly_one_key_goes_on_and_needs_the_other_no_more() {
    for fault in [Fault::Failed, Fault::FailedButPersisted] {
        let mut cases = 0;
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let store = MemoryStore::default();
            run(&store, &staging(&folder.path().join("staging")), 0).unwrap();
            let mut chain = open(&store).unwrap();
            store.fail_from(at, fault);
            let crashed = chain.rotate(Box::new(new_key()), &moment(10)).is_err();
            store.heal();
            if crashed {
                assert!(matches!(chain.open_run(&facts(20)), Err(ChainError::Order(_))), "not without reading anew");
            }
            drop(chain);
            if !crashed {
                break;
            }
            cases += 1;
            let unfinished = verify(&store, &folder.path().join("crashed"));
            assert!([0, 3].contains(&unfinished.exit_code), "{at}: {}", unfinished.render());
            let by_new = || Chain::open(Box::new(store.clone()), Box::new(new_key()), &[1; 16]);
            let kept = read(&store).unwrap().len() == 4;
            assert_eq!((open(&store).is_ok(), by_new().is_ok()), (!kept, kept), "{fault:?} at write {at}");
            let mut chain = if kept { by_new().unwrap() } else { open(&store).unwrap() };
            chain.open_run(&facts(20)).unwrap();
            chain.abort_run(None, &facts(20), &[5; 32]).unwrap();
            drop(chain);
            let report = verify(&store, &folder.path().join("copy"));
            assert!(report.is_clean(), "{fault:?} at write {at}\n{}", report.render());
        }
        assert_eq!(cases, 5, "{fault:?}");
    }
}

#[test]
fn a_rotation_needs_something_sealed_and_no_open_run_which_might_yet_be_resumed() {
    let store = MemoryStore::default();
    assert!(matches!(open(&store).unwrap().rotate(Box::new(new_key()), &moment(0)), Err(ChainError::Order(_))));
    open(&store).unwrap().open_run(&facts(0)).unwrap();
    let mut chain = open(&store).unwrap();
    assert!(matches!(chain.rotate(Box::new(new_key()), &moment(10)), Err(ChainError::Order(_))));
    assert_eq!(kinds(chain.links()), ["run-open"], "nothing was appended");
    chain.abort_run(None, &facts(10), &[5; 32]).unwrap();
    chain.rotate(Box::new(new_key()), &moment(20)).unwrap();
    let keys: Vec<_> = chain.links().iter().map(|l| l.seal().key.algorithm.clone()).collect();
    assert_eq!(keys, ["ed25519", "ed25519", "ecdsa-p256-sha256"]);
}

/// A run that promises the next within `hours`.
fn promising(store: &MemoryStore, folder: &std::path::Path, minutes: i64, hours: i64) {
    let mut facts = facts(minutes);
    facts.next_run_expected_by = Some(facts.closed + jiff::SignedDuration::from_hours(hours));
    let staged = staging(&folder.join(format!("staging-{minutes}")));
    let mut chain = open(store).unwrap();
    chain.open_run(&facts).unwrap();
    chain.plan(Sha256Digest::of(""), &facts).unwrap();
    chain.close_run(&staged, &facts, &[5; 32]).unwrap();
}

#[test]
fn another_interval_is_sealed_before_the_run_that_promises_it_and_excuses_no_run_that_was_missed() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    promising(&store, folder.path(), 0, 30);
    promising(&store, folder.path(), 60, 30);
    assert_eq!(read(&store).unwrap().len(), 6, "the same interval needs no words");
    // Three days later, with the interval lengthened to a week in the configuration.
    promising(&store, folder.path(), 4320, 168);
    let links = read(&store).unwrap();
    assert_eq!(kinds(&links)[6..], ["schedule-change", "run-open", "run-plan", "run-close"]);
    let seal = links[6].seal();
    assert_eq!(seal.interval.map(|i| (i.from, i.to)), Some((108_000, 604_800)));
    assert_eq!((seal.next_run_expected_by, unannounced(&links)), (None, vec![]));
    assert_eq!(missed_runs(&links, now(4320)).len(), 1, "the run that was missed before stays missed");
    assert!(missed_runs(&links, now(4320 + 3 * 1440)).iter().all(|m| m.began.is_some()), "the new promise holds");
    promising(&store, folder.path(), 4400, 30);
    assert_eq!(kinds(&read(&store).unwrap())[10], "schedule-change", "and back again, said again");
    let report = verify(&store, &folder.path().join("copy"));
    assert!(report.notices.iter().any(|n| n.contains("went from 108000 s to 604800 s")), "{}", report.render());
    assert!(!report.problems.iter().any(|p| p.code == "schedule-unannounced"));
}

#[test]
fn a_crash_between_the_change_and_the_run_says_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    promising(&store, folder.path(), 0, 30);
    let mut facts = facts(60);
    facts.next_run_expected_by = Some(facts.closed + jiff::SignedDuration::from_hours(48));
    // The change takes five writes; the run's opening fails.
    store.fail_from(5, Fault::Failed);
    assert!(open(&store).unwrap().open_run(&facts).is_err());
    store.heal();
    promising(&store, folder.path(), 120, 48);
    assert_eq!(kinds(&read(&store).unwrap())[3..5], ["schedule-change", "run-open"]);
}

#[test]
fn a_promise_lengthened_or_dropped_in_silence_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    promising(&store, folder.path(), 0, 30);
    promising(&store, folder.path(), 60, 168);
    let genuine = read(&store).unwrap();
    // What a writer that leaves the change out would have sealed: the links are not looked at here.
    let mut silent = genuine.clone();
    silent.remove(3);
    let found: Vec<_> = unannounced(&silent).iter().map(|u| (u.sequence, u.announced, u.promised)).collect();
    assert_eq!(found, [(4, 108_000, Some(604_800))], "once, where it begins");
    let mut dropped = genuine.clone();
    dropped[6].statement.predicate.next_run_expected_by = None;
    assert_eq!(unannounced(&dropped).iter().map(|u| (u.sequence, u.promised)).collect::<Vec<_>>(), [(6, None)]);
    let mut lying = genuine;
    lying[3].statement.predicate.interval.as_mut().unwrap().from = 604_800;
    assert_eq!(unannounced(&lying).iter().map(|u| u.sequence).collect::<Vec<_>>(), [3]);
}

#[test]
fn an_amendment_whose_write_fails_is_whole_or_was_never_made() {
    for fault in [Fault::Failed, Fault::FailedButPersisted] {
        let mut cases = 0;
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let store = MemoryStore::default();
            run(&store, &staging(&folder.path().join("first")), 0).unwrap();
            let revocation = b"{\"kind\":\"revocation\",\"id\":\"R-1\",\"of\":\"E-1\",\"by\":\"b\",\"reason\":\"r\",\"at\":\"2026-10-01T00:00:00Z\"}\n";
            let staged = Staging::create(&folder.path().join("amend")).unwrap();
            staged.add("data/amendments.ndjson", revocation).unwrap();
            let mut chain = open(&store).unwrap();
            store.fail_from(at, fault);
            let crashed = chain.amend(&staged, &facts(10), &[5; 32]).is_err();
            store.heal();
            drop(chain);
            if !crashed {
                break;
            }
            cases += 1;
            let archived = store.exists("archives/00000003-amend.zip").unwrap();
            let crashed = verify(&store, &folder.path().join("crashed"));
            assert!([0, 3].contains(&crashed.exit_code), "a crash is no forgery: {}", crashed.render());
            run(&store, &staging(&folder.path().join("second")), 20).unwrap();
            let links = read(&store).unwrap();
            let kinds = kinds(&links);
            assert_eq!(kinds.contains(&"amend"), archived, "{fault:?} at write {at}: {kinds:?}");
            let report = verify(&store, &folder.path().join("copy"));
            assert!(report.is_clean(), "{fault:?} at write {at}: {}", report.render());
        }
        // The archive, the commit, three copies and the checkpoint.
        assert_eq!(cases, 6, "{fault:?}");
    }
}

#[test]
fn an_amendment_between_a_crash_and_the_next_run_leaves_the_open_run_to_be_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    open(&store).unwrap().open_run(&facts(0)).unwrap();
    let staged = Staging::create(&folder.path().join("amend")).unwrap();
    let line = b"{\"kind\":\"revocation\",\"id\":\"R-1\",\"of\":\"E-1\",\"by\":\"b\",\"reason\":\"r\",\"at\":\"2026-10-01T00:00:00Z\"}\n";
    staged.add("data/amendments.ndjson", line).unwrap();
    open(&store).unwrap().amend(&staged, &facts(5), &[5; 32]).unwrap();
    run(&store, &staging(&folder.path().join("next")), 10).unwrap();
    let links = read(&store).unwrap();
    assert_eq!(kinds(&links), ["run-open", "amend", "run-abort", "run-open", "run-plan", "run-close"]);
    assert!(verify(&store, &folder.path().join("copy")).is_clean());
}
