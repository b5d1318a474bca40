#![doc = include_str!("FORMAT.md")]

mod amended;
mod bag;
pub mod batch;
pub mod chain;
mod guide;
mod input;
pub mod manifest;
pub mod merkle;
pub mod path;
pub mod proof;
mod reader;
mod records;
pub mod seal;
mod sink;
mod staging;
pub mod tally;
#[cfg(test)]
mod tests;
mod tlog;
mod zip_read;

pub use amended::{AMENDMENTS, APPROVERS, Amended, AmendedLine, approval_path, file_path};
pub use bag::{SALT_KEY, TAG_FILES};
pub(crate) use bag::{digest, pour};
pub use guide::proof_guide;
pub use input::{Input, InputError};
pub use reader::{Bodies, Calls, Lines, Reader};
pub(crate) use records::feed;
pub use records::{Leaf, Tree, each_leaf, record_paths, records_root};
pub use seal::{Kind, Seal, Statement};
pub use sink::{FileSink, Folder, Nowhere};
pub use staging::{MAX_FILE, StagedFile, StagedWriter, Staging};
pub use tlog::TlogProof;

use crate::{sign::SignError, store::StoreError};

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A path that the format does not allow.
    #[error(transparent)]
    Path(#[from] path::InvalidPath),
    /// The staging folder holds files of something else.
    #[error("{0} is not empty; staging needs a folder of its own")]
    NotEmpty(String),
    /// A file was begun and not finished.
    #[error("{0} was begun and not finished; a half-written file is never sealed")]
    Unfinished(String),
    /// A file that the archive has to hold is not there.
    #[error("the archive holds no {0}")]
    Missing(String),
    /// A staged file is not what was written to it.
    #[error("{0} changed on disk between writing and sealing")]
    Changed(String),
    /// A file's content is not what the format prescribes.
    #[error("{path}{}: {why}", line.map(|n| format!(", line {n}")).unwrap_or_default())]
    Malformed {
        /// The file.
        path: String,
        /// The line, from 1.
        line: Option<u64>,
        /// The fault.
        why: String,
    },
    /// The container is not one that may be read: see the code.
    #[error("{why}")]
    Container {
        /// Stable kebab-case code, such as `zip-duplicate-name`.
        code: &'static str,
        /// The member concerned, where there is one.
        file: Option<String>,
        /// The fault.
        why: String,
    },
    /// Signing failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<std::io::Error> for ArchiveError {
    fn from(source: std::io::Error) -> Self {
        Self::Io { action: "read", path: "the working folder".to_owned(), source }
    }
}

impl ArchiveError {
    pub(crate) fn malformed(path: &str, line: Option<u64>, why: impl std::fmt::Display) -> Self {
        Self::Malformed { path: path.to_owned(), line, why: why.to_string() }
    }
}
