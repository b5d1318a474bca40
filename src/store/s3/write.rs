//! Writes: each object once, whole, locked; and what a failure says of whether it was kept.
//!
//! | the write ends with | an earlier attempt | then |
//! | --- | --- | --- |
//! | 200 | - | it is there |
//! | 412, the name is taken | none, or refused for good | another was first |
//! | 412 | failed without an answer, or with 5xx, 409 | the same bytes are there: ours was kept; others: another was first |
//! | no answer, 5xx, 409, every time | - | the same bytes are there: ours was kept; none or not to be learnt: an error |
//! | another refusal | - | an error |

use std::io::{self, Read};

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ObjectLockMode},
};
use aws_smithy_types::DateTime;
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

use super::{Refusal, StoreError, client::Client, read::Object};
use crate::{model::Sha256Digest, store::Retention};

/// Size of a part in bytes; smaller objects are written in one request. At most two are in memory.
pub(super) const PART: usize = if cfg!(test) { 5 << 20 } else { 16 << 20 };
/// S3 takes no more parts: objects end at 156 GiB.
const MAX_PARTS: i32 = 10_000;

/// What must hold for a write.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// The name is free.
    New,
    /// The object is the one with this tag.
    Is(String),
    /// Nothing.
    Any,
}

/// Returns the end of the lock on what is written now.
fn locked_until(client: &Client, retention: Option<Retention>) -> Result<Option<DateTime>, StoreError> {
    let Some(retention) = retention else { return Ok(None) };
    let now = client.clock.now().ok_or_else(|| {
        client.refused(
            "write",
            ".",
            &Refusal::ours("clock", "S3's answers carry no date, so that no retention can be reckoned"),
        )
    })?;
    Ok(Some(DateTime::from_secs(retention.until(now).as_second())))
}

/// Writes a new object of any size.
pub(super) fn put_new(
    client: &Client,
    name: &str,
    key: String,
    content: &mut dyn Read,
    retention: Option<Retention>,
) -> Result<(), StoreError> {
    let until = locked_until(client, retention)?;
    let local = |source: io::Error| StoreError::Io {
        action: "write",
        name: name.to_owned(),
        store: client.place.url(),
        source,
    };
    let first = part(content).map_err(local)?;
    if first.len() == PART {
        return Upload::begin(client, name, key, until)?.send(first, content);
    }
    match put(client, &key, first, Condition::New, until)? {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.is_unmet() => Err(taken(client, name)),
        Err(refusal) => Err(client.refused("write", name, &refusal)),
    }
}

/// Replaces an object.
pub(super) fn replace(client: &Client, name: &str, key: String, content: &[u8]) -> Result<(), StoreError> {
    put(client, &key, content.to_vec(), Condition::Any, None)?.map(drop).map_err(|r| client.refused("write", name, &r))
}

fn taken(client: &Client, name: &str) -> StoreError {
    StoreError::AlreadyExists { name: name.to_owned(), store: client.place.url() }
}

/// Reads up to one part.
fn part(content: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(PART as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes an object in one request and returns its tag.
pub(super) fn put(
    client: &Client,
    key: &str,
    bytes: Vec<u8>,
    condition: Condition,
    until: Option<DateTime>,
) -> Result<Result<Option<String>, Refusal>, StoreError> {
    let (asker, key) = (client.clone(), key.to_owned());
    client.wait(async move { put_async(&asker, &key, bytes, condition, until).await })
}

/// As [`put`]; reads the object back where it stayed open whether it was kept.
pub(super) async fn put_async(
    client: &Client,
    key: &str,
    bytes: Vec<u8>,
    condition: Condition,
    until: Option<DateTime>,
) -> Result<Option<String>, Refusal> {
    let digest = Sha256Digest::of(&bytes);
    let send = || {
        let request = client
            .s3
            .put_object()
            .bucket(&client.place.bucket)
            .key(key)
            .checksum_sha256(Base64::encode_string(&digest.0))
            .set_object_lock_mode(until.map(|_| ObjectLockMode::Compliance))
            .set_object_lock_retain_until_date(until)
            .body(ByteStream::from(bytes.clone()));
        match &condition {
            Condition::New => request.if_none_match("*"),
            Condition::Is(etag) => request.if_match(etag),
            Condition::Any => request,
        }
        .send()
    };
    match client.repeat(send).await {
        Ok(answer) => Ok(answer.e_tag),
        Err(refusal) if is_open(&refusal) => kept(client, key, digest).await.unwrap_or(Err(refusal)),
        Err(refusal) => Err(refusal),
    }
}

/// Whether the object may be ours all the same.
fn is_open(refusal: &Refusal) -> bool {
    refusal.is_worth_repeating() || (refusal.is_unmet() && refusal.repeated)
}

/// Reads the object back: `Some(Ok)` where it holds our bytes, `Some(Err)` where it holds others, `None` where that cannot be learnt.
async fn kept(client: &Client, key: &str, ours: Sha256Digest) -> Option<Result<Option<String>, Refusal>> {
    let request = client.s3.get_object().bucket(&client.place.bucket).key(key);
    let mut answer = client.repeat(|| request.clone().send()).await.ok()?;
    let mut hash = Sha256::new();
    while let Some(chunk) = answer.body.try_next().await.ok()? {
        hash.update(&chunk);
    }
    let theirs = Sha256Digest(hash.finalize().into());
    if theirs == ours {
        return Some(Ok(answer.e_tag));
    }
    Some(Err(Refusal { status: Some(412), ..Refusal::ours("PreconditionFailed", "the name is taken by other bytes") }))
}

/// An upload in parts.
struct Upload<'a> {
    client: &'a Client,
    name: &'a str,
    key: String,
    id: String,
    parts: Vec<CompletedPart>,
    hash: Sha256,
    length: u64,
}

impl<'a> Upload<'a> {
    fn begin(client: &'a Client, name: &'a str, key: String, until: Option<DateTime>) -> Result<Self, StoreError> {
        let request = client
            .s3
            .create_multipart_upload()
            .bucket(&client.place.bucket)
            .key(&key)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_object_lock_mode(until.map(|_| ObjectLockMode::Compliance))
            .set_object_lock_retain_until_date(until);
        // A repetition may leave an upload behind that has no parts: the next writer removes it.
        let answer = client.ask(move || request.clone().send())?;
        let id =
            answer.and_then(|a| a.upload_id.ok_or_else(|| Refusal::ours("incomplete", "the answer names no upload")));
        let id = id.map_err(|refusal| client.refused("upload", name, &refusal))?;
        Ok(Self { client, name, key, id, parts: Vec::new(), hash: Sha256::new(), length: 0 })
    }

    fn send(mut self, first: Vec<u8>, content: &mut dyn Read) -> Result<(), StoreError> {
        let done = self.parts(first, content).and_then(|()| self.complete());
        if !matches!(done, Ok(())) {
            // Nobody waits for it; where this fails too, the next writer removes it.
            let _ = self.abort();
        }
        done
    }

    fn parts(&mut self, first: Vec<u8>, content: &mut dyn Read) -> Result<(), StoreError> {
        let mut next = first;
        while !next.is_empty() {
            let last = next.len() < PART;
            self.one(next)?;
            if last {
                break;
            }
            next = part(content).map_err(|source| StoreError::Io {
                action: "write",
                name: self.name.to_owned(),
                store: self.client.place.url(),
                source,
            })?;
        }
        Ok(())
    }

    fn one(&mut self, bytes: Vec<u8>) -> Result<(), StoreError> {
        let number = i32::try_from(self.parts.len()).unwrap_or(i32::MAX).saturating_add(1);
        if number > MAX_PARTS {
            let refusal = Refusal::ours("EntityTooLarge", format!("more than {MAX_PARTS} parts of {PART} bytes"));
            return Err(self.client.refused("upload", self.name, &refusal));
        }
        self.hash.update(&bytes);
        self.length += bytes.len() as u64;
        let checksum = Base64::encode_string(&Sha256Digest::of(&bytes).0);
        let (client, key, id, sum) = (self.client.clone(), self.key.clone(), self.id.clone(), checksum.clone());
        let answer = self.client.ask(move || {
            let request = client.s3.upload_part().bucket(&client.place.bucket).key(&key).upload_id(&id);
            request.part_number(number).checksum_sha256(&sum).body(ByteStream::from(bytes.clone())).send()
        })?;
        let answer = answer.map_err(|refusal| self.client.refused("upload", self.name, &refusal))?;
        let part = CompletedPart::builder().part_number(number).checksum_sha256(checksum);
        self.parts.push(part.set_e_tag(answer.e_tag).build());
        Ok(())
    }

    fn complete(&self) -> Result<(), StoreError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts.clone())).build();
        let request = self
            .client
            .s3
            .complete_multipart_upload()
            .bucket(&self.client.place.bucket)
            .key(&self.key)
            .upload_id(&self.id)
            .mpu_object_size(i64::try_from(self.length).unwrap_or(i64::MAX))
            .multipart_upload(parts)
            .if_none_match("*");
        let Err(refusal) = self.client.ask(move || request.clone().send())? else { return Ok(()) };
        // An upload that is gone was completed by an attempt whose answer was lost, or ended by another.
        let gone = refusal.code == "NoSuchUpload" && refusal.repeated;
        if is_open(&refusal) || gone {
            let (client, key, ours) =
                (self.client.clone(), self.key.clone(), Sha256Digest(self.hash.clone().finalize().into()));
            match self.client.wait(async move { kept(&client, &key, ours).await })? {
                Some(Ok(_)) => return Ok(()),
                Some(Err(_)) => return Err(taken(self.client, self.name)),
                None => {}
            }
        }
        if refusal.is_unmet() {
            return Err(taken(self.client, self.name));
        }
        Err(self.client.refused("upload", self.name, &refusal))
    }

    fn abort(&self) -> Result<(), StoreError> {
        let (s3, bucket) = (self.client.s3.clone(), self.client.place.bucket.clone());
        let request = s3.abort_multipart_upload().bucket(bucket).key(&self.key).upload_id(&self.id);
        self.client
            .ask(move || request.clone().send())?
            .map(drop)
            .map_err(|r| self.client.refused("upload", self.name, &r))
    }
}

/// Reads a small object whole, with its tag.
pub(super) fn small(client: &Client, name: &str, key: String) -> Result<(Vec<u8>, Option<String>), StoreError> {
    let object = Object::open(client, name, key)?;
    let etag = object.etag().map(str::to_owned);
    let mut bytes = Vec::new();
    object.take(4096).read_to_end(&mut bytes).map_err(|source| StoreError::Io {
        action: "read",
        name: name.to_owned(),
        store: client.place.url(),
        source,
    })?;
    Ok((bytes, etag))
}
