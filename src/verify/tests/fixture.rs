//! A small organisation's runs, sealed for real, and the tools to damage them.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use jiff::{Timestamp, ToSpan};

use crate::{
    archive::{
        FileSink, Reader, Staging,
        chain::{Chain, Facts, Sealed},
    },
    model::{
        BodyRef, Call, Collector, Coverage, CoverageState, Exchange, Mode, Period, PlannedTask, Sha256Digest, TaskId,
    },
    sign::{Algorithm, FileSigner, Signer},
    store,
    verify::{Depth, Options, Reperform, Report, Trust, verify},
};

pub(super) const SALT: [u8; 32] = [5; 32];

pub(super) struct Fixture {
    pub(super) folder: tempfile::TempDir,
    pub(super) algorithm: Algorithm,
}

pub(super) fn at(minutes: i64) -> Timestamp {
    "2026-10-01T00:00:00Z".parse::<Timestamp>().unwrap() + minutes.minutes()
}

pub(super) fn task(account: &str, collector: Collector) -> PlannedTask {
    let task: TaskId = format!("{account}/eu-west-1/{collector}").parse().unwrap();
    PlannedTask {
        account: task.account.clone(),
        region: task.region.clone(),
        collector,
        task,
        mode: Mode::FanOut,
        region_named: true,
        out_of_scope: None,
    }
}

fn line<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).unwrap();
    bytes.push(b'\n');
    bytes
}

fn call(task: &TaskId, seq: u64, minutes: i64, body: Option<BodyRef>) -> Call {
    Call {
        task: task.clone(),
        seq,
        time: at(minutes),
        request_id: Some(format!("req-{seq}")),
        principal: "arn:aws:sts::111111111111:assumed-role/Audit/run".to_owned(),
        service: "config".to_owned(),
        operation: "DescribeConfigRules".to_owned(),
        endpoint_region: "eu-west-1".to_owned(),
        request: None,
        page: 0,
        attempt: 1,
        status: Some(if body.is_some() { 200 } else { 403 }),
        error: body.is_none().then(|| "AccessDenied".to_owned()),
        body,
    }
}

/// Two accounts: one collected (two pages, one of them stored as base64), one denied.
pub(super) fn stage_run(folder: &Path, minutes: i64) -> Staging {
    let staging = Staging::create(folder).unwrap();
    let (good, bad) = (task("111111111111", Collector::ConfigRules), task("222222222222", Collector::ConfigRules));
    let (plan, mut coverage, mut calls) = ([line(&good), line(&bad)].concat(), Vec::new(), Vec::new());
    staging.add("data/plan.ndjson", &plan).unwrap();
    let path = "data/bodies/111111111111/eu-west-1.000.ndjson";
    let mut bodies = staging.writer(path).unwrap();
    let page = format!("{{\"ConfigRules\":[{{\"n\":9007199254740993,\"minute\":{minutes}}}]}}").into_bytes();
    let odd = b"{\n \"ConfigRules\": []}".to_vec();
    for (seq, (body, encoding)) in [(page, None), (odd, Some("base64"))].into_iter().enumerate() {
        let sha256 = Sha256Digest::of(&body);
        let stored = if encoding.is_some() {
            <base64ct::Base64 as base64ct::Encoding>::encode_string(&body)
        } else {
            String::from_utf8(body).unwrap()
        };
        writeln!(bodies, "{stored}").unwrap();
        let at = BodyRef { path: path.to_owned(), line: bodies.lines(), sha256, encoding: encoding.map(str::to_owned) };
        calls.extend(line(&call(&good.task, seq as u64, minutes, Some(at))));
    }
    bodies.finish().unwrap();
    calls.extend(line(&call(&bad.task, 0, minutes, None)));
    coverage.extend(line(&Coverage::close(&good, CoverageState::Collected, None, None, 2)));
    coverage.extend(line(&Coverage::close(&bad, CoverageState::Denied, Some("AccessDenied".into()), None, 1)));
    staging.add("data/calls.ndjson", &calls).unwrap();
    staging.add("data/coverage.ndjson", &coverage).unwrap();
    staging.add("data/inputs/configuration.toml", b"[organization]\n").unwrap();
    staging
}

/// "Verdicts": the pages, counted. Enough to see whether they follow from the evidence.
pub(super) struct PageCounter;

fn count_pages(evidence: &[&Reader]) -> Vec<(String, Vec<u8>)> {
    let mut observations = Vec::new();
    for reader in evidence {
        reader
            .exchanges(|exchange: Exchange<'_>| {
                if let Some(evidence) = exchange.evidence() {
                    let status = if exchange.body.is_empty() { "fail" } else { "pass" };
                    let account = &exchange.call.task.account;
                    observations.extend(line(&serde_json::json!({
                        "check": "page", "account": account, "status": status, "evidence": evidence,
                    })));
                }
                Ok::<(), crate::archive::ArchiveError>(())
            })
            .unwrap();
    }
    let finding = serde_json::json!({"framework": "f", "requirement": "1", "status": "satisfied", "why": "w"});
    vec![
        ("data/results/findings.ndjson".to_owned(), line(&finding)),
        ("data/results/observations.ndjson".to_owned(), observations),
    ]
}

impl Reperform for PageCounter {
    fn semantics(&self) -> u32 {
        1
    }
    fn results(&self, _: &Reader, evidence: &[&Reader], sink: &mut dyn FileSink) -> Result<(), String> {
        for (path, bytes) in count_pages(evidence) {
            sink.add(&path, &bytes).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

pub(super) fn facts(minutes: i64) -> Facts {
    let mut facts = Facts::new(1, at(minutes), at(minutes + 5));
    facts.period = Some(Period { label: "2026Q4".to_owned(), from: at(0), to: at(60 * 24 * 92) });
    facts.configuration = Some(Sha256Digest::of("configuration"));
    facts.catalog = Some(Sha256Digest::of("catalog"));
    facts
}

pub(super) fn signer(algorithm: Algorithm) -> FileSigner {
    FileSigner::from_seed(algorithm, &[3; 32]).unwrap()
}

impl Fixture {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), algorithm }
    }

    /// A store with `runs` daily runs and a closed period.
    pub(super) fn with_runs(runs: i64) -> Self {
        let fixture = Self::new(Algorithm::P256);
        for day in 0..runs {
            fixture.run(day);
        }
        fixture.close(runs);
        fixture
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path("evidence")
    }

    pub(super) fn chain(&self) -> Chain {
        self.chain_by(signer(self.algorithm))
    }

    pub(super) fn chain_by(&self, signer: FileSigner) -> Chain {
        let store = store::open("file:evidence", self.folder.path()).unwrap();
        Chain::open(store, Box::new(signer), &[1; 16]).unwrap()
    }

    pub(super) fn run(&self, day: i64) -> Sealed {
        self.run_by(signer(self.algorithm), day)
    }

    pub(super) fn run_by(&self, signer: FileSigner, day: i64) -> Sealed {
        let minutes = day * 24 * 60;
        let staging = stage_run(&self.path("staging"), minutes);
        let mut chain = self.chain_by(signer);
        let mut facts = facts(minutes);
        facts.run = Some(format!("run-{day}"));
        chain.open_run(&facts).unwrap();
        chain.plan(staging.get("data/plan.ndjson").unwrap().sha256, &facts).unwrap();
        facts.next_run_expected_by = Some(at(minutes + 25 * 60));
        let sealed = chain.close_run(&staging, &facts, &SALT).unwrap();
        staging.remove().unwrap();
        sealed
    }

    pub(super) fn close(&self, day: i64) -> Sealed {
        let staging = Staging::create(&self.path("staging")).unwrap();
        let mut chain = self.chain();
        let mut facts = facts(day * 24 * 60);
        let mut evidence = Vec::new();
        for link in chain.links().iter().filter(|l| l.seal().kind == crate::archive::Kind::RunClose) {
            facts.evidence.push(link.digest);
            let name = crate::archive::chain::archive_of(link).unwrap();
            evidence.push(crate::archive::chain::open_archive(chain.store(), &name).unwrap());
        }
        let list: Vec<u8> = facts.evidence.iter().flat_map(|d| line(&serde_json::json!({ "seal": d }))).collect();
        staging.add("data/evidence.ndjson", &list).unwrap();
        for (path, bytes) in count_pages(&evidence.iter().collect::<Vec<_>>()) {
            staging.add(&path, &bytes).unwrap();
        }
        let sealed = chain.period_close(&staging, &facts, &SALT).unwrap();
        staging.remove().unwrap();
        sealed
    }

    pub(super) fn archive(&self, name: &str) -> PathBuf {
        self.store().join("archives").join(name)
    }

    pub(super) fn options(&self) -> Options {
        Options {
            trust: Trust::key(signer(self.algorithm).public_key()),
            depth: Depth::Replay,
            checkpoint: None,
            now: at(0),
        }
    }

    pub(super) fn verify(&self, inputs: &[PathBuf]) -> Report {
        verify(inputs, &self.options(), Some(&PageCounter))
    }

    /// Unpacks an archive of the store into a folder, to be damaged there.
    pub(super) fn unpack(&self, name: &str) -> PathBuf {
        let target = self.path("unpacked");
        let reader = Reader::open(&self.archive(name)).unwrap();
        for file in reader.names() {
            let place = target.join(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, reader.bytes(file).unwrap()).unwrap();
        }
        target
    }
}

pub(super) fn codes(report: &Report) -> Vec<&'static str> {
    report.problems.iter().map(|p| p.code).collect()
}

/// Replaces the first occurrence of `from` in a file.
pub(super) fn edit(path: &Path, from: &str, to: &str) {
    let mut text = String::new();
    fs::File::open(path).unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains(from), "{} does not hold {from:?}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}
