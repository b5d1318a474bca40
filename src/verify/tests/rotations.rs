//! Keys that follow one another: whom a verifier believes, and every way in which a rotation can be false.

use std::{fs, path::Path, process::Command};

use super::fixture::{Fixture, PageCounter, SALT, at, codes, facts, stage_run};
use crate::{
    archive::{
        Statement, TlogProof,
        chain::{Chain, ChainError, Facts},
        merkle,
        seal::Key,
    },
    model::Sha256Digest,
    sign::{Algorithm, FileSigner, Signer, dsse, note::Checkpoint, sshsig},
    verify::{Options, Report, Standing, Trust, verify},
};

fn old() -> FileSigner {
    FileSigner::from_seed(Algorithm::P256, &[3; 32]).unwrap()
}

fn new() -> FileSigner {
    FileSigner::from_seed(Algorithm::Ed25519, &[9; 32]).unwrap()
}

fn third() -> FileSigner {
    FileSigner::from_seed(Algorithm::P256, &[11; 32]).unwrap()
}

fn moment(minutes: i64) -> Facts {
    Facts { reason: Some("yearly".to_owned()), ..Facts::new(1, at(minutes), at(minutes)) }
}

/// Seals 0 to 2 by the old key, the rotation as seal 3, seals 4 to 6 by the new one.
fn rotated() -> Fixture {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.run(0);
    fixture.chain().rotate(Box::new(new()), &moment(100)).unwrap();
    fixture.run_by(new(), 1);
    fixture
}

fn trusting(fixture: &Fixture, keys: &[FileSigner], inputs: &[std::path::PathBuf]) -> Report {
    let fingerprints: Vec<String> = keys.iter().map(|k| k.public_key().fingerprint().to_string()).collect();
    let trust = Trust::load(&fingerprints, Path::new("")).unwrap();
    verify(inputs, &Options { trust, ..fixture.options() }, Some(&PageCounter))
}

fn standings(report: &Report) -> (Vec<Standing>, Vec<Standing>) {
    (report.chains[0].keys.iter().map(|k| k.trust).collect(), report.archives.iter().map(|a| a.trust).collect())
}

#[test]
fn who_trusts_the_old_key_trusts_the_new_one_by_succession_and_is_told_so() {
    let fixture = rotated();
    let report = trusting(&fixture, &[old()], &[fixture.store()]);
    assert!(report.is_clean(), "{}", report.render());
    let both = vec![Standing::Direct, Standing::Succession];
    assert_eq!(standings(&report), (both.clone(), both));
    assert!(report.archives.iter().all(|a| a.trusted));
    assert!(report.notices.iter().any(|n| n.contains("seals 3 to 6") && n.contains("succession only")));
    assert!(report.render().contains("trusted by succession: a trusted key handed over to it"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["archives"][1]["trust"], "succession");
    assert_eq!(
        (&json["chains"][0]["keys"][1]["first"], &json["chains"][0]["keys"][1]["trust"]),
        (&3.into(), &"succession".into())
    );
    let report = trusting(&fixture, &[old(), new()], &[fixture.store()]);
    assert!(report.is_clean() && report.archives.iter().all(|a| a.trust == Standing::Direct));
}

#[test]
fn who_trusts_the_new_key_alone_is_told_that_the_seals_before_it_rest_on_another() {
    let fixture = rotated();
    let report = trusting(&fixture, &[new()], &[fixture.store()]);
    assert_eq!((report.exit_code, report.unchecked[0].code), (5, "earlier-key-not-trusted"), "{}", report.render());
    assert_eq!(codes(&report), [""; 0]);
    assert!(report.unchecked[0].message.contains("seals 0 to 2"));
    assert_eq!(standings(&report).0, [Standing::Predecessor, Standing::Direct]);
    assert!(!report.archives[0].trusted && report.archives[1].trusted);
    let report = trusting(&fixture, &[third()], &[fixture.store()]);
    assert_eq!(report.exit_code, 4);
    assert!(codes(&report).iter().all(|c| *c == "untrusted-key"), "{}", report.render());
}

#[test]
fn trust_in_a_key_in_the_middle_reaches_both_ways_and_no_further_than_a_rotation_that_holds() {
    let fixture = rotated();
    fixture.chain_by(new()).rotate(Box::new(third()), &moment(2000)).unwrap();
    fixture.run_by(third(), 2);
    let report = trusting(&fixture, &[new()], &[fixture.store()]);
    assert_eq!(standings(&report).0, [Standing::Predecessor, Standing::Direct, Standing::Succession]);
    let report = trusting(&fixture, &[old()], &[fixture.store()]);
    assert_eq!(standings(&report).0, [Standing::Direct, Standing::Succession, Standing::Succession]);
    assert!(report.is_clean(), "{}", report.render());
}

#[test]
fn an_archive_without_its_store_shows_no_succession_and_is_no_success() {
    let fixture = rotated();
    let later = [fixture.archive("00000006-run-close.zip")];
    let report = trusting(&fixture, &[old()], &later);
    assert_eq!((codes(&report), report.exit_code), (vec!["untrusted-key"], 4));
    assert!(report.problems[0].message.contains("give the store as well"));
    assert!(trusting(&fixture, &[new()], &later).is_clean());
    let both = [later[0].clone(), fixture.store()];
    assert!(trusting(&fixture, &[old()], &both).is_clean());
}

#[test]
fn the_old_key_appends_nothing_any_more_and_never_returns() {
    let fixture = rotated();
    let open = |signer: FileSigner| {
        let store = crate::store::open("file:evidence", fixture.folder.path()).unwrap();
        Chain::open(store, Box::new(signer), &[1; 16])
    };
    let refused = open(old()).unwrap_err();
    assert!(matches!(refused, ChainError::Retired { sequence: 3, .. }), "{refused}");
    assert!(refused.to_string().contains("set [signing] key to the new one"));
    assert!(matches!(open(third()).unwrap_err(), ChainError::OtherKey { .. }));
    let mut chain = open(new()).unwrap();
    for given_up in [old(), new()] {
        assert!(matches!(chain.rotate(Box::new(given_up), &moment(3000)), Err(ChainError::Order(_))));
    }
    assert_eq!(chain.links().len(), 7, "nothing was appended");
}

#[test]
fn an_archive_by_the_old_key_from_after_the_rotation_is_named() {
    let fixture = rotated();
    let fork = Fixture::new(Algorithm::P256);
    fork.run(0);
    let mut chain = fork.chain();
    chain.open_run(&facts(2000)).unwrap();
    let staging = stage_run(&fork.path("staging"), 2000);
    chain.plan(staging.get("data/plan.ndjson").unwrap().sha256, &facts(2000)).unwrap();
    chain.close_run(&staging, &facts(2000), &SALT).unwrap();
    let report = trusting(&fixture, &[old()], &[fixture.store(), fork.archive("00000005-run-close.zip")]);
    assert!(codes(&report).contains(&"key-changed"), "{}", report.render());
    assert_eq!(report.exit_code, 4);
}

/// A chain of bare seals, in which each seal is then signed anew by whom the attack says; the first signer is the seal's key.
fn forged(signers: impl Fn(usize) -> Vec<FileSigner>, change: impl Fn(usize, &mut Statement)) -> Fixture {
    let fixture = Fixture::new(Algorithm::P256);
    let mut chain = fixture.chain();
    chain.open_run(&facts(0)).unwrap();
    chain.abort_run(None, &facts(5), &SALT).unwrap();
    chain.rotate(Box::new(new()), &moment(10)).unwrap();
    chain.open_run(&facts(20)).unwrap();
    let (mut previous, mut leaves) = (None, Vec::new());
    for (at, link) in chain.links().to_vec().into_iter().enumerate() {
        let signers = signers(at);
        let (key, mut statement) = (&signers[0], link.statement);
        statement.predicate.previous = previous;
        statement.predicate.key = Key::of(key);
        change(at, &mut statement);
        let seal = statement.to_bytes().unwrap();
        leaves.push(merkle::leaf_hash(&seal));
        let origin = format!("orgproof/{}", chain.log());
        let note = Checkpoint { origin, size: leaves.len() as u64, root: merkle::root(&leaves) }.sign(key).unwrap();
        let path = merkle::inclusion_path(&leaves, at).unwrap();
        let proof = TlogProof { index: at as u64, path, checkpoint: note.clone() }.render();
        let all: Vec<&dyn Signer> = signers.iter().map(|s| s as &dyn Signer).collect();
        let folder = fixture.store().join(format!("chain/{at:08}"));
        fs::write(folder.join("seal.dsse.json"), dsse::seal_by(&all, &seal).unwrap()).unwrap();
        fs::write(folder.join("seal.json.sig"), sshsig::sign(key, sshsig::SEAL_NAMESPACE, &seal).unwrap()).unwrap();
        fs::write(folder.join("seal.tlog-proof"), proof).unwrap();
        fs::write(folder.join("seal.json"), &seal).unwrap();
        fs::write(fixture.store().join("checkpoint"), note).unwrap();
        previous = Some(Sha256Digest::of(&seal));
    }
    fixture
}

/// Nobody appends to such a chain, and no verifier takes its end for trusted.
fn refused(fixture: &Fixture, code: &str) {
    for signer in [old(), new(), third()] {
        let store = crate::store::open("file:evidence", fixture.folder.path()).unwrap();
        assert!(Chain::open(store, Box::new(signer), &[1; 16]).is_err(), "{code}");
    }
    let report = trusting(fixture, &[old()], &[fixture.store()]);
    assert_eq!(report.exit_code, 4);
    assert!(codes(&report).contains(&code), "{code}: {}", report.render());
    let believed = |k: &crate::verify::ChainKey| k.key != old().public_key().fingerprint() && k.trust.is_trusted();
    assert!(!report.chains[0].keys.iter().any(believed), "{code}: {}", report.render());
}

#[test]
fn a_genuine_chain_signed_anew_is_still_genuine_or_the_attacks_below_prove_nothing() {
    let fixture = forged(
        |at| match at {
            0 | 1 => vec![old()],
            2 => vec![new(), old()],
            _ => vec![new()],
        },
        |_, _| (),
    );
    let report = trusting(&fixture, &[old()], &[fixture.store()]);
    assert_eq!((codes(&report), report.exit_code), (vec!["run-not-ended"], 3));
}

#[test]
fn a_rotation_that_one_key_signed_or_a_stranger_is_named() {
    let only = |signers: fn() -> Vec<FileSigner>| {
        forged(
            move |at| match at {
                0 | 1 => vec![old()],
                2 => signers(),
                _ => vec![new()],
            },
            |at, statement| {
                if at == 2 {
                    statement.predicate.key = Key::of(&new());
                }
            },
        )
    };
    refused(&only(|| vec![new()]), "rotation-unsigned");
    refused(&only(|| vec![old()]), "rotation-unsigned");
    refused(&only(|| vec![new(), third()]), "rotation-unsigned");
    // Signed by both, but it names a stranger as the key that sealed before.
    let stranger = forged(
        |at| match at {
            0 | 1 => vec![old()],
            2 => vec![new(), third()],
            _ => vec![new()],
        },
        |at, statement| {
            if at == 2 {
                let spki = third().public_key().spki_der().to_vec();
                let succession = statement.predicate.succession.as_mut().unwrap();
                succession.from = <base64ct::Base64 as base64ct::Encoding>::encode_string(&spki);
                statement.subject[0].digest.sha256 = third().public_key().fingerprint();
            }
        },
    );
    refused(&stranger, "rotation-mismatch");
}

#[test]
fn a_chain_that_changes_its_key_without_a_rotation_is_named() {
    let silent = forged(
        |at| if at < 2 { vec![old()] } else { vec![new(), old()] },
        |at, statement| {
            if at == 2 {
                statement.predicate.kind = crate::archive::Kind::ScheduleChange;
            }
        },
    );
    refused(&silent, "key-changed");
    let goes_on = forged(
        |at| match at {
            2 => vec![new(), old()],
            _ => vec![old()],
        },
        |_, _| (),
    );
    let report = trusting(&goes_on, &[old()], &[goes_on.store()]);
    assert!(codes(&report).contains(&"key-changed") && report.exit_code == 4, "{}", report.render());
    let store = crate::store::open("file:evidence", goes_on.folder.path()).unwrap();
    assert!(Chain::open(store, Box::new(old()), &[1; 16]).is_err());
}

#[test]
fn a_rotation_that_names_other_keys_than_it_is_signed_by_is_named() {
    for change in [
        (|s: &mut Statement| s.predicate.succession = None) as fn(&mut Statement),
        |s| s.subject.reverse(),
        |s| drop(s.subject.pop()),
        |s| {
            let succession = s.predicate.succession.as_mut().unwrap();
            succession.to.clone_from(&succession.from);
        },
        |s| s.predicate.succession.as_mut().unwrap().from = "?".to_owned(),
    ] {
        let fixture = forged(
            |at| match at {
                0 | 1 => vec![old()],
                2 => vec![new(), old()],
                _ => vec![new()],
            },
            |at, statement| {
                if at == 2 {
                    change(statement);
                }
            },
        );
        refused(&fixture, "rotation-mismatch");
    }
}

/// The commands that FORMAT.md gives for a rotation, run as they stand.
#[test]
fn the_commands_of_the_format_hold_both_signatures_of_a_rotation_to_openssl() {
    let format = include_str!("../../archive/FORMAT.md");
    let (_, section) = format.split_once("### 5.2 Rotation").unwrap();
    let script = section.split_once("```bash\n").unwrap().1.split_once("```").unwrap().0;
    for (first, second) in [(old(), new()), (new(), old())] {
        let fixture = Fixture::new(Algorithm::P256);
        let seed = |key: &FileSigner| if key.public_key() == old().public_key() { old() } else { new() };
        let mut chain = fixture.chain_by(seed(&first));
        chain.open_run(&facts(0)).unwrap();
        chain.abort_run(None, &facts(5), &SALT).unwrap();
        drop(chain);
        fixture.chain_by(seed(&first)).rotate(Box::new(seed(&second)), &moment(10)).unwrap();
        let run = || {
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", script])
                .env("N", "00000002")
                .env("BEFORE", "00000001")
                .current_dir(fixture.store())
                .output()
                .unwrap();
            (output.status.success(), format!("{output:?}"))
        };
        let (good, said) = run();
        assert!(good && said.contains(&first.public_key().fingerprint().to_string()), "{said}");
        // Without the old key's signature the commands fail.
        let path = fixture.store().join("chain/00000002/seal.dsse.json");
        let text = fs::read_to_string(&path).unwrap();
        let id = first.public_key().fingerprint().to_string();
        fs::write(&path, text.replace(&id, &third().public_key().fingerprint().to_string())).unwrap();
        assert!(!run().0);
    }
}
