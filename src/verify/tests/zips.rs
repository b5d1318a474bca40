//! Hostile containers: each is refused by name, before a byte is decompressed.

use std::{fs, path::Path};

use super::fixture::{Fixture, codes};
use crate::{archive::Reader, sign::Algorithm};

const RUN: &str = "00000002-run-close.zip";

fn genuine() -> (Fixture, Vec<u8>) {
    let fixture = Fixture::new(Algorithm::P256);
    fixture.run(0);
    let bytes = fs::read(fixture.archive(RUN)).unwrap();
    (fixture, bytes)
}

fn code(bytes: &[u8]) -> &'static str {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zip");
    fs::write(&path, bytes).unwrap();
    let report = Fixture::new(Algorithm::P256).verify(&[path]);
    assert_eq!(report.exit_code, 4, "{}", report.render());
    codes(&report)[0]
}

fn find(bytes: &[u8], what: &[u8], nth: usize) -> usize {
    bytes.windows(what.len()).enumerate().filter(|(_, w)| *w == what).nth(nth).unwrap().0
}

fn put(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[at..at + new.len()].copy_from_slice(new);
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

/// Positions of the central headers of the first and the second member.
fn central(bytes: &[u8]) -> (usize, usize) {
    (find(bytes, CENTRAL, 0), find(bytes, CENTRAL, 1))
}

#[test]
fn bytes_before_after_and_between_are_refused() {
    let (_, zip) = genuine();
    assert_eq!(code(&[zip.as_slice(), b"x"].concat()), "zip-trailing-bytes");
    let leading = code(&[b"#!/bin/sh\n".as_slice(), &zip].concat());
    assert!(["zip-leading-bytes", "zip-malformed"].contains(&leading), "{leading}");
    for cut in [1, 21, 22, 100, zip.len() / 2, zip.len() - 3] {
        let what = code(&zip[..zip.len() - cut]);
        assert!(["zip-malformed", "zip-trailing-bytes", "zip-overlap"].contains(&what), "{cut}: {what}");
    }
    // A comment is a place for bytes that no hash covers.
    let end = find(&zip, END, 0);
    let commented = [put(&zip, end + 20, &[3, 0]).as_slice(), b"abc"].concat();
    assert_eq!(code(&commented), "zip-trailing-bytes");
}

#[test]
fn one_name_twice_is_refused_in_any_letter_case() {
    let (_, zip) = genuine();
    // "bag-info.txt" has 12 letters; so has "manifest.txt". Rename a member in both headers to the first one's name.
    for name in ["data/calls.ndjson", "data/CALLS.ndjson"] {
        let mut bytes = Vec::new();
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(&mut bytes));
        let options = zip::write::SimpleFileOptions::default();
        for n in ["data/calls.ndjson", "data/Xalls.ndjson"] {
            writer.start_file(n, options).unwrap();
            std::io::Write::write_all(&mut writer, b"{}").unwrap();
        }
        writer.finish().unwrap();
        while let Some(at) = bytes.windows(17).position(|w| w == b"data/Xalls.ndjson") {
            bytes = put(&bytes, at, name.as_bytes());
        }
        assert_eq!(code(&bytes), "zip-duplicate-name", "{name}");
    }
    assert!(zip.len() > 100);
}

#[test]
fn overlapping_members_are_refused() {
    let (_, zip) = genuine();
    let (first, second) = central(&zip);
    // The second member claims to begin where the first does; its local header then has another name.
    let offset = u32_at(&zip, first + 42);
    let what = code(&put(&zip, second + 42, &offset.to_le_bytes()));
    assert!(["zip-overlap", "zip-header-mismatch"].contains(&what), "{what}");
    // The first member claims more compressed bytes, in both headers: it runs into the second.
    let size = (u32_at(&zip, first + 20) + 10).to_le_bytes();
    let lied = put(&put(&zip, first + 20, &size), offset as usize + 18, &size);
    assert_eq!(code(&lied), "zip-overlap");
}

#[test]
fn a_local_header_that_says_something_else_is_refused() {
    let (_, zip) = genuine();
    let (first, _) = central(&zip);
    let local = u32_at(&zip, first + 42) as usize;
    for (what, at) in [("name", 30), ("crc", 14), ("compressed size", 18), ("size", 22), ("method", 8)] {
        let changed = put(&zip, local + at, &[zip[local + at] ^ 1]);
        assert_eq!(code(&changed), "zip-header-mismatch", "{what}");
    }
}

#[test]
fn bombs_are_refused_by_their_claim_and_by_their_bytes() {
    let (_, zip) = genuine();
    let (first, _) = central(&zip);
    let local = u32_at(&zip, first + 42) as usize;
    let both = |size: u32| put(&put(&zip, first + 24, &size.to_le_bytes()), local + 22, &size.to_le_bytes());
    assert_eq!(code(&both(u32::MAX - 1)), "zip-bomb");
    assert_eq!(code(&both(60 * 1024 * 1024)), "zip-bomb", "more than DEFLATE can do");
    // A claim that is a little too small or too large is found while reading.
    let size = u32_at(&zip, first + 24);
    for lie in [size - 1, size + 1] {
        assert_eq!(code(&both(lie)), "file-unreadable");
    }
}

#[test]
fn names_that_lead_elsewhere_and_links_are_refused() {
    let (_, zip) = genuine();
    let (first, _) = central(&zip);
    let local = u32_at(&zip, first + 42) as usize;
    let length = u16::from_le_bytes([zip[first + 28], zip[first + 29]]) as usize;
    for evil in ["../../etc/cron", "/etc/cron.d/xx", "a//b/c/d/e/f/g", "a\\b\\c\\d\\e\\f\\g", "a\0b\0c\0d\0e\0f\0g"] {
        let name: Vec<u8> = evil.bytes().chain(std::iter::repeat(b'x')).take(length).collect();
        let renamed = put(&put(&zip, first + 46, &name), local + 30, &name);
        assert_eq!(code(&renamed), "path", "{evil:?}");
    }
    let link = 0o120_777u32 << 16;
    assert_eq!(code(&put(&zip, first + 38, &link.to_le_bytes())), "not-a-plain-file");
    assert_eq!(code(&put(&zip, first + 8, &[9, 0])), "zip-odd-header", "encrypted, with a data descriptor");
}

#[test]
fn a_directory_that_counts_wrongly_is_refused() {
    let (_, zip) = genuine();
    let end = find(&zip, END, 0);
    let count = u16::from_le_bytes([zip[end + 10], zip[end + 11]]);
    for lie in [count - 1, count + 1] {
        let lied = put(&put(&zip, end + 8, &lie.to_le_bytes()), end + 10, &lie.to_le_bytes());
        assert!(code(&lied).starts_with("zip-"), "{lie}");
    }
}

#[test]
fn no_single_flipped_byte_passes_and_none_panics() {
    let (fixture, zip) = genuine();
    let path = fixture.path("flipped.zip");
    // Every byte of the directory and the end, and a sample of the rest.
    let directory = find(&zip, CENTRAL, 0);
    let mut opened = 0;
    for at in (0..directory).step_by(389).chain((directory..zip.len()).step_by(5)) {
        let changed = put(&zip, at, &[zip[at] ^ 0x20]);
        fs::write(&path, changed).unwrap();
        // What cannot be opened fails; times, modes and versions of the container mean nothing and are covered by no hash.
        if Reader::open(&path).is_ok() {
            opened += 1;
            let report = fixture.verify(std::slice::from_ref(&path));
            let harmless = same_content(&path, &fixture.archive(RUN));
            assert_eq!(report.exit_code == 0, harmless, "byte {at}: {}", report.render());
        }
    }
    assert!(opened > 10, "the test would be vacuous");
}

fn same_content(a: &Path, b: &Path) -> bool {
    let (Ok(a), Ok(b)) = (Reader::open(a), Reader::open(b)) else { return false };
    let content = |r: &Reader| r.names().iter().map(|n| ((*n).to_owned(), r.bytes(n).ok())).collect::<Vec<_>>();
    content(&a) == content(&b)
}

#[test]
fn a_file_that_is_no_zip_is_said_to_be_none() {
    assert_eq!(code(b"hello"), "zip-malformed");
    assert_eq!(code(b""), "zip-malformed");
}

#[test]
fn a_zip64_directory_of_more_members_than_16_bits_count_is_read() {
    let mut bytes = Vec::new();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(&mut bytes));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for n in 0..66_000 {
        writer.start_file(format!("data/{n}"), options).unwrap();
    }
    writer.finish().unwrap();
    assert!(bytes.windows(4).any(|w| w == b"PK\x06\x06"), "no zip64 record was written: the test would be vacuous");
    // The container passes; what is missing is the seal.
    assert_eq!(code(&bytes), "file-missing");
    // A byte between the directory and its end is found there too.
    let at = bytes.windows(4).position(|w| w == b"PK\x06\x06").unwrap();
    let widened = [&bytes[..at], b"x", &bytes[at..]].concat();
    assert!(code(&widened).starts_with("zip-"));
}
