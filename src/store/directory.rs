//! A store in a directory.
//!
//! An object appears whole or not at all: it is written to a temporary file beside its place, flushed to disk, then
//! linked to its name, which fails where the name is taken (`link(2)`); the directory is flushed last. A crash leaves at
//! most a temporary file, whose name begins with `.tmp-` and which no listing shows.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{Guard, Store, StoreError, make_private_dir};

const TEMPORARY: &str = ".tmp-";
const LOCK: &str = ".lock";

/// A store in a directory of the local file system.
#[derive(Debug)]
pub struct DirectoryStore {
    root: PathBuf,
}

#[derive(Debug)]
struct FileLock {
    // Released when the descriptor closes, by a crash too.
    _file: File,
}

impl Guard for FileLock {}

impl DirectoryStore {
    /// Opens the store at `root`, making the directory where it is absent.
    ///
    /// # Errors
    /// Where it cannot be made or is not a directory.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        let store = Self { root: root.to_owned() };
        make_private_dir(root).map_err(|e| store.io("create", ".", e))?;
        Ok(store)
    }

    /// Opens an existing store without writing to it.
    pub fn existing(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn io(&self, action: &'static str, name: &str, source: io::Error) -> StoreError {
        StoreError::Io { action, name: name.to_owned(), store: self.url(), source }
    }

    fn place(&self, name: &str) -> Result<PathBuf, StoreError> {
        if crate::archive::path::check(name).is_err() {
            return Err(StoreError::Name { name: name.to_owned() });
        }
        Ok(self.root.join(name))
    }

    fn temporary(&self, place: &Path, content: &mut dyn Read) -> io::Result<tempfile::NamedTempFile> {
        let parent = place.parent().unwrap_or(&self.root);
        make_private_dir(parent)?;
        // Mode 0600 on Unix.
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(parent)?;
        io::copy(content, &mut file)?;
        file.flush()?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    fn sync_parents(&self, place: &Path) -> io::Result<()> {
        for directory in place.ancestors().skip(1) {
            File::open(directory)?.sync_all()?;
            if directory == self.root {
                break;
            }
        }
        Ok(())
    }

    fn walk(&self, directory: &Path, prefix: &str, found: &mut Vec<String>) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(io::Error::other(format!("{} has a name that is not UTF-8", entry.path().display())));
            };
            if name.starts_with(TEMPORARY) || name == LOCK {
                continue;
            }
            let full = format!("{prefix}{name}");
            // A symbolic link is listed as an object, never followed as a directory.
            if entry.file_type()?.is_dir() {
                self.walk(&entry.path(), &format!("{full}/"), found)?;
            } else {
                found.push(full);
            }
        }
        Ok(())
    }
}

impl Store for DirectoryStore {
    fn put_new(&self, name: &str, content: &mut dyn Read) -> Result<(), StoreError> {
        let place = self.place(name)?;
        let file = self.temporary(&place, content).map_err(|e| self.io("write", name, e))?;
        file.persist_noclobber(&place).map_err(|e| {
            if e.error.kind() == io::ErrorKind::AlreadyExists {
                StoreError::AlreadyExists { name: name.to_owned(), store: self.url() }
            } else {
                self.io("write", name, e.error)
            }
        })?;
        self.sync_parents(&place).map_err(|e| self.io("flush", name, e))
    }

    fn replace(&self, name: &str, mut content: &[u8]) -> Result<(), StoreError> {
        let place = self.place(name)?;
        let file = self.temporary(&place, &mut content).map_err(|e| self.io("write", name, e))?;
        file.persist(&place).map_err(|e| self.io("write", name, e.error))?;
        self.sync_parents(&place).map_err(|e| self.io("flush", name, e))
    }

    fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        match File::open(self.place(name)?) {
            Ok(file) => Ok(Box::new(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::NotFound { name: name.to_owned(), store: self.url() })
            }
            Err(e) => Err(self.io("read", name, e)),
        }
    }

    fn exists(&self, name: &str) -> Result<bool, StoreError> {
        fs::exists(self.place(name)?).map_err(|e| self.io("read", name, e))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let start = match prefix.strip_suffix('/') {
            Some(directory) => self.place(directory)?,
            None => self.root.clone(),
        };
        let mut found = Vec::new();
        self.walk(&start, prefix, &mut found).map_err(|e| self.io("list", prefix, e))?;
        found.sort_unstable();
        Ok(found)
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.root)
            .and_then(|mut file| file.write_all(b"probe").and_then(|()| file.close()))
            .map_err(|e| self.io("write", ".", e))
    }

    fn lock(&self) -> Result<Box<dyn Guard>, StoreError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.root.join(LOCK)).map_err(|e| self.io("lock", ".", e))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(FileLock { _file: file })),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Locked { store: self.url(), wait: "wait for it to end".to_owned() })
            }
            Err(TryLockError::Error(e)) => Err(self.io("lock", ".", e)),
        }
    }

    fn local_path(&self, name: &str) -> Option<PathBuf> {
        self.place(name).ok()
    }

    fn url(&self) -> String {
        format!("file:{}", self.root.display())
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, sync::Barrier};

    use super::*;

    fn store() -> (tempfile::TempDir, DirectoryStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = DirectoryStore::create(&directory.path().join("s")).unwrap();
        (directory, store)
    }

    #[test]
    fn of_many_writers_exactly_one_wins_and_the_object_is_whole() {
        let (_keep, store) = store();
        let barrier = Barrier::new(8);
        let won: usize = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..8u8)
                .map(|n| {
                    let (store, barrier) = (&store, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        match store.put_new("chain/00000000/seal.dsse.json", &mut vec![n; 100_000].as_slice()) {
                            Ok(()) => 1,
                            Err(StoreError::AlreadyExists { .. }) => 0,
                            Err(e) => panic!("{e}"),
                        }
                    })
                })
                .collect();
            handles.into_iter().map(|h| h.join().unwrap()).sum()
        });
        assert_eq!(won, 1);
        let bytes = super::super::read_all(&store, "chain/00000000/seal.dsse.json", 1 << 20).unwrap();
        assert!(bytes.len() == 100_000 && bytes.iter().all(|b| *b == bytes[0]));
        assert_eq!(store.list("").unwrap(), ["chain/00000000/seal.dsse.json"], "no temporary file is left or shown");
    }

    #[test]
    fn objects_and_folders_are_their_owners_only() {
        let (_keep, store) = store();
        store.put_new("a/b", &mut &b"x"[..]).unwrap();
        store.replace("checkpoint", b"y").unwrap();
        for (name, mode) in [("a", 0o700), ("a/b", 0o600), ("checkpoint", 0o600), ("", 0o700)] {
            let got = fs::metadata(store.root.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(got, mode, "{name}");
        }
    }

    #[test]
    fn a_failing_source_leaves_nothing_behind() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("cut"))
            }
        }
        let (_keep, store) = store();
        assert!(store.put_new("x", &mut Failing).is_err());
        assert_eq!(store.list("").unwrap(), Vec::<String>::new());
        assert_eq!(fs::read_dir(&store.root).unwrap().count(), 0);
    }

    #[test]
    fn names_cannot_leave_the_store() {
        let (_keep, store) = store();
        for name in ["../x", "/etc/x", "a//b", "", "a/..", "a\\b"] {
            assert!(matches!(store.put_new(name, &mut &b""[..]), Err(StoreError::Name { .. })), "{name}");
        }
    }

    #[test]
    fn the_lock_keeps_a_second_writer_out_until_it_is_dropped() {
        let (_keep, store) = store();
        let guard = store.lock().unwrap();
        assert!(matches!(store.lock(), Err(StoreError::Locked { .. })));
        drop(guard);
        store.lock().unwrap();
    }
}
