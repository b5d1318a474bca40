//! Proofs of single records: what `prove` shows, `verify` and the stock tools check; and what must be found when one is forged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use orgproof::{
    archive::{Reader, Tree, each_leaf, proof},
    verify::{Depth, Options, Report, Trust, verify},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    period, stage,
    support::{AFTER, lines, text},
};

fn observations() -> Vec<Value> {
    lines(&period(), "data/results/observations.ndjson")
}

/// An observation that rests on a raw page, and its line.
fn with_page() -> (usize, Value) {
    let all = observations();
    let found = all.iter().position(|o| o["evidence"]["path"].as_str().is_some_and(|p| p.starts_with("data/bodies/")));
    (found.unwrap() + 1, all[found.unwrap()].clone())
}

/// Runs `prove` with these arguments and returns a folder that holds `proof.json` and `proof.md` alone.
fn prove(arguments: &[&str]) -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("proof.json");
    let archive = period();
    let all = [&["prove", archive.to_str().unwrap(), "--out", out.to_str().unwrap()], arguments].concat();
    stage().expect(0, &all);
    let proof = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    (folder, proof)
}

fn options() -> Options {
    let trust = Trust::load(&["allowed_signers".to_owned()], stage().folder.path()).unwrap();
    Options { trust, depth: Depth::Replay, checkpoint: None, now: AFTER.parse().unwrap() }
}

fn verified(proof: &Value, beside: &[PathBuf]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proof.json");
    fs::write(&path, serde_json::to_vec(proof).unwrap()).unwrap();
    verify(&[&[path], beside].concat(), &options(), None)
}

fn codes(report: &Report) -> Vec<&str> {
    report.problems.iter().map(|p| p.code).collect()
}

#[test]
fn one_record_with_its_page_is_proved_and_nothing_is_said_of_the_rest() {
    let (line, observation) = with_page();
    let (folder, proof) = prove(&["--record", &format!("observations.ndjson:{line}"), "--with-page"]);
    let shown: Value =
        serde_json::from_str(proof["parts"][0]["records"]["disclosed"][0]["record"].as_str().unwrap()).unwrap();
    assert_eq!(shown, observation);
    assert_eq!(proof["parts"][1]["records"]["disclosed"][0]["path"], observation["evidence"]["path"]);
    let report = verified(&proof, &[]);
    assert_eq!((report.exit_code, codes(&report)), (0, vec![]), "{}", report.render());
    assert!(report.proofs[0].complete.is_empty() && report.render().contains("NOT proved: that these are all"));
    assert_eq!(report.proofs[0].records.len(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.path().join("proof.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Neither the manifest, nor the salt key, nor another record's salt or text.
    let text = fs::read_to_string(folder.path().join("proof.json")).unwrap();
    let reader = Reader::open(&period()).unwrap();
    let key = <[u8; 32]>::try_from(reader.bytes("data/inputs/salt.key").unwrap()).unwrap();
    assert!(!text.contains(&hex(&key)) && !text.contains("manifest-sha256.txt  "));
    each_leaf(&reader, Tree::Records, |leaf| {
        let shown = leaf.line == line as u64;
        assert_eq!(text.contains(&hex(&Tree::Records.salt(&key, leaf.index))), shown, "{}", leaf.index);
        assert!(!text.contains(&hex(&Tree::Tally.salt(&key, leaf.index))));
        Ok::<(), orgproof::archive::ArchiveError>(())
    })
    .unwrap();
}

fn hex(bytes: &[u8; 32]) -> String {
    orgproof::model::Sha256Digest(*bytes).to_string()
}

#[test]
fn all_of_an_account_or_a_check_is_proved_to_be_all_and_a_resource_is_not() {
    let (_, observation) = with_page();
    for what in ["account", "check"] {
        let name = observation[what].as_str().unwrap();
        let expected = observations().iter().filter(|o| o[what] == name).count();
        let (_, proof) = prove(&[&format!("--{what}"), name]);
        let report = verified(&proof, &[]);
        assert_eq!(report.exit_code, 0, "{}", report.render());
        assert_eq!((report.proofs[0].records.len(), report.proofs[0].complete[0].records), (expected, expected as u64));
        assert!(report.render().contains("are all that the sealed archive counts"));

        // One record left out: whoever holds a proof can compute its leaf, so the tree still holds; the number does not.
        let mut cut = proof.clone();
        let disclosed: proof::Disclosed =
            serde_json::from_value(cut["parts"][0]["records"]["disclosed"].as_array_mut().unwrap().remove(0)).unwrap();
        let at = place_of_hash(&proof, disclosed.index);
        cut["parts"][0]["records"]["hashes"].as_array_mut().unwrap().insert(at, json!(disclosed.leaf()));
        let report = verified(&cut, &[]);
        if codes(&report) == ["proof-inclusion"] {
            continue; // its neighbour was shown too, so that the leaf alone is not what the walk wants there
        }
        assert_eq!((report.exit_code, codes(&report)), (4, vec!["proof-incomplete"]), "{}", report.render());
    }
    let resource = observation["resource"]["id"].as_str().unwrap();
    let (_, proof) = prove(&["--resource", resource]);
    let report = verified(&proof, &[]);
    assert!(report.exit_code == 0 && report.proofs[0].complete.is_empty());
}

/// How many hashes the walk has used up before it comes to leaf `index`, where no leaf before it is shown.
fn place_of_hash(proof: &Value, index: u64) -> usize {
    let seal: Value = serde_json::from_str(proof["parts"][0]["files"]["seal.json"].as_str().unwrap()).unwrap();
    let (mut first, mut size, mut before) = (0, seal["predicate"]["records"]["count"].as_u64().unwrap(), 0);
    while size > 1 {
        let half = 1 << (size - 1).ilog2();
        if index < first + half {
            size = half;
        } else {
            (first, size, before) = (first + half, size - half, before + 1);
        }
    }
    before
}

#[test]
fn every_forgery_is_found() {
    let (_, observation) = with_page();
    let (_, genuine) = prove(&["--check", observation["check"].as_str().unwrap(), "--with-page"]);
    assert_eq!(verified(&genuine, &[]).exit_code, 0);
    let status = observation["status"].as_str().unwrap();
    let (_, other) = prove(&["--record", "observations.ndjson:1"]);
    type Forge = Box<dyn Fn(&mut Value)>;
    let run_seal = |p: &mut Value| p["parts"][0]["files"] = p["parts"][1]["files"].clone();
    let forgeries: Vec<(&str, &str, Forge)> = vec![
        (
            "a changed record",
            "proof-inclusion",
            Box::new(move |p| {
                let record = &mut p["parts"][0]["records"]["disclosed"][0]["record"];
                *record = json!(record.as_str().unwrap().replacen(status_word(), "not-applicable", 1));
            }),
        ),
        (
            "a changed salt",
            "proof-inclusion",
            Box::new(|p| {
                p["parts"][0]["records"]["disclosed"][0]["salt"] = json!("00".repeat(32));
            }),
        ),
        (
            "another index",
            "proof-inclusion",
            Box::new(|p| {
                let index = p["parts"][0]["records"]["disclosed"][0]["index"].as_u64().unwrap();
                p["parts"][0]["records"]["disclosed"][0]["index"] = json!(index + 1_000_000);
            }),
        ),
        (
            "another line",
            "proof-inclusion",
            Box::new(|p| p["parts"][0]["records"]["disclosed"][0]["line"] = json!(1_000_000)),
        ),
        (
            "another path",
            "proof-inclusion",
            Box::new(|p| {
                p["parts"][0]["records"]["disclosed"][0]["path"] = json!("data/results/observations.001.ndjson");
            }),
        ),
        (
            "a hash less",
            "proof-inclusion",
            Box::new(|p| {
                p["parts"][0]["records"]["hashes"].as_array_mut().unwrap().pop();
            }),
        ),
        (
            "the records twice",
            "proof-inclusion",
            Box::new(|p| {
                let first = p["parts"][0]["records"]["disclosed"][0].clone();
                p["parts"][0]["records"]["disclosed"].as_array_mut().unwrap().insert(0, first);
            }),
        ),
        ("the seal of another archive", "proof-inclusion", Box::new(run_seal)),
        (
            "a changed page",
            "proof-inclusion",
            Box::new(|p| {
                let record = &mut p["parts"][1]["records"]["disclosed"][0]["record"];
                *record = json!(record.as_str().unwrap().replacen(':', ": ", 1));
            }),
        ),
        ("a page that belongs to other observations", "proof-page-unrelated", {
            let other = other["parts"][0].clone();
            Box::new(move |p| p["parts"][0] = other.clone())
        }),
        (
            "a forged number",
            "proof-inclusion",
            Box::new(|p| {
                let line = &mut p["parts"][0]["tally"]["disclosed"][0]["record"];
                *line = json!(line.as_str().unwrap().replace("\"records\":", "\"records\":1"));
            }),
        ),
        ("a number of another check", "proof-incomplete", {
            let account = observation["account"].as_str().unwrap().to_owned();
            let (_, of_account) = prove(&["--account", &account]);
            Box::new(move |p| p["parts"][0]["tally"] = of_account["parts"][0]["tally"].clone())
        }),
        (
            "a changed seal",
            "signature-invalid",
            Box::new(|p| {
                let seal = &mut p["parts"][0]["files"]["seal.json"];
                *seal = json!(seal.as_str().unwrap().replacen("2026Q4", "2026Q3", 1));
            }),
        ),
        ("a claim that nobody checks", "proof-malformed", Box::new(|p| p["complete"] = json!(true))),
        (
            "a file outside",
            "proof-malformed",
            Box::new(|p| {
                p["parts"][0]["records"]["disclosed"][0]["path"] = json!("../observations.ndjson");
            }),
        ),
        ("no record", "proof-malformed", Box::new(|p| p["parts"][0]["records"]["disclosed"] = json!([]))),
        (
            "another place in the chain",
            "inclusion-proof",
            Box::new(|p| {
                let place = &mut p["parts"][0]["files"]["seal.tlog-proof"];
                *place = json!(place.as_str().unwrap().replacen("index ", "index 1", 1));
            }),
        ),
    ];
    assert_eq!(status, status_word(), "the forgery of a status changes this word");
    for (what, code, forge) in forgeries {
        let mut proof = genuine.clone();
        forge(&mut proof);
        assert_ne!(proof, genuine, "{what}");
        let report = verified(&proof, &[]);
        assert_eq!(report.exit_code, 4, "{what}: {}", report.render());
        assert!(codes(&report).contains(&code), "{what}: {}", report.render());
        let changed = code == "proof-inclusion" && !what.contains("page") && !what.contains("number");
        assert!(!changed || report.proofs[0].records.is_empty(), "{what}: nothing of it is shown as proved");
    }
}

fn status_word() -> &'static str {
    static WORD: OnceLock<String> = OnceLock::new();
    WORD.get_or_init(|| with_page().1["status"].as_str().unwrap().to_owned())
}

#[test]
fn a_proof_is_held_against_the_store_and_the_checkpoint() {
    let (_, proof) = prove(&["--record", "observations.ndjson:1"]);
    let store = stage().path("evidence");
    assert!(codes(&verified(&proof, std::slice::from_ref(&store))).is_empty());
    assert!(codes(&verified(&proof, &[period()])).is_empty());
    // The same chain, cut off before the seal.
    let cut = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(&store).arg(cut.path()).status().unwrap();
    assert!(copied.success());
    let folder = cut.path().join("evidence");
    let last = fs::read_dir(folder.join("chain")).unwrap().map(|e| e.unwrap().path()).max().unwrap();
    fs::remove_dir_all(last).unwrap();
    let report = verified(&proof, &[folder]);
    assert!(codes(&report).contains(&"proof-not-in-chain"), "{}", report.render());
    // The checkpoint of this very place agrees; that of an earlier one cannot be compared without the store.
    let newest = fs::read_to_string(store.join("checkpoint")).unwrap();
    let mut options = Options { checkpoint: Some(newest.clone()), ..options() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proof.json");
    fs::write(&path, serde_json::to_vec(&proof).unwrap()).unwrap();
    assert_eq!(verify(std::slice::from_ref(&path), &options, None).exit_code, 0);
    let earlier = fs::read_to_string(store.join("chain/00000002/seal.tlog-proof")).unwrap();
    options.checkpoint = earlier.split_once("\n\n").map(|(_, note)| note.to_owned());
    let report = verify(std::slice::from_ref(&path), &options, None);
    assert_eq!((report.exit_code, report.unchecked[0].code), (5, "checkpoint-not-comparable"));
    // Without trust, and with another key.
    let untrusted = Options { trust: Trust::none(), checkpoint: None, ..options };
    assert_eq!(verify(&[path], &untrusted, None).exit_code, 5);
}

#[test]
fn what_cannot_be_proved_is_refused_with_a_reason() {
    let archive = period();
    let archive = archive.to_str().unwrap();
    let out = stage().path("refused.json");
    let out = out.to_str().unwrap();
    for (arguments, word) in [
        (vec!["--check", "no/such"], "no such record"),
        (vec!["--record", "17"], "names no record"),
        (vec![], "say which records"),
    ] {
        let output = stage().expect(2, &[&["prove", archive, "--out", out], arguments.as_slice()].concat());
        assert!(text(&output.stderr).contains(word), "{}", text(&output.stderr));
        assert!(!Path::new(out).exists());
    }
    let run = stage().archives("run-close").remove(0);
    let output = stage().expect(2, &["prove", run.to_str().unwrap(), "--account", "110000000011", "--out", out]);
    assert!(text(&output.stderr).contains("no assessment archive"), "{}", text(&output.stderr));
    // An archive whose observations were changed is no ground for a proof.
    let unpacked = tempfile::tempdir().unwrap();
    Command::new("unzip").arg("-q").arg(archive).arg("-d").arg(unpacked.path()).status().unwrap();
    let path = unpacked.path().join("data/results/observations.ndjson");
    let changed = fs::read_to_string(&path).unwrap().replacen("\"status\":\"fail\"", "\"status\":\"pass\"", 1);
    fs::write(&path, changed).unwrap();
    let folder = unpacked.path().to_str().unwrap();
    let output = stage().expect(2, &["prove", folder, "--record", "observations.ndjson:1", "--out", out]);
    assert!(text(&output.stderr).contains("not those that were sealed"), "{}", text(&output.stderr));
}

#[test]
fn the_commands_beside_a_proof_check_it_and_find_a_change() {
    let (_, observation) = with_page();
    let (folder, _) = prove(&[
        "--account",
        observation["account"].as_str().unwrap(),
        "--check",
        observation["check"].as_str().unwrap(),
        "--with-page",
    ]);
    let (small, _) = prove(&["--check", &smallest_check()]);
    for folder in [folder.path(), small.path()] {
        for name in ["seal.pem", "allowed_signers"] {
            fs::copy(stage().path(name), folder.join(name)).unwrap();
        }
        let script = blocks(&fs::read_to_string(folder.join("proof.md")).unwrap());
        let output = bash(folder, &script);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let genuine = fs::read_to_string(folder.join("proof.json")).unwrap();
        for (from, to) in [
            ("\\\"status\\\":\\\"", "\\\"status\\\":\\\"x"),
            ("\"line\": ", "\"line\": 1"),
            ("\"index\": ", "\"index\": 1"),
        ] {
            assert!(genuine.contains(from), "{from}");
            fs::write(folder.join("proof.json"), genuine.replacen(from, to, 1)).unwrap();
            assert!(!bash(folder, &script).status.success(), "{from} -> {to} was not found");
        }
    }
}

fn smallest_check() -> String {
    let mut counts = std::collections::BTreeMap::new();
    for o in observations() {
        *counts.entry(o["check"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    counts.into_iter().min_by_key(|(_, n)| *n).unwrap().0
}

fn blocks(guide: &str) -> String {
    let (mut script, mut inside) = (String::new(), false);
    for line in guide.lines() {
        match line {
            "```bash" => inside = true,
            "```" => inside = false,
            _ if inside => script.push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    script
}

fn bash(folder: &Path, script: &str) -> std::process::Output {
    fs::write(folder.join("check.sh"), script).unwrap();
    Command::new("bash").args(["-euo", "pipefail", "check.sh"]).current_dir(folder).output().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_random_selection_verifies_and_any_changed_byte_of_a_record_does_not(
        picks in proptest::collection::btree_set(0u64..10_000, 1..6), which: proptest::sample::Index, at: proptest::sample::Index,
    ) {
        let reader = Reader::open(&period()).unwrap();
        let count = reader.seal().predicate.records.unwrap().count;
        let part = proof::disclose(&reader, &mut |leaf| picks.iter().any(|p| p % count == leaf.index), None).unwrap();
        let genuine = serde_json::to_value(proof::Proof::new(vec![part])).unwrap();
        prop_assert_eq!(verified(&genuine, &[]).exit_code, 0);
        let mut forged = genuine.clone();
        let records = forged["parts"][0]["records"]["disclosed"].as_array_mut().unwrap();
        let record = &mut records[which.index(picks.len()) % picks.iter().map(|p| p % count).collect::<std::collections::BTreeSet<_>>().len()]["record"];
        let mut bytes = record.as_str().unwrap().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        *record = json!(String::from_utf8_lossy(&bytes));
        let report = verified(&forged, &[]);
        prop_assert_eq!(codes(&report), vec!["proof-inclusion"]);
        prop_assert!(report.proofs[0].records.is_empty());
    }
}
