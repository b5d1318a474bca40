//! The stock tools, with the very commands of the VERIFY.md that an archive carries.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::{
    amendments,
    fixture::{Fixture, edit, signer},
};
use crate::{
    archive::Reader,
    sign::{Algorithm, Signer},
};

/// Returns the bash blocks of the archive's own VERIFY.md as one script.
fn script(archive: &Path) -> String {
    let guide = String::from_utf8(Reader::open(archive).unwrap().bytes("VERIFY.md").unwrap()).unwrap();
    let mut script = String::new();
    let mut inside = false;
    for line in guide.lines() {
        match line {
            "```bash" => inside = true,
            "```" => inside = false,
            _ if inside => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
    }
    assert!(script.lines().count() > 60, "the blocks were not found:\n{guide}");
    script
}

/// What the auditor has: the archive, and beside it the two files handed over by another way.
fn desk(fixture: &Fixture, archive: &str) -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    fs::copy(fixture.archive(archive), desk.path().join(archive)).unwrap();
    let signer = signer(fixture.algorithm);
    fs::write(desk.path().join("seal.pem"), signer.public_key().to_pem()).unwrap();
    fs::write(desk.path().join("allowed_signers"), signer.public_key().allowed_signers("evidence@example.org"))
        .unwrap();
    desk
}

fn run(desk: &Path, script: &str) -> Output {
    fs::write(desk.join("verify.sh"), script).unwrap();
    Command::new("bash").args(["-euo", "pipefail", "verify.sh"]).current_dir(desk).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_commands_of_verify_md_succeed_on_genuine_archives_with_either_kind_of_key() {
    for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
        let fixture = Fixture::new(algorithm);
        fixture.run(0);
        fixture.run(1);
        fixture.close(2);
        for archive in ["00000002-run-close.zip", "00000005-run-close.zip", "00000006-period-close.zip"] {
            let desk = desk(&fixture, archive);
            let output = run(desk.path(), &script(&fixture.archive(archive)));
            assert!(output.status.success(), "{algorithm} {archive}:\n{}", text(&output));
            if archive.contains("run-close") {
                assert!(text(&output).contains("denied\t222222222222/eu-west-1/config-rules"), "{}", text(&output));
            }
        }
    }
}

#[test]
fn the_commands_of_an_amend_archive_check_documents_and_approvals_too() {
    let fixture = Fixture::new(Algorithm::P256);
    amendments::seal(&fixture, 1, &amendments::addition(fixture.folder.path()));
    let name = "00000000-amend.zip";
    let genuine = script(&fixture.archive(name));
    let desk = desk(&fixture, name);
    let output = run(desk.path(), &genuine);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("Good \"orgproof-approval-v1\" signature for boss@x"), "{}", text(&output));
    // What the manifests would find too is damaged after they were checked.
    let last = "find data/files";
    for (what, damage) in [
        ("the approved line", "sed -i 's/for a test/for a jest/' data/amendments.ndjson"),
        ("a document", "for f in data/files/*; do echo x > $f; done"),
        ("the approver", "sed -i s/boss@x/loss@x/ data/inputs/approvers"),
    ] {
        let damaged = genuine.replacen(last, &format!("{damage}\n{last}"), 1);
        assert_ne!(damaged, genuine);
        assert!(!run(desk.path(), &damaged).status.success(), "{what}");
    }
}

#[test]
fn the_commands_of_verify_md_find_what_was_changed() {
    let fixture = Fixture::with_runs(1);
    let name = "00000002-run-close.zip";
    let genuine = script(&fixture.archive(name));
    let attacks: [(&str, &str); 6] = [
        ("one byte of a file", "sed -i s/minute/minutE/ data/bodies/111111111111/eu-west-1.000.ndjson"),
        ("a file is added", "echo {} > data/extra.ndjson"),
        ("a file is removed", "rm data/calls.ndjson"),
        ("a file at the root", "echo > README"),
        ("a link", "ln -s /etc/passwd data/passwd"),
        ("the seal", "sed -i s/run-0/run-9/ seal.json"),
    ];
    for (what, damage) in attacks {
        let desk = desk(&fixture, name);
        // The damage is done after unpacking, so that the zip itself stays well-formed.
        let damaged = genuine.replacen("cd \"$SCRATCH/x\"\n", &format!("cd \"$SCRATCH/x\"\n{damage}\n"), 1);
        assert_ne!(damaged, genuine);
        let output = run(desk.path(), &damaged);
        assert!(!output.status.success(), "{what} was not found:\n{}", text(&output));
    }
    let desk = desk(&fixture, name);
    let other = crate::sign::FileSigner::from_seed(Algorithm::P256, &[4; 32]).unwrap();
    fs::write(desk.path().join("allowed_signers"), other.public_key().allowed_signers("evidence@example.org")).unwrap();
    assert!(!run(desk.path(), &genuine).status.success(), "another key than the trusted one");
}

#[test]
fn the_checkpoint_of_another_state_is_found_by_the_shell_too() {
    let fixture = Fixture::with_runs(2);
    let folder = fixture.unpack("00000002-run-close.zip");
    edit(&folder.join("seal.tlog-proof"), "index 2", "index 1");
    let desk = desk(&fixture, "00000002-run-close.zip");
    let damage = format!("cd \"$SCRATCH/x\"\ncp {}/seal.tlog-proof .\n", folder.display());
    let script = script(&fixture.archive("00000002-run-close.zip")).replacen("cd \"$SCRATCH/x\"\n", &damage, 1);
    assert!(!run(desk.path(), &script).status.success());
}
