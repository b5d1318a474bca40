//! KMS over HTTP, scripted: what is asked, what is believed, and what is said of each refusal.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use super::*;
use crate::{
    archive::chain::{Chain, Facts},
    aws::loopback::{Asked, Loopback, ROLE_TOKEN, Say},
    sign::{FileSigner, dsse, note, sshsig},
    store::memory::MemoryStore,
};

const ARN: &str = "arn:aws:kms:us-east-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// The key that lies in this KMS.
fn inside() -> FileSigner {
    FileSigner::from_seed(Algorithm::P256, &[6; 32]).unwrap()
}

fn metadata() -> Value {
    json!({
        "KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "Arn": ARN, "Enabled": true, "KeyState": "Enabled", "KeyUsage": "SIGN_VERIFY",
        "KeySpec": "ECC_NIST_P256", "SigningAlgorithms": ["ECDSA_SHA_256"], "Origin": "AWS_KMS",
    })
}

/// Answers as KMS does. A digest is signed as it is: the test's key signs the message that the digest is of, where it is known.
fn kms(asked: &Asked, key: &Value) -> Say {
    let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    match asked.operation.as_str() {
        "DescribeKey" => Say::Ok(json!({ "KeyMetadata": key }).to_string()),
        "GetPublicKey" => {
            assert_eq!(body["KeyId"], ARN, "the ARN is pinned, not the alias");
            Say::Ok(
                json!({ "KeyId": ARN, "PublicKey": Base64::encode_string(inside().public_key().spki_der()) })
                    .to_string(),
            )
        }
        "Sign" => {
            assert_eq!((&body["MessageType"], &body["SigningAlgorithm"]), (&json!("DIGEST"), &json!("ECDSA_SHA_256")));
            assert_eq!(body["KeyId"], ARN);
            let digest = Base64::decode_vec(body["Message"].as_str().unwrap()).unwrap();
            let secret = p256::ecdsa::SigningKey::from_slice(&[6; 32]).unwrap();
            let signature: p256::ecdsa::Signature =
                p256::ecdsa::signature::hazmat::PrehashSigner::sign_prehash(&secret, &digest).unwrap();
            Say::Ok(
                json!({ "KeyId": ARN, "Signature": Base64::encode_string(signature.to_der().as_bytes()) }).to_string(),
            )
        }
        _ => Say::Ok(String::new()),
    }
}

async fn open(aws: &Loopback, role: Option<&'static str>) -> Result<KmsSigner, SignError> {
    let sdk = aws.sdk().await;
    KmsSigner::start("awskms:///alias/seal".to_owned(), "alias/seal".to_owned(), async move {
        aws::signing_over(&sdk, role).await.map_err(|said| explain::role(role, &said))
    })
}

/// Opens with one answer changed, and returns what the person is told.
async fn refusal(key: Value, say: impl Fn(&Asked) -> Option<Say> + Send + Sync + 'static) -> String {
    let aws = Loopback::start(move |asked| say(asked).unwrap_or_else(|| kms(asked, &key))).await;
    open(&aws, None).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kms_signs_holds_in_all_three_protocols_whatever_its_length() {
    let aws = Loopback::start(|asked| kms(asked, &metadata())).await;
    let signer = open(&aws, None).await.unwrap();
    let key = signer.public_key().clone();
    assert_eq!((key.fingerprint(), signer.assurance()), (inside().public_key().fingerprint(), "kms"));
    for length in [0, 1, 4096, 4097, 100_000] {
        let message = vec![b'x'; length];
        key.verify(&message, &signer.sign(&message).unwrap()).unwrap();
        dsse::verify(&dsse::seal(&signer, &message).unwrap(), &key).unwrap();
        let armoured = sshsig::sign(&signer, sshsig::SEAL_NAMESPACE, &message).unwrap();
        sshsig::SshSignature::parse(&armoured).unwrap().verify(sshsig::SEAL_NAMESPACE, &message).unwrap();
    }
    let checkpoint =
        note::Checkpoint { origin: "orgproof/x".to_owned(), size: 1, root: crate::model::Sha256Digest::of("") };
    note::Checkpoint::verify(&checkpoint.sign(&signer).unwrap(), &key).unwrap();
    assert_eq!((aws.count("DescribeKey"), aws.count("GetPublicKey"), aws.count("AssumeRole")), (1, 1, 0));
    let shown = format!("{signer:?}");
    assert!(shown.contains("awskms:///alias/seal") && !shown.contains("secret"), "{shown}");
}

/// As a run does: the chain is written from within the runtime that collects.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_sealed_from_within_a_runtime() {
    let aws = Loopback::start(|asked| kms(asked, &metadata())).await;
    let signer = open(&aws, None).await.unwrap();
    let store = MemoryStore::default();
    let at = "2026-10-01T00:00:00Z".parse().unwrap();
    tokio::spawn({
        let store = store.clone();
        async move {
            let mut chain = Chain::open(Box::new(store), Box::new(signer), &[1; 16]).unwrap();
            chain.open_run(&Facts::new(1, at, at)).unwrap();
        }
    })
    .await
    .unwrap();
    let links = crate::archive::chain::read(&store).unwrap();
    assert_eq!((links.len(), links[0].seal().key.assurance.as_str()), (1, "kms"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_seal_is_refused_before_its_first_use_with_the_reason() {
    for (field, value, why) in [
        ("KeyState", json!("Disabled"), "its state is Disabled, not Enabled. Enable it"),
        ("KeyState", json!("PendingDeletion"), "cancel its deletion"),
        ("KeyUsage", json!("ENCRYPT_DECRYPT"), "KeyUsage ENCRYPT_DECRYPT"),
        ("KeyUsage", json!("GENERATE_VERIFY_MAC"), "not SIGN_VERIFY"),
        ("KeySpec", json!("RSA_2048"), "KeySpec RSA_2048"),
        ("KeySpec", json!("ECC_NIST_P384"), "--key-spec ECC_NIST_P256"),
        ("KeySpec", json!("ECC_NIST_EDWARDS25519"), "at most 4,096 bytes"),
        ("SigningAlgorithms", json!(["ECDSA_SHA_384"]), "not SIGN_VERIFY and ECC_NIST_P256"),
        ("Arn", json!(null), "names no ARN"),
    ] {
        let mut key = metadata();
        key[field] = value.clone();
        let message = refusal(key, |_| None).await;
        assert!(message.contains(why) && message.contains("awskms:///alias/seal"), "{field} {value}: {message}");
    }
    // A public half on another curve than was described is not believed.
    let message = refusal(metadata(), |asked| {
        let other = FileSigner::from_seed(Algorithm::Ed25519, &[6; 32]).unwrap();
        let spki = Base64::encode_string(other.public_key().spki_der());
        (asked.operation == "GetPublicKey").then(|| Say::Ok(json!({ "KeyId": ARN, "PublicKey": spki }).to_string()))
    })
    .await;
    assert!(message.contains("no P-256 key"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_material_from_elsewhere_is_not_said_to_have_stayed_in_kms() {
    let mut key = metadata();
    key["Origin"] = json!("EXTERNAL");
    let aws = Loopback::start(move |asked| kms(asked, &key)).await;
    assert_eq!(open(&aws, None).await.unwrap().assurance(), "kms-imported");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_says_the_key_the_cause_and_the_next_step() {
    for (operation, code, next) in [
        ("DescribeKey", "AccessDeniedException", "Allow kms:DescribeKey, kms:GetPublicKey and kms:Sign"),
        ("DescribeKey", "NotFoundException", "home_region"),
        ("GetPublicKey", "DisabledException", "kms enable-key"),
        ("GetPublicKey", "KMSInvalidStateException", "cancel its deletion"),
        ("DescribeKey", "UnrecognizedClientException", "sts get-caller-identity"),
    ] {
        let message = refusal(metadata(), move |asked| {
            (asked.operation == operation).then_some(Say::Error(400, code, "the words of KMS"))
        })
        .await;
        for part in ["awskms:///alias/seal", code, "the words of KMS", next] {
            assert!(message.contains(part), "{operation} {code}: {message}");
        }
    }
    let cut = refusal(metadata(), |_| Some(Say::Cut)).await;
    assert!(cut.contains("Check network, proxy"), "{cut}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_of_throttling_is_waited_out_and_a_lasting_refusal_is_told() {
    let count = AtomicUsize::new(0);
    let aws = Loopback::start(move |asked| match asked.operation.as_str() {
        "Sign" => match count.fetch_add(1, Ordering::SeqCst) {
            0 => Say::Error(400, "ThrottlingException", "slow down"),
            1 => kms(asked, &metadata()),
            _ => Say::Error(400, "AccessDeniedException", "no longer"),
        },
        _ => kms(asked, &metadata()),
    })
    .await;
    let signer = open(&aws, None).await.unwrap();
    signer.public_key().verify(b"x", &signer.sign(b"x").unwrap()).unwrap();
    let message = signer.sign(b"x").unwrap_err().to_string();
    assert!(message.starts_with("cannot sign with the key awskms:///alias/seal: AccessDeniedException"), "{message}");
    assert_eq!(aws.count("Sign"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_does_not_verify_here_is_never_believed() {
    let lie = |asked: &Asked, n: usize| {
        let other = FileSigner::from_seed(Algorithm::P256, &[7; 32]).unwrap();
        let signature = match n {
            0 => other.sign(b"message").unwrap(),
            1 => inside().sign(b"another message").unwrap(),
            2 => Vec::new(),
            _ => return kms(asked, &metadata()),
        };
        Say::Ok(json!({ "KeyId": ARN, "Signature": Base64::encode_string(&signature) }).to_string())
    };
    let count = AtomicUsize::new(0);
    let aws = Loopback::start(move |asked| match asked.operation.as_str() {
        "Sign" => lie(asked, count.fetch_add(1, Ordering::SeqCst)),
        _ => kms(asked, &metadata()),
    })
    .await;
    let signer = open(&aws, None).await.unwrap();
    for _ in 0..3 {
        let message = signer.sign(b"message").unwrap_err().to_string();
        assert!(message.contains("no signature by the key that was fetched"), "{message}");
    }
    assert!(signer.sign(b"message").is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signing_role_is_assumed_first_and_signs_and_its_refusal_is_told_as_one() {
    let role = "arn:aws:iam::999999999999:role/Seal";
    let aws = Loopback::start(|asked| kms(asked, &metadata())).await;
    let signer = open(&aws, Some(role)).await.unwrap();
    signer.sign(b"x").unwrap();
    let asked = aws.asked();
    let assumed = asked.iter().find(|a| a.operation == "AssumeRole").unwrap();
    for part in ["role%2FSeal", "RoleSessionName=orgproof-seal", "SourceIdentity=orgproof-seal"] {
        assert!(assumed.body.contains(part), "{}", assumed.body);
    }
    let signed = asked.iter().find(|a| a.operation == "Sign").unwrap();
    assert_eq!(signed.headers.get("x-amz-security-token").map(String::as_str), Some(ROLE_TOKEN));
    let refuse = |asked: &Asked| match asked.operation.as_str() {
        "AssumeRole" => Say::Error(403, "AccessDenied", "not you"),
        _ => kms(asked, &metadata()),
    };
    let aws = Loopback::start(refuse).await;
    let message = open(&aws, Some(role)).await.unwrap_err().to_string();
    for part in [role, "not you", "trust policy"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(aws.count("DescribeKey"), 0, "nothing is asked with other credentials instead");
}
