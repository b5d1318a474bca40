//! The main job from end to end, over HTTP, through the binary: what the ledger must say of each trouble, what no gap may
//! touch, and what must be the same whatever the order of the answers.
#![cfg(feature = "aws")]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[expect(dead_code, reason = "each test program uses its part of the stage")]
mod support;

use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;
use support::{AFTER, Stage, lines, text};

fn all_regions(stage: &Stage) {
    stage.configure(&[("[\"us-east-1\", \"eu-west-1\"]", "[\"us-east-1\", \"eu-west-1\", \"eu-south-1\"]")]);
}

/// The sample organisation's troubles, each with the states its tasks may end in, and no others.
const TROUBLES: &[(&str, &str, &str, &[&str])] = &[
    ("110000000023", "", "", &["out-of-scope"]),
    ("110000000013", "eu-west-1", "config-compliance", &["not-enabled"]),
    ("110000000014", "", "securityhub-hub", &["throttled"]),
    ("110000000021", "eu-west-1", "securityhub-hub", &["not-enabled"]),
    ("110000000021", "eu-west-1", "securityhub-findings", &["not-enabled"]),
    ("110000000022", "eu-south-1", "config-rules", &["region-disabled"]),
    ("110000000022", "eu-south-1", "securityhub-hub", &["region-disabled"]),
    ("110000000031", "", "config-rules", &["denied"]),
    ("110000000032", "", "config-rules", &["denied"]),
    ("110000000034", "eu-west-1", "config-compliance", &["stale"]),
    ("110000000041", "", "securityhub-hub", &["denied"]),
    ("110000000011", "us-east-1", "", &["collected", "empty"]),
    ("110000000003", "us-east-1", "", &["collected", "empty"]),
];

#[test]
fn the_ledger_names_every_trouble_and_no_requirement_that_one_touches_is_satisfied() {
    let stage = Stage::new("demo.toml");
    all_regions(&stage);
    stage.expect(3, &["collect"]);
    let run = &stage.archives("run-close")[0];

    let coverage = lines(run, "data/coverage.ndjson");
    let planned: Vec<String> = tasks(&lines(run, "data/plan.ndjson"));
    assert_eq!(planned, tasks(&coverage), "every planned task has one line in the ledger");
    for (account, region, collector, states) in TROUBLES {
        let concerned: Vec<&Value> = coverage
            .iter()
            .filter(|l| l["account"] == *account && (region.is_empty() || l["region"] == *region))
            .filter(|l| collector.is_empty() || l["collector"] == *collector)
            .collect();
        assert!(!concerned.is_empty(), "{account} {region} {collector} is missing in silence");
        for line in concerned {
            assert!(states.iter().any(|s| line["state"] == *s), "expected {states:?}: {line}");
        }
    }
    let scope_limitation = coverage.iter().find(|l| l["account"] == "110000000032" && l["state"] == "denied").unwrap();
    assert!(scope_limitation["error"].as_str().unwrap().contains("scope limitation"), "{scope_limitation}");
    let stopped = coverage.iter().find(|l| l["account"] == "110000000013" && l["state"] == "not-enabled").unwrap();
    assert!(stopped["since"].as_str().unwrap().starts_with("2026-11-02"), "{stopped}");

    stage.expect_at(AFTER, 3, &["seal", "--period", "2026Q4"]);
    let period = &stage.archives("period-close")[0];
    let satisfied_despite_gap: Vec<Value> = lines(period, "data/results/findings.ndjson")
        .into_iter()
        .filter(|f| f["status"] == "satisfied" && f["counts"]["not_assessed"] != 0)
        .collect();
    assert_eq!(satisfied_despite_gap, Vec::<Value>::new());
    let statuses: BTreeMap<String, usize> =
        lines(period, "data/results/findings.ndjson").iter().fold(BTreeMap::new(), |mut counts, f| {
            *counts.entry(f["status"].as_str().unwrap().to_owned()).or_default() += 1;
            counts
        });
    assert_eq!(
        statuses.keys().collect::<Vec<_>>(),
        ["not-assessed", "not-satisfied"],
        "gaps touch every automated one"
    );
    let denominators: Vec<Value> = lines(period, "data/results/discrepancies.ndjson")
        .into_iter()
        .filter(|d| d["kind"] == "denominators" && d["subject"].as_str().unwrap().contains("110000000033"))
        .collect();
    assert!(!denominators.is_empty(), "an account outside the aggregator and Security Hub is named");

    let verified = stage.expect_at(AFTER, 0, &["verify", "evidence", "--trust", "allowed_signers", "--json"]);
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert!(report["archives"].as_array().unwrap().iter().any(|a| a["reperformed"] == true), "{report}");
    assert_eq!(stage.emulator.unserved(), Vec::<String>::new(), "the product asked what AWS does not serve here");
    no_secret_anywhere(&stage);
}

fn tasks(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|l| l["task"].as_str().unwrap().to_owned()).collect()
}

/// Greps every file that the product wrote, archives unpacked, for every credential of the run.
fn no_secret_anywhere(stage: &Stage) {
    let mut haystack = Vec::new();
    let mut folders = vec![stage.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "zip") {
                haystack.extend(Command::new("unzip").arg("-p").arg(&path).output().unwrap().stdout);
            } else if !path.ends_with("keys/seal.pem") {
                haystack.extend(std::fs::read(&path).unwrap());
            }
        }
    }
    assert!(haystack.len() > 100_000, "the archives were read");
    let haystack = String::from_utf8_lossy(&haystack);
    let secrets = stage.secrets();
    assert!(!secrets.is_empty());
    for needle in secrets.iter().map(String::as_str).chain(["SessionToken", "SecretAccessKey"]) {
        assert!(!haystack.contains(needle), "a credential was written down");
    }
}

#[test]
fn a_healthy_organisation_is_collected_without_a_gap() {
    let stage = Stage::new("healthy.toml");
    stage.expect(0, &["collect"]);
    let coverage = lines(&stage.archives("run-close")[0], "data/coverage.ndjson");
    assert!(coverage.iter().all(|l| l["gap"] == false), "{coverage:?}");
    // Manual items stay open without evidence: that is incomplete, never satisfied.
    stage.expect_at(AFTER, 3, &["seal", "--period", "2026Q4"]);
    let findings = lines(&stage.archives("period-close")[0], "data/results/findings.ndjson");
    assert!(findings.iter().any(|f| f["status"] == "satisfied"), "something can be satisfied");
    for finding in findings.iter().filter(|f| f["status"] == "satisfied") {
        for item in finding["items"].as_array().unwrap() {
            assert_eq!(item["mode"], "automated", "satisfied by an item that nobody confirmed: {finding}");
        }
    }
}

#[test]
fn with_a_word_on_every_manual_item_the_assessment_is_complete() {
    // The one automated check for which the sample deploys no rule; and the one Region that answers for Access Analyzer.
    let stage = Stage::with("healthy.toml", |organization| {
        organization.config.rules.push(toml::from_str("identifier = \"EC2_INSTANCE_PROFILE_ATTACHED\"").unwrap());
    });
    stage.configure(&[
        ("[\"cis-aws-3.0\", \"s3-data-leak\"]", "[\"cis-aws-3.0\"]"),
        ("[\"us-east-1\", \"eu-west-1\"]", "[\"us-east-1\"]"),
    ]);
    stage.expect(0, &["collect"]);
    stage.expect(3, &["assess"]);
    let listed = stage.expect(0, &["evidence", "list", "--json"]).stdout;
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let items: Vec<&str> =
        listed["unanswered"].as_array().unwrap().iter().map(|open| open["item"].as_str().unwrap()).collect();
    assert!(items.len() > 5, "{listed}");
    let row = |item: &str, holds: &str| format!("{item},seen,{holds},auditor@example.com,2026-12-15,2027-06-30\n");
    let sheet = |holds: &dyn Fn(usize) -> &'static str| {
        let rows = items.iter().enumerate().map(|(n, item)| row(item, holds(n)));
        format!("item,statement,holds,by,observed,valid-until\n{}", rows.collect::<String>())
    };
    std::fs::write(stage.path("answers.csv"), sheet(&|_| "yes")).unwrap();
    stage.expect(0, &["evidence", "import", "answers.csv"]);
    stage.run(&["assess", "--out", "answered"]);
    let findings = std::fs::read_to_string(stage.path("answered/results/findings.ndjson")).unwrap();
    let open: Vec<&str> = findings.lines().filter(|line| line.contains("\"status\":\"not-assessed\"")).collect();
    assert!(open.is_empty(), "{open:?}");
    stage.expect(0, &["assess"]);
    // A word against one item outweighs the word for it.
    let against = row(items[0], "no");
    std::fs::write(stage.path("against.csv"), format!("item,statement,holds,by,observed,valid-until\n{against}"))
        .unwrap();
    stage.expect(0, &["evidence", "import", "against.csv"]);
    stage.expect(1, &["assess"]);
    // Words lapse: then the items are open again.
    stage.expect_at("2027-07-01T00:00:00Z", 3, &["status", "--period", "2026Q4"]);
    stage.expect_at(AFTER, 1, &["seal", "--period", "2026Q4"]);
    stage.expect_at(AFTER, 0, &["verify", "evidence", "--trust", "allowed_signers"]);
}

#[test]
fn one_task_at_a_time_or_sixty_four_the_findings_and_the_paths_are_the_same() {
    let outcome = |concurrency: &str| {
        let stage = Stage::new("healthy.toml");
        stage.configure(&[("concurrency  = 64", &format!("concurrency  = {concurrency}"))]);
        stage.expect(0, &["collect"]);
        stage.expect(3, &["assess", "--out", "judged"]);
        let run = &stage.archives("run-close")[0];
        let paths = text(&Command::new("unzip").arg("-Z1").arg(run).output().unwrap().stdout);
        let findings = std::fs::read_to_string(stage.path("judged/results/findings.ndjson")).unwrap();
        (findings, paths)
    };
    let (one, sixty_four) = (outcome("1"), outcome("64"));
    assert_eq!(one.0, sixty_four.0, "findings");
    assert_eq!(one.1, sixty_four.1, "paths");
}

#[test]
fn the_same_evidence_assessed_twice_gives_the_same_bytes() {
    let stage = Stage::new("healthy.toml");
    stage.expect(0, &["collect"]);
    stage.expect(3, &["assess", "--out", "first"]);
    stage.expect(3, &["assess", "--out", "second"]);
    let read = |folder: &str| -> BTreeMap<String, Vec<u8>> {
        let folder = stage.path(folder).join("results");
        let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        files.map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&p).unwrap())).collect()
    };
    let first = read("first");
    assert!(first.len() >= 4);
    assert!(first == read("second"));
}

#[test]
fn aggregator_and_fan_out_see_the_same_organisation() {
    let observed = |mode: &str| {
        let stage = Stage::new("healthy.toml");
        let compliance = format!("compliance   = \"{mode}\"");
        let findings = format!("findings     = \"{mode}\"");
        stage.configure(&[("compliance   = \"auto\"", &compliance), ("findings     = \"auto\"", &findings)]);
        stage.expect(0, &["collect"]);
        stage.expect(3, &["assess", "--out", "judged"]);
        let text = std::fs::read_to_string(stage.path("judged/results/observations.ndjson")).unwrap();
        let mut seen: Vec<String> = text
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap())
            .map(|o| format!("{} {} {} {} {}", o["check"], o["account"], o["region"], o["resource"], o["status"]))
            .collect();
        seen.sort();
        seen
    };
    assert_eq!(observed("central"), observed("fan-out"));
}

#[test]
fn a_stranger_verifies_the_archive_with_stock_tools_alone() {
    let stage = Stage::new("healthy.toml");
    stage.expect(0, &["collect"]);
    let pem = stage.expect(0, &["keys", "show", "--pem"]).stdout;
    std::fs::write(stage.path("seal.pem"), pem).unwrap();
    let archive = &stage.archives("run-close")[0];
    let script = r#"
        set -euo pipefail
        mkdir x && cd x && unzip -q "$ARCHIVE"
        sha256sum --strict --quiet -c tagmanifest-sha256.txt manifest-sha256.txt
        diff <(find data ! -type d|LC_ALL=C sort) <(cut -c67- manifest-sha256.txt|LC_ALL=C sort)
        { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' $(wc -c <seal.json); cat seal.json; } >../pae
        jq -r '.signatures[0].sig' seal.dsse.json | base64 -d >../sig
        openssl dgst -sha256 -verify ../seal.pem -signature ../sig ../pae
        ssh-keygen -Y verify -f ../allowed_signers -I evidence@orgproof -n orgproof-seal-v1 -s seal.json.sig <seal.json
        jq -r 'select(.body)|[.body.path,.body.line,.body.sha256]|@tsv' data/calls.ndjson | sed -n 1,20p |
            while IFS=$'\t' read -r path line sha; do
                printf '%s  -\n' "$sha" >../want
                sed -n "${line}p" "$path" | head -c -1 | sha256sum --status -c ../want
            done
    "#;
    let output = Command::new("bash")
        .args(["-c", script])
        .env("ARCHIVE", Path::new(archive))
        .current_dir(stage.folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
