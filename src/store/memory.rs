//! A store in memory that can be told to fail, for the fault tables of everything that writes.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Guard, Store, StoreError};

/// What becomes of a write that reports failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was written.
    Failed,
    /// The object is there all the same: the answer was lost.
    FailedButPersisted,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    writes: usize,
    fault: Option<(usize, Fault)>,
    locked: bool,
}

/// A store in memory. Clones share their content, so a "crashed" writer's store can be opened again.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug)]
struct MemoryLock(MemoryStore);

impl Guard for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets write number `at` from now on (0 is the next) and all later ones fail, the first of them in the manner of `fault`.
    pub fn fail_from(&self, at: usize, fault: Fault) {
        let mut state = self.state();
        state.writes = 0;
        state.fault = Some((at, fault));
    }

    /// Lets writes succeed again.
    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// Removes an object, as only an attacker would.
    pub fn remove(&self, name: &str) -> Option<Vec<u8>> {
        self.state().objects.remove(name)
    }

    fn write(&self, name: &str, bytes: Vec<u8>, new: bool) -> Result<(), StoreError> {
        let mut state = self.state();
        let number = state.writes;
        state.writes += 1;
        let failed = || StoreError::Io {
            action: "write",
            name: name.to_owned(),
            store: self.url(),
            source: io::Error::other("injected"),
        };
        match state.fault {
            Some((at, Fault::Failed)) if number >= at => return Err(failed()),
            Some((at, Fault::FailedButPersisted)) if number > at => return Err(failed()),
            _ => {}
        }
        if new && state.objects.contains_key(name) {
            return Err(StoreError::AlreadyExists { name: name.to_owned(), store: self.url() });
        }
        state.objects.insert(name.to_owned(), bytes);
        if state.fault == Some((number, Fault::FailedButPersisted)) { Err(failed()) } else { Ok(()) }
    }
}

impl Store for MemoryStore {
    fn put_new(&self, name: &str, content: &mut dyn Read) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|source| StoreError::Io {
            action: "write",
            name: name.to_owned(),
            store: self.url(),
            source,
        })?;
        self.write(name, bytes, true)
    }

    fn replace(&self, name: &str, content: &[u8]) -> Result<(), StoreError> {
        self.write(name, content.to_vec(), false)
    }

    fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        match self.state().objects.get(name) {
            Some(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
            None => Err(StoreError::NotFound { name: name.to_owned(), store: self.url() }),
        }
    }

    fn exists(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.state().objects.contains_key(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.state().objects.keys().filter(|n| n.starts_with(prefix)).cloned().collect())
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn lock(&self) -> Result<Box<dyn Guard>, StoreError> {
        let mut state = self.state();
        if state.locked {
            return Err(StoreError::Locked { store: self.url(), wait: "wait for it to end".to_owned() });
        }
        state.locked = true;
        Ok(Box::new(MemoryLock(self.clone())))
    }

    fn url(&self) -> String {
        "memory:".to_owned()
    }
}
