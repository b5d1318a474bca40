//! One sorted run: in memory, or in a file with an index of its blocks.
//!
//! In a file each record is `shared suffix value` (three variable-length integers: bytes that its key shares with the key before, the rest of the key,
//! bytes of the value), then the rest of the key, then the value. A block begins with a whole key, which the index repeats.

use std::{
    cmp::Ordering,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

/// A key is searched for within one block by reading it.
const BLOCK: u64 = 64 * 1024;

/// Records in memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    bytes: Vec<u8>,
    records: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    key: u32,
    value: u32,
}

impl Memory {
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.records.len() * size_of::<Place>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let fit = |n: usize| u32::try_from(n).map_err(|_| io::Error::other("a record is larger than 4 GiB"));
        // What lies before must be addressable too; the sorter's buffer is far smaller.
        fit(self.bytes.len() + key.len() + value.len())?;
        self.records.push(Place { start: fit(self.bytes.len())?, key: fit(key.len())?, value: fit(value.len())? });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    fn record(&self, place: Place) -> (&[u8], &[u8]) {
        let [start, key, value] = [place.start, place.key, place.value].map(|n| n as usize);
        self.bytes.get(start..start + key + value).unwrap_or_default().split_at(key)
    }

    pub(super) fn sort(&mut self) {
        let mut records = std::mem::take(&mut self.records);
        records.sort_unstable_by(|a, b| self.record(*a).cmp(&self.record(*b)));
        self.records = records;
    }
}

/// Records in a file.
#[derive(Debug, Clone)]
pub(super) struct Run {
    file: Arc<File>,
    size: u64,
    /// First key and offset of each block.
    blocks: Arc<Vec<(Box<[u8]>, u64)>>,
}

/// Writes a run; records come in order.
pub(super) struct Writer {
    file: BufWriter<File>,
    last: Vec<u8>,
    at: u64,
    block: u64,
    blocks: Vec<(Box<[u8]>, u64)>,
}

impl Writer {
    pub(super) fn new(file: File) -> Self {
        let file = BufWriter::with_capacity(256 * 1024, file);
        Self { file, last: Vec::new(), at: 0, block: 0, blocks: Vec::new() }
    }

    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let begins = self.blocks.is_empty() || self.at - self.block >= BLOCK;
        let shared = if begins { 0 } else { self.last.iter().zip(key).take_while(|(a, b)| a == b).count() };
        if begins {
            self.blocks.push((key.into(), self.at));
            self.block = self.at;
        }
        let rest = key.get(shared..).unwrap_or_default();
        for n in [shared, rest.len(), value.len()] {
            self.number(n as u64)?;
        }
        self.file.write_all(rest)?;
        self.file.write_all(value)?;
        self.at += (rest.len() + value.len()) as u64;
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        Ok(())
    }

    fn number(&mut self, mut n: u64) -> io::Result<()> {
        let mut bytes = [0; 10];
        let mut used = 0;
        loop {
            let more = n > 127;
            if let Some(byte) = bytes.get_mut(used) {
                *byte = (n & 127) as u8 | (u8::from(more) << 7);
            }
            used += 1;
            n >>= 7;
            if !more {
                break;
            }
        }
        self.at += used as u64;
        self.file.write_all(bytes.get(..used).unwrap_or_default())
    }

    pub(super) fn finish(self) -> io::Result<(Run, u64)> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((Run { file: Arc::new(file), size: self.at, blocks: Arc::new(self.blocks) }, self.at))
    }
}

/// Reads a file from a place of its own.
#[derive(Debug)]
pub(super) struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(buffer.get_mut(..room).unwrap_or_default(), self.at)?;
        if n == 0 && room > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a temporary file was cut short"));
        }
        self.at += n as u64;
        Ok(n)
    }
}

/// A place in a run, at a record.
#[derive(Debug)]
pub(super) enum Cursor {
    Memory { run: Arc<Memory>, at: usize },
    File { reader: BufReader<Section>, key: Vec<u8>, value: Vec<u8> },
}

impl Cursor {
    /// Returns a place at the first record not less than `from`; `None` where there is none.
    pub(super) fn of_memory(run: &Arc<Memory>, from: &[u8]) -> Option<Self> {
        let at = run.records.partition_point(|place| run.record(*place).0 < from);
        (at < run.records.len()).then(|| Self::Memory { run: Arc::clone(run), at })
    }

    /// Likewise, in a file.
    pub(super) fn of_run(run: &Run, from: &[u8]) -> io::Result<Option<Self>> {
        // The key may lie in the block before the first that begins with it or after it.
        let block = run.blocks.partition_point(|(first, _)| **first < *from).saturating_sub(1);
        let Some((_, at)) = run.blocks.get(block) else { return Ok(None) };
        let section = Section { file: Arc::clone(&run.file), at: *at, end: run.size };
        let reader = BufReader::with_capacity(32 * 1024, section);
        let mut cursor = Self::File { reader, key: Vec::new(), value: Vec::new() };
        while cursor.advance()? {
            if cursor.record().0 >= from {
                return Ok(Some(cursor));
            }
        }
        Ok(None)
    }

    pub(super) fn record(&self) -> (&[u8], &[u8]) {
        match self {
            Self::Memory { run, at } => run.records.get(*at).map(|place| run.record(*place)).unwrap_or_default(),
            Self::File { key, value, .. } => (key, value),
        }
    }

    /// Goes to the next record; false where there is none.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        match self {
            Self::Memory { run, at } => {
                *at += 1;
                Ok(*at < run.records.len())
            }
            Self::File { reader, key, value } => {
                if reader.fill_buf()?.is_empty() {
                    return Ok(false);
                }
                let (shared, rest, length) = (number(reader)?, number(reader)?, number(reader)?);
                key.truncate(shared);
                key.resize(shared + rest, 0);
                reader.read_exact(key.get_mut(shared..).unwrap_or_default())?;
                value.resize(length, 0);
                reader.read_exact(value)?;
                Ok(true)
            }
        }
    }
}

fn number(reader: &mut impl Read) -> io::Result<usize> {
    let (mut n, mut shift) = (0_u64, 0);
    loop {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        n |= u64::from(byte[0] & 127) << shift;
        if byte[0] < 128 {
            return usize::try_from(n).map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        }
        shift += 7;
        if shift > 63 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

// Turned round: the heap gives the greatest, and the least record is wanted.
impl Ord for Cursor {
    fn cmp(&self, other: &Self) -> Ordering {
        other.record().cmp(&self.record())
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Cursor {}
