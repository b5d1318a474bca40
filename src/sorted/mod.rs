//! More records than memory should hold, in order: sorted runs on disk, merged as they are read.
//!
//! A [`Sorter`] takes records, a key and a value each, in any order and keeps them in a bounded buffer. Whenever that is full its
//! content goes, sorted, to an unnamed temporary file (a *run*). [`Sorted`] gives them back in ascending order of key, then of
//! value, from any key on, as often as wanted: the order never depends on who pushed first. Runs that grow too many are merged into one, so that
//! memory stays within a few buffers whatever the number of records.
//!
//! Temporary files have no name: the operating system removes them with their last handle, after an error, a signal or a crash too,
//! and nobody else can open them.

pub mod key;
mod run;
#[cfg(test)]
mod tests;

use std::{
    collections::{BinaryHeap, binary_heap::PeekMut},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use run::{Cursor, Memory, Run};

/// As many runs of about one size are merged into one of the next: each costs an open file and a buffer while it is read.
const FAN: usize = 24;

/// Where temporary files lie, and how much is held in memory before they are needed.
#[derive(Debug, Clone)]
pub struct Scratch {
    folder: Option<PathBuf>,
    buffer: usize,
    written: Arc<AtomicU64>,
}

impl Default for Scratch {
    /// The system's folder for temporary files, and 8 MiB for each sorter.
    fn default() -> Self {
        Self { folder: None, buffer: 8 << 20, written: Arc::default() }
    }
}

impl Scratch {
    /// Uses `folder` for temporary files.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..self }
    }

    /// Holds at most `bytes` of records in each sorter.
    #[must_use]
    pub fn holding(self, bytes: usize) -> Self {
        Self { buffer: bytes, ..self }
    }

    /// Returns how many bytes were written to temporary files so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn file(&self) -> io::Result<std::fs::File> {
        match &self.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }
    }
}

/// Takes records in any order.
#[derive(Debug)]
pub struct Sorter {
    scratch: Scratch,
    buffer: Memory,
    /// Runs by size: those of one level are about as large as `FAN` of the level below.
    levels: Vec<Vec<Run>>,
}

impl Sorter {
    /// Begins with nothing.
    pub fn new(scratch: &Scratch) -> Self {
        Self { scratch: scratch.clone(), buffer: Memory::default(), levels: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if self.buffer.size() + key.len() + value.len() > self.scratch.buffer && !self.buffer.is_empty() {
            self.spill()?;
        }
        self.buffer.push(key, value)
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.sort();
        let mut records = Sorted { sources: vec![Source::Memory(Arc::new(buffer))] };
        for level in 0.. {
            let run = self.write(&records)?;
            if self.levels.len() <= level {
                self.levels.push(Vec::new());
            }
            let Some(runs) = self.levels.get_mut(level) else { break };
            runs.push(run);
            if runs.len() < FAN {
                break;
            }
            records = Sorted { sources: std::mem::take(runs).into_iter().map(Source::Run).collect() };
        }
        Ok(())
    }

    fn write(&self, records: &Sorted) -> io::Result<Run> {
        let mut writer = run::Writer::new(self.scratch.file()?);
        let mut merge = records.all()?;
        while let Some((key, value)) = merge.next()? {
            writer.push(key, value)?;
        }
        let (run, size) = writer.finish()?;
        self.scratch.written.fetch_add(size, Ordering::Relaxed);
        Ok(run)
    }

    /// Puts the records in order. Those that fit into the buffer never touch the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(self) -> io::Result<Sorted> {
        Sorted::of([self])
    }
}

#[derive(Debug, Clone)]
enum Source {
    Memory(Arc<Memory>),
    Run(Run),
}

/// Records in order. Cheap to clone; may be read by several threads at once.
#[derive(Debug, Clone, Default)]
pub struct Sorted {
    sources: Vec<Source>,
}

impl Sorted {
    /// Unites what several sorters took, as if one had taken it all.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn of(sorters: impl IntoIterator<Item = Sorter>) -> io::Result<Self> {
        let mut sources = Vec::new();
        for mut sorter in sorters {
            if !sorter.levels.is_empty() && !sorter.buffer.is_empty() {
                sorter.spill()?;
            }
            sources.extend(sorter.levels.into_iter().flatten().map(Source::Run));
            if !sorter.buffer.is_empty() {
                sorter.buffer.sort();
                sources.push(Source::Memory(Arc::new(sorter.buffer)));
            }
        }
        Ok(Self { sources })
    }

    /// Reads all records.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn all(&self) -> io::Result<Merge> {
        self.from(&[])
    }

    /// Reads the records whose key is not less than `key`.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn from(&self, key: &[u8]) -> io::Result<Merge> {
        let mut heap = BinaryHeap::with_capacity(self.sources.len());
        for source in &self.sources {
            let cursor = match source {
                Source::Memory(memory) => Cursor::of_memory(memory, key),
                Source::Run(run) => Cursor::of_run(run, key)?,
            };
            heap.extend(cursor);
        }
        Ok(Merge { heap, given: false })
    }
}

/// Reads records in ascending order.
#[derive(Debug)]
pub struct Merge {
    heap: BinaryHeap<Cursor>,
    given: bool,
}

impl Merge {
    /// Returns the next record, key and value; `None` after the last.
    ///
    /// # Errors
    /// The disk refuses.
    // Not an iterator: what it returns lives until the next call.
    #[expect(clippy::should_implement_trait)]
    pub fn next(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        if self.given
            && let Some(mut top) = self.heap.peek_mut()
            && !top.advance()?
        {
            PeekMut::pop(top);
        }
        self.given = true;
        Ok(self.heap.peek().map(Cursor::record))
    }
}
