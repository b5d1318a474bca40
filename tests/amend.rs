//! Manual evidence, exceptions and their approvals, through the binary: sealed, judged, revoked, verified; and refused.
#![cfg(feature = "aws")]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[expect(dead_code, reason = "each test program uses its part of the stage")]
mod support;

use std::{path::Path, process::Command};

use orgproof_emulator::ResultRule;
use serde_json::Value;
use support::{AFTER, DURING, Stage, lines, text};

/// Each command's clock begins anew: what is judged later than it was sealed needs a later clock.
const LATER: &str = "2026-12-31T07:00:00Z";
const CHECK: &str = "config/ACCESS_KEYS_ROTATED";

/// A healthy organisation but for one finding.
fn failing() -> Stage {
    let stage = Stage::with("healthy.toml", |organization| {
        let rule = "checks = [\"ACCESS_KEYS_ROTATED\"]\ncompliance = \"NON_COMPLIANT\"\n";
        let rule: ResultRule = toml::from_str(rule).unwrap();
        organization.results.push(rule);
    });
    stage.expect(0, &["collect"]);
    stage
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// What the newest verdicts say of the check.
fn verdict(stage: &Stage, clock: &str) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    stage.command(&["assess", "--period", "2026Q4", "--out", out]).env("ORGPROOF_CLOCK", clock).output().unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join("results").join(name)).unwrap();
    let summary: Value = serde_json::from_str(&read("summary.json")).unwrap();
    let exceptions = read("exceptions.ndjson");
    let exceptions: Vec<Value> = exceptions.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (summary["checks"][CHECK]["status"].as_str().unwrap().to_owned(), Value::from(exceptions))
}

fn keygen(folder: &Path, name: &str, kind: &[&str]) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", name, "-f", name])
        .args(kind)
        .current_dir(folder)
        .output();
    assert!(made.unwrap().status.success());
}

fn sign(folder: &Path, key: &str, namespace: &str, file: &str) {
    let _ = std::fs::remove_file(folder.join(format!("{file}.sig")));
    let signed = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-q", "-n", namespace, "-f", key, file])
        .current_dir(folder)
        .output();
    assert!(signed.unwrap().status.success());
}

const ADD: [&str; 16] = [
    "exception",
    "add",
    "--check",
    CHECK,
    "--everywhere",
    "--owner",
    "owner@x",
    "--approver",
    "ciso@x",
    "--reason",
    "keys are being replaced",
    "--compensating",
    "watched daily",
    "--id",
    "SEC-1",
    "--expires=2027-01-31",
];

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    base.iter().chain(more).copied().collect()
}

#[test]
fn an_exception_that_its_approver_signed_covers_the_failure_until_it_is_revoked() {
    let stage = failing();
    let folder = stage.folder.path();
    assert_eq!(verdict(&stage, DURING).0, "not-satisfied");
    for (name, kind) in [
        ("ciso", &["-t", "ed25519"][..]),
        ("ecdsa", &["-t", "ecdsa", "-b", "256"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ] {
        keygen(folder, name, kind);
    }
    let public = |name: &str| std::fs::read_to_string(stage.path(&format!("{name}.pub"))).unwrap();
    std::fs::write(stage.path("approvers"), format!("ciso@x {}other@x {}", public("ciso"), public("ecdsa"))).unwrap();
    let printed = stage.expect(0, &with(&ADD, &["--print"])).stdout;
    std::fs::write(stage.path("to-sign"), &printed).unwrap();
    sign(folder, "ciso", "orgproof-approval-v1", "to-sign");

    // No approvers file is configured yet: nothing can be checked, so nothing is sealed.
    let refused = stage.expect(2, &with(&ADD, &["--signature", "to-sign.sig"]));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("[approvals]"));
    stage.configure(&[("# [approvals]", "[approvals]"), ("# approvers  =", "approvers  =")]);
    sign(folder, "ciso", "file", "to-sign");
    stage.expect(2, &with(&ADD, &["--signature", "to-sign.sig"]));
    sign(folder, "ecdsa", "orgproof-approval-v1", "to-sign");
    let refused = stage.expect(2, &with(&ADD, &["--signature", "to-sign.sig"]));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not list for \"ciso@x\""));
    sign(folder, "rsa", "orgproof-approval-v1", "to-sign");
    stage.expect(2, &with(&ADD, &["--signature", "to-sign.sig"]));
    assert!(stage.archives("amend").is_empty(), "what was refused left nothing");

    sign(folder, "ciso", "orgproof-approval-v1", "to-sign");
    let sealed = json(&stage.expect(0, &with(&ADD, &["--signature", "to-sign.sig", "--json"])).stdout);
    assert_eq!(sealed["recorded"][0], "SEC-1");
    assert_eq!(lines(&stage.archives("amend")[0], "data/amendments.ndjson").len(), 2);

    // The approver's word holds by stock tools, too.
    let script = r#"set -euo pipefail
        mkdir a && cd a && unzip -q "$ARCHIVE"
        grep -F '"kind":"exception","id":"SEC-1"' data/amendments.ndjson |
            ssh-keygen -Y verify -f data/inputs/approvers -I ciso@x -n orgproof-approval-v1 -s data/approvals/SEC-1.sig"#;
    let archive = &stage.archives("amend")[0];
    let stock = Command::new("bash").args(["-c", script]).env("ARCHIVE", archive).current_dir(folder).output().unwrap();
    assert!(stock.status.success(), "{}", String::from_utf8_lossy(&stock.stderr));

    let (status, exceptions) = verdict(&stage, LATER);
    // Nothing but excepted failures is left: that is no pass.
    assert_eq!(status, "not-assessed");
    assert_eq!(exceptions[0]["authentication"]["how"], "signature-checked");
    assert_eq!(exceptions[0]["validity"], "in-force");
    assert_eq!(exceptions[0]["failures"], exceptions[0]["covered"]);

    let again = json(&stage.expect(0, &with(&ADD, &["--json"])).stdout);
    assert_eq!(again["already"][0], "SEC-1", "the same words twice are one exception");
    stage.expect(2, &with(&ADD, &["--tag", "a=b"]));
    assert_eq!(stage.archives("amend").len(), 1);

    stage.expect(0, &["exception", "revoke", "SEC-1", "--by", "ciso@x", "--reason", "too long"]);
    stage.expect(2, &["exception", "revoke", "SEC-1", "--by", "ciso@x", "--reason", "again"]);
    stage.expect(2, &ADD);
    let (status, exceptions) = verdict(&stage, AFTER);
    assert_eq!((status.as_str(), &exceptions[0]["validity"]), ("not-satisfied", &Value::from("revoked")));
    let listed = text(&stage.expect_at(AFTER, 0, &["exception", "list"]).stdout);
    assert!(listed.contains("Revoked: 1") && listed.contains("too long"), "{listed}");

    stage.expect_at(AFTER, 3, &["seal", "--period", "2026Q4"]);
    let evidence = lines(&stage.archives("period-close")[0], "data/evidence.ndjson");
    assert_eq!(evidence.iter().filter(|l| l["kind"] == "amend").count(), 2);
    let verified = stage.expect_at(AFTER, 0, &["verify", "evidence", "--trust", "allowed_signers", "--json"]);
    let reperformed = |report: &Value| report["archives"].as_array().unwrap().iter().any(|a| a["reperformed"] == true);
    assert!(reperformed(&json(&verified.stdout)));
}

#[test]
fn an_exception_signed_later_is_proved_and_one_that_lapsed_covers_nothing() {
    let stage = failing();
    stage.configure(&[("# [approvals]", "[approvals]"), ("# approvers  =", "approvers  =")]);
    keygen(stage.folder.path(), "ciso", &["-t", "ecdsa", "-b", "256"]);
    let public = std::fs::read_to_string(stage.path("ciso.pub")).unwrap();
    std::fs::write(stage.path("approvers"), format!("ciso@x namespaces=\"orgproof-approval-v1\" {public}")).unwrap();
    stage.expect(0, &ADD);
    assert_eq!(verdict(&stage, DURING).1[0]["authentication"]["how"], "as-stated");
    let shown = stage.expect(0, &["exception", "show", "SEC-1"]).stdout;
    std::fs::write(stage.path("shown"), shown).unwrap();
    sign(stage.folder.path(), "ciso", "orgproof-approval-v1", "shown");
    stage.expect(0, &["exception", "approve", "SEC-1", "--signature", "shown.sig"]);
    assert_eq!(verdict(&stage, DURING).1[0]["authentication"]["how"], "signature-checked");

    // Of two, the longer covers the failure; when it is over, neither does.
    let short: Vec<&str> = ADD
        .iter()
        .map(|a| {
            if *a == "SEC-1" {
                "SEC-2"
            } else if a.starts_with("--expires") {
                "--expires=2026-12-31T12:00:00Z"
            } else {
                a
            }
        })
        .collect();
    stage.expect(0, &short);
    let (_, exceptions) = verdict(&stage, "2026-12-31T18:00:00Z");
    let of = |id: &str| exceptions.as_array().unwrap().iter().find(|e| e["exception"]["id"] == id).unwrap().clone();
    assert_eq!((&of("SEC-2")["validity"], &of("SEC-2")["covered"]), (&Value::from("lapsed"), &Value::from(0)));
    let status = text(&stage.expect_at("2026-12-31T18:00:00Z", 3, &["status", "--period", "2026Q4"]).stdout);
    assert!(status.contains("Exceptions: 1 in force, 1 lapsed") && status.contains("lapsed  SEC-2"), "{status}");
}

#[test]
fn bad_statements_are_refused_with_what_was_meant_and_nothing_is_sealed() {
    let stage = Stage::new("healthy.toml");
    let cases: [(&[&str], &str); 6] = [
        (
            &[
                "exception",
                "add",
                "--check",
                "config/ACCESS_KEY_ROTATED",
                "--everywhere",
                "--owner",
                "a",
                "--approver",
                "b",
                "--reason",
                "r",
                "--expires",
                "2027-01-31",
            ],
            "did you mean \"config/ACCESS_KEYS_ROTATED\"",
        ),
        (
            &[
                "exception",
                "add",
                "--check",
                CHECK,
                "--everywhere",
                "--owner",
                "Me",
                "--approver",
                "me ",
                "--reason",
                "r",
                "--expires",
                "2027-01-31",
            ],
            "its owner cannot approve it",
        ),
        (
            &[
                "exception",
                "add",
                "--check",
                CHECK,
                "--owner",
                "a",
                "--approver",
                "b",
                "--reason",
                "r",
                "--expires",
                "2027-01-31",
            ],
            "--everywhere",
        ),
        (
            &[
                "exception",
                "add",
                "--check",
                CHECK,
                "--everywhere",
                "--owner",
                "a",
                "--approver",
                "b",
                "--reason",
                "r",
                "--expires",
                "2026-12-30",
            ],
            "would never count",
        ),
        (
            &[
                "evidence",
                "add",
                "--item",
                "cis-aws-3.1/1.1",
                "--holds",
                "--statement",
                "s",
                "--by",
                "b",
                "--observed",
                "2026-12-01",
                "--valid-until",
                "2026-12-31",
            ],
            "did you mean \"cis-aws-3.0\"",
        ),
        (
            &[
                "evidence",
                "add",
                "no-such-file",
                "--item",
                "cis-aws-3.0/1.1",
                "--holds",
                "--statement",
                "s",
                "--by",
                "b",
                "--observed",
                "2026-12-01",
                "--valid-until",
                "2026-12-31",
            ],
            "no-such-file",
        ),
    ];
    for (arguments, says) in cases {
        let refused = stage.expect(2, arguments);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(says), "{says:?} is not in: {said}");
    }
    stage.expect(2, &["exception", "revoke", "SEC-9", "--by", "a", "--reason", "b"]);
    assert!(stage.archives("").is_empty());
}

#[test]
fn a_spreadsheet_with_one_bad_row_seals_nothing_and_a_good_one_counts_once() {
    let stage = Stage::new("healthy.toml");
    std::fs::write(stage.path("minutes.pdf"), b"%PDF-1.7 minutes").unwrap();
    let item = json(&stage.expect(0, &["evidence", "list", "--json"]).stdout)["unanswered"][0]["item"]
        .as_str()
        .unwrap()
        .to_owned();
    let header = "item,statement,holds,by,observed,valid-until,files\n";
    let good = format!("{item},\"seen, in person\",yes,auditor@x,2026-12-01,2027-03-31,minutes.pdf\n");
    let bad = "cis-aws-3.0/99.9/1,,maybe,,tomorrow,2026-01-01,absent.pdf\n";
    std::fs::write(stage.path("bad.csv"), format!("{header}{good}{bad}{good}")).unwrap();
    let refused = stage.expect(2, &["evidence", "import", "bad.csv"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    for column in ["item", "statement", "holds", "by", "observed", "files"] {
        assert!(said.contains(&format!("row 3, column {column}: ")), "{column}: {said}");
    }
    assert!(said.contains("row 4, column id: row 2 says the same"), "{said}");
    assert!(stage.archives("").is_empty());

    std::fs::write(stage.path("good.csv"), format!("{header}{good}")).unwrap();
    stage.expect(0, &["evidence", "import", "good.csv", "--dry-run"]);
    assert!(stage.archives("").is_empty());
    stage.expect(0, &["evidence", "import", "good.csv"]);
    stage.expect(0, &["evidence", "import", "good.csv"]);
    let archives = stage.archives("amend");
    assert_eq!(archives.len(), 1, "the same rows twice are recognised");
    let line = &lines(&archives[0], "data/amendments.ndjson")[0];
    assert_eq!(line["files"][0]["name"], "minutes.pdf");
    let kept = Command::new("unzip")
        .arg("-p")
        .arg(&archives[0])
        .arg(line["files"][0]["path"].as_str().unwrap())
        .output()
        .unwrap();
    assert_eq!(kept.stdout, b"%PDF-1.7 minutes");
    let template = text(&stage.expect(0, &["exception", "import", "--template"]).stdout);
    std::fs::write(stage.path("template.csv"), template.replace("securityhub/S3.8", CHECK)).unwrap();
    stage.expect(0, &["exception", "import", "template.csv"]);
    let verified = stage.expect(0, &["verify", "evidence", "--trust", "allowed_signers", "--json"]);
    assert_eq!(json(&verified.stdout)["archives"].as_array().unwrap().len(), 2);
}
