//! S3's own troubles, over HTTP against the emulator: what is kept, what is said, and that nothing is written twice.

use std::{io::Read, sync::Arc, time::Duration};

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use jiff::{SignedDuration, Timestamp};
use orgproof_emulator::{Bucket, Emulator, Fault, FaultKind, Handle, Options, Organization};

use super::{client::Client, *};
use crate::{
    aws::Background,
    store::{Retention, read_all},
};

const ACCOUNT: &str = "110000000002";
const NOW: &str = "2026-11-25T10:00:00Z";

/// An emulated S3 with one bucket.
pub(crate) struct Stage {
    pub(crate) emulator: Handle,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Bucket)) -> Self {
        let mut bucket = Bucket {
            name: "evidence".to_owned(),
            account: ACCOUNT.to_owned(),
            region: "us-east-1".to_owned(),
            versioning: true,
            object_lock: true,
            policy: None,
            public_access_block: true,
        };
        change(&mut bucket);
        let text = format!(
            "id = \"o-store\"\nmanagement = \"110000000001\"\naudit = \"{ACCOUNT}\"\nhome_region = \"us-east-1\"\n\
             regions = [\"us-east-1\"]\npolicy_types = []\n[[account]]\nid = \"110000000001\"\nname = \"m\"\n[[account]]\nid = \"{ACCOUNT}\"\nname = \"a\"\n"
        );
        let mut organization = Organization::parse(&text).unwrap();
        organization.buckets.push(bucket);
        let options = Options { at: Some(NOW.parse().unwrap()), ..Options::default() };
        Self { emulator: Emulator::start(organization, options).unwrap() }
    }

    pub(crate) fn store(&self) -> S3Store {
        self.open(7).unwrap()
    }

    fn open(&self, holder: u8) -> Result<S3Store, StoreError> {
        let environment = self.emulator.environment();
        let get = |name: &str| environment.iter().find(|(n, _)| n == name).unwrap().1.clone();
        let keys = Credentials::new(get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY"), None, None, "test");
        let background = Background::start("test").unwrap();
        let endpoint = self.emulator.url();
        let sdk = background
            .wait(async move {
                aws_config::defaults(BehaviorVersion::latest())
                    .region(aws_config::Region::new("us-east-1"))
                    .credentials_provider(keys)
                    .endpoint_url(endpoint)
                    .retry_config(aws_config::retry::RetryConfig::disabled())
                    .load()
                    .await
            })
            .unwrap();
        let place = Place::parse("s3://evidence/a/b").unwrap();
        let client = Client::over(&sdk, place, Arc::new(background), Duration::from_millis(1))?;
        let writer = Writer { retention: Some("7y".parse::<Retention>().unwrap()), holder: [holder; 16] };
        Ok(S3Store { client, writer: Some(writer), held: Mutex::default() })
    }

    fn fault(&self, operation: &str, kind: FaultKind, count: Option<u64>) {
        self.emulator.add_fault(Fault {
            service: Some("s3".to_owned()),
            operation: Some(operation.to_owned()),
            account: None,
            region: None,
            kind,
            rate: 1.0,
            after: 0,
            count,
            milliseconds: 0,
        });
    }

    fn asked(&self, operation: &str) -> usize {
        self.emulator.requests().iter().filter(|r| r.operation == operation).count()
    }

    fn pass(&self, seconds: i64) {
        let now: Timestamp = NOW.parse().unwrap();
        self.emulator.set_clock(now.checked_add(SignedDuration::from_secs(seconds)).unwrap());
    }

    fn versions(&self, name: &str) -> Vec<orgproof_emulator::ObjectVersion> {
        self.emulator.object_versions("evidence", &format!("a/b/{name}"))
    }

    /// Deletes as somebody with the keys would.
    fn delete(&self, store: &S3Store, name: &str, version: Option<String>) -> Result<(), Refusal> {
        let (s3, key) = (store.client.s3.clone(), store.client.place.key(name));
        let request = s3.delete_object().bucket("evidence").key(key).set_version_id(version);
        store.client.ask(move || request.clone().send()).unwrap().map(drop)
    }
}

fn large() -> Vec<u8> {
    (0..6_000_000_u32).map(|n| (n % 251) as u8).collect()
}

#[test]
fn what_is_written_is_locked_for_the_retention_by_s3s_clock() {
    let stage = Stage::new();
    let store = stage.store();
    store.put_new("small", &mut &b"x"[..]).unwrap();
    store.put_new("large", &mut large().as_slice()).unwrap();
    store.replace("checkpoint", b"1").unwrap();
    let until: Timestamp = "2033-11-25T10:00:00Z".parse().unwrap();
    for name in ["small", "large"] {
        let versions = stage.versions(name);
        assert_eq!(versions.len(), 1);
        let locked = versions[0].locked_until.unwrap();
        assert!(locked >= until && locked <= until.checked_add(SignedDuration::from_secs(120)).unwrap(), "{locked}");
        assert!(versions[0].sha256.is_some(), "a checksum that S3 checked goes with it");
        let refused = stage.delete(&store, name, Some(versions[0].id.clone())).unwrap_err();
        assert_eq!(refused.status, Some(403), "{name}");
    }
    assert_eq!(stage.versions("checkpoint")[0].locked_until, None);
    assert_eq!(stage.emulator.unserved(), Vec::<String>::new());
}

/// Each trouble of a write, how the write must end, and that the object is there once or not at all.
#[test]
fn the_fault_table_of_a_write() {
    use FaultKind as F;
    let table: &[(F, Option<u64>, bool)] = &[
        (F::Throttle, Some(2), true),
        (F::Internal, Some(2), true),
        (F::Unavailable, Some(2), true),
        (F::Conflict, Some(2), true),
        (F::Lost, Some(1), true),
        (F::Vanish, Some(1), true),
        (F::Lost, None, true),
        (F::Vanish, None, true),
        (F::Throttle, None, false),
        (F::Internal, None, false),
        (F::Conflict, None, false),
        (F::Deny, None, false),
    ];
    let stage = Stage::new();
    let store = stage.store();
    for (n, (kind, count, kept)) in table.iter().enumerate() {
        for (operation, size, content) in
            [("PutObject", "small", b"ours".to_vec()), ("CompleteMultipartUpload", "large", large())]
        {
            let name = format!("{size}-{n}");
            stage.fault(operation, *kind, *count);
            let written = store.put_new(&name, &mut content.as_slice());
            stage.emulator.clear_faults();
            assert_eq!(written.is_ok(), *kept, "{kind:?} {count:?} {operation}: {written:?}");
            assert_eq!(stage.versions(&name).len(), usize::from(*kept), "{kind:?} {count:?} {operation}");
            if *kept {
                assert!(read_all(&store, &name, 1 << 26).unwrap() == content);
            } else {
                let said = written.unwrap_err().to_string();
                assert!(said.contains(&name) && said.contains("s3://evidence/a/b"), "{said}");
                store.put_new(&name, &mut content.as_slice()).unwrap();
            }
        }
    }
    assert_eq!(store.tampering().unwrap(), [], "nothing was written twice");
}

#[test]
fn a_name_that_another_took_during_our_trouble_is_theirs() {
    let stage = Stage::new();
    let (ours, theirs) = (stage.open(1).unwrap(), stage.open(2).unwrap());
    for (name, content) in [("small", b"ours".to_vec()), ("large", large())] {
        theirs.put_new(name, &mut &b"theirs"[..]).unwrap();
        let operation = if name == "small" { "PutObject" } else { "CompleteMultipartUpload" };
        stage.fault(operation, FaultKind::Internal, Some(1));
        assert!(matches!(ours.put_new(name, &mut content.as_slice()), Err(StoreError::AlreadyExists { .. })), "{name}");
        assert_eq!(read_all(&ours, name, 100).unwrap(), b"theirs");
    }
}

#[test]
fn a_part_that_fails_is_sent_again_and_a_failed_upload_leaves_nothing() {
    let stage = Stage::new();
    let store = stage.store();
    stage.fault("UploadPart", FaultKind::Vanish, Some(2));
    store.put_new("large", &mut large().as_slice()).unwrap();
    assert!(read_all(&store, "large", 1 << 26).unwrap() == large());
    stage.fault("UploadPart", FaultKind::Deny, None);
    let said = store.put_new("other", &mut large().as_slice()).unwrap_err().to_string();
    assert!(said.contains("s3:PutObject") && said.contains("AccessDenied"), "{said}");
    assert_eq!(stage.asked("AbortMultipartUpload"), 1);
}

#[test]
fn a_cut_answer_is_read_on_from_where_it_was_cut() {
    let stage = Stage::new();
    let store = stage.store();
    store.put_new("large", &mut large().as_slice()).unwrap();
    stage.fault("GetObject", FaultKind::Cut, Some(3));
    assert!(read_all(&store, "large", 1 << 26).unwrap() == large());
    assert_eq!(stage.asked("GetObject"), 4);
    stage.fault("GetObject", FaultKind::Cut, None);
    let mut object = store.read("large").unwrap();
    // Each attempt brings half of what is left: it ends, by an error or whole, and never short.
    let mut got = Vec::new();
    match object.read_to_end(&mut got) {
        Ok(_) => assert!(got == large()),
        Err(e) => assert!(e.to_string().contains("cut"), "{e}"),
    }
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_is_not_mixed() {
    let stage = Stage::new();
    let store = stage.store();
    store.replace("checkpoint", &vec![1; 3_000_000]).unwrap();
    stage.fault("GetObject", FaultKind::Cut, Some(1));
    let mut object = store.read("checkpoint").unwrap();
    store.replace("checkpoint", &vec![2; 3_000_000]).unwrap();
    let error = object.read_to_end(&mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("PreconditionFailed"), "{error}");
}

#[test]
fn listings_go_on_to_their_end() {
    let stage = Stage::new();
    let store = stage.store();
    let names: Vec<String> = (0..30).map(|n| format!("chain/{n:08}/seal.json")).collect();
    for name in &names {
        store.put_new(name, &mut name.as_bytes()).unwrap();
    }
    assert_eq!(store.list("chain/").unwrap(), names);
    assert!(stage.asked("ListObjectsV2") >= 5, "the emulator's pages are short");
    assert_eq!(store.tampering().unwrap(), []);
}

#[test]
fn a_bucket_that_would_let_evidence_go_is_refused_with_what_is_needed_and_what_is_there() {
    for (change, found) in [
        ((|b| b.object_lock = false) as fn(&mut Bucket), "Object Lock not enabled and versioning Enabled"),
        (|b| (b.object_lock, b.versioning) = (false, false), "Object Lock not enabled and versioning not enabled"),
    ] {
        let stage = Stage::with(change);
        let said = stage.store().lock().unwrap_err().to_string();
        assert!(said.contains("evidence needs a bucket with Object Lock enabled") && said.contains(found), "{said}");
        assert_eq!(stage.asked("PutObject"), 0, "nothing was written");
    }
}

#[test]
fn the_bucket_is_found_in_its_region_and_what_is_wrong_is_named() {
    let elsewhere = Stage::with(|b| b.region = "eu-west-1".to_owned());
    let store = elsewhere.store();
    store.put_new("x", &mut &b"x"[..]).unwrap();
    let absent = Stage::with(|b| b.name = "another".to_owned());
    let said = absent.open(1).unwrap_err().to_string();
    assert!(said.contains("NoSuchBucket") && said.contains("s3://evidence/a/b"), "{said}");
    let foreign = Stage::with(|b| b.account = "110000000001".to_owned());
    let said = foreign.open(1).unwrap_err().to_string();
    assert!(said.contains("AccessDenied") && said.contains("s3:ListBucket") || said.contains("s3:GetObject"), "{said}");
}

#[test]
fn without_credentials_it_says_so_at_once() {
    let background = Background::start("test").unwrap();
    let sdk = background
        .wait(async {
            let loader = aws_config::defaults(BehaviorVersion::latest()).region(aws_config::Region::new("us-east-1"));
            // Nothing listens there: it must not even be asked.
            loader.no_credentials().endpoint_url("http://127.0.0.1:9").load().await
        })
        .unwrap();
    let nobody = aws_credential_types::provider::SharedCredentialsProvider::new(Nobody);
    let sdk = sdk.to_builder().credentials_provider(nobody).build();
    let place = Place::parse("s3://evidence/a").unwrap();
    let said = Client::over(&sdk, place, Arc::new(background), Duration::from_secs(3600)).unwrap_err().to_string();
    assert!(said.starts_with("cannot reach the store s3://evidence/a: credentials: "), "{said}");
    assert!(said.contains("AWS_PROFILE") && !said.contains('\n'), "{said}");
}

/// A chain that found nothing.
#[derive(Debug)]
struct Nobody;

impl aws_credential_types::provider::ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let none = aws_credential_types::provider::error::CredentialsError::not_loaded("no credentials found");
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(none))
    }
}

#[test]
fn a_lease_that_a_crash_left_behind_ends_by_itself_and_not_before() {
    let stage = Stage::new();
    let (crashed, next) = (stage.open(1).unwrap(), stage.open(2).unwrap());
    let guard = crashed.lock().unwrap();
    stage.pass(599);
    let said = next.lock().unwrap_err().to_string();
    assert!(said.contains("ends within 1 s"), "{said}");
    stage.pass(601);
    let taken = next.lock().unwrap();
    assert!(matches!(stage.open(3).unwrap().lock(), Err(StoreError::Locked { .. })));
    // The crashed one wakes up and lets go: the lease is no longer its own to release.
    drop(guard);
    assert!(matches!(stage.open(3).unwrap().lock(), Err(StoreError::Locked { .. })));
    drop(taken);
    stage.open(3).unwrap().lock().unwrap();
    for version in stage.versions(LEASE) {
        assert!(version.locked_until.is_some(), "the lease proves that the bucket takes locks");
    }
}

#[test]
fn an_upload_that_a_crash_left_behind_is_ended_after_a_day() {
    let stage = Stage::new();
    let store = stage.store();
    let s3 = store.client.s3.clone();
    let request = s3.create_multipart_upload().bucket("evidence").key("a/b/archives/x.zip");
    store.client.ask(move || request.clone().send()).unwrap().unwrap();
    for (seconds, aborted) in [(3_600, 0), (90_000, 1), (90_001, 1)] {
        stage.pass(seconds);
        let guard = store.lock().unwrap();
        store.check_writable().unwrap();
        drop(guard);
        assert_eq!(stage.asked("AbortMultipartUpload"), aborted, "after {seconds} s");
    }
}

#[test]
fn what_is_hidden_or_written_again_is_found() {
    let stage = Stage::new();
    let store = stage.store();
    for name in ["chain/00000000/seal.dsse.json", "chain/00000001/seal.dsse.json", "fine"] {
        store.put_new(name, &mut &b"x"[..]).unwrap();
    }
    stage.delete(&store, "chain/00000001/seal.dsse.json", None).unwrap();
    store.replace("chain/00000000/seal.dsse.json", b"y").unwrap();
    assert!(!store.exists("chain/00000001/seal.dsse.json").unwrap(), "a deletion hides it");
    let found = store.tampering().unwrap();
    let brief: Vec<_> = found.iter().map(|t| (t.name.as_str(), t.hidden)).collect();
    assert_eq!(brief, [("chain/00000000/seal.dsse.json", false), ("chain/00000001/seal.dsse.json", true)]);
    let _guard = store.lock().unwrap();
    let said = store.check_writable().unwrap_err().to_string();
    assert!(said.contains("delete marker") && said.contains("chain/00000001/seal.dsse.json"), "{said}");
}

#[test]
fn a_store_opened_for_reading_writes_nothing() {
    let stage = Stage::new();
    let store = S3Store { writer: None, ..stage.store() };
    assert!(
        store.put_new("x", &mut &b""[..]).is_err()
            && store.replace("checkpoint", b"").is_err()
            && store.lock().is_err()
    );
    assert_eq!(stage.asked("PutObject"), 0);
}

#[test]
fn urls_name_a_bucket_and_a_prefix() {
    let place = |url: &str| Place::parse(url).map(|p| (p.bucket.clone(), p.key("x"), p.url())).ok();
    let some = |b: &str, k: &str, u: &str| Some((b.to_owned(), k.to_owned(), u.to_owned()));
    assert_eq!(place("s3://bucket/a/b/"), some("bucket", "a/b/x", "s3://bucket/a/b"));
    assert_eq!(place("s3://bucket"), some("bucket", "x", "s3://bucket"));
    for bad in
        ["s3:bucket", "s3://", "s3://b", "s3://Bucket/x", "s3://bucket/../x", "s3://bucket//x", "https://bucket/x"]
    {
        assert_eq!(place(bad), None, "{bad}");
    }
}
