//! Reads an archive, as a zip or unpacked, without believing anything that it says about itself.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use base64ct::{Base64, Encoding};
use serde::de::DeserializeOwned;

use super::{ArchiveError, MAX_FILE, Statement, path, zip_read};
use crate::model::{Call, Coverage, Exchange, PlannedTask, Sha256Digest};

/// Largest file outside `data/`; the manifest of a large run is the largest.
const MAX_TAG_FILE: u64 = MAX_FILE;

type Stream = BufReader<Box<dyn Read + Send>>;

#[derive(Debug)]
enum Source {
    Zip(zip_read::Container),
    Folder { root: PathBuf, sizes: BTreeMap<String, u64> },
}

/// An archive that was opened. That it opens says nothing of its truth: that is [`crate::verify`]'s to say.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    label: String,
    seal_bytes: Vec<u8>,
    statement: Statement,
}

impl Reader {
    /// Opens a zip, or the folder into which one was unpacked.
    ///
    /// # Errors
    /// [`ArchiveError::Container`] where its shape is not that of an archive; otherwise where it cannot be read or holds
    /// no seal of ours.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let io = |source| ArchiveError::Io { action: "open", path: path.display().to_string(), source };
        let source = if fs::metadata(path).map_err(io)?.is_dir() {
            let mut sizes = BTreeMap::new();
            walk(path, "", &mut sizes)?;
            Source::Folder { root: path.to_owned(), sizes }
        } else {
            Source::Zip(zip_read::open(File::open(path).map_err(io)?)?)
        };
        let label = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        Self::new(source, label)
    }

    /// Opens a zip that is open already.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_file(file: File, label: &str) -> Result<Self, ArchiveError> {
        Self::new(Source::Zip(zip_read::open(file)?), label.to_owned())
    }

    fn new(source: Source, label: String) -> Result<Self, ArchiveError> {
        let seal_bytes = source.bytes("seal.json", 16 * 1024 * 1024)?;
        let statement = Statement::parse(&seal_bytes).map_err(|e| ArchiveError::malformed("seal.json", None, e))?;
        Ok(Self { source, label, seal_bytes, statement })
    }

    /// Returns the file name by which it was opened.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the statement in `seal.json`.
    pub fn seal(&self) -> &Statement {
        &self.statement
    }

    /// Returns the exact bytes of `seal.json`.
    pub fn seal_bytes(&self) -> &[u8] {
        &self.seal_bytes
    }

    /// Returns the digest of `seal.json`: the archive's identity.
    pub fn seal_digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.seal_bytes)
    }

    /// Returns the names of all files, in bytewise order.
    pub fn names(&self) -> Vec<&str> {
        match &self.source {
            Source::Zip(zip) => zip.members.keys().map(String::as_str).collect(),
            Source::Folder { sizes, .. } => sizes.keys().map(String::as_str).collect(),
        }
    }

    /// Returns a file's size, where it is there.
    pub fn size(&self, name: &str) -> Option<u64> {
        match &self.source {
            Source::Zip(zip) => zip.members.get(name).map(|m| m.size),
            Source::Folder { sizes, .. } => sizes.get(name).copied(),
        }
    }

    /// Opens a file for streaming.
    ///
    /// # Errors
    /// Where it is absent or cannot be opened.
    pub fn file(&self, name: &str) -> Result<Box<dyn Read + Send>, ArchiveError> {
        self.source.file(name)
    }

    /// Reads a whole file, of at most 64 MiB.
    ///
    /// # Errors
    /// Where it is absent, larger or cannot be read.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        self.source.bytes(name, MAX_TAG_FILE)
    }

    /// Returns the parts of a line file in their order: `data/calls.ndjson`, then `data/calls.001.ndjson` and so on.
    pub fn parts(&self, name: &str) -> Vec<String> {
        let further = path::parts(name).skip(1).take_while(|part| self.size(part).is_some());
        std::iter::once(name.to_owned()).chain(further).collect()
    }

    /// Streams the lines of a file and its parts, without their line feeds.
    ///
    /// # Errors
    /// Where it is absent.
    pub fn lines(&self, name: &str) -> Result<Lines<'_>, ArchiveError> {
        let mut parts = self.parts(name).into_iter();
        let first = parts.next().unwrap_or_default();
        let reader = BufReader::new(self.file(&first)?);
        Ok(Lines { archive: self, parts, path: first, reader, line: 0 })
    }

    /// Reads a file of JSON lines into memory.
    ///
    /// # Errors
    /// Where it is absent or a line is not what it should be.
    pub fn records<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, ArchiveError> {
        let mut lines = self.lines(name)?;
        let mut records = Vec::new();
        while let Some(line) = lines.next_line()? {
            records.push(
                serde_json::from_slice(&line).map_err(|e| ArchiveError::malformed(&lines.path, Some(lines.line), e))?,
            );
        }
        Ok(records)
    }

    /// Reads the plan.
    ///
    /// # Errors
    /// Where it is absent or malformed.
    pub fn plan(&self) -> Result<Vec<PlannedTask>, ArchiveError> {
        self.records("data/plan.ndjson")
    }

    /// Reads the coverage ledger.
    ///
    /// # Errors
    /// Where it is absent or malformed.
    pub fn coverage(&self) -> Result<Vec<Coverage>, ArchiveError> {
        self.records("data/coverage.ndjson")
    }

    /// Streams every API attempt, in the order of `data/calls.ndjson`, without the bytes that it brought back.
    ///
    /// # Errors
    /// Where there is no such file.
    pub fn calls(&self) -> Result<Calls<'_>, ArchiveError> {
        Ok(Calls { lines: self.lines("data/calls.ndjson")? })
    }

    /// Reads the bytes that calls brought back. Cheap where calls are asked for in their order.
    pub fn bodies(&self) -> Bodies<'_> {
        Bodies { archive: self, open: None }
    }

    /// Streams every API attempt with the bytes that it brought back, in the order of `data/calls.ndjson`.
    ///
    /// Bodies are decoded and compared with the digest that their call states.
    ///
    /// # Errors
    /// Where a file is malformed, a body is missing or another than the call says, or `each` fails.
    pub fn exchanges<E: From<ArchiveError>>(
        &self,
        mut each: impl FnMut(Exchange<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let seal = self.seal_digest();
        let mut bodies = self.bodies();
        for call in self.calls()? {
            let call = call?;
            let body = bodies.of(&call)?;
            each(Exchange { call: &call, body: &body, seal })?;
        }
        Ok(())
    }
}

/// API attempts, in order.
pub struct Calls<'a> {
    lines: Lines<'a>,
}

impl Iterator for Calls<'_> {
    type Item = Result<Call, ArchiveError>;
    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next_line().transpose()?;
        let (path, number) = self.lines.position();
        Some(
            line.and_then(|line| {
                serde_json::from_slice(&line).map_err(|e| ArchiveError::malformed(path, Some(number), e))
            }),
        )
    }
}

/// The lines of a file and its parts.
pub struct Lines<'a> {
    archive: &'a Reader,
    parts: std::vec::IntoIter<String>,
    path: String,
    reader: Stream,
    line: u64,
}

impl Lines<'_> {
    /// Returns the next line without its line feed.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, ArchiveError> {
        loop {
            if let Some(line) = read_line(&mut self.reader, &self.path)? {
                self.line += 1;
                return Ok(Some(line));
            }
            let Some(next) = self.parts.next() else { return Ok(None) };
            self.reader = BufReader::new(self.archive.file(&next)?);
            (self.path, self.line) = (next, 0);
        }
    }

    /// Returns path and number (from 1) of the line returned last.
    pub fn position(&self) -> (&str, u64) {
        (&self.path, self.line)
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Vec<u8>, ArchiveError>;
    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// What calls brought back.
pub struct Bodies<'a> {
    archive: &'a Reader,
    open: Option<(String, u64, Stream)>,
}

impl Bodies<'_> {
    /// Returns the exact bytes that a call brought back (decoded, where they were stored as base64); empty where none were kept.
    ///
    /// # Errors
    /// Where they are missing or others than the call says.
    pub fn of(&mut self, call: &Call) -> Result<Vec<u8>, ArchiveError> {
        let Some(body) = &call.body else { return Ok(Vec::new()) };
        let reusable = self.open.as_ref().is_some_and(|(path, line, _)| *path == body.path && *line < body.line);
        if !reusable {
            if !body.path.starts_with("data/bodies/") {
                return Err(ArchiveError::malformed(&body.path, None, "no body file"));
            }
            self.open = Some((body.path.clone(), 0, BufReader::new(self.archive.file(&body.path)?)));
        }
        let absent = || ArchiveError::malformed(&body.path, Some(body.line), "the file has no such line");
        let Some((path, at, reader)) = &mut self.open else { return Err(absent()) };
        let mut line = None;
        while *at < body.line {
            line = Some(read_line(reader, path)?.ok_or_else(absent)?);
            *at += 1;
        }
        let line = line.ok_or_else(absent)?;
        let bytes = match body.encoding.as_deref() {
            None => line,
            Some("base64") => std::str::from_utf8(&line)
                .ok()
                .and_then(|text| Base64::decode_vec(text).ok())
                .ok_or_else(|| ArchiveError::malformed(&body.path, Some(body.line), "not base64"))?,
            Some(other) => {
                return Err(ArchiveError::malformed(&body.path, Some(body.line), format!("encoding {other:?}")));
            }
        };
        if Sha256Digest::of(&bytes) != body.sha256 {
            return Err(ArchiveError::malformed(&body.path, Some(body.line), "not the body that its call states"));
        }
        Ok(bytes)
    }
}

fn read_line(reader: &mut impl BufRead, path: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mut line = Vec::new();
    // The containing file has at most 64 MiB, so a line has too.
    let n = reader.take(MAX_FILE + 1).read_until(b'\n', &mut line).map_err(|source| ArchiveError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    if n == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(Some(line))
}

impl Source {
    fn file(&self, name: &str) -> Result<Box<dyn Read + Send>, ArchiveError> {
        let missing = || ArchiveError::Missing(name.to_owned());
        match self {
            Self::Zip(zip) => Ok(zip.reader(*zip.members.get(name).ok_or_else(missing)?)),
            Self::Folder { root, sizes } => {
                sizes.get(name).ok_or_else(missing)?;
                let io = |source| ArchiveError::Io { action: "read", path: name.to_owned(), source };
                Ok(Box::new(File::open(root.join(name)).map_err(io)?))
            }
        }
    }

    fn bytes(&self, name: &str, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let io = |source| ArchiveError::Io { action: "read", path: name.to_owned(), source };
        let mut bytes = Vec::new();
        self.file(name)?.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > limit {
            return Err(io(io::Error::other(format!("larger than {limit} bytes"))));
        }
        Ok(bytes)
    }
}

/// Lists plain files; refuses anything else, so that no link leads out of the folder.
fn walk(directory: &Path, prefix: &str, sizes: &mut BTreeMap<String, u64>) -> Result<(), ArchiveError> {
    let io = |source| ArchiveError::Io { action: "read", path: directory.display().to_string(), source };
    for entry in fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        let full = format!("{prefix}{}", name.to_string_lossy());
        let refuse = |code, why: String| Err(ArchiveError::Container { code, file: Some(full.clone()), why });
        if let Err(e) = path::check(&full) {
            return refuse("path", e.to_string());
        }
        let metadata = fs::symlink_metadata(entry.path()).map_err(io)?;
        if metadata.is_dir() {
            walk(&entry.path(), &format!("{full}/"), sizes)?;
        } else if metadata.is_file() {
            sizes.insert(full, metadata.len());
        } else {
            return refuse("not-a-plain-file", "a symbolic link or device, not a plain file".to_owned());
        }
    }
    Ok(())
}
