//! Where seals and archives live. Objects are written once: a store never overwrites, so the second writer loses.

mod directory;
pub mod memory;

pub use directory::DirectoryStore;

use std::{
    io::{self, Read},
    path::Path,
};

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

    /// Returns a local path to the object, where the store has one.
    fn local_path(&self, name: &str) -> Option<std::path::PathBuf> {
        let _ = name;
        None
    }

    /// Returns the store's URL, for messages.
    fn url(&self) -> String;
}

/// Holds the writer's lock while it lives.
pub trait Guard: Send + Sync + std::fmt::Debug {}

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
    #[error("another orgproof is writing to {store}; wait for it to end")]
    Locked {
        /// The store.
        store: String,
    },
    /// The name could leave the store.
    #[error("{name:?} is no name for an object")]
    Name {
        /// The name.
        name: String,
    },
    /// The URL's scheme is not one of ours.
    #[error("{url:?} is no store that this build can use; write file:PATH")]
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

/// Opens the store that `url` names: `file:PATH`, relative to `base`. The directory is made if it is absent.
///
/// # Errors
/// Where the scheme is unknown or the directory cannot be made.
pub fn open(url: &str, base: &Path) -> Result<Box<dyn Store>, StoreError> {
    match url.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Ok(Box::new(DirectoryStore::create(&base.join(path))?)),
        _ => Err(StoreError::Scheme { url: url.to_owned() }),
    }
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
