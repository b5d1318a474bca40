//! Encrypted key files, both ways with openssl; and a passphrase that shows itself nowhere.

#![cfg(feature = "encrypted-keys")]
use std::{cell::Cell, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use super::{Access, Algorithm, Encryption, Passphrase, SignError, Signer, generate, open};

const SECRET: &str = "correct horse, battery staple é";

fn openssl(folder: &Path, args: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn secret(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes().to_vec()).unwrap()
}

fn open_with(folder: &Path, name: &str, passphrase: &str) -> Result<Box<dyn Signer>, SignError> {
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    let given = |_: &str| Ok(secret(passphrase));
    open(&format!("file:{name}"), &Access { passphrase: &given, ..Access::files(folder) })
}

#[test]
fn what_openssl_encrypts_opens_here_by_each_of_its_ways() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let pass = format!("pass:{SECRET}");
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    openssl(f, &[&["genpkey"], &curve[..], &["-out", "plain"]].concat());
    openssl(f, &["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", &pass, "-out", "ed"]);
    openssl(f, &[&["genpkey"], &curve[..], &["-aes-256-cbc", "-pass", &pass, "-out", "genpkey"]].concat());
    for (name, more) in [
        ("default", vec![]),
        ("aes256", vec!["-v2", "aes256"]),
        ("aes128", vec!["-v2", "aes-128-cbc", "-iter", "10000"]),
        ("sha512", vec!["-v2", "aes256", "-v2prf", "hmacWithSHA512"]),
        ("scrypt", vec!["-scrypt"]),
    ] {
        let topk8 = ["pkcs8", "-topk8", "-in", "plain", "-out", name, "-passout", &pass];
        openssl(f, &[&topk8[..], &more].concat());
        let signer = open_with(f, name, SECRET).unwrap_or_else(|e| panic!("{name}: {e}"));
        let plain = open_with(f, "plain", "").unwrap_or_else(|_| open("file:plain", &Access::files(f)).unwrap());
        assert_eq!(signer.public_key(), plain.public_key(), "{name}");
    }
    assert_eq!(open_with(f, "ed", SECRET).unwrap().public_key().algorithm(), Algorithm::Ed25519);
    assert_eq!(open_with(f, "genpkey", SECRET).unwrap().public_key().algorithm(), Algorithm::P256);
}

#[test]
fn what_we_encrypt_opens_in_openssl_which_signs_with_it() {
    for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path();
        let encryption = Encryption { passphrase: &secret(SECRET), random: &[9; 32] };
        let public = generate(&f.join("key"), algorithm, &[7; 32], Some(&encryption)).unwrap();
        assert_eq!(fs::metadata(f.join("key")).unwrap().permissions().mode() & 0o777, 0o600);
        let pem = fs::read_to_string(f.join("key")).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let pass = format!("pass:{SECRET}");
        let theirs = openssl(f, &["pkey", "-in", "key", "-passin", &pass, "-pubout"]);
        assert_eq!(String::from_utf8(theirs).unwrap(), public.to_pem());
        let parsed = String::from_utf8(openssl(f, &["asn1parse", "-in", "key"])).unwrap();
        for part in ["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0"] {
            assert!(parsed.contains(part), "{part} (0x927C0 rounds are 600,000): {parsed}");
        }
        fs::write(f.join("message"), "signed by openssl").unwrap();
        let sign = ["pkeyutl", "-sign", "-rawin", "-in", "message", "-inkey", "key", "-passin", &pass, "-out", "sig"];
        openssl(f, &sign);
        public.verify(b"signed by openssl", &fs::read(f.join("sig")).unwrap()).unwrap();
        let signer = open_with(f, "key", SECRET).unwrap();
        public.verify(b"x", &signer.sign(b"x").unwrap()).unwrap();
        // Another salt, another file; the same randomness, the same bytes.
        let other = Encryption { passphrase: &secret(SECRET), random: &[8; 32] };
        generate(&f.join("other"), algorithm, &[7; 32], Some(&other)).unwrap();
        generate(&f.join("same"), algorithm, &[7; 32], Some(&encryption)).unwrap();
        assert_ne!(fs::read_to_string(f.join("other")).unwrap(), pem);
        assert_eq!(fs::read_to_string(f.join("same")).unwrap(), pem);
    }
}

#[test]
fn a_wrong_passphrase_or_a_damaged_file_opens_nothing_and_the_passphrase_is_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let encryption = Encryption { passphrase: &secret(SECRET), random: &[9; 32] };
    generate(&f.join("key"), Algorithm::P256, &[7; 32], Some(&encryption)).unwrap();
    let wrong = format!("{SECRET}!");
    let error = open_with(f, "key", &wrong).unwrap_err();
    assert!(error.to_string().contains("the passphrase is wrong, or the file is damaged"), "{error}");
    let shown =
        format!("{error} {error:?} {:?} {:?} {:?}", secret(SECRET), encryption, open_with(f, "key", SECRET).unwrap());
    assert!(!shown.contains("battery"), "{shown}");
    // Cut, or a letter changed: an error, no panic, no key.
    let pem = fs::read_to_string(f.join("key")).unwrap();
    let body: Vec<usize> = pem.char_indices().skip(38).map(|(i, _)| i).step_by(45).take(6).collect();
    for at in body {
        let mut bytes = pem.clone().into_bytes();
        if bytes[at].is_ascii_alphanumeric() {
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            fs::write(f.join("damaged"), &bytes).unwrap();
            let opened = open_with(f, "damaged", SECRET);
            assert!(opened.is_err(), "letter {at}");
            fs::write(f.join("damaged"), &bytes[..at]).unwrap();
            assert!(open_with(f, "damaged", SECRET).is_err());
        }
    }
}

#[test]
fn what_asks_for_too_much_work_or_is_broken_is_refused_before_any_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    openssl(f, &["genpkey", "-algorithm", "ed25519", "-out", "plain"]);
    let topk8 = ["pkcs8", "-topk8", "-in", "plain", "-passout", "pass:x"];
    openssl(f, &[&topk8[..], &["-scrypt", "-scrypt_N", "8192", "-scrypt_r", "8", "-out", "fits"]].concat());
    open_with(f, "fits", "x").unwrap();
    // Some 8,300,000 rounds, written into a file that was made with fewer.
    openssl(f, &[&topk8[..], &["-v2", "aes256", "-iter", "66051", "-out", "rounds"]].concat());
    let body: String = fs::read_to_string(f.join("rounds")).unwrap().lines().filter(|l| !l.starts_with('-')).collect();
    let mut der = <base64ct::Base64 as base64ct::Encoding>::decode_vec(&body).unwrap();
    let at = der.windows(3).position(|w| w == [1, 2, 3]).unwrap();
    der[at] = 0x7f;
    let text = <base64ct::Base64 as base64ct::Encoding>::encode_string(&der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect();
    let pem =
        format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY-----\n", lines.join("\n"));
    fs::write(f.join("rounds"), pem).unwrap();
    let error = open_with(f, "rounds", "x").unwrap_err().to_string();
    assert!(error.contains("more work than is accepted"), "{error}");
    openssl(f, &[&topk8[..], &["-v1", "PBE-SHA1-3DES", "-out", "old"]].concat());
    let error = open_with(f, "old", "x").unwrap_err().to_string();
    assert!(error.contains("openssl pkcs8 -topk8 -v2 aes256"), "{error}");
}

#[test]
fn the_passphrase_is_asked_for_encrypted_files_only_and_its_own_file_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    generate(&f.join("plain"), Algorithm::P256, &[7; 32], None).unwrap();
    let asked = Cell::new(0);
    let count = |_: &str| {
        asked.set(asked.get() + 1);
        Ok(secret("x"))
    };
    open("file:plain", &Access { passphrase: &count, ..Access::files(f) }).unwrap();
    assert_eq!(asked.get(), 0);
    let file = |name: &str, content: &[u8], mode: u32| {
        fs::write(f.join(name), content).unwrap();
        fs::set_permissions(f.join(name), fs::Permissions::from_mode(mode)).unwrap();
        Passphrase::from_file(&f.join(name))
    };
    for content in [&b"x y"[..], b"x y\n", b"x y\r\n", b"x y\nsecond line\n"] {
        assert!(file("good", content, 0o600).unwrap().is(&secret("x y")), "{content:?}");
    }
    assert!(matches!(file("open", b"x", 0o644), Err(SignError::Mode { .. })));
    for bad in [&b""[..], b"\nx", &[b'x'; 5000]] {
        assert!(matches!(file("bad", bad, 0o600), Err(SignError::NoPassphrase { .. })));
    }
    assert!(Passphrase::from_file(&f.join("absent")).is_err());
}
