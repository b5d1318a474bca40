//! The salted trees over an archive's records: the lines of certain files; and in an assessment over the lines of its tally.

use std::io::{BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

use super::{
    ArchiveError, MAX_FILE, Reader,
    merkle::{self, TreeHasher, record_leaf},
    seal::{Kind, Records, Seal},
    tally::TALLY,
};
use crate::model::Sha256Digest;

/// One of the salted trees that a seal states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// `.records`: API pages of an evidence archive, observations of an assessment.
    Records,
    /// `.tally`: how many records an assessment has of each account and check.
    Tally,
}

impl Tree {
    /// Returns the salt of line `index`.
    pub fn salt(self, key: &[u8; 32], index: u64) -> [u8; 32] {
        match self {
            Self::Records => merkle::salt(key, index),
            Self::Tally => merkle::tally_salt(key, index),
        }
    }

    /// Returns whether the lines of `path` are leaves of this tree.
    pub fn holds(self, kind: Kind, path: &str) -> bool {
        match self {
            Self::Records => record_paths(kind)(path),
            Self::Tally => kind.is_assessment() && path == TALLY,
        }
    }

    /// Returns what the seal states of this tree.
    pub fn sealed(self, seal: &Seal) -> Option<Records> {
        match self {
            Self::Records => seal.records,
            Self::Tally => seal.tally,
        }
    }
}

/// A line that is a leaf, and its place.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    /// Position in the tree, from 0.
    pub index: u64,
    /// File.
    pub path: &'a str,
    /// Line of it, from 1.
    pub line: u64,
    /// The line without its line feed.
    pub record: &'a [u8],
}

impl Leaf<'_> {
    /// Returns the leaf's hash under its salt.
    pub fn hash(&self, salt: &[u8; 32]) -> Sha256Digest {
        record_leaf(salt, self.path, self.line, Sha256Digest::of(self.record))
    }
}

/// Streams the leaves of a tree in their order.
///
/// # Errors
/// Where a file cannot be read, or `each` fails.
pub fn each_leaf<E: From<ArchiveError>>(
    reader: &Reader,
    tree: Tree,
    mut each: impl FnMut(Leaf<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let kind = reader.seal().predicate.kind;
    let (mut index, mut record) = (0, Vec::new());
    for path in reader.names().into_iter().filter(|path| tree.holds(kind, path)) {
        let io = |source| ArchiveError::Io { action: "read", path: path.to_owned(), source };
        let mut file = BufReader::with_capacity(128 * 1024, reader.file(path)?.take(MAX_FILE + 1));
        for line in 1.. {
            record.clear();
            if file.read_until(b'\n', &mut record).map_err(io)? == 0 {
                break;
            }
            if record.last() == Some(&b'\n') {
                record.pop();
            }
            each(Leaf { index, path, line, record: &record })?;
            index += 1;
        }
    }
    Ok(())
}

/// Returns whether the lines of `path` are records: body lines of an evidence archive, observation lines of an assessment.
pub fn record_paths(kind: Kind) -> fn(&str) -> bool {
    if kind.is_assessment() {
        |path| path.starts_with("data/results/observations.") && path.ends_with(".ndjson")
    } else {
        |path| path.starts_with("data/bodies/")
    }
}

/// What was read of one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileFacts {
    pub(crate) sha256: Sha256Digest,
    pub(crate) size: u64,
    pub(crate) lines: u64,
}

/// Feeds the lines of one file into a tree that holds it.
///
/// A line ends with a line feed; a last one without is a record too.
pub(crate) fn feed(
    hasher: &mut TreeHasher,
    tree: Tree,
    key: &[u8; 32],
    path: &str,
    reader: impl Read,
) -> std::io::Result<FileFacts> {
    let mut reader = BufReader::with_capacity(128 * 1024, reader);
    let (mut whole, mut record) = (Sha256::new(), Sha256::new());
    let (mut line, mut open, mut size) = (1, false, 0);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            break;
        }
        let n = buffer.len();
        whole.update(buffer);
        for piece in buffer.split_inclusive(|b| *b == b'\n') {
            if let Some(content) = piece.strip_suffix(b"\n") {
                record.update(content);
                let digest = Sha256Digest::from(std::mem::replace(&mut record, Sha256::new()));
                hasher.push(record_leaf(&tree.salt(key, hasher.size()), path, line, digest));
                line += 1;
                open = false;
            } else {
                record.update(piece);
                open = true;
            }
        }
        size += n as u64;
        reader.consume(n);
    }
    if open {
        hasher.push(record_leaf(&tree.salt(key, hasher.size()), path, line, Sha256Digest::from(record)));
        line += 1;
    }
    Ok(FileFacts { sha256: Sha256Digest::from(whole), size, lines: line - 1 })
}

/// Computes count and root over files given in bytewise order of paths.
///
/// # Errors
/// Where a file cannot be read.
pub fn records_root<R: Read>(
    key: &[u8; 32],
    files: impl IntoIterator<Item = (String, R)>,
) -> Result<Records, ArchiveError> {
    let mut tree = TreeHasher::new();
    for (path, reader) in files {
        feed(&mut tree, Tree::Records, key, &path, reader).map_err(|source| ArchiveError::Io {
            action: "read",
            path,
            source,
        })?;
    }
    Ok(Records { count: tree.size(), root: tree.root() })
}
