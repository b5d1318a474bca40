//! Where seals and archives live. Objects are written once: a store never overwrites, so the second writer loses.

#[cfg(test)]
mod contract;
mod directory;
pub mod memory;
mod retention;
#[cfg(feature = "aws")]
pub mod s3;

pub use directory::DirectoryStore;
pub use retention::{InvalidRetention, Retention};

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

/// Largest object that is copied to a temporary file to be read: an archive of this size has been written by nobody.
const MAX_COPY: u64 = 64 << 30;

/// What a store does. Names are `/`-separated, of the archive's path alphabet.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Writes `content` under a new name: whole or not at all, durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] where the name is taken. After any other error the object may or may not be there.
    fn put_new(&self, name: &str, content: &mut dyn Read) -> Result<(), StoreError>;

    /// Replaces the one object that is a convenience and no evidence (`checkpoint`): whole or not at all.
    ///
    /// # Errors
    /// Where the store refuses.
    fn replace(&self, name: &str, content: &[u8]) -> Result<(), StoreError>;

    /// Opens an object.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or where the store refuses.
    fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError>;

    /// Returns whether the object is there.
    ///
    /// # Errors
    /// Where the store refuses.
    fn exists(&self, name: &str) -> Result<bool, StoreError>;

    /// Returns the names of every object below `prefix` (a name up to and including a `/`), sorted bytewise.
    ///
    /// # Errors
    /// Where the store refuses.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Shows that the store can be written to, before a run opens.
    ///
    /// # Errors
    /// Where it cannot.
    fn check_writable(&self) -> Result<(), StoreError>;

    /// Takes the store's writer's lock, held until the guard is dropped (also by a crash).
    ///
    /// # Errors
    /// [`StoreError::Locked`] where another writer is at work.
    fn lock(&self) -> Result<Box<dyn Guard>, StoreError>;

    /// Names what befell objects besides being written once, where the store remembers: hidden by a deletion, written again.
    ///
    /// # Errors
    /// Where the store refuses.
    fn tampering(&self) -> Result<Vec<Tampering>, StoreError> {
        Ok(Vec::new())
    }

    /// Returns a local path to the object, where the store has one.
    fn local_path(&self, name: &str) -> Option<PathBuf> {
        let _ = name;
        None
    }

    /// Returns what names the object on a command line: its path, or its URL.
    fn address(&self, name: &str) -> PathBuf {
        self.local_path(name).unwrap_or_else(|| format!("{}/{name}", self.url()).into())
    }

    /// Returns the store's URL, for messages.
    fn url(&self) -> String;
}

/// Holds the writer's lock while it lives.
pub trait Guard: Send + Sync + std::fmt::Debug {}

/// An object that was not just written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tampering {
    /// The object.
    pub name: String,
    /// True where it can no longer be seen.
    pub hidden: bool,
    /// What happened, and what the store still holds of it.
    pub what: String,
}

/// What a store needs to know of its writer.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// How long what is written cannot be deleted; needed by stores that lock objects, of no meaning to a directory.
    pub retention: Option<Retention>,
    /// Random bytes that tell this writer from any other.
    pub holder: [u8; 16],
}

/// What a service refused, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}the store {store}: {said}. {advice}", if name == "." { String::new() } else { format!("{name} in ") })]
pub struct Refused {
    /// What was tried.
    pub action: &'static str,
    /// The object, or `.` for the store itself.
    pub name: String,
    /// The store.
    pub store: String,
    /// The service's code and words.
    pub said: String,
    /// The next step.
    pub advice: String,
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name is taken: another writer was first.
    #[error("{name} exists already in {store}: another run wrote it first")]
    AlreadyExists {
        /// The object.
        name: String,
        /// The store.
        store: String,
    },
    /// No such object.
    #[error("{store} holds no {name}")]
    NotFound {
        /// The object.
        name: String,
        /// The store.
        store: String,
    },
    /// Another writer is at work.
    #[error("another orgproof is writing to {store}; {wait}")]
    Locked {
        /// The store.
        store: String,
        /// What ends it.
        wait: String,
    },
    /// The service that keeps the store refused, or did not answer.
    #[error(transparent)]
    Refused(Box<Refused>),
    /// The store is not of the kind that evidence needs.
    #[error("the store {store} cannot be used: {what}. {advice}")]
    Unfit {
        /// The store.
        store: String,
        /// What is needed, and what is there.
        what: String,
        /// The next step.
        advice: String,
    },
    /// The name could leave the store.
    #[error("{name:?} is no name for an object")]
    Name {
        /// The name.
        name: String,
    },
    /// The URL's scheme is not one of ours.
    #[error("{url:?} is no store that this build can use; write {}", if cfg!(feature = "aws") { "file:PATH or s3://BUCKET/PREFIX" } else { "file:PATH" })]
    Scheme {
        /// The URL.
        url: String,
    },
    /// The store refused.
    #[error(
        "cannot {action} {name} in the store {store}: {source}. Check that the folder exists, is yours and has room"
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// The object, or `.` for the store itself.
        name: String,
        /// The store.
        store: String,
        /// The cause.
        source: io::Error,
    },
}

/// Opens the store that `url` names, for reading: `file:PATH`, relative to `base`, or `s3://BUCKET/PREFIX`. A directory is made
/// if it is absent.
///
/// # Errors
/// Where the scheme is unknown, the directory cannot be made, or the bucket cannot be reached.
pub fn open(url: &str, base: &Path) -> Result<Box<dyn Store>, StoreError> {
    open_as(url, base, None)
}

/// Opens the store that `url` names, for a writer. Whether it can be written to, [`Store::lock`] and
/// [`Store::check_writable`] say.
///
/// # Errors
/// As [`open`].
pub fn open_for(writer: Writer, url: &str, base: &Path) -> Result<Box<dyn Store>, StoreError> {
    open_as(url, base, Some(writer))
}

fn open_as(url: &str, base: &Path, writer: Option<Writer>) -> Result<Box<dyn Store>, StoreError> {
    match url.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Ok(Box::new(DirectoryStore::create(&base.join(path))?)),
        #[cfg(feature = "aws")]
        Some(("s3", _)) => Ok(Box::new(s3::S3Store::open(url, writer)?)),
        _ => {
            let _ = writer;
            Err(StoreError::Scheme { url: url.to_owned() })
        }
    }
}

/// Copies an object to a temporary file without a name, which goes when it is closed; for what must be read in any order.
///
/// # Errors
/// Where the store refuses, the object is larger than any archive, or the disk is full.
pub fn copy(store: &dyn Store, name: &str) -> Result<File, StoreError> {
    let refused = |said: String| Refused {
        action: "copy",
        name: name.to_owned(),
        store: store.url(),
        said,
        advice: "An archive is read from a copy in the system's temporary folder: see that it has room, or set TMPDIR"
            .to_owned(),
    };
    let mut file = tempfile::tempfile().map_err(|e| refused(e.to_string()))?;
    let copied = io::copy(&mut store.read(name)?.take(MAX_COPY + 1), &mut file).map_err(|e| refused(e.to_string()))?;
    if copied > MAX_COPY {
        return Err(refused(format!("it is larger than {MAX_COPY} bytes")).into());
    }
    file.flush().and_then(|()| file.rewind()).map_err(|e| refused(e.to_string()))?;
    Ok(file)
}

/// Reads a whole object of at most `limit` bytes.
///
/// # Errors
/// Where it is absent, larger, or the store refuses.
pub fn read_all(store: &dyn Store, name: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
    let io = |source| StoreError::Io { action: "read", name: name.to_owned(), store: store.url(), source };
    let mut bytes = Vec::new();
    store.read(name)?.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(io(io::Error::other(format!("larger than {limit} bytes"))));
    }
    Ok(bytes)
}

/// Makes a directory and its parents, readable by their owner only.
///
/// # Errors
/// As the operating system says.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
