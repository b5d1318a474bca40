//! Bad input: each gives one clear message with the next step, the documented exit code, and leaves nothing half-written.
#![cfg(feature = "aws")]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[expect(dead_code, reason = "each test program uses its part of the stage")]
mod support;

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use support::Stage;

fn says(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn nothing_sealed(stage: &Stage) {
    let chain = stage.path("evidence/chain");
    let seals = std::fs::read_dir(chain).map(|d| d.count()).unwrap_or(0);
    assert_eq!(seals, 0, "a seal was left behind");
}

#[test]
fn whatever_is_wrong_before_a_run_opens_ends_in_2_and_leaves_no_seal() {
    let stage = Stage::new("healthy.toml");
    let collect = |change: &dyn Fn(&mut Command)| {
        let mut command = stage.command(&["collect"]);
        change(&mut command);
        command.output().unwrap()
    };
    type Change = Box<dyn Fn(&mut Command)>;
    let outsider = stage.emulator.environment_of("outsider").unwrap();
    let member = stage.emulator.environment_of("member").unwrap();
    let cases: Vec<(&str, Change, &[&str])> = vec![
        (
            "no credentials",
            Box::new(|c| {
                c.env_remove("AWS_ACCESS_KEY_ID");
            }),
            &["no AWS credentials", "AWS_PROFILE"],
        ),
        (
            "refused credentials",
            Box::new(|c| {
                c.env("AWS_SECRET_ACCESS_KEY", "wrong");
            }),
            &["refuses the credentials"],
        ),
        (
            "no organisation",
            Box::new(move |c| {
                c.envs(outsider.clone());
            }),
            &["organization", "run with"],
        ),
        (
            "wrong account",
            Box::new(move |c| {
                c.envs(member.clone());
            }),
            &["organization", "delegated administrator"],
        ),
        (
            "unreachable",
            Box::new(|c| {
                c.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
            }),
            &["can't reach", "AWS_ENDPOINT_URL"],
        ),
        (
            "bad clock override",
            Box::new(|c| {
                c.env("ORGPROOF_CLOCK", "yesterday");
            }),
            &["ORGPROOF_CLOCK"],
        ),
    ];
    for (name, change, words) in cases {
        let output = collect(&*change);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        says(&output, words);
        nothing_sealed(&stage);
    }
}

#[test]
fn a_wrong_configuration_ends_in_2_and_names_the_key() {
    for (from, to, words) in [
        ("aggregator   = \"org\"", "aggregator   = \"nobody\"", vec!["nobody", "[config] aggregator"]),
        ("home_region  =", "home_regoin  =", vec!["home_regoin", "did you mean 'home_region'?"]),
        ("[\"cis-aws-3.0\", \"s3-data-leak\"]", "[\"cis-aws-3\"]", vec!["cis-aws-3"]),
        ("file:evidence", "ftp:evidence", vec!["ftp:evidence"]),
        ("file:keys/seal.pem", "file:keys/none.pem", vec!["none.pem"]),
        ("file:keys/seal.pem", "file:orgproof.toml", vec!["orgproof.toml"]),
        ("period       = \"quarter\"", "period       = \"fortnight\"", vec!["fortnight"]),
    ] {
        let stage = Stage::new("healthy.toml");
        stage.configure(&[(from, to)]);
        let output = stage.expect(2, &["collect"]);
        says(&output, &words);
        nothing_sealed(&stage);
    }
    let stage = Stage::new("healthy.toml");
    std::fs::write(stage.path("orgproof.toml"), "= not toml").unwrap();
    says(&stage.expect(2, &["plan"]), &["orgproof.toml", "not TOML"]);
    std::fs::remove_file(stage.path("orgproof.toml")).unwrap();
    says(&stage.expect(2, &["assess"]), &["orgproof init"]);
}

#[test]
fn a_key_that_others_can_read_is_refused_and_init_and_generate_never_overwrite() {
    let stage = Stage::new("healthy.toml");
    says(&stage.expect(2, &["init"]), &["stays as it is"]);
    let before = std::fs::read(stage.path("keys/seal.pem")).unwrap();
    says(&stage.expect(2, &["keys", "generate", "--out", "keys/seal.pem"]), &["keys/seal.pem"]);
    assert_eq!(before, std::fs::read(stage.path("keys/seal.pem")).unwrap());
    std::fs::set_permissions(stage.path("keys/seal.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    says(&stage.expect(2, &["collect"]), &["keys/seal.pem", "chmod"]);
    nothing_sealed(&stage);
}

#[test]
fn a_period_is_closed_once_and_only_after_its_end() {
    let stage = Stage::new("healthy.toml");
    says(&stage.expect(2, &["assess"]), &["no closed run", "orgproof collect"]);
    says(&stage.expect(2, &["collect", "--period", "2026Q3"]), &["2026Q3"]);
    stage.expect(0, &["collect"]);
    says(&stage.expect(2, &["seal", "--period", "2026Q4"]), &["after its end"]);
    stage.expect_at(support::AFTER, 3, &["seal", "--period", "2026Q4", "--dry-run"]);
    assert!(stage.archives("period-close").is_empty(), "a rehearsal seals nothing");
    stage.expect_at(support::AFTER, 3, &["seal", "--period", "2026Q4"]);
    says(&stage.expect_at(support::AFTER, 2, &["seal", "--period", "2026Q4"]), &["closed by seal", "once"]);
    says(&stage.expect(2, &["seal", "--period", "2026Q9"]), &["2026Q9", "is no period"]);
}

/// Starts a run, stops it in the middle with `signal`, and looks at what is left.
fn stopped_in_the_middle(signal: &str, word: &str) {
    let stage = Stage::new("healthy.toml");
    // Answers that hang until long after the signal: it comes in the middle of the run.
    stage.emulator.add_fault(support::slow("DescribeConfigRules", 600_000));
    let child = stage.spawn(&["collect"]);
    stage.wait_for_request("DescribeConfigRules");
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains(word));
    let aborted = &stage.archives("run-abort")[0];
    let coverage = support::lines(aborted, "data/coverage.ndjson");
    assert!(coverage.iter().any(|l| l["state"] == "collected"), "what was gathered is kept");
    assert!(coverage.iter().all(|l| l["state"] != "not-run" || l["gap"] == true), "what was not asked is a gap");
    assert!(coverage.iter().any(|l| l["gap"] == true));
    assert_eq!(coverage.len(), support::lines(aborted, "data/plan.ndjson").len());
    stage.emulator.clear_faults();
    stage.expect(0, &["collect"]);
    stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers"]);
}

#[test]
fn sigterm_ends_a_run_as_aborted_with_what_it_had_and_the_next_goes_on() {
    stopped_in_the_middle("-TERM", "SIGTERM");
}

#[test]
fn ctrl_c_ends_a_run_as_aborted_with_what_it_had_and_the_next_goes_on() {
    stopped_in_the_middle("-INT", "Ctrl-C");
}

#[test]
fn a_killed_run_shows_as_aborted_once_the_next_one_opens() {
    let stage = Stage::new("healthy.toml");
    stage.emulator.add_fault(support::slow("DescribeConfigRules", 600_000));
    let mut child = stage.spawn(&["collect"]);
    stage.wait_for_request("DescribeConfigRules");
    child.kill().unwrap();
    child.wait().unwrap();
    stage.emulator.clear_faults();
    stage.expect(0, &["collect"]);
    let verified = stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(report["chains"][0]["kinds"]["run-abort"], 1, "{report}");
}

#[test]
fn a_store_that_cannot_be_written_ends_in_2_and_one_that_fills_up_in_3() {
    let stage = Stage::new("healthy.toml");
    std::fs::write(stage.path("evidence"), "a file where the store should be").unwrap();
    says(&stage.expect(2, &["collect"]), &["evidence"]);
    std::fs::remove_file(stage.path("evidence")).unwrap();

    // No file may grow past 16 KiB: the disk is full as far as the run can tell.
    let full = "trap '' XFSZ; ulimit -f 16; exec \"$0\" collect";
    let mut command = stage.command(&[]);
    let program = command.get_program().to_owned();
    let mut shell = Command::new("bash");
    shell.args(["-c", full]).arg(program).current_dir(stage.folder.path());
    shell.envs(command.get_envs().filter_map(|(n, v)| Some((n, v?))));
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    says(&output, &["disk"]);
    assert!(stage.archives("run-close").is_empty(), "half a run is never sealed as a whole one");
    command.arg("collect");
    assert_eq!(command.output().unwrap().status.code(), Some(0), "with room again, the next run goes on");
    stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers"]);
}

#[test]
fn verify_says_what_it_could_not_check_and_never_trusts_a_key_from_inside() {
    let stage = Stage::new("healthy.toml");
    stage.expect(0, &["collect"]);
    stage.expect(5, &["verify", "evidence"]);
    let other = Stage::new("healthy.toml");
    let stranger = other.path("allowed_signers");
    stage.expect(4, &["verify", "evidence", "--trust", stranger.to_str().unwrap()]);
    says(&stage.expect(2, &["verify", "evidence", "--trust", "no-such-file"]), &["no-such-file"]);
    stage.expect(2, &["verify", "nowhere"]);
}
