//! The container, read with suspicion.
//!
//! A zip says where its files lie twice (central directory, local headers) and readers disagree about which to believe.
//! Only archives of one shape are read: members follow each other from the first byte without gap or overlap, then the
//! directory, then its end, then nothing; both descriptions agree; names are plain and unique. Whatever has another
//! shape is refused before a byte is decompressed, in memory bounded by the number of members.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read},
    sync::Arc,
};

use flate2::{Crc, bufread::DeflateDecoder};
use rawzip::{FileReader, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipFileHeaderRecord};

use super::{ArchiveError, MAX_FILE, path};

/// More members than any archive of ours has: beyond it lies an attack on memory.
const MAX_MEMBERS: u64 = 1_000_000;

/// DEFLATE cannot do better than about 1032 to 1.
const MAX_RATIO: u64 = 1040;

const LOCAL_HEADER: u64 = 30;
const CENTRAL_HEADER: u64 = 46;
const ZIP64_TRAILER: u64 = 56 + 20;
const DATA_DESCRIPTOR: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;
const DEFLATE_LEVEL: u16 = 0b110;

/// A member of the container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Bytes when decompressed, as claimed; reading fails where they are others.
    pub(super) size: u64,
    start: u64,
    compressed: u64,
    crc: u32,
    deflated: bool,
}

/// A container whose shape has been checked.
#[derive(Debug, Clone)]
pub(super) struct Container {
    file: Arc<ZipArchive<FileReader>>,
    /// Members by name.
    pub(super) members: BTreeMap<String, Member>,
}

fn refuse<T>(code: &'static str, file: Option<&str>, why: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError::Container { code, file: file.map(str::to_owned), why: why.into() })
}

fn broken(e: &rawzip::Error) -> ArchiveError {
    ArchiveError::Container { code: "zip-malformed", file: None, why: format!("not a well-formed zip: {e}") }
}

/// Checks the container's shape and returns its members.
pub(super) fn open(file: File) -> Result<Container, ArchiveError> {
    let io = |source| ArchiveError::Io { action: "read", path: "the archive".to_owned(), source };
    let length = file.metadata().map_err(io)?.len();
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE.max(256 * 1024)];
    let zip = ZipArchive::from_file(file, &mut buffer).map_err(|e| broken(&e))?;
    if zip.end_offset() != length || zip.comment().remaining() != 0 {
        return refuse(
            "zip-trailing-bytes",
            None,
            "bytes after the end of the zip, or a comment: they are covered by no hash",
        );
    }
    if zip.entries_hint() > MAX_MEMBERS {
        return refuse("zip-too-many-members", None, format!("more than {MAX_MEMBERS} members"));
    }
    let mut members = BTreeMap::new();
    let mut folded = BTreeSet::new();
    // Start and end of each member with its headers.
    let mut spans: Vec<(u64, u64)> = Vec::new();
    let mut directory_end = zip.directory_offset();
    let mut entries = zip.entries(&mut buffer);
    while let Some(record) = entries.next_entry().map_err(|e| broken(&e))? {
        let (name, member, span) = check_member(&zip, &record)?;
        directory_end = record.central_directory_offset()
            + CENTRAL_HEADER
            + (record.file_path().len() + record.extra_fields().remaining_bytes().len()) as u64;
        if !folded.insert(name.to_ascii_lowercase()) || members.insert(name.clone(), member).is_some() {
            return refuse("zip-duplicate-name", Some(&name), "the name occurs twice (letter case aside)");
        }
        if members.len() as u64 > MAX_MEMBERS {
            return refuse("zip-too-many-members", None, format!("more than {MAX_MEMBERS} members"));
        }
        spans.push(span);
    }
    if members.len() as u64 != zip.entries_hint() {
        return refuse("zip-malformed", None, "the directory does not hold as many members as its end says");
    }
    check_layout(spans, zip.directory_offset())?;
    if directory_end != zip.eocd_offset() && directory_end + ZIP64_TRAILER != zip.eocd_offset() {
        return refuse("zip-gap", None, "bytes between the directory and its end that belong to neither");
    }
    Ok(Container { file: Arc::new(zip), members })
}

fn check_layout(mut spans: Vec<(u64, u64)>, directory: u64) -> Result<(), ArchiveError> {
    spans.sort_unstable();
    let mut at = 0;
    for (start, end) in spans {
        if start < at {
            return refuse("zip-overlap", None, format!("two members overlap at byte {start}"));
        }
        if start > at {
            let code = if at == 0 { "zip-leading-bytes" } else { "zip-gap" };
            return refuse(code, None, format!("bytes {at} to {start} belong to no member"));
        }
        at = end;
    }
    match at.cmp(&directory) {
        std::cmp::Ordering::Less => refuse("zip-gap", None, "bytes before the directory that belong to no member"),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => refuse("zip-overlap", None, "a member overlaps the directory"),
    }
}

type Checked = (String, Member, (u64, u64));

fn check_member(zip: &ZipArchive<FileReader>, record: &ZipFileHeaderRecord<'_>) -> Result<Checked, ArchiveError> {
    let raw = record.file_path().as_bytes().to_vec();
    let name = String::from_utf8(raw).map_err(|_| ArchiveError::Container {
        code: "path",
        file: Some(String::from_utf8_lossy(record.file_path().as_bytes()).into_owned()),
        why: "the name is not ASCII".to_owned(),
    })?;
    if let Err(e) = path::check(&name) {
        return refuse("path", Some(&name), e.to_string());
    }
    // The file type lies in the upper half only where the maker was Unix; refuse whatever it says but "plain file".
    let kind = (record.external_attributes() >> 16) & 0o170_000;
    if kind != 0 && kind != 0o100_000 {
        return refuse("not-a-plain-file", Some(&name), "a symbolic link, folder or device, not a plain file");
    }
    let method = record.compression_method().as_u16();
    if method != 0 && method != 8 {
        return refuse(
            "zip-method",
            Some(&name),
            format!("compression method {method}; only stored and deflated are read"),
        );
    }
    let flags = record.flags().bits();
    if flags & !(UTF8 | DEFLATE_LEVEL) != 0 {
        let what = if flags & DATA_DESCRIPTOR != 0 { "a data descriptor" } else { "encryption or unknown features" };
        return refuse("zip-odd-header", Some(&name), format!("uses {what} (flags {flags:#06x})"));
    }
    if !record.comment().as_bytes().is_empty() || !only_zip64(record.extra_fields()) {
        return refuse("zip-odd-header", Some(&name), "carries a comment or extra fields that no hash covers");
    }
    let (size, compressed) = (record.uncompressed_size_hint(), record.compressed_size_hint());
    if size > MAX_FILE {
        return refuse(
            "zip-bomb",
            Some(&name),
            format!("claims {size} bytes; no file of an archive exceeds {MAX_FILE}"),
        );
    }
    if compressed.saturating_mul(MAX_RATIO) < size || (method == 0 && size != compressed) {
        return refuse("zip-bomb", Some(&name), format!("claims {size} bytes out of {compressed}: impossible"));
    }
    let span = check_local(zip, record, &name)?;
    let member = Member { size, compressed, crc: record.crc32(), deflated: method == 8, start: span.1 - compressed };
    Ok((name, member, span))
}

fn only_zip64(mut fields: rawzip::extra_fields::ExtraFields<'_>) -> bool {
    fields.by_ref().all(|(id, _)| id.as_u16() == 1) && fields.remaining_bytes().is_empty()
}

fn check_local(
    zip: &ZipArchive<FileReader>,
    record: &ZipFileHeaderRecord<'_>,
    name: &str,
) -> Result<(u64, u64), ArchiveError> {
    let entry = zip.get_entry(record.wayfinder()).map_err(|e| broken(&e))?;
    let mut buffer = [0; 512];
    let Ok(local) = entry.local_header(&mut buffer) else {
        return refuse("zip-header-mismatch", Some(name), "its local header is malformed or far too long");
    };
    let same = local.file_path().as_bytes() == record.file_path().as_bytes()
        && local.flags() == record.flags()
        && local.compression_method() == record.compression_method()
        && local.crc32() == record.crc32()
        && local.compressed_size_hint() == record.compressed_size_hint()
        && local.uncompressed_size_hint() == record.uncompressed_size_hint();
    if !same || !only_zip64(local.extra_fields()) {
        return refuse("zip-header-mismatch", Some(name), "its local header says something else than the directory");
    }
    let (start, end) = entry.compressed_data_range();
    let header = record.local_header_offset();
    if start < header.saturating_add(LOCAL_HEADER) || end > zip.directory_offset() {
        return refuse("zip-overlap", Some(name), "it reaches into the directory");
    }
    Ok((header, end))
}

impl Container {
    /// Opens a member. Reading fails where size or CRC differ from what the directory says.
    pub(super) fn reader(&self, member: Member) -> Box<dyn Read + Send> {
        let section = Section { zip: Arc::clone(&self.file), at: member.start, end: member.start + member.compressed };
        let section = io::BufReader::with_capacity(64 * 1024, section);
        let crc = Crc::new();
        if member.deflated {
            let inner = DeflateDecoder::new(section);
            Box::new(Checking { inner, left: member.size, crc, expected: member.crc, ended: false })
        } else {
            Box::new(Checking { inner: section, left: member.size, crc, expected: member.crc, ended: false })
        }
    }
}

struct Section {
    zip: Arc<ZipArchive<FileReader>>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.zip.get_ref().read_at(&mut buffer[..room], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

struct Checking<R> {
    inner: R,
    left: u64,
    crc: Crc,
    expected: u32,
    ended: bool,
}

impl<R: Read> Read for Checking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let bad = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why.to_owned()));
        let n = self.inner.read(buffer)?;
        if n as u64 > self.left {
            return bad("holds more bytes than the zip's directory says");
        }
        self.left -= n as u64;
        self.crc.update(&buffer[..n]);
        if n == 0 {
            self.ended = true;
            if self.left != 0 {
                return bad("holds fewer bytes than the zip's directory says");
            }
            if self.crc.sum() != self.expected {
                return bad("fails the zip's CRC");
            }
        }
        Ok(n)
    }
}
