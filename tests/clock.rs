//! A clock that is not the machine's is never used in silence.
#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::process::Command;

fn said(clock: Option<&str>) -> String {
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_orgproof"));
    command.args(["--quiet", "verify"]).arg(empty.path()).env_remove("ORGPROOF_CLOCK");
    command.envs(clock.map(|clock| ("ORGPROOF_CLOCK", clock)));
    String::from_utf8(command.output().unwrap().stderr).unwrap()
}

#[test]
fn verify_says_by_which_clock_it_judges_what_is_overdue() {
    let overridden = said(Some("2026-12-31T06:00:00Z"));
    assert!(overridden.contains("ORGPROOF_CLOCK") && overridden.contains("2026-12-31T06:00:"), "{overridden}");
    assert!(!said(None).contains("ORGPROOF_CLOCK"));
}
