//! Uploads in parts: the condition stands on the completion.

use std::{collections::BTreeMap, sync::Arc};

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

use super::{
    Answer, Asked, Contents, LEAST_PART, Said, Upload, Version, document, element, error, iso,
    object::{checksum, etag},
};
use crate::wire::AwsError;

pub(super) fn create(contents: &mut Contents, asked: &Asked<'_>) -> Answer {
    let locked_until = contents.lock(asked)?;
    let id = contents.next_id();
    let upload = Upload { key: asked.key.clone(), begun: asked.now, locked_until, parts: BTreeMap::new() };
    contents.uploads.insert(id.clone(), upload);
    let inner = format!("{}{}", element("Key", &asked.key), element("UploadId", &id));
    Ok(Said::ok(document("InitiateMultipartUploadResult", &inner)))
}

fn id<'a>(contents: &Contents, asked: &'a Asked<'_>) -> Result<&'a str, AwsError> {
    let id = asked.param("uploadId").unwrap_or_default();
    let known = contents.uploads.get(id).is_some_and(|upload| upload.key == asked.key);
    if known { Ok(id) } else { Err(error(404, "NoSuchUpload", "The specified upload does not exist.")) }
}

pub(super) fn part(contents: &mut Contents, asked: &Asked<'_>) -> Answer {
    let id = id(contents, asked)?;
    let sha256 = checksum(asked.request)?;
    let number = asked.param("partNumber").and_then(|n| n.parse().ok()).filter(|n| (1..=10_000).contains(n));
    let number =
        number.ok_or_else(|| error(400, "InvalidArgument", "Part number must be an integer between 1 and 10000"))?;
    let version = Version {
        id: String::new(),
        etag: etag(&asked.request.body),
        bytes: Some(Arc::new(asked.request.body.clone())),
        sha256,
        modified: asked.now,
        locked_until: None,
    };
    let headers = vec![("etag", format!("\"{}\"", version.etag))];
    if let Some(upload) = contents.uploads.get_mut(id) {
        upload.parts.insert(number, version);
    }
    Ok(Said { headers, ..Said::ok("") })
}

pub(super) fn complete(contents: &mut Contents, asked: &Asked<'_>) -> Answer {
    let id = id(contents, asked)?;
    contents.may_write(asked)?;
    let Some(upload) = contents.uploads.get(id).cloned() else {
        return Err(error(404, "NoSuchUpload", "The specified upload does not exist."));
    };
    let text = String::from_utf8_lossy(&asked.request.body).into_owned();
    let mut bytes = Vec::new();
    let mut sums = Sha256::new();
    let listed = listed(&text);
    for (n, (number, tag)) in listed.iter().enumerate() {
        let invalid = || error(400, "InvalidPart", "One or more of the specified parts could not be found.");
        let part = upload.parts.get(number).filter(|part| part.etag == *tag).ok_or_else(invalid)?;
        let content = part.bytes.as_ref().ok_or_else(invalid)?;
        if content.len() < LEAST_PART && n + 1 < listed.len() {
            return Err(error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"));
        }
        sums.update(Sha256::digest(content.as_slice()));
        bytes.extend_from_slice(content);
    }
    let stated = asked.request.header("x-amz-mp-object-size").and_then(|n| n.parse().ok());
    if listed.is_empty() || stated.is_some_and(|size: usize| size != bytes.len()) {
        return Err(error(400, "InvalidRequest", "The parts are none, or not of the size that was stated."));
    }
    let version = Version {
        id: contents.next_id(),
        etag: format!("{}-{}", etag(&bytes), listed.len()),
        sha256: Some(format!("{}-{}", Base64::encode_string(&sums.finalize()), listed.len())),
        bytes: Some(Arc::new(bytes)),
        modified: asked.now,
        locked_until: upload.locked_until,
    };
    let inner = format!("{}{}", element("Key", &asked.key), element("ETag", &format!("\"{}\"", version.etag)));
    contents.uploads.remove(id);
    contents.add(&asked.key, version);
    Ok(Said::ok(document("CompleteMultipartUploadResult", &inner)))
}

/// Reads number and tag of each part out of the request.
fn listed(text: &str) -> Vec<(u32, String)> {
    let inside = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.replace("&quot;", "\"").trim_matches('"').to_owned())
    };
    let one = |part: &str| Some((inside(part, "PartNumber")?.parse().ok()?, inside(part, "ETag")?));
    text.split("<Part>").skip(1).filter_map(one).collect()
}

pub(super) fn abort(contents: &mut Contents, asked: &Asked<'_>) -> Answer {
    let id = id(contents, asked)?;
    contents.uploads.remove(id);
    Ok(Said { status: 204, headers: Vec::new(), body: Vec::new() })
}

pub(super) fn list(contents: &Contents, asked: &Asked<'_>) -> Said {
    let prefix = asked.param("prefix").unwrap_or_default();
    let mut inner = element("IsTruncated", "false");
    for (id, upload) in contents.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)) {
        inner.push_str(&format!(
            "<Upload>{}{}{}</Upload>",
            element("Key", &upload.key),
            element("UploadId", id),
            element("Initiated", &iso(upload.begun))
        ));
    }
    Said::ok(document("ListMultipartUploadsResult", &inner))
}
