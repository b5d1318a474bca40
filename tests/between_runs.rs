//! `status`, `diff` and `sample` through the binary, over a store of small sealed archives: what a lead and an auditor see.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use jiff::Timestamp;
use orgproof::{
    archive::{
        Staging,
        chain::{Chain, Facts},
    },
    audit::results_files,
    model::{
        AccountId, Assessment, BodyRef, Call, Collector, Coverage, CoverageState, Mode, Period, PlannedTask,
        Sha256Digest, TaskId,
    },
    sign, store,
};
use serde_json::{Value, json};

const HOME: &str = "us-east-1";
const A: &str = "111111111111";
const B: &str = "222222222222";
const CHECK: &str = "securityhub/S3.8";

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.expect("2026-10-01T00:00:00Z", 0, &["init"]);
        desk.expect("2026-10-01T00:00:00Z", 0, &["keys", "generate", "--out", "keys/seal.pem"]);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn expect(&self, now: &str, code: i32, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_orgproof"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("ORGPROOF_CLOCK", now)
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n--- stdout\n{out}\n--- stderr\n{err}");
        output
    }

    fn json(&self, now: &str, code: i32, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_slice(&self.expect(now, code, &arguments).stdout).unwrap()
    }

    fn chain(&self) -> Chain {
        let signer = sign::open("file:keys/seal.pem", &sign::Access::files(self.folder.path())).unwrap();
        Chain::open(store::open("file:evidence", self.folder.path()).unwrap(), signer, &[1; 16]).unwrap()
    }

    /// A run of that day: the organisation as given, and B's rules in `state`.
    fn run(&self, at: &str, organization: &[(&str, Value, Value)], state: CoverageState) {
        let staging = Staging::create(&self.path("staging")).unwrap();
        let (org, rules) = (task(A, Collector::Organization), task(B, Collector::ConfigRules));
        staging.add("data/plan.ndjson", &lines(&[&org, &rules])).unwrap();
        let path = format!("data/bodies/{A}/{HOME}.000.ndjson");
        let mut bodies = staging.writer(&path).unwrap();
        let mut calls = Vec::new();
        for (seq, (operation, request, body)) in organization.iter().enumerate() {
            let body = body.to_string();
            writeln!(bodies, "{body}").unwrap();
            let sha256 = Sha256Digest::of(&body);
            let body = BodyRef { path: path.clone(), line: bodies.lines(), sha256, encoding: None };
            calls.push(call(&org.task, seq as u64, at, operation, request, body));
        }
        bodies.finish().unwrap();
        let error = (state == CoverageState::Denied).then(|| "AccessDenied".to_owned());
        let ledger = [
            Coverage::close(&org, CoverageState::Collected, None, None, calls.len() as u64),
            Coverage::close(&rules, state, error, None, 0),
        ];
        staging.add("data/calls.ndjson", &lines(&calls)).unwrap();
        staging.add("data/coverage.ndjson", &lines(&ledger)).unwrap();
        let mut facts = facts(at);
        facts.run = Some(format!("run-{}", &at[..10]));
        let mut chain = self.chain();
        chain.open_run(&facts).unwrap();
        chain.plan(staging.get("data/plan.ndjson").unwrap().sha256, &facts).unwrap();
        facts.next_run_expected_by = Some(time(at) + jiff::SignedDuration::from_hours(30));
        chain.close_run(&staging, &facts, &[5; 32]).unwrap();
        staging.remove().unwrap();
    }

    /// An assessment archive with `results` as its observation lines.
    fn assess(&self, at: &str, assessment: &Assessment) -> PathBuf {
        let staging = Staging::create(&self.path("staging")).unwrap();
        staging.add("data/evidence.ndjson", b"").unwrap();
        for (path, bytes) in results_files(assessment).unwrap() {
            staging.add(&path, &bytes).unwrap();
        }
        let sealed = self.chain().assessment(&staging, &facts(at), &[5; 32]).unwrap();
        staging.remove().unwrap();
        self.path("evidence").join(sealed.archive.unwrap())
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn period() -> Period {
    Period { label: "2026Q4".to_owned(), from: time("2026-10-01T00:00:00Z"), to: time("2027-01-01T00:00:00Z") }
}

fn facts(at: &str) -> Facts {
    let mut facts = Facts::new(1, time(at), time(at));
    facts.period = Some(period());
    facts.configuration = Some(Sha256Digest::of("configuration"));
    facts.catalog = Some(Sha256Digest::of("catalog"));
    facts
}

fn task(account: &str, collector: Collector) -> PlannedTask {
    let task: TaskId = format!("{account}/{HOME}/{collector}").parse().unwrap();
    PlannedTask {
        account: task.account.clone(),
        region: task.region.clone(),
        collector,
        task,
        mode: Mode::Central,
        region_named: true,
        out_of_scope: None,
    }
}

fn lines<T: serde::Serialize>(values: &[T]) -> Vec<u8> {
    values.iter().flat_map(|v| [serde_json::to_vec(v).unwrap(), b"\n".to_vec()].concat()).collect()
}

fn call(task: &TaskId, seq: u64, at: &str, operation: &str, request: &Value, body: BodyRef) -> Call {
    serde_json::from_value(json!({
        "task": task, "seq": seq, "time": at, "request_id": format!("req-{seq}"), "principal": "arn:aws:sts::1:assumed-role/Audit/run",
        "service": "organizations", "operation": operation, "endpoint_region": HOME, "request": request, "page": 0, "attempt": 1,
        "status": 200, "error": null, "body": body,
    }))
    .unwrap()
}

/// Answers of Organizations: two accounts, and the policies (id, document, where attached).
fn organization(b: &str, policies: &[(&str, &str, &[&str])]) -> Vec<(&'static str, Value, Value)> {
    let accounts =
        json!([{"Id": A, "Name": "management", "State": "ACTIVE"}, {"Id": B, "Name": "b\u{1b}[2J", "State": b}]);
    let summary = |id: &str| json!({"Id": id, "Name": "guard", "Type": "SERVICE_CONTROL_POLICY"});
    let mut answers = vec![
        (
            "DescribeOrganization",
            json!({}),
            json!({"Organization": {"Id": "o-1", "MasterAccountId": A, "FeatureSet": "ALL"}}),
        ),
        (
            "ListRoots",
            json!({}),
            json!({"Roots": [{"Id": "r-1", "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]}]}),
        ),
        ("ListAccounts", json!({}), json!({"Accounts": accounts})),
        ("ListAccountsForParent", json!({"ParentId": "r-1"}), json!({"Accounts": accounts})),
        (
            "ListPolicies",
            json!({"Filter": "SERVICE_CONTROL_POLICY"}),
            json!({"Policies": policies.iter().map(|p| summary(p.0)).collect::<Vec<_>>()}),
        ),
    ];
    for (id, document, targets) in policies {
        let targets: Vec<Value> = targets.iter().map(|t| json!({"TargetId": t, "Type": "ROOT"})).collect();
        answers.push((
            "DescribePolicy",
            json!({"PolicyId": id}),
            json!({"Policy": {"PolicySummary": summary(id), "Content": document}}),
        ));
        answers.push(("ListTargetsForPolicy", json!({"PolicyId": id}), json!({"Targets": targets})));
    }
    answers
}

#[test]
fn status_names_gaps_since_when_missed_runs_days_without_one_and_a_request_to_send() {
    let desk = Desk::new();
    let org = organization("ACTIVE", &[]);
    desk.run("2026-10-01T06:00:00Z", &org, CoverageState::Empty);
    let calm = desk.json("2026-10-01T12:00:00Z", 0, &["status"]);
    assert_eq!(calm["newest"]["gaps"], json!([]));
    desk.run("2026-10-02T06:00:00Z", &org, CoverageState::Denied);
    desk.run("2026-10-05T06:00:00Z", &org, CoverageState::Denied);

    let now = "2026-10-06T08:00:00Z";
    let status = desk.json(now, 3, &["status"]);
    assert_eq!(status["days"]["unobserved"], json!(["2026-10-03", "2026-10-04"]));
    assert_eq!(status["days"]["today"], json!(["2026-10-06", false]));
    assert_eq!(status["missed"].as_array().unwrap().len(), 1, "{}", status["missed"]);
    assert_eq!(status["missed"][0]["began"], "2026-10-05T06:00:00Z");
    assert_eq!(status["next"]["by"], "2026-10-06T12:00:00Z");
    let gap = &status["newest"]["gaps"][0];
    assert_eq!((gap["cause"].as_str(), gap["tasks"].as_u64()), (Some("denied"), Some(1)));
    assert!(gap["request"].as_str().unwrap().contains(B), "{gap}");
    assert_eq!(gap["standing"][0]["first_seen"], "2026-10-02T06:00:00Z");
    assert_eq!(gap["standing"][0]["since_the_first_run"], false);
    let people = String::from_utf8(desk.expect(now, 3, &["status"]).stdout).unwrap();
    for words in ["2026-10-03 to 2026-10-04", "request, ready to send", "can be closed from 2027-01-01", "for 2 runs"] {
        assert!(people.contains(words), "{words:?} is not in\n{people}");
    }
    assert!(!people.contains('\u{1b}'), "an account's name drives the terminal");
    assert_eq!(desk.json("2026-10-06T13:00:00Z", 3, &["status"])["next"]["overdue"], true);

    std::fs::remove_file(desk.path("evidence/archives/00000005-run-close.zip")).unwrap();
    let codes: Vec<Value> = desk.json(now, 3, &["status"])["refusals"].as_array().unwrap().clone();
    assert!(codes.iter().any(|r| r["code"] == "archive-missing"), "a lost archive is not passed over: {codes:?}");
}

#[test]
fn status_of_a_store_without_runs_says_that_nothing_is_known() {
    let desk = Desk::new();
    let status = desk.json("2026-10-03T00:00:00Z", 3, &["status"]);
    assert_eq!(status["newest"], Value::Null);
    assert_eq!(status["days"]["unobserved"].as_array().unwrap().len(), 2);
    assert_eq!(status["refusals"][0]["code"], "no-run");
}

#[test]
fn diff_of_two_runs_shows_accounts_guardrails_and_gaps() {
    let desk = Desk::new();
    let full: (&str, &str, &[&str]) = ("p-full", "{\"a\":1}", &["r-1"]);
    desk.run("2026-10-01T06:00:00Z", &organization("ACTIVE", &[full, ("p-old", "{}", &["r-1"])]), CoverageState::Empty);
    let changed: (&str, &str, &[&str]) = ("p-full", "{\"a\":2}", &[]);
    desk.run("2026-10-02T06:00:00Z", &organization("SUSPENDED", &[changed]), CoverageState::Denied);
    let now = "2026-10-02T07:00:00Z";
    let diff = desk.json(now, 0, &["diff", "evidence"]);
    let diff = &diff["diff"];
    let has = |part: &str, kind: &str, subject: &str, what: &str| {
        let list = diff[part].as_array().unwrap();
        assert!(
            list.iter()
                .any(|c| c["kind"] == kind && c["what"] == what && c["subject"].as_str().unwrap().contains(subject)),
            "{kind} {subject} {what} is not in {list:#?}"
        );
    };
    has("accounts", "changed", B, "state");
    has("guardrails", "changed", "p-full", "document");
    has("guardrails", "gone", "p-full", "attachment");
    has("guardrails", "gone", "p-old", "policy");
    has("coverage", "not-observed", B, "coverage");
    assert_eq!((&diff["requirements"], &diff["resources"]), (&Value::Null, &Value::Null), "runs hold no verdicts");
    let people = String::from_utf8(desk.expect(now, 0, &["diff", "evidence"]).stdout).unwrap();
    assert!(people.contains("document: ") && !people.contains('\u{1b}'), "{people}");
}

fn assessment(statuses: &[&str]) -> Assessment {
    let result = |(n, status): (usize, &&str)| {
        json!({"check": if n % 5 == 4 { "securityhub/S3.80" } else { CHECK }, "account": A, "region": HOME,
            "resource": {"type": "AWS::S3::Bucket", "id": format!("=bucket {n} \\ \"q\"")}, "status": status, "why": "seen"})
    };
    serde_json::from_value(json!({
        "header": {"semantics": 1, "period": period(), "catalog": Sha256Digest::of("catalog"), "evidence": [], "run": "run",
            "closed": "2026-10-01T00:00:00Z", "frameworks": {}, "overridden": []},
        "organization": {"id": "o-1", "management_account": A, "feature_set": "ALL", "roots": [], "units": [], "accounts": [],
            "policies": [], "services": []},
        "coverage": [], "findings": [], "checks": {}, "discrepancies": [],
        "results": statuses.iter().enumerate().map(result).collect::<Vec<_>>(),
    }))
    .unwrap()
}

#[test]
fn diff_of_two_assessments_shows_what_was_not_assessed_as_not_observed() {
    let desk = Desk::new();
    let before = desk.assess("2026-10-01T00:00:00Z", &assessment(&["pass", "fail", "pass"]));
    let after = desk.assess("2026-10-02T00:00:00Z", &assessment(&["fail", "not-assessed", "pass"]));
    let paths = [before.display().to_string(), after.display().to_string()];
    let diff = desk.json("2026-10-03T00:00:00Z", 0, &["diff", &paths[0], &paths[1]]);
    let kinds: Vec<&Value> = diff["diff"]["resources"].as_array().unwrap().iter().map(|c| &c["kind"]).collect();
    assert_eq!(kinds, ["changed", "not-observed"]);
    let run = desk.path("evidence").display().to_string();
    desk.expect("2026-10-03T00:00:00Z", 2, &["diff", &run]);
}

/// The method of the command's help, in the shell.
const BY_HAND: &str = r#"
export LC_ALL=C
unzip -p "$1" 'data/results/observations*.ndjson' | grep -F "{\"check\":\"$2\"," > "$5/population"
sha256sum "$5/population" | cut -c1-64
while IFS= read -r record; do
  digest=$(printf %s "$record" | sha256sum | cut -c1-64)
  printf '%s\n%s' "$3" "$digest" | sha256sum | cut -c1-64 | sed "s/$/ $digest/"
done < "$5/population" | sort | head -n "$4"
"#;

fn by_hand(archive: &Path, seed: &str, size: &str, folder: &Path) -> Vec<String> {
    let output = Command::new("bash")
        .args(["-c", BY_HAND, "by-hand"])
        .args([archive.as_os_str(), CHECK.as_ref(), seed.as_ref(), size.as_ref(), folder.as_os_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_sample_is_drawn_again_with_sha256sum_and_sort() {
    let desk = Desk::new();
    let statuses: Vec<&str> = (0..40).map(|n| ["pass", "pass", "fail", "not-assessed"][n % 4]).collect();
    let archive = desk.assess("2026-10-01T00:00:00Z", &assessment(&statuses));
    let (name, now) = (archive.display().to_string(), "2026-10-03T00:00:00Z");
    let frozen = desk.json(now, 0, &["sample", &name, "--check", CHECK]);
    assert_eq!((frozen["population"]["count"].as_u64(), &frozen["selected"]), (Some(32), &Value::Null));
    for seed in ["4711", "a seed with $ and \\n"] {
        let by_hand = by_hand(&archive, seed, "7", desk.folder.path());
        let drawn = desk.json(now, 0, &["sample", &name, "--check", CHECK, "--size", "7", "--seed", seed]);
        assert_eq!(frozen["population"], drawn["population"], "what was frozen is what is drawn from");
        assert_eq!(drawn["population"]["sha256"], by_hand[0].as_str());
        let ours: Vec<String> = drawn["selected"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| format!("{} {}", s["rank"].as_str().unwrap(), s["record"].as_str().unwrap()))
            .collect();
        assert_eq!(ours, by_hand[1..], "seed {seed:?}");
        assert_eq!(ours.len(), 7);
    }
    let csv = desk.expect(now, 0, &["sample", &name, "--check", CHECK, "--size", "50", "--seed", "4711"]);
    let mut rows = csv::Reader::from_reader(csv.stdout.as_slice());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 32, "a size beyond the population draws all of it");
    assert!(rows.iter().all(|row| row[9].starts_with("'=")), "no field is a formula");
    desk.expect(now, 2, &["sample", &name, "--check", "securityhub/S3.9", "--size", "1", "--seed", "x"]);
    desk.expect(now, 2, &["sample", &name, "--check", CHECK, "--size", "0", "--seed", "x"]);
    let account: AccountId = A.parse().unwrap();
    assert_eq!(&rows[0][6], account.as_str());
}
