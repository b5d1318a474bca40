//! The folder in which an archive's files are written and hashed before they are sealed.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

use super::{ArchiveError, path};
use crate::model::Sha256Digest;

/// No file of an archive is larger: browsers hash in one piece.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;

/// A finished file of the staging folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagedFile {
    /// Digest of its bytes, computed while they were written.
    pub sha256: Sha256Digest,
    /// Its size in bytes.
    pub size: u64,
    /// How many line feeds it holds.
    pub lines: u64,
}

type Files = Arc<Mutex<BTreeMap<String, Option<StagedFile>>>>;

/// A folder that becomes an archive. Owner-only; every file below `data/`.
#[derive(Debug)]
pub struct Staging {
    root: PathBuf,
    files: Files,
}

/// Writes one file of the staging folder and hashes as it writes. [`StagedWriter::finish`] makes it part of the archive.
#[derive(Debug)]
pub struct StagedWriter {
    path: String,
    files: Files,
    file: BufWriter<File>,
    hasher: Sha256,
    size: u64,
    lines: u64,
}

fn entries(files: &Files) -> MutexGuard<'_, BTreeMap<String, Option<StagedFile>>> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Staging {
    /// Creates the folder, which must not exist or be empty.
    ///
    /// # Errors
    /// Where it cannot be made, or holds something already.
    pub fn create(root: &Path) -> Result<Self, ArchiveError> {
        let io = |source| ArchiveError::Io { action: "create", path: root.display().to_string(), source };
        crate::store::make_private_dir(root).map_err(io)?;
        if std::fs::read_dir(root).map_err(io)?.next().is_some() {
            return Err(ArchiveError::NotEmpty(root.display().to_string()));
        }
        Ok(Self { root: root.to_owned(), files: Files::default() })
    }

    /// Begins a new file, such as `data/plan.ndjson`.
    ///
    /// # Errors
    /// Where the path is not below `data/`, is malformed or taken, or the disk refuses.
    pub fn writer(&self, path: &str) -> Result<StagedWriter, ArchiveError> {
        path::check(path)?;
        if !path.starts_with("data/") {
            return Err(path::InvalidPath { path: path.to_owned(), why: "does not lie below data/" }.into());
        }
        let io = |source| ArchiveError::Io { action: "create", path: path.to_owned(), source };
        let place = self.root.join(path);
        if let Some(parent) = place.parent() {
            crate::store::make_private_dir(parent).map_err(io)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&place).map_err(io)?;
        entries(&self.files).insert(path.to_owned(), None);
        Ok(StagedWriter {
            path: path.to_owned(),
            files: Arc::clone(&self.files),
            file: BufWriter::with_capacity(64 * 1024, file),
            hasher: Sha256::new(),
            size: 0,
            lines: 0,
        })
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// As [`Self::writer`].
    pub fn add(&self, path: &str, bytes: &[u8]) -> Result<StagedFile, ArchiveError> {
        let mut writer = self.writer(path)?;
        writer.write_all(bytes).map_err(|source| ArchiveError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })?;
        writer.finish()
    }

    /// Returns what is known of a finished file.
    pub fn get(&self, path: &str) -> Option<StagedFile> {
        entries(&self.files).get(path).copied().flatten()
    }

    /// Returns the digest of a file together with its parts (`….001.ndjson` and so on), as if they were one file.
    ///
    /// # Errors
    /// Where a part cannot be read.
    pub fn joint_digest(&self, path: &str) -> Result<Option<Sha256Digest>, ArchiveError> {
        let Some(first) = self.get(path) else { return Ok(None) };
        let mut parts = path::parts(path).take_while(|part| self.get(part).is_some()).skip(1).peekable();
        if parts.peek().is_none() {
            return Ok(Some(first.sha256));
        }
        let mut hasher = Sha256::new();
        for part in std::iter::once(path.to_owned()).chain(parts) {
            super::bag::pour(self.open(&part)?, &mut hasher).map_err(|source| ArchiveError::Io {
                action: "read",
                path: part,
                source,
            })?;
        }
        Ok(Some(Sha256Digest::from(hasher)))
    }

    /// Returns every file in bytewise order of paths.
    ///
    /// # Errors
    /// Where one was begun and not finished: a half-written file is never sealed.
    pub fn files(&self) -> Result<Vec<(String, StagedFile)>, ArchiveError> {
        entries(&self.files)
            .iter()
            .map(|(path, file)| {
                file.map(|file| (path.clone(), file)).ok_or_else(|| ArchiveError::Unfinished(path.clone()))
            })
            .collect()
    }

    /// Opens a staged file for reading.
    ///
    /// # Errors
    /// Where it is absent or the disk refuses.
    pub fn open(&self, path: &str) -> Result<File, ArchiveError> {
        File::open(self.root.join(path)).map_err(|source| ArchiveError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Removes the folder and all that is in it.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_dir_all(&self.root)
    }
}

impl StagedWriter {
    /// Returns how many bytes still fit into this file.
    pub fn remaining(&self) -> u64 {
        MAX_FILE - self.size
    }

    /// Returns how many lines were written: the number of the last one.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Flushes the file to disk and makes it part of the archive.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn finish(mut self) -> Result<StagedFile, ArchiveError> {
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(|source| ArchiveError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })?;
        let staged = StagedFile { sha256: Sha256Digest::from(self.hasher), size: self.size, lines: self.lines };
        entries(&self.files).insert(self.path, Some(staged));
        Ok(staged)
    }
}

impl Write for StagedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.remaining() {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{} would exceed 64 MiB; begin the next part", self.path),
            ));
        }
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.size += n as u64;
        self.lines += bytes[..n].iter().filter(|b| **b == b'\n').count() as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
