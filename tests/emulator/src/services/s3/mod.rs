//! S3 as a store of evidence meets it: conditional writes, versions, Object Lock in compliance mode, uploads in parts.
//!
//! Path-style only. Buckets are declared in the organisation file; objects live in memory.

mod bucket;
mod object;
mod upload;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::{
    organization::{Bucket, Organization},
    wire::{AwsError, Reply, Request, form, percent_decode, xml_escape},
};

/// A part of an upload but the last is at least this large.
const LEAST_PART: usize = 5 << 20;

/// Every bucket, and what lies in it.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<BTreeMap<String, Contents>>);

/// What a bucket holds.
#[derive(Debug)]
pub(crate) struct Contents {
    declared: Bucket,
    objects: BTreeMap<String, Vec<Version>>,
    uploads: BTreeMap<String, Upload>,
    serial: u64,
}

/// One version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub struct Version {
    /// Version id.
    pub id: String,
    /// The content; `None` for a delete marker.
    pub bytes: Option<Arc<Vec<u8>>>,
    /// Entity tag, without quotes.
    pub etag: String,
    /// SHA-256 as S3 shows it, composite for uploads in parts.
    pub sha256: Option<String>,
    /// When it was written, by the scenario clock.
    pub modified: Timestamp,
    /// Until when it is locked in compliance mode.
    pub locked_until: Option<Timestamp>,
}

/// An upload in parts.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    key: String,
    begun: Timestamp,
    locked_until: Option<Timestamp>,
    parts: BTreeMap<u32, Version>,
}

/// A request to a bucket, read.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub request: &'a Request,
    pub bucket: String,
    pub key: String,
    pub query: Vec<(String, String)>,
    pub now: Timestamp,
}

/// What an operation answers, beside what every answer has.
#[derive(Debug, Default)]
pub(crate) struct Said {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

type Answer = Result<Said, AwsError>;

impl Buckets {
    pub fn new(organization: &Organization) -> Self {
        let contents = |declared: &Bucket| Contents {
            declared: declared.clone(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            serial: 0,
        };
        Self(Mutex::new(organization.buckets.iter().map(|b| (b.name.clone(), contents(b))).collect()))
    }

    /// Returns every version of an object, oldest first.
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<Version> {
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.get(bucket).and_then(|b| b.objects.get(key)).cloned().unwrap_or_default()
    }

    /// Returns the keys of a bucket, with those that only delete markers are left of.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.get(bucket).map(|b| b.objects.keys().cloned().collect()).unwrap_or_default()
    }

    /// Answers a request that has been authenticated.
    pub fn answer(&self, operation: &str, asked: &Asked<'_>, account: &str, region: &str) -> Result<Reply, AwsError> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = buckets.get_mut(&asked.bucket);
        let contents = contents.ok_or_else(|| error(404, "NoSuchBucket", "The specified bucket does not exist"))?;
        if contents.declared.region != region {
            let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
            let lies = ("x-amz-bucket-region".to_owned(), contents.declared.region.clone());
            return Err(AwsError { headers: vec![lies], ..error(301, "PermanentRedirect", message) });
        }
        if contents.declared.account != account {
            return Err(error(403, "AccessDenied", "Access Denied"));
        }
        let said = match operation {
            "HeadBucket" => {
                Ok(Said { headers: vec![("x-amz-bucket-region", contents.declared.region.clone())], ..Said::ok("") })
            }
            "GetBucketVersioning" => Ok(bucket::versioning(contents)),
            "GetObjectLockConfiguration" => bucket::object_lock(contents),
            "GetBucketPolicy" => bucket::policy(contents),
            "GetPublicAccessBlock" => bucket::public_access_block(contents),
            "ListObjectsV2" => Ok(bucket::list(contents, asked)),
            "ListObjectVersions" => Ok(bucket::versions(contents, asked)),
            "ListMultipartUploads" => Ok(upload::list(contents, asked)),
            "PutObject" => object::put(contents, asked),
            "GetObject" | "HeadObject" => object::get(contents, asked),
            "DeleteObject" => object::delete(contents, asked),
            "CreateMultipartUpload" => upload::create(contents, asked),
            "UploadPart" => upload::part(contents, asked),
            "CompleteMultipartUpload" => upload::complete(contents, asked),
            "AbortMultipartUpload" => upload::abort(contents, asked),
            _ => Err(error(501, "NotImplemented", "The emulator does not serve this operation.")),
        }?;
        let headers = said.headers.into_iter().map(|(n, v)| (n.to_owned(), v));
        Ok(Reply {
            status: said.status,
            content_type: if operation == "GetObject" { "application/octet-stream" } else { "application/xml" },
            error_type: None,
            headers: headers.collect(),
            body: said.body,
        })
    }
}

impl Said {
    fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }
}

impl Asked<'_> {
    fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl Contents {
    fn current(&self, key: &str) -> Option<&Version> {
        self.objects.get(key).and_then(|versions| versions.last()).filter(|v| v.bytes.is_some())
    }

    fn next_id(&mut self) -> String {
        self.serial += 1;
        crate::hash::hex(&["version", &self.declared.name, &self.serial.to_string()], 32)
    }

    /// Checks the condition of a write.
    fn may_write(&self, asked: &Asked<'_>) -> Result<(), AwsError> {
        let unmet =
            || error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
        let current = self.current(&asked.key);
        if asked.request.header("if-none-match").is_some_and(|v| v == "*") && current.is_some() {
            return Err(unmet());
        }
        match (asked.request.header("if-match"), current) {
            (Some(_), None) => Err(error(404, "NoSuchKey", "The specified key does not exist.")),
            (Some(wanted), Some(version)) if wanted.trim_matches('"') != version.etag => Err(unmet()),
            _ => Ok(()),
        }
    }

    /// Reads the lock that a write asks for.
    fn lock(&self, asked: &Asked<'_>) -> Result<Option<Timestamp>, AwsError> {
        let (mode, until) = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date");
        let until = match (asked.request.header(mode), asked.request.header(until)) {
            (None, None) => return Ok(None),
            (Some("COMPLIANCE"), Some(until)) => until.parse::<Timestamp>(),
            _ => {
                return Err(error(
                    400,
                    "InvalidArgument",
                    "mode and date must both be given; only COMPLIANCE is served",
                ));
            }
        };
        if !self.declared.object_lock {
            return Err(error(400, "InvalidRequest", "Bucket is missing Object Lock Configuration"));
        }
        let until = until.map_err(|_| error(400, "InvalidArgument", "the retain until date is malformed"))?;
        if until <= asked.now {
            return Err(error(400, "InvalidArgument", "The retain until date must be in the future!"));
        }
        Ok(Some(until))
    }

    fn add(&mut self, key: &str, version: Version) {
        let versions = self.objects.entry(key.to_owned()).or_default();
        if !self.declared.versioning {
            versions.clear();
        }
        versions.push(version);
    }
}

/// Reads which operation is asked, of which bucket and key.
pub(crate) fn asked(request: &Request, now: Timestamp) -> (String, Asked<'_>) {
    let path = percent_decode(&request.path, false);
    let (bucket, key) = path.trim_start_matches('/').split_once('/').map_or_else(
        || (path.trim_start_matches('/').to_owned(), String::new()),
        |(bucket, key)| (bucket.to_owned(), key.to_owned()),
    );
    let asked = Asked { request, bucket, key, query: form(&request.query), now };
    let has = |name: &str| asked.param(name).is_some();
    let operation = match (request.method.as_str(), asked.key.is_empty()) {
        ("HEAD", true) => "HeadBucket",
        ("GET", true) if has("versioning") => "GetBucketVersioning",
        ("GET", true) if has("object-lock") => "GetObjectLockConfiguration",
        ("GET", true) if has("policy") => "GetBucketPolicy",
        ("GET", true) if has("publicAccessBlock") => "GetPublicAccessBlock",
        ("GET", true) if has("versions") => "ListObjectVersions",
        ("GET", true) if has("uploads") => "ListMultipartUploads",
        ("GET", true) if has("list-type") => "ListObjectsV2",
        ("HEAD", false) => "HeadObject",
        ("GET", false) => "GetObject",
        ("PUT", false) if has("uploadId") => "UploadPart",
        ("PUT", false) => "PutObject",
        ("POST", false) if has("uploads") => "CreateMultipartUpload",
        ("POST", false) if has("uploadId") => "CompleteMultipartUpload",
        ("DELETE", false) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", false) => "DeleteObject",
        _ => "Unknown",
    };
    (operation.to_owned(), asked)
}

fn error(status: u16, code: &str, message: &str) -> AwsError {
    AwsError::with_status(status, code, message)
}

/// Writes a time as HTTP does.
pub(crate) fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", xml_escape(text))
}

fn document(name: &str, inner: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{name} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</{name}>")
        .into_bytes()
}
