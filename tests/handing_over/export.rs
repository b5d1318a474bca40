//! An encrypted copy for the auditor: what stock `age` makes of it must be what was exported, byte for byte, and verify.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::{period, stage, support::text};

fn tool(folder: &Path, script: &str) -> Output {
    Command::new("bash").args(["-euo", "pipefail", "-c", script]).current_dir(folder).output().unwrap()
}

fn ok(output: Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// A folder with keys that stock tools made: an age identity, two SSH keys, and one that nothing is encrypted to.
fn keys() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    ok(tool(
        folder.path(),
        "age-keygen -o age.key 2>/dev/null; age-keygen -o other.key 2>/dev/null; age-keygen -y age.key > age.pub
         ssh-keygen -q -t ed25519 -N '' -f ed; ssh-keygen -q -t rsa -b 2048 -N '' -f rsa
         { echo '# the auditors'; cat rsa.pub; } > auditors",
    ));
    folder
}

#[test]
fn every_recipient_decrypts_the_archive_with_stock_age_and_it_verifies() {
    let keys = keys();
    let (archive, copy) = (period(), keys.path().join("copy.age"));
    let read = |name: &str| fs::read_to_string(keys.path().join(name)).unwrap().trim().to_owned();
    let (age, ed, auditors) = (read("age.pub"), read("ed.pub"), keys.path().join("auditors"));
    let to = ["--to", &age, "--to", &ed, "--to", auditors.to_str().unwrap()];
    let arguments = [&["export", archive.to_str().unwrap(), "--out", copy.to_str().unwrap()], to.as_slice()].concat();
    let said = text(&stage().expect(0, &arguments).stderr);
    let seal = orgproof::archive::Reader::open(&archive).unwrap().seal_digest().to_string();
    assert!(said.contains(&seal) && said.contains("3 recipients") && said.contains("age -d -i"), "{said}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&copy).unwrap().permissions()) & 0o777, 0o600);
    for key in ["age.key", "ed", "rsa"] {
        ok(tool(keys.path(), &format!("age -d -i {key} -o {key}.zip copy.age")));
        assert_eq!(fs::read(keys.path().join(format!("{key}.zip"))).unwrap(), fs::read(&archive).unwrap(), "{key}");
    }
    let plain = keys.path().join("ed.zip");
    stage().expect(5, &["verify", plain.to_str().unwrap(), "--trust", "allowed_signers"]);
    assert!(!tool(keys.path(), "age -d -i other.key copy.age").status.success(), "who was not named can decrypt it");
    // Never over another file, and nothing is left behind by a refusal.
    stage().expect(2, &arguments);
    let refused = keys.path().join("refused.age");
    let private = keys.path().join("age.key");
    for to in [private.to_str().unwrap(), "age1nonsense", "nobody"] {
        let arguments = ["export", archive.to_str().unwrap(), "--to", to, "--out", refused.to_str().unwrap()];
        let said = text(&stage().expect(2, &arguments).stderr);
        assert!(!said.contains("AGE-SECRET-KEY") && !refused.exists(), "{said}");
    }
}

#[test]
fn a_whole_store_is_unpacked_with_stock_tools_and_verifies() {
    let keys = keys();
    let (store, copy) = (stage().path("evidence"), keys.path().join("store.age"));
    let to = fs::read_to_string(keys.path().join("age.pub")).unwrap();
    let arguments = ["export", store.to_str().unwrap(), "--to", to.trim(), "--out", copy.to_str().unwrap()];
    stage().expect(0, &arguments);
    ok(tool(keys.path(), "age -d -i age.key store.age | tar -x"));
    let unpacked = keys.path().join("evidence");
    let differs = format!("diff -r -x .lock -x work {} {}", store.display(), unpacked.display());
    assert_eq!(ok(tool(keys.path(), &differs)), "");
    stage().expect_at(super::support::AFTER, 0, &["verify", unpacked.to_str().unwrap(), "--trust", "allowed_signers"]);
}
