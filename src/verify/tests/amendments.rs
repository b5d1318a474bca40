//! Amend archives: genuine ones pass, each damage is named, and no assessment may leave one out.

use std::{fs, path::Path};

use jiff::ToSpan;

use super::{
    attacks::{reseal, rewrite_manifests},
    fixture::{Fixture, SALT, at, codes, edit, facts, signer},
};
use crate::{
    archive::{Kind, Staging, chain::Sealed},
    audit::amend::{Addition, Document, Sealing, Signed, amend},
    model::{Amendment, Attestation, Exception, Revocation, Sha256Digest},
    sign::{Algorithm, FileSigner, Signer, approvers::APPROVAL_NAMESPACE, sshsig},
    verify::Report,
};

const AMEND: &str = "00000000-amend.zip";
const LINES: &str = "data/amendments.ndjson";

pub(super) fn exception() -> Amendment {
    Amendment::Exception(Exception {
        id: "E-1".into(),
        check: "page".into(),
        account: "111111111111".parse().ok(),
        ou: None,
        tag: None,
        region: None,
        resource: None,
        owner: "owner@x".into(),
        approver: "boss@x".into(),
        reason: "for a test".into(),
        compensating: None,
        from: None,
        expires: at(60 * 24 * 365),
    })
}

fn boss() -> FileSigner {
    FileSigner::from_seed(Algorithm::Ed25519, &[7; 32]).unwrap()
}

/// An exception with its approver's signature, and an attestation with a document.
pub(super) fn addition(folder: &Path) -> Addition {
    let document = folder.join("minutes of ..\\the (meeting).pdf");
    fs::write(&document, b"%PDF minutes").unwrap();
    let document = Document::open(&document).unwrap();
    let attestation = Amendment::Attestation(Attestation {
        id: "A-1".into(),
        framework: "f".into(),
        requirement: "1".into(),
        item: "1".into(),
        statement: "seen".into(),
        holds: true,
        by: "auditor@x".into(),
        observed: at(0),
        valid_until: at(60 * 24 * 90),
        files: vec![document.attached.clone()],
    });
    let bytes = exception().line().unwrap();
    let signature = sshsig::sign(&boss(), APPROVAL_NAMESPACE, &bytes).unwrap().into_bytes();
    let key = boss();
    let line = key.public_key().allowed_signers("boss@x").replace("orgproof-seal-v1", APPROVAL_NAMESPACE);
    Addition {
        amendments: vec![exception(), attestation],
        documents: vec![document],
        signatures: vec![Signed { amendment: exception(), bytes, signature }],
        approvers: Some(line.into_bytes()),
    }
}

pub(super) fn seal(fixture: &Fixture, minutes: i64, addition: &Addition) -> Sealed {
    let staging = Staging::create(&fixture.path("staging")).unwrap();
    let sealing = Sealing {
        now: at(minutes),
        salt_key: SALT,
        configuration: Sha256Digest::of("configuration"),
        catalog: Sha256Digest::of("catalog"),
        overridden: vec![],
        tool: facts(0).tool,
    };
    let sealed = amend(&mut fixture.chain(), &staging, addition, &sealing).unwrap();
    staging.remove().unwrap();
    sealed
}

fn genuine() -> Fixture {
    let fixture = Fixture::new(Algorithm::P256);
    let added = addition(fixture.folder.path());
    seal(&fixture, 1, &added);
    fixture
}

/// Damages an unpacked amend archive as somebody who has the sealing key could, so that only the rules of the kind are left.
fn resealed(damage: impl FnOnce(&Path)) -> Report {
    let fixture = genuine();
    let folder = fixture.unpack(AMEND);
    assert!(fixture.verify(std::slice::from_ref(&folder)).is_clean(), "genuine before the damage");
    damage(&folder);
    rewrite_manifests(&folder);
    reseal(&folder, &signer(Algorithm::P256), |_| ());
    let report = fixture.verify(&[folder]);
    assert_eq!(report.exit_code, 4, "{}", report.render());
    report
}

#[test]
fn a_genuine_amend_archive_verifies_alone_and_in_its_store() {
    let fixture = genuine();
    let report = fixture.verify(&[fixture.store()]);
    assert!(report.is_clean(), "{}", report.render());
    let report = fixture.verify(&[fixture.archive(AMEND)]);
    assert!(report.is_clean() && report.archives[0].kind == Kind::Amend, "{}", report.render());
}

#[test]
fn whoever_has_no_key_changes_nothing_unnoticed() {
    let fixture = genuine();
    for (file, from, to) in [
        (LINES, "for a test", "for a jest"),
        ("data/approvals/E-1.sig", "SIGNATURE", "SIGNATUR3"),
        ("data/inputs/approvers", "boss", "loss"),
    ] {
        let folder = fixture.unpack(AMEND);
        edit(&folder.join(file), from, to);
        let report = fixture.verify(&[folder]);
        assert!(codes(&report).contains(&"file-changed"), "{file}: {}", report.render());
    }
}

#[test]
fn whoever_has_the_key_is_held_to_the_rules_of_the_kind() {
    type Damage = fn(&Path);
    let attacks: [(&str, &str, Damage); 10] = [
        ("approval-invalid", "the approved words changed", |f| edit(&f.join(LINES), "for a test", "for a jest")),
        ("approval-invalid", "another approver", |f| edit(&f.join("data/inputs/approvers"), "boss@x", "loss@x")),
        ("approval-invalid", "no approvers file", |f| fs::remove_file(f.join("data/inputs/approvers")).unwrap()),
        ("content-malformed", "no signature", |f| fs::remove_file(f.join("data/approvals/E-1.sig")).unwrap()),
        ("amendment-malformed", "a document nobody names", |f| fs::write(f.join("data/files/x"), "x").unwrap()),
        ("amendment-malformed", "a signature nobody names", |f| {
            fs::write(f.join("data/approvals/E-2.sig"), "x").unwrap()
        }),
        ("amendment-malformed", "a run's file", |f| fs::write(f.join("data/calls.ndjson"), "").unwrap()),
        ("amendment-malformed", "two lines of one id", |f| edit(&f.join(LINES), "\"A-1\"", "\"E-1\"")),
        ("amendment-malformed", "seen after it was sealed", |f| {
            edit(&f.join(LINES), "\"observed\":\"2026-10-01T00:00:00Z\"", "\"observed\":\"2026-10-02T00:00:00Z\"")
        }),
        ("content-malformed", "an unknown kind", |f| edit(&f.join(LINES), "\"exception\"", "\"pardon\"")),
    ];
    for (code, what, damage) in attacks {
        let report = resealed(damage);
        assert!(codes(&report).contains(&code), "{what}: {}", report.render());
    }
    let document = |f: &Path| {
        let folder = f.join("data/files");
        fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
    };
    let report = resealed(|f| fs::write(document(f), b"%PDF other").unwrap());
    assert!(codes(&report).contains(&"amendment-malformed"), "{}", report.render());
}

#[test]
fn a_document_of_the_same_size_under_a_foreign_hash_is_found() {
    let report = resealed(|f| {
        let folder = f.join("data/files");
        let path = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        fs::write(path, b"%PDF minuteS").unwrap();
    });
    assert!(codes(&report).contains(&"amendment-malformed"), "{}", report.render());
}

#[test]
fn an_assessment_that_leaves_a_revocation_out_is_found() {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.run(0);
    let revocation = Revocation { id: "R-1".into(), of: "E-1".into(), by: "b".into(), reason: "r".into(), at: at(9) };
    let added = Addition { amendments: vec![Amendment::Revocation(revocation)], ..Addition::default() };
    let sealed = seal(&fixture, 10, &added);
    // The fixture's close reads runs alone.
    fixture.close(1);
    let report = fixture.verify(&[fixture.store()]);
    let left = report.problems.iter().find(|p| p.code == "amendment-left-out").unwrap();
    assert_eq!(left.expected.as_deref(), Some(sealed.digest.to_string().as_str()), "{}", report.render());
}

#[test]
fn a_signature_that_proves_nothing_is_never_sealed() {
    let fixture = Fixture::new(Algorithm::P256);
    let good = addition(fixture.folder.path());
    let refused = |change: &dyn Fn(&mut Addition)| {
        let mut bad = Addition {
            amendments: good.amendments.clone(),
            documents: good.documents.clone(),
            signatures: good.signatures.clone(),
            approvers: good.approvers.clone(),
        };
        change(&mut bad);
        let staging = tempfile::tempdir().unwrap();
        let staging = Staging::create(&staging.path().join("s")).unwrap();
        let sealing = Sealing {
            now: at(0).saturating_add(1.minutes()).unwrap(),
            salt_key: SALT,
            configuration: Sha256Digest::of(""),
            catalog: Sha256Digest::of(""),
            overridden: vec![],
            tool: facts(0).tool,
        };
        amend(&mut fixture.chain(), &staging, &bad, &sealing).unwrap_err().to_string()
    };
    assert!(refused(&|a| a.approvers = None).contains("no approvers file"));
    assert!(refused(&|a| a.approvers = Some(b"# nobody\n".to_vec())).contains("names no"));
    assert!(refused(&|a| a.signatures[0].bytes.push(b' ')).contains("does not hold"));
    assert!(
        !fixture.store().join("chain").exists()
            || fs::read_dir(fixture.store().join("chain")).unwrap().next().is_none()
    );
}
