//! A whole route over an S3 store, through the binary: collect, status, seal, verify, report, diff, sample; and what a bucket that
//! does not lock is told.
#![cfg(feature = "aws")]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[expect(dead_code, reason = "each test program uses its part of the stage")]
mod support;

use orgproof_emulator::Bucket;
use support::{AFTER, Stage, text};

const URL: &str = "s3://evidence-bucket/org";

fn stage(change: impl FnOnce(&mut Bucket)) -> Stage {
    let stage = Stage::with("healthy.toml", |organization| {
        let mut bucket = Bucket {
            name: "evidence-bucket".to_owned(),
            account: organization.audit.clone(),
            region: "eu-west-1".to_owned(),
            versioning: true,
            object_lock: true,
            policy: None,
            public_access_block: true,
        };
        change(&mut bucket);
        organization.buckets.push(bucket);
    });
    stage.configure(&[
        ("\"file:evidence\"             # where", &format!("\"{URL}\" # where")),
        ("# retention  = \"7y\"", "retention  = \"7y\""),
    ]);
    stage
}

#[test]
fn the_whole_route_over_a_bucket_that_locks() {
    let stage = stage(|_| {});
    stage.expect(0, &["collect"]);
    stage.expect(0, &["collect"]);
    stage.expect(3, &["assess"]);
    let status = stage.expect(3, &["status"]);
    assert!(text(&status.stdout).contains("Runs: 2 closed"), "{}", text(&status.stdout));
    stage.expect_at(AFTER, 3, &["seal", "--period", "2026Q4"]);
    let verified = stage.expect_at(AFTER, 0, &["verify", URL, "--trust", "allowed_signers", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert!(report["archives"].as_array().unwrap().iter().any(|a| a["reperformed"] == true), "{report}");

    let bucket = "evidence-bucket";
    let keys = stage.emulator.object_keys(bucket);
    let archive = keys.iter().find(|k| k.ends_with("period-close.zip")).unwrap();
    let url = format!("s3://{bucket}/{archive}");
    stage.expect_at(AFTER, 0, &["verify", &url, "--trust", "allowed_signers", "--depth", "bytes"]);
    stage.expect(0, &["report", URL, "--format", "csv", "--out", "csv"]);
    stage.expect(0, &["report", &url, "--format", "csv", "--out", "csv2"]);
    stage.expect(0, &["diff", URL]);
    stage.expect(0, &["sample", URL, "--check", "config/S3_BUCKET_PUBLIC_READ_PROHIBITED"]);
    for key in keys.iter().filter(|k| !k.ends_with(".lock") && !k.ends_with("checkpoint")) {
        let versions = stage.emulator.object_versions(bucket, key);
        assert_eq!(versions.len(), 1, "{key} was written once");
        // The last day of 2033.
        let locked = versions[0].locked_until.unwrap().as_second();
        assert!(locked >= 2_019_600_000, "{key} is locked for seven years");
    }
    assert_eq!(stage.emulator.unserved(), Vec::<String>::new());
    assert!(!stage.path("evidence").exists(), "nothing was written beside the bucket");
}

#[test]
fn a_bucket_that_does_not_lock_is_refused_before_anything_is_written() {
    let stage = stage(|bucket| bucket.object_lock = false);
    let said = stage.expect(2, &["collect"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("Object Lock not enabled and versioning Enabled"), "{said}");
    assert_eq!(stage.emulator.object_keys("evidence-bucket"), Vec::<String>::new());
}
