//! The salted tree over an archive's records: the lines of certain files.

use std::io::{BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

use super::{
    ArchiveError,
    merkle::{TreeHasher, record_leaf, salt},
    seal::{Kind, Records},
};
use crate::model::Sha256Digest;

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

/// Feeds the lines of one file into the tree.
///
/// A line ends with a line feed; a last one without is a record too.
pub(crate) fn feed(tree: &mut TreeHasher, key: &[u8; 32], path: &str, reader: impl Read) -> std::io::Result<FileFacts> {
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
                tree.push(record_leaf(&salt(key, tree.size()), path, line, digest));
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
        tree.push(record_leaf(&salt(key, tree.size()), path, line, Sha256Digest::from(record)));
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
        feed(&mut tree, key, &path, reader).map_err(|source| ArchiveError::Io { action: "read", path, source })?;
    }
    Ok(Records { count: tree.size(), root: tree.root() })
}
