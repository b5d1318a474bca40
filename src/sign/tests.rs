//! Keys on disk, and the three protocols held against openssl, ssh-keygen and each other.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use super::{Access, Algorithm, FileSigner, PublicKey, SignError, Signer, dsse, generate, note, open, sshsig};
use crate::model::Sha256Digest;

const BOTH: [Algorithm; 2] = [Algorithm::P256, Algorithm::Ed25519];

fn openssl(folder: &Path, args: &[&str]) {
    let output = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_generated_key_is_private_never_overwritten_and_reads_back() {
    for algorithm in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/seal.pem");
        let public = generate(&path, algorithm, &[7; 32], None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        assert!(matches!(generate(&path, algorithm, &[8; 32], None), Err(SignError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), before);
        let signer = open("file:keys/seal.pem", &Access::files(folder.path())).unwrap();
        assert_eq!(*signer.public_key(), public);
        assert_eq!(PublicKey::from_pem(&public.to_pem()).unwrap(), public);
        assert_eq!(PublicKey::from_ssh_blob(&public.ssh_blob()).unwrap(), public);
        assert!(!format!("{signer:?}").contains("07070707"), "Debug shows no secret");
    }
}

#[test]
fn a_key_made_by_openssl_opens_and_what_is_no_key_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    openssl(folder.path(), &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "p256"]);
    openssl(folder.path(), &["genpkey", "-algorithm", "ed25519", "-out", "ed"]);
    openssl(folder.path(), &["pkey", "-in", "p256", "-pubout", "-out", "public"]);
    openssl(folder.path(), &["pkcs8", "-topk8", "-in", "p256", "-passout", "pass:x", "-out", "encrypted"]);
    openssl(folder.path(), &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "p384"]);
    fs::write(at("text"), "hello").unwrap();
    fs::write(at("bytes"), [0xff; 100]).unwrap();
    fs::create_dir(at("folder")).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o700)).unwrap();
    }
    for good in ["p256", "ed"] {
        open(&format!("file:{good}"), &Access::files(folder.path())).unwrap();
    }
    for (bad, why) in [
        ("public", "public half"),
        ("encrypted", if cfg!(feature = "encrypted-keys") { "ORGPROOF_KEY_PASSPHRASE" } else { "encrypted-keys" }),
        ("p384", "neither"),
        ("text", "no -----BEGIN"),
        ("bytes", "not a PEM"),
        ("folder", "not a file"),
        ("absent", "No such file"),
    ] {
        let message = open(&format!("file:{bad}"), &Access::files(folder.path())).unwrap_err().to_string();
        assert!(message.contains(why) && message.contains(bad), "{bad}: {message}");
    }
    fs::set_permissions(at("p256"), fs::Permissions::from_mode(0o640)).unwrap();
    let message = open("file:p256", &Access::files(folder.path())).unwrap_err().to_string();
    assert!(message.contains("chmod 600"), "{message}");
    assert!(matches!(open("vault:x", &Access::files(folder.path())), Err(SignError::Scheme { .. })));
    assert!(matches!(open("file:", &Access::files(folder.path())), Err(SignError::Scheme { .. })));
}

#[test]
fn a_signature_holds_for_its_bytes_its_key_and_its_protocol_only() {
    for algorithm in BOTH {
        let signer = FileSigner::from_seed(algorithm, &[3; 32]).unwrap();
        let other = FileSigner::from_seed(algorithm, &[4; 32]).unwrap();
        let key = signer.public_key();
        let envelope = dsse::seal(&signer, b"{}").unwrap();
        assert_eq!(dsse::verify(&envelope, key).unwrap(), b"{}");
        assert!(dsse::verify(&envelope, other.public_key()).is_err());

        let armoured = sshsig::sign(&signer, "orgproof-seal-v1", b"{}").unwrap();
        let signature = sshsig::SshSignature::parse(&armoured).unwrap();
        assert_eq!(signature.key, *key);
        signature.verify("orgproof-seal-v1", b"{}").unwrap();
        assert!(signature.verify("orgproof-seal-v1", b"{} ").is_err());
        assert!(signature.verify("git", b"{}").is_err());

        let checkpoint = note::Checkpoint { origin: "orgproof/x".to_owned(), size: 3, root: Sha256Digest::of("root") };
        let text = checkpoint.sign(&signer).unwrap();
        assert_eq!(note::Checkpoint::verify(&text, key).unwrap(), checkpoint);
        assert!(note::Checkpoint::verify(&text, other.public_key()).is_err());
        assert!(note::Checkpoint::verify(&text.replacen("\n3\n", "\n4\n", 1), key).is_err());
        assert!(note::Checkpoint::verify(&text.replacen("\n3\n", "\n03\n", 1), key).is_err());
    }
}

#[test]
fn half_a_signature_is_none_and_nothing_panics_on_garbage() {
    for algorithm in BOTH {
        let signer = FileSigner::from_seed(algorithm, &[3; 32]).unwrap();
        let armoured = sshsig::sign(&signer, "orgproof-seal-v1", b"{}").unwrap();
        let checkpoint = note::Checkpoint { origin: "o".to_owned(), size: 1, root: Sha256Digest::of("") };
        let text = checkpoint.sign(&signer).unwrap();
        let envelope = dsse::seal(&signer, b"{}").unwrap();
        for cut in 0..armoured.len() - 1 {
            assert!(sshsig::SshSignature::parse(&armoured[..cut]).is_err(), "{cut}");
        }
        for cut in (0..text.len()).filter(|n| text.is_char_boundary(*n)) {
            assert!(note::Checkpoint::verify(&text[..cut], signer.public_key()).is_err(), "{cut}");
        }
        for cut in 0..envelope.len() - 1 {
            assert!(dsse::parse(&envelope[..cut]).is_err(), "{cut}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn parsers_of_foreign_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = sshsig::SshSignature::parse(&text);
        let _ = note::Checkpoint::parse(&text);
        let _ = dsse::parse(&bytes);
        let _ = PublicKey::from_ssh_blob(&bytes);
        let _ = PublicKey::from_spki_der(&bytes);
        let _ = PublicKey::from_pem(&text);
        let _ = crate::archive::TlogProof::parse(&text);
        let _ = crate::archive::Statement::parse(&bytes);
        let _ = crate::archive::manifest::parse("m", &bytes);
    }
}
