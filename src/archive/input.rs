//! What a user names on a command line: an archive (a zip, or the folder into which one was unpacked) or a store, on disk or in S3.

use std::path::Path;

use super::{ArchiveError, Reader, chain};
use crate::store::{self, DirectoryStore, Store, StoreError};

/// What was found under a name.
#[derive(Debug)]
pub enum Input {
    /// An archive, opened. One that lies in S3 is read from a temporary copy.
    Archive(Box<Reader>),
    /// A store, for reading.
    Store(Box<dyn Store>),
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// There is no such file.
    #[error("cannot be opened: {0}")]
    Unreadable(std::io::Error),
    /// A folder of another kind.
    #[error("neither an archive (no seal.json) nor a store (no chain folder)")]
    Unknown,
    /// It is no archive that can be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Input {
    /// Opens what `named` names: a path, `s3://BUCKET/PREFIX` (a store), or `s3://BUCKET/PREFIX/archives/NAME.zip`.
    ///
    /// # Errors
    /// There is nothing of the kind, or it cannot be read.
    pub fn open(named: &Path) -> Result<Self, InputError> {
        if let Some(url) = named.to_str().filter(|text| text.starts_with("s3:")) {
            return Self::remote(url);
        }
        let found = std::fs::metadata(named).map_err(InputError::Unreadable)?;
        if !found.is_dir() || named.join("seal.json").exists() || named.join("bagit.txt").exists() {
            return Ok(Self::Archive(Box::new(Reader::open(named)?)));
        }
        if named.join("chain").is_dir() {
            return Ok(Self::Store(Box::new(DirectoryStore::existing(named))));
        }
        Err(InputError::Unknown)
    }

    fn remote(url: &str) -> Result<Self, InputError> {
        const ARCHIVES: &str = "archives/";
        let archive = url.rsplit_once('/').filter(|(_, name)| name.ends_with(".zip"));
        let Some((folder, name)) = archive else { return Ok(Self::Store(store::open(url, Path::new(""))?)) };
        let (root, below) = match folder.strip_suffix("/archives") {
            Some(root) => (root, ARCHIVES),
            None => (folder, ""),
        };
        let store = store::open(root, Path::new(""))?;
        Ok(Self::Archive(Box::new(chain::open_archive(&*store, &format!("{below}{name}"))?)))
    }
}
