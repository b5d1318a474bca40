//! An interrupted run goes on: without a gap, without a page asked twice, and the ledger says what was interrupted.
//!
//! "Killed" is SIGKILL in the middle of an answer; "power lost" is that and files torn afterwards.
#![cfg(feature = "aws")]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[expect(dead_code, reason = "each test program uses its part of the stage")]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

use serde_json::Value;
use support::{Stage, lines, text};

/// Starts a run and kills it while `operation` waits for its answer, the first that comes `after` so many were given.
fn kill_during(stage: &Stage, operation: &str, after: usize) {
    let fault = support::slow(operation, 600_000);
    stage.emulator.add_fault(orgproof_emulator::Fault { after: after as u64, ..fault });
    kill(stage, stage.spawn(&["collect"]), operation, after);
}

fn kill(stage: &Stage, mut child: std::process::Child, operation: &str, after: usize) {
    while stage.emulator.requests().iter().filter(|r| r.operation == operation).count() <= after {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before {operation} was asked often enough");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    stage.emulator.clear_faults();
}

fn work(stage: &Stage) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(stage.path("evidence/work")) else { return Vec::new() };
    entries.map(|e| e.unwrap().path()).collect()
}

/// Tasks of which a killed run had recorded something and that had not ended.
fn under_way(spool: &std::path::Path) -> BTreeSet<String> {
    let journal = fs::read_to_string(spool.join("ledger.ndjson")).unwrap_or_default();
    let task = |line: &str| serde_json::from_str::<Value>(line).unwrap()["task"].as_str().unwrap().to_owned();
    // A line that the kill has torn was never recorded.
    fn whole(text: &str) -> impl Iterator<Item = &str> {
        text.split_inclusive('\n').filter(|line| line.ends_with('\n'))
    }
    let ended: BTreeSet<String> = whole(&journal).map(task).collect();
    let calls = walk(spool).into_iter().filter(|file| file.ends_with("calls.ndjson"));
    let begun = calls.filter_map(|file| whole(&fs::read_to_string(file).unwrap()).next().map(task));
    begun.filter(|task| !ended.contains(task)).collect()
}

/// What an archive says, apart from times and request ids: how every task ended, and each answered page by task.
fn content(archive: &std::path::Path) -> (BTreeMap<String, String>, BTreeMap<String, BTreeSet<String>>) {
    let member = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let states =
        lines(archive, "data/coverage.ndjson").iter().map(|l| (member(l, "task"), member(l, "state"))).collect();
    let mut pages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for call in lines(archive, "data/calls.ndjson").iter().filter(|c| c["status"] == 200) {
        let page = format!("{} {} {}", member(call, "operation"), call["page"], call["request"]);
        let new = pages.entry(member(call, "task")).or_default().insert(page.clone());
        assert!(new || call["request"].is_null(), "{} has {page} twice", member(call, "task"));
    }
    (states, pages)
}

/// A listing's page token differs from run to run, so pages are compared by number.
fn shape(content: (BTreeMap<String, String>, BTreeMap<String, BTreeSet<String>>)) -> Vec<(String, String, usize)> {
    let (states, pages) = content;
    // What is learnt once a run or once an account stands under whichever task asked first, which is a matter of chance.
    let shared = |task: &str, page: &str| {
        let aggregator = page.starts_with("DescribeConfigurationAggregator") && !task.ends_with("/config-aggregator");
        aggregator || page.starts_with("AssumeRole ") || page.starts_with("ListRegions ")
    };
    let asked = |task: &String| pages.get(task).map_or(0, |p| p.iter().filter(|page| !shared(task, page)).count());
    states.into_iter().map(|(task, state)| (task.clone(), state, asked(&task))).collect()
}

#[test]
fn a_killed_run_goes_on_after_its_last_whole_page_wherever_it_was_killed() {
    let undisturbed = Stage::new("healthy.toml");
    undisturbed.expect(0, &["collect"]);
    let expected = shape(content(&undisturbed.archives("run-close")[0]));
    for (operation, after) in
        [("ListRoots", 0), ("ListTargetsForPolicy", 1), ("DescribeConfigRules", 0), ("GetFindings", 5)]
    {
        let stage = Stage::new("healthy.toml");
        kill_during(&stage, operation, after);
        let before = stage.emulator.requests().len();
        let left = work(&stage);
        assert_eq!(left.len(), 1, "{operation}");
        let under_way = under_way(&left[0].join("spool"));
        assert!(!under_way.is_empty() || !operation.starts_with("List"), "{operation}: discovery was under way");
        stage.expect(0, &["collect", "--resume"]);
        assert!(work(&stage).is_empty(), "{operation}: a sealed run leaves nothing behind");
        let archive = &stage.archives("run-close")[0];
        assert_eq!(shape(content(archive)), expected, "{operation}");

        let verified = stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers", "--json"]);
        let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert_eq!(report["chains"][0]["kinds"]["run-open"], 1, "{operation}: it is still the same run");
        assert!(report["chains"][0]["kinds"]["run-abort"].is_null(), "{operation}");
        let seal: Value =
            serde_json::from_slice(&fs::read(stage.path("evidence/chain/00000002/seal.json")).unwrap()).unwrap();
        assert_eq!(seal["predicate"]["resumed"].as_array().map(Vec::len), Some(1), "{operation}");
        let interrupted: BTreeSet<String> = lines(archive, "data/coverage.ndjson")
            .iter()
            .filter(|l| l["interrupted"] == true)
            .map(|l| l["task"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(interrupted, under_way, "{operation}: the ledger says what was interrupted, and nothing else");
        // Every request of the first half that was answered is missing in the second.
        let again = stage.emulator.requests().len() - before;
        let whole = undisturbed.emulator.requests().len();
        assert!(again < whole, "{operation}: {again} requests after {before}, {whole} in one piece");
        if operation == "GetFindings" {
            let listed = stage.emulator.requests().iter().filter(|r| r.operation == "ListPolicies").count();
            let once = undisturbed.emulator.requests().iter().filter(|r| r.operation == "ListPolicies").count();
            assert_eq!(listed, once, "discovery had ended and is not repeated");
        }
    }
}

#[test]
fn a_lost_disk_cache_costs_the_pages_that_are_damaged_and_no_more() {
    let stage = Stage::new("healthy.toml");
    kill_during(&stage, "GetFindings", 6);
    let spool = work(&stage)[0].join("spool");
    let (mut torn, mut altered) = (false, false);
    for account in fs::read_dir(&spool).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        for file in walk(&account).into_iter().filter(|f| f.ends_with("bodies.ndjson")) {
            let mut bytes = fs::read(&file).unwrap();
            if !torn && bytes.len() > 40 {
                bytes.truncate(bytes.len() - 20);
                torn = true;
            } else if !altered && bytes.len() > 40 {
                // A block that never reached the disk reads as zeros.
                bytes[10..30].fill(0);
                altered = true;
            }
            fs::write(&file, bytes).unwrap();
        }
    }
    assert!(torn && altered);
    fs::write(spool.join("ledger.ndjson"), {
        let mut journal = fs::read(spool.join("ledger.ndjson")).unwrap();
        journal.truncate(journal.len() - 7);
        journal
    })
    .unwrap();
    stage.expect(0, &["collect", "--resume"]);
    stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers"]);
    let undisturbed = Stage::new("healthy.toml");
    undisturbed.expect(0, &["collect"]);
    let [a, b] = [&stage, &undisturbed].map(|s| shape(content(&s.archives("run-close")[0])));
    assert_eq!(a, b);
}

fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() { found.extend(walk(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

#[test]
fn who_begins_anew_seals_what_the_interrupted_run_had_gathered_as_aborted() {
    let stage = Stage::new("healthy.toml");
    kill_during(&stage, "GetFindings", 6);
    stage.expect(0, &["collect"]);
    let aborted = &stage.archives("run-abort")[0];
    let coverage = lines(aborted, "data/coverage.ndjson");
    assert!(coverage.iter().any(|l| l["state"] == "collected"), "nothing that was gathered is lost");
    assert!(coverage.iter().any(|l| l["state"] == "not-run" || l["state"] == "partial"));
    assert_eq!(coverage.len(), lines(aborted, "data/plan.ndjson").len());
    stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers"]);
    assert!(work(&stage).is_empty());
    stage.expect(0, &["collect", "--resume"]);
    assert_eq!(stage.archives("run-close").len(), 2, "with nothing to go on with, a new run is made");
}

#[test]
fn what_was_overridden_before_an_interruption_stands_in_the_closing_seal() {
    for arguments in [&["collect", "--resume"][..], &["collect"]] {
        let stage = Stage::new("healthy.toml");
        stage.emulator.add_fault(support::slow("DescribeConfigRules", 600_000));
        // Of a service that no run asks: only the words matter.
        let child = stage.command(&["collect"]).env("AWS_ENDPOINT_URL_SSO", "http://127.0.0.1:9").spawn().unwrap();
        kill(&stage, child, "DescribeConfigRules", 0);
        stage.expect(0, arguments);
        let sealed = if arguments.len() == 2 { "run-close" } else { "run-abort" };
        let seal = support::lines(&stage.archives(sealed)[0], "seal.json").remove(0);
        let overridden = seal["predicate"]["overridden"].to_string();
        for what in ["AWS_ENDPOINT_URL_SSO", "answered by 127.0.0.1"] {
            assert!(overridden.contains(what), "{sealed} does not say {what}: {overridden}");
        }
    }
}

#[test]
fn a_run_begun_under_other_conditions_does_not_go_on() {
    let stage = Stage::new("healthy.toml");
    kill_during(&stage, "DescribeConfigRules", 0);
    stage.configure(&[("concurrency  = 64", "concurrency  = 63")]);
    let refused = stage.expect(2, &["collect", "--resume"]);
    assert!(text(&refused.stderr).contains("configuration is another"), "{}", text(&refused.stderr));
    stage.configure(&[("concurrency  = 63", "concurrency  = 64")]);
    stage.expect(0, &["collect", "--resume"]);
}

#[test]
fn a_full_disk_leaves_the_run_open_and_with_room_again_it_goes_on() {
    let stage = Stage::new("healthy.toml");
    let mut command = stage.command(&[]);
    let program = command.get_program().to_owned();
    let mut shell = Command::new("bash");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" collect"]).arg(program).current_dir(stage.folder.path());
    shell.envs(command.get_envs().filter_map(|(n, v)| Some((n, v?))));
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--resume"), "{}", text(&output.stderr));
    assert!(command.args(["collect", "--resume"]).output().unwrap().status.success());
    assert!(stage.archives("run-abort").is_empty());
    stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers"]);
}

#[test]
fn credentials_that_end_leave_the_run_open_and_with_new_ones_it_goes_on() {
    let stage = Stage::new("healthy.toml");
    // Credentials of two seconds from a command, which at some point gives none.
    let secrets: BTreeMap<_, _> = stage.emulator.environment().into_iter().collect();
    let script = format!(
        "#!/bin/sh\n[ -e gone ] && {{ echo 'the session is over' >&2; exit 1; }}\n\
         printf '{{\"Version\":1,\"AccessKeyId\":\"{}\",\"SecretAccessKey\":\"{}\",\"Expiration\":\"%s\"}}' \"$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)\"\n",
        secrets["AWS_ACCESS_KEY_ID"], secrets["AWS_SECRET_ACCESS_KEY"]
    );
    fs::write(stage.path("credentials.sh"), script).unwrap();
    let shell = format!("sh {}", stage.path("credentials.sh").display());
    fs::write(stage.path("aws-config"), format!("[default]\ncredential_process = {shell}\n")).unwrap();
    let collect = |arguments: &[&str]| {
        let mut command = stage.command(arguments);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command.env("AWS_CONFIG_FILE", stage.path("aws-config")).stdout(std::process::Stdio::piped());
        command.stderr(std::process::Stdio::piped());
        command
    };
    let mut once = support::slow("ListPolicies", 3_000);
    once.count = Some(1);
    stage.emulator.add_fault(once);
    let child = collect(&["collect"]).spawn().unwrap();
    stage.wait_for_request("ListPolicies");
    fs::write(stage.path("gone"), "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("credentials"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--resume"), "{}", text(&output.stderr));
    fs::remove_file(stage.path("gone")).unwrap();
    let output = collect(&["collect", "--resume"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers"]);
}
