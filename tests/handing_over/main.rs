//! What leaves the house: proofs of single records, and encrypted copies; checked with stock tools, and attacked.
#![cfg(feature = "aws")]
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[cfg(feature = "age")]
mod export;
mod proofs;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each test program uses its part of the stage")]
mod support;

use std::{fs, path::PathBuf, sync::OnceLock};

use support::{AFTER, Stage};

/// One organisation, two runs, one closed period, for all tests of this program.
fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        let stage = Stage::new("demo.toml");
        stage.expect(3, &["collect"]);
        stage.expect(3, &["collect"]);
        stage.expect_at(AFTER, 3, &["seal", "--period", "2026Q4"]);
        let key = stage.expect(0, &["keys", "show", "--pem"]);
        fs::write(stage.path("seal.pem"), key.stdout).unwrap();
        stage
    })
}

fn period() -> PathBuf {
    stage().archives("period-close").remove(0)
}
