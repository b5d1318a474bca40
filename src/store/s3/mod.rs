//! A store in an S3 bucket with Object Lock: `s3://BUCKET/PREFIX`.
//!
//! What the directory gets from the file system comes from S3 here:
//! - **Written once**: every object is created with `If-None-Match: *`, so that of two writers one loses. With Object Lock in compliance
//!   mode, and a retention from the configuration, what was written can then be neither deleted nor overwritten by anybody, the
//!   account's root included, until the retention ends. A bucket without Object Lock is refused before a run opens.
//! - **Whole or not at all**: an object appears when its write is complete. Beyond one part (`write::PART`) it is uploaded in parts, of
//!   which one is in memory; each part carries its SHA-256, and the condition stands on the completion.
//! - **After a failure that leaves it open whether a write was kept** the object is read back: the same bytes mean that it was ours.
//! - **The writer's lock** is a lease (`lease`): a courtesy that keeps two runs apart. The guard is the exclusive creation of
//!   `chain/NNNNNNNN/seal.dsse.json`.
//! - `checkpoint`, the one object that is replaced, is a plain write: each leaves a version behind.
//!
//! A deletion without a version hides an object and removes nothing: [`Store::tampering`] names what was hidden or written again.
//!
//! Time here is S3's own (its `Date` header), so that neither a retention nor a lease depends on this machine's clock.

mod bucket;
mod client;
mod lease;
mod meaning;
mod read;
#[cfg(test)]
pub(crate) mod tests;
mod write;

use std::{
    io::Read,
    sync::{Arc, Mutex, PoisonError},
};

use client::Client;
use lease::Held;
use meaning::Refusal;

use super::{Guard, Refused, Store, StoreError, Tampering, Writer};
use crate::archive::path;

/// The object that holds the writer's lease; no listing shows it.
const LEASE: &str = ".lock";
/// The one object that is replaced.
const CHECKPOINT: &str = "checkpoint";
/// The most objects that are listed: more than a thousand years of daily runs.
const MAX_LISTED: usize = 8_000_000;

/// A store in an S3 bucket.
#[derive(Debug)]
pub struct S3Store {
    client: Client,
    writer: Option<Writer>,
    /// The lease that this store holds, once it has been taken.
    held: Mutex<Option<Arc<Held>>>,
}

/// The parts of `s3://BUCKET/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    bucket: String,
    /// Without slashes at its ends; empty where the store is the whole bucket.
    prefix: String,
}

impl Place {
    fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = || StoreError::Unfit {
            store: url.to_owned(),
            what: "this is no bucket and prefix".to_owned(),
            advice:
                "Write s3://BUCKET/PREFIX: the bucket's name in lower case, the prefix of letters, digits and . _ = - /"
                    .to_owned(),
        };
        let rest = url.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let prefix = prefix.trim_end_matches('/');
        let fine = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(letters)
            && (prefix.is_empty() || path::check(prefix).is_ok());
        if !fine {
            return Err(wrong());
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    fn url(&self) -> String {
        if self.prefix.is_empty() {
            format!("s3://{}", self.bucket)
        } else {
            format!("s3://{}/{}", self.bucket, self.prefix)
        }
    }

    /// The key of an object, or the beginning of the keys below `name`.
    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    /// The name of the object with this key.
    fn name<'k>(&self, key: &'k str) -> Option<&'k str> {
        if self.prefix.is_empty() { Some(key) } else { key.strip_prefix(&self.prefix)?.strip_prefix('/') }
    }
}

impl S3Store {
    /// Connects to the bucket with the standard chain's credentials, in whatever Region it lies.
    ///
    /// # Errors
    /// The URL is malformed, there are no credentials, or there is no such bucket.
    pub fn open(url: &str, writer: Option<Writer>) -> Result<Self, StoreError> {
        let place = Place::parse(url)?;
        let client = Client::connect(place)?;
        Ok(Self { client, writer, held: Mutex::default() })
    }

    fn refused(&self, action: &'static str, name: &str, refusal: &Refusal) -> StoreError {
        self.client.refused(action, name, refusal)
    }

    fn key(&self, name: &str) -> Result<String, StoreError> {
        if path::check(name).is_err() {
            return Err(StoreError::Name { name: name.to_owned() });
        }
        Ok(self.client.place.key(name))
    }

    /// How long what is written now is kept; there is no writing without.
    fn writer(&self) -> Result<Writer, StoreError> {
        self.writer.filter(|w| w.retention.is_some()).ok_or_else(|| StoreError::Unfit {
            store: self.url(),
            what: "it was opened without a retention".to_owned(),
            advice: "Set [store] retention, such as \"7y\"".to_owned(),
        })
    }

    /// Refuses to write once the lease has run out or was taken over: somebody else may be writing.
    fn still_holds(&self, name: &str) -> Result<(), StoreError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_ref().map(|held| held.lost()) {
            Some(Some(why)) => Err(Refused {
                action: "write",
                name: name.to_owned(),
                store: self.url(),
                said: format!("the writer's lease was lost ({why}), so that another run may be writing"),
                advice: "Run again; what this run had sealed stays".to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    }
}

impl Store for S3Store {
    fn put_new(&self, name: &str, content: &mut dyn Read) -> Result<(), StoreError> {
        let key = self.key(name)?;
        let retention = self.writer()?.retention;
        self.still_holds(name)?;
        write::put_new(&self.client, name, key, content, retention)
    }

    fn replace(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        let key = self.key(name)?;
        self.writer()?;
        self.still_holds(name)?;
        write::replace(&self.client, name, key, content)
    }

    fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(Box::new(read::Object::open(&self.client, name, self.key(name)?)?))
    }

    fn exists(&self, name: &str) -> Result<bool, StoreError> {
        let (s3, bucket, key) = (self.client.s3.clone(), self.client.place.bucket.clone(), self.key(name)?);
        let head = self.client.ask(move || s3.head_object().bucket(&bucket).key(&key).send())?;
        match head {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.is_absent() => Ok(false),
            Err(refusal) => Err(self.refused("read", name, &refusal)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        bucket::list(&self.client, prefix)
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        self.writer()?;
        bucket::abort_stale_uploads(&self.client)?;
        let hidden: Vec<_> = self.tampering()?.into_iter().filter(|t| t.hidden).collect();
        match hidden.first() {
            None => Ok(()),
            Some(first) => Err(StoreError::Unfit {
                store: self.url(),
                what: format!("{} of its objects are hidden by deletions, {} first ({})", hidden.len(), first.name, first.what),
                advice: "Remove the delete markers (aws s3api delete-object --version-id …), find out who made them, then run \
                         again"
                    .to_owned(),
            }),
        }
    }

    fn lock(&self) -> Result<Box<dyn Guard>, StoreError> {
        let writer = self.writer()?;
        bucket::examine(&self.client)?;
        let (guard, held) = lease::take(&self.client, writer.holder)?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(Box::new(guard))
    }

    fn tampering(&self) -> Result<Vec<Tampering>, StoreError> {
        bucket::tampering(&self.client)
    }

    fn url(&self) -> String {
        self.client.place.url()
    }
}
