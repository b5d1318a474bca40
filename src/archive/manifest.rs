//! BagIt manifests (RFC 8493, section 2.1.3), in the one form that `sha256sum` writes: digest, two spaces, path, line feed.

use std::collections::BTreeMap;

use super::{ArchiveError, path};
use crate::model::Sha256Digest;

/// Returns a manifest's bytes, sorted bytewise by path.
pub fn render<'a>(files: impl IntoIterator<Item = (&'a str, Sha256Digest)>) -> Vec<u8> {
    let sorted: BTreeMap<&str, Sha256Digest> = files.into_iter().collect();
    sorted.into_iter().flat_map(|(path, digest)| format!("{digest}  {path}\n").into_bytes()).collect()
}

/// Reads a manifest. `name` is its file name, for messages.
///
/// # Errors
/// Where a line has another form, a path is malformed, doubled or out of order.
pub fn parse(name: &str, bytes: &[u8]) -> Result<BTreeMap<String, Sha256Digest>, ArchiveError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ArchiveError::malformed(name, None, "not UTF-8"))?;
    let mut files = BTreeMap::new();
    let mut last = String::new();
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        let bad = |why: &str| ArchiveError::malformed(name, Some(number), why);
        let line = line.strip_suffix('\n').ok_or_else(|| bad("no line feed at the end"))?;
        let (digest, path) = line.split_once("  ").ok_or_else(|| bad("expected a digest, two spaces and a path"))?;
        let digest: Sha256Digest = digest.parse().map_err(|_| bad("the digest is no SHA-256"))?;
        path::check(path).map_err(|e| bad(&e.to_string()))?;
        if path <= last.as_str() {
            return Err(bad("the paths are not in ascending order, each once"));
        }
        path.clone_into(&mut last);
        files.insert(path.to_owned(), digest);
    }
    Ok(files)
}
