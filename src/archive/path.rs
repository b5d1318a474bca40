//! Paths inside an archive: names that no system and no shell can misread.

/// Longest path, in bytes: what BagIt tools and Windows' unzip cope with.
pub const MAX_PATH: usize = 240;

/// Files that may lie at the root beside `data/`; nothing else may.
pub const ROOT_FILES: [&str; 9] = [
    "bagit.txt",
    "bag-info.txt",
    "manifest-sha256.txt",
    "tagmanifest-sha256.txt",
    "VERIFY.md",
    "seal.json",
    "seal.json.sig",
    "seal.dsse.json",
    "seal.tlog-proof",
];

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {path:?} {why}")]
pub struct InvalidPath {
    /// The path, with anything unprintable escaped.
    pub path: String,
    /// The fault.
    pub why: &'static str,
}

/// Checks a path: alphabet `[A-Za-z0-9._=/-]`, relative, no empty, `.` or `..` component, at most [`MAX_PATH`] bytes.
///
/// # Errors
/// Names the first fault.
pub fn check(path: &str) -> Result<(), InvalidPath> {
    let refuse = |why| Err(InvalidPath { path: path.to_owned(), why });
    if path.is_empty() {
        return refuse("is empty");
    }
    if path.len() > MAX_PATH {
        return refuse("is longer than 240 bytes");
    }
    if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._=/-".contains(&b)) {
        return refuse("holds a character outside [A-Za-z0-9._=/-]");
    }
    if path.starts_with('/') {
        return refuse("is absolute");
    }
    if path.split('/').any(|part| part == ".." || part == ".") {
        return refuse("has a . or .. in it");
    }
    if path.split('/').any(str::is_empty) {
        return refuse("has an empty component");
    }
    Ok(())
}

/// Returns whether the path may be in an archive: a known root file, a token, or anything below `data/`.
pub fn is_member(path: &str) -> bool {
    ROOT_FILES.contains(&path) || path.starts_with("data/") || is_token(path)
}

/// Returns whether the path is `tokens/NNN.tst`.
pub fn is_token(path: &str) -> bool {
    path.strip_prefix("tokens/")
        .and_then(|name| name.strip_suffix(".tst"))
        .is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns the names of a line file's parts, endlessly: `x.ndjson`, `x.001.ndjson`, `x.002.ndjson`, ….
pub fn parts(path: &str) -> impl Iterator<Item = String> + use<> {
    let (path, stem) = (path.to_owned(), path.trim_end_matches(".ndjson").to_owned());
    std::iter::once(path).chain((1..).map(move |n: u32| format!("{stem}.{n:03}.ndjson")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_could_leave_the_folder_or_deceive_are_refused() {
        for bad in ["", "/x", "../x", "a/../b", "a/./b", "a//b", "a/", "a b", "a\\b", "ä", "a\nb", "C:x", "a\0"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check(&"a".repeat(241)).is_err());
        for good in ["data/bodies/123456789012/eu-west-1.000.ndjson", "bagit.txt", "data/a=b", "data/..a"] {
            assert!(check(good).is_ok(), "{good:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_stays_below_the_folder(path in "[A-Za-z0-9./=_\\\\ -]{0,40}") {
            if check(&path).is_ok() {
                let mut depth = 0i32;
                for part in std::path::Path::new(&path).components() {
                    prop_assert!(matches!(part, std::path::Component::Normal(_)));
                    depth += 1;
                }
                prop_assert!(depth > 0);
            }
        }
    }
}
