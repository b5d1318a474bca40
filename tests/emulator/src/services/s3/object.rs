//! Objects: written under a condition, read in ranges, deleted by marker or not at all.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

use super::{Answer, Asked, Contents, Said, Version, error, http_date};
use crate::wire::{AwsError, Request};

/// Checks the SHA-256 that a write states; returns it.
pub(super) fn checksum(request: &Request) -> Result<Option<String>, AwsError> {
    let Some(stated) = request.header("x-amz-checksum-sha256") else { return Ok(None) };
    if stated != Base64::encode_string(&Sha256::digest(&request.body)) {
        return Err(error(400, "BadDigest", "The SHA256 you specified did not match the calculated checksum."));
    }
    Ok(Some(stated.to_owned()))
}

/// The emulator's entity tags: a hash of the content, as S3's are for most objects.
pub(super) fn etag(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes)[..16])
}

pub(super) fn put(contents: &mut Contents, asked: &Asked<'_>) -> Answer {
    let sha256 = checksum(asked.request)?;
    let locked_until = contents.lock(asked)?;
    if locked_until.is_some() && sha256.is_none() {
        let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters";
        return Err(error(400, "InvalidRequest", message));
    }
    contents.may_write(asked)?;
    let version = Version {
        id: contents.next_id(),
        etag: etag(&asked.request.body),
        bytes: Some(Arc::new(asked.request.body.clone())),
        sha256,
        modified: asked.now,
        locked_until,
    };
    let said = Said { headers: headers(&version), ..Said::ok("") };
    contents.add(&asked.key, version);
    Ok(said)
}

fn headers(version: &Version) -> Vec<(&'static str, String)> {
    let mut headers = vec![("etag", format!("\"{}\"", version.etag)), ("x-amz-version-id", version.id.clone())];
    headers.extend(version.sha256.clone().map(|sum| ("x-amz-checksum-sha256", sum)));
    headers
}

pub(super) fn get(contents: &Contents, asked: &Asked<'_>) -> Answer {
    let absent = || error(404, "NoSuchKey", "The specified key does not exist.");
    let version = match asked.param("versionId") {
        Some(id) => contents.objects.get(&asked.key).and_then(|all| all.iter().find(|v| v.id == id)),
        None => contents.current(&asked.key),
    };
    let version = version.ok_or_else(absent)?;
    let bytes = version.bytes.as_ref().ok_or_else(absent)?;
    if asked.request.header("if-match").is_some_and(|wanted| wanted.trim_matches('"') != version.etag) {
        return Err(error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"));
    }
    let mut headers = headers(version);
    headers.push(("last-modified", http_date(version.modified)));
    if let Some(until) = version.locked_until {
        headers.push(("x-amz-object-lock-mode", "COMPLIANCE".to_owned()));
        headers.push(("x-amz-object-lock-retain-until-date", until.to_string()));
    }
    let from = asked.request.header("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = from.unwrap_or(0);
    let rest = bytes.get(from..).ok_or_else(|| error(416, "InvalidRange", "The requested range is not satisfiable"))?;
    if from > 0 {
        // Of a part, S3 states no checksum of the whole.
        headers.retain(|(name, _)| *name != "x-amz-checksum-sha256");
        headers.push(("content-range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len())));
    }
    if asked.request.method == "HEAD" {
        return Ok(Said { headers, ..Said::ok("") });
    }
    Ok(Said { status: if from > 0 { 206 } else { 200 }, headers, body: rest.to_vec() })
}

pub(super) fn delete(contents: &mut Contents, asked: &Asked<'_>) -> Answer {
    let done = |headers| Ok(Said { status: 204, headers, body: Vec::new() });
    let Some(id) = asked.param("versionId") else {
        let marker = Version {
            id: contents.next_id(),
            bytes: None,
            etag: String::new(),
            sha256: None,
            modified: asked.now,
            locked_until: None,
        };
        let headers = vec![("x-amz-delete-marker", "true".to_owned()), ("x-amz-version-id", marker.id.clone())];
        contents.add(&asked.key, marker);
        return done(headers);
    };
    let versions = contents.objects.entry(asked.key.clone()).or_default();
    if versions.iter().any(|v| v.id == id && v.locked_until.is_some_and(|until| until > asked.now)) {
        return Err(error(403, "AccessDenied", "Access Denied because object protected by object lock."));
    }
    versions.retain(|v| v.id != id);
    done(Vec::new())
}
