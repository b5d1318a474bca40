//! Damage to a store: dropped, replaced and reordered runs, a cut end, a rewritten history.

use std::fs;

use super::fixture::{Fixture, SALT, at, codes, facts, stage_run};
use crate::{
    sign::{Algorithm, FileSigner, Signer},
    verify::{Options, Report, verify},
};

fn damaged(damage: impl FnOnce(&Fixture)) -> Report {
    let fixture = Fixture::with_runs(3);
    let report = fixture.verify(&[fixture.store()]);
    assert!(report.is_clean(), "{}", report.render());
    assert!(report.archives.last().unwrap().reperformed);
    damage(&fixture);
    fixture.verify(&[fixture.store()])
}

#[test]
fn a_dropped_run_is_a_broken_link() {
    let report = damaged(|f| {
        for n in 3..6 {
            fs::remove_dir_all(f.store().join(format!("chain/{n:08}"))).unwrap();
        }
        fs::remove_file(f.archive("00000005-run-close.zip")).unwrap();
    });
    assert!(report.problems.iter().any(|p| p.code == "chain-broken" && p.message.contains("at sequence 6")));
    assert_eq!(report.exit_code, 4);
}

#[test]
fn a_replaced_or_reordered_run_is_named() {
    let report = damaged(|f| {
        fs::copy(f.archive("00000002-run-close.zip"), f.archive("00000005-run-close.zip")).unwrap();
    });
    assert!(codes(&report).contains(&"archive-of-another-seal"), "{}", report.render());
    let report = damaged(|f| {
        let chain = f.store().join("chain");
        fs::rename(chain.join("00000002"), chain.join("x")).unwrap();
        fs::rename(chain.join("00000005"), chain.join("00000002")).unwrap();
        fs::rename(chain.join("x"), chain.join("00000005")).unwrap();
    });
    assert!(report.problems.iter().filter(|p| p.code == "chain-broken").count() >= 2, "{}", report.render());
    let report = damaged(|f| fs::remove_file(f.archive("00000005-run-close.zip")).unwrap());
    assert!(codes(&report).contains(&"archive-missing"));
    let report = damaged(|f| {
        fs::copy(f.archive("00000005-run-close.zip"), f.archive("00000007-run-close.zip")).unwrap();
    });
    assert!(codes(&report).contains(&"archive-not-in-chain"));
}

/// Cuts the last seals off, with the store's own copy of the checkpoint set back as well.
fn cut(fixture: &Fixture, from: u64) {
    for n in from..10 {
        fs::remove_dir_all(fixture.store().join(format!("chain/{n:08}"))).unwrap();
    }
    for name in ["00000008-run-close.zip", "00000009-period-close.zip"] {
        fs::remove_file(fixture.archive(name)).unwrap();
    }
    let proof = fs::read_to_string(fixture.store().join(format!("chain/{:08}/seal.tlog-proof", from - 1))).unwrap();
    fs::write(fixture.store().join("checkpoint"), proof.split_once("\n\n").unwrap().1).unwrap();
}

#[test]
fn a_cut_end_is_found_by_the_outside_checkpoint_or_as_overdue() {
    let fixture = Fixture::with_runs(3);
    let kept = fs::read_to_string(fixture.store().join("checkpoint")).unwrap();
    cut(&fixture, 6);
    assert_eq!(fixture.verify(&[fixture.store()]).exit_code, 0, "a clean cut cannot be seen from inside, at that time");
    let options = Options { checkpoint: Some(kept), ..fixture.options() };
    let report = verify(&[fixture.store()], &options, None);
    assert_eq!((codes(&report), report.exit_code), (vec!["chain-truncated"], 4));
    let options = Options { now: at(3 * 24 * 60), ..fixture.options() };
    let report = verify(&[fixture.store()], &options, None);
    assert_eq!((codes(&report), report.exit_code), (vec!["run-overdue"], 3));
}

#[test]
fn a_cut_end_with_the_old_checkpoint_left_behind_is_found() {
    let report = damaged(|f| {
        let kept = fs::read(f.store().join("checkpoint")).unwrap();
        cut(f, 6);
        fs::write(f.store().join("checkpoint"), kept).unwrap();
    });
    assert_eq!(codes(&report), ["chain-truncated"]);
}

#[test]
fn history_rewritten_with_the_stolen_key_forks_from_the_outside_checkpoint() {
    let honest = Fixture::with_runs(2);
    let kept = fs::read_to_string(honest.store().join("checkpoint")).unwrap();
    let rewritten = Fixture::new(Algorithm::P256);
    rewritten.run(0);
    rewritten.run(5);
    rewritten.close(6);
    let options = Options { checkpoint: Some(kept), ..rewritten.options() };
    let report = verify(&[rewritten.store()], &options, None);
    assert!(codes(&report).contains(&"chain-forked"), "{}", report.render());
}

#[test]
fn a_missed_run_is_named_and_is_no_success() {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.run(0);
    fixture.run(4);
    let sealed = fixture.close(5);
    let report = fixture.verify(&[fixture.store()]);
    assert_eq!((codes(&report), report.exit_code), (vec!["run-missed"], 3));
    assert_eq!(sealed.statement.predicate.missed.len(), 1, "the period's close lists it");
}

#[test]
fn a_run_that_crashed_is_visible_and_the_next_one_records_it() {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.chain().open_run(&facts(0)).unwrap();
    let report = fixture.verify(&[fixture.store()]);
    assert_eq!((codes(&report), report.exit_code), (vec!["run-not-ended"], 3));
    let mut chain = fixture.chain();
    assert!(chain.run_is_open());
    chain.open_run(&facts(60)).unwrap();
    let kinds: Vec<_> = chain.links().iter().map(|l| l.seal().kind.as_str()).collect();
    assert_eq!(kinds, ["run-open", "run-abort", "run-open"]);
    assert!(chain.links()[1].seal().reason.is_some());
}

#[test]
fn an_aborted_run_keeps_what_was_gathered() {
    let fixture = Fixture::new(Algorithm::P256);
    let staging = stage_run(&fixture.path("staging"), 0);
    let mut chain = fixture.chain();
    chain.open_run(&facts(0)).unwrap();
    let mut facts = facts(0);
    facts.reason = Some("interrupted".to_owned());
    let sealed = chain.abort_run(Some(&staging), &facts, &SALT).unwrap();
    drop(chain);
    assert_eq!(sealed.archive.as_deref(), Some("archives/00000001-run-abort.zip"));
    let report = fixture.verify(&[fixture.store()]);
    assert!(report.is_clean(), "{}", report.render());
    assert!(report.notices.iter().any(|n| n.contains("aborted")));
}

#[test]
fn nobody_appends_with_another_key_or_to_a_broken_chain() {
    let fixture = Fixture::with_runs(1);
    let open = |seed: u8| {
        let store = crate::store::open("file:evidence", fixture.folder.path()).unwrap();
        let signer = FileSigner::from_seed(Algorithm::P256, &[seed; 32]).unwrap();
        crate::archive::chain::Chain::open(store, Box::new(signer) as Box<dyn Signer>, &[1; 16])
    };
    assert!(matches!(open(9), Err(crate::archive::chain::ChainError::OtherKey { .. })));
    fs::remove_dir_all(fixture.store().join("chain/00000001")).unwrap();
    assert!(matches!(open(3), Err(crate::archive::chain::ChainError::Broken { .. })));
}

#[test]
fn a_second_writer_is_kept_out() {
    let fixture = Fixture::new(Algorithm::P256);
    let _first = fixture.chain();
    let store = crate::store::open("file:evidence", fixture.folder.path()).unwrap();
    let signer = Box::new(super::fixture::signer(Algorithm::P256));
    assert!(crate::archive::chain::Chain::open(store, signer, &[1; 16]).is_err());
}

#[test]
fn inputs_that_are_no_archives_are_named_with_what_they_lack() {
    let fixture = Fixture::new(Algorithm::P256);
    let report = fixture.verify(&[fixture.path("absent"), fixture.folder.path().to_owned()]);
    assert_eq!((codes(&report), report.exit_code), (vec!["input-unreadable", "input-unknown"], 2));
}
