//! The bucket itself: whether it locks what it is given, what lies in it, and what became of it.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{BucketVersioningStatus, ObjectLockEnabled};
use jiff::{SignedDuration, Timestamp};

use super::{CHECKPOINT, LEASE, MAX_LISTED, Refusal, StoreError, Tampering, client::Client};

/// Uploads older than this belong to nobody any more: no upload of ours takes a day.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// Refuses a bucket that would let evidence go: it must have versioning and Object Lock.
pub(super) fn examine(client: &Client) -> Result<(), StoreError> {
    let (s3, bucket) = (client.s3.clone(), client.place.bucket.clone());
    let lock = client.ask(move || s3.get_object_lock_configuration().bucket(&bucket).send())?;
    let lock = match lock {
        Ok(found) => found.object_lock_configuration.and_then(|c| c.object_lock_enabled),
        // A bucket that never had it answers with an error of its own.
        Err(refusal) if refusal.code == "ObjectLockConfigurationNotFoundError" || refusal.is_absent() => None,
        Err(refusal) => return Err(client.refused("examine", ".", &refusal)),
    };
    let (s3, bucket) = (client.s3.clone(), client.place.bucket.clone());
    let versioning = client.ask(move || s3.get_bucket_versioning().bucket(&bucket).send())?;
    let versioning = versioning.map_err(|refusal| client.refused("examine", ".", &refusal))?.status;
    if lock == Some(ObjectLockEnabled::Enabled) && versioning == Some(BucketVersioningStatus::Enabled) {
        return Ok(());
    }
    let word = |on: Option<&str>| on.unwrap_or("not enabled").to_owned();
    let what = format!(
        "evidence needs a bucket with Object Lock enabled and versioning enabled; this one has Object Lock {} and versioning {}",
        word(lock.as_ref().map(ObjectLockEnabled::as_str)),
        word(versioning.as_ref().map(BucketVersioningStatus::as_str))
    );
    let advice = "Make one with 'aws s3api create-bucket --object-lock-enabled-for-bucket …', or enable versioning and then Object Lock \
                  on this one; no default retention is needed"
        .to_owned();
    Err(StoreError::Unfit { store: client.place.url(), what, advice })
}

/// Returns the names of all objects below `prefix`, sorted.
pub(super) fn list(client: &Client, prefix: &str) -> Result<Vec<String>, StoreError> {
    let asker = client.clone();
    let start = client.place.key(prefix);
    let keys = client.wait(async move {
        let mut keys = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let request = asker.s3.list_objects_v2().bucket(&asker.place.bucket).prefix(&start);
            let request = request.set_continuation_token(token.clone());
            let page = asker.repeat(|| request.clone().send()).await?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            match page.next_continuation_token.filter(|_| page.is_truncated == Some(true)) {
                None => return Ok(keys),
                next if next == token || keys.len() > MAX_LISTED => return Err(endless()),
                next => token = next,
            }
        }
    })?;
    let keys = keys.map_err(|refusal| client.refused("list", prefix_or_all(prefix), &refusal))?;
    let name = |key: &String| client.place.name(key).filter(|name| *name != LEASE).map(str::to_owned);
    let mut names: Vec<String> = keys.iter().filter_map(name).collect();
    names.sort_unstable();
    Ok(names)
}

fn prefix_or_all(prefix: &str) -> &str {
    if prefix.is_empty() { "." } else { prefix }
}

fn endless() -> Refusal {
    Refusal::ours("pagination", "the listing does not advance, or has no end")
}

/// What the versions of one object say.
#[derive(Debug, Default)]
struct History {
    versions: usize,
    deletions: usize,
    hidden: bool,
}

/// Names every object of the store that was hidden by a deletion or written more than once.
pub(super) fn tampering(client: &Client) -> Result<Vec<Tampering>, StoreError> {
    let asker = client.clone();
    let start = client.place.key("");
    let found = client.wait(async move {
        let mut found: BTreeMap<String, History> = BTreeMap::new();
        let mut next: (Option<String>, Option<String>) = (None, None);
        loop {
            let request = asker.s3.list_object_versions().bucket(&asker.place.bucket).prefix(&start);
            let request = request.set_key_marker(next.0.clone()).set_version_id_marker(next.1.clone());
            let page = asker.repeat(|| request.clone().send()).await?;
            for version in page.versions.unwrap_or_default() {
                found.entry(version.key.unwrap_or_default()).or_default().versions += 1;
            }
            for marker in page.delete_markers.unwrap_or_default() {
                let history = found.entry(marker.key.unwrap_or_default()).or_default();
                history.deletions += 1;
                history.hidden |= marker.is_latest == Some(true);
            }
            if page.is_truncated != Some(true) {
                return Ok(found);
            }
            let following = (page.next_key_marker, page.next_version_id_marker);
            if following == next || following.0.is_none() || found.len() > MAX_LISTED {
                return Err(endless());
            }
            next = following;
        }
    })?;
    let found = found.map_err(|refusal| client.refused("list", ".", &refusal))?;
    let judged = |(key, history): (&String, &History)| {
        let name = client.place.name(key).filter(|name| ![LEASE, CHECKPOINT].contains(name))?;
        let History { versions, deletions, hidden } = *history;
        (versions != 1 || deletions != 0).then(|| Tampering {
            name: name.to_owned(),
            hidden,
            what: format!("{versions} versions and {deletions} delete markers, where one version and none belong"),
        })
    };
    Ok(found.iter().filter_map(judged).collect())
}

/// Ends uploads that a crash left unfinished: they cost money and hold nothing.
pub(super) fn abort_stale_uploads(client: &Client) -> Result<(), StoreError> {
    let asker = client.clone();
    let done = client.wait(async move {
        let start = asker.place.key("");
        let before = asker.clock.now().and_then(|now| now.checked_sub(STALE).ok());
        let request = asker.s3.list_multipart_uploads().bucket(&asker.place.bucket).prefix(&start);
        // The first thousand are enough: the next writer removes the next.
        let page = asker.repeat(|| request.clone().send()).await?;
        for upload in page.uploads.unwrap_or_default() {
            let begun = upload.initiated.and_then(|t| Timestamp::from_second(t.secs()).ok());
            let stale = begun.zip(before).is_some_and(|(begun, before)| begun < before);
            let (Some(key), Some(id), true) = (upload.key, upload.upload_id, stale) else { continue };
            let request = asker.s3.abort_multipart_upload().bucket(&asker.place.bucket).key(key).upload_id(id);
            match asker.repeat(|| request.clone().send()).await {
                Err(refusal) if !refusal.is_absent() => return Err(refusal),
                _ => {}
            }
        }
        Ok(())
    })?;
    done.map_err(|refusal| client.refused("list", ".", &refusal))
}
