//! The bucket's settings and listings. Pages are short, as S3 may make them.

use super::{Answer, Asked, Contents, Said, document, element, error, iso};

/// Entries in a page, whatever is asked for: S3 may return fewer than that, and a client must go on.
const PAGE: usize = 7;

pub(super) fn versioning(contents: &Contents) -> Said {
    let status = if contents.declared.versioning { element("Status", "Enabled") } else { String::new() };
    Said::ok(document("VersioningConfiguration", &status))
}

pub(super) fn object_lock(contents: &Contents) -> Answer {
    if !contents.declared.object_lock {
        let message = "Object Lock configuration does not exist for this bucket";
        return Err(error(404, "ObjectLockConfigurationNotFoundError", message));
    }
    Ok(Said::ok(document("ObjectLockConfiguration", &element("ObjectLockEnabled", "Enabled"))))
}

pub(super) fn policy(contents: &Contents) -> Answer {
    match &contents.declared.policy {
        Some(policy) => Ok(Said::ok(policy.as_bytes())),
        None => Err(error(404, "NoSuchBucketPolicy", "The bucket policy does not exist")),
    }
}

pub(super) fn public_access_block(contents: &Contents) -> Answer {
    if !contents.declared.public_access_block {
        let message = "The public access block configuration was not found";
        return Err(error(404, "NoSuchPublicAccessBlockConfiguration", message));
    }
    let names = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    let inner: String = names.iter().map(|name| element(name, "true")).collect();
    Ok(Said::ok(document("PublicAccessBlockConfiguration", &inner)))
}

pub(super) fn list(contents: &Contents, asked: &Asked<'_>) -> Said {
    let prefix = asked.param("prefix").unwrap_or_default();
    let after = asked.param("continuation-token").and_then(|t| t.strip_prefix("after:")).unwrap_or_default();
    let found: Vec<_> = contents
        .objects
        .keys()
        .filter(|key| key.starts_with(prefix) && key.as_str() > after)
        .filter_map(|key| Some((key, contents.current(key)?)))
        .take(PAGE + 1)
        .collect();
    let more = found.len() > PAGE;
    let mut inner = element("IsTruncated", if more { "true" } else { "false" });
    for (key, version) in found.iter().take(PAGE) {
        let size = version.bytes.as_ref().map_or(0, |b| b.len());
        inner.push_str(&format!(
            "<Contents>{}{}{}{}</Contents>",
            element("Key", key),
            element("LastModified", &iso(version.modified)),
            element("ETag", &format!("\"{}\"", version.etag)),
            element("Size", &size.to_string())
        ));
    }
    if let Some((last, _)) = found.get(PAGE - 1).filter(|_| more) {
        inner.push_str(&element("NextContinuationToken", &format!("after:{last}")));
    }
    Said::ok(document("ListBucketResult", &inner))
}

pub(super) fn versions(contents: &Contents, asked: &Asked<'_>) -> Said {
    let prefix = asked.param("prefix").unwrap_or_default();
    // A page ends between two keys, so the key alone says where the next begins.
    let after = asked.param("key-marker").unwrap_or_default();
    let keys: Vec<_> =
        contents.objects.iter().filter(|(k, _)| k.starts_with(prefix) && k.as_str() > after).take(PAGE + 1).collect();
    let more = keys.len() > PAGE;
    let mut inner = element("IsTruncated", if more { "true" } else { "false" });
    for (key, versions) in keys.iter().take(PAGE) {
        for (n, version) in versions.iter().enumerate().rev() {
            let name = if version.bytes.is_some() { "Version" } else { "DeleteMarker" };
            inner.push_str(&format!(
                "<{name}>{}{}{}{}</{name}>",
                element("Key", key),
                element("VersionId", &version.id),
                element("IsLatest", if n + 1 == versions.len() { "true" } else { "false" }),
                element("LastModified", &iso(version.modified))
            ));
        }
    }
    if let Some((last, versions)) = keys.get(PAGE - 1).filter(|_| more) {
        inner.push_str(&element("NextKeyMarker", last));
        inner.push_str(&element("NextVersionIdMarker", versions.first().map_or("", |v| v.id.as_str())));
    }
    Said::ok(document("ListVersionsResult", &inner))
}
