//! From a staging folder to a sealed zip: tag files, manifests, and the container's reproducible bytes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
};

use sha2::{Digest, Sha256};
use zip::{CompressionMethod, DateTime, System, ZipWriter, write::SimpleFileOptions};

use super::{
    ArchiveError, Staging, manifest,
    merkle::TreeHasher,
    records::{self, FileFacts, Tree},
    seal::{Kind, Records, Seal, Subject},
    tally::{self, TALLY},
};
use crate::model::{Coverage, Sha256Digest};

/// Where the salt key lies.
pub const SALT_KEY: &str = "data/inputs/salt.key";

/// The files that the tagmanifest lists.
pub const TAG_FILES: [&str; 4] = ["VERIFY.md", "bag-info.txt", "bagit.txt", "manifest-sha256.txt"];

const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// DEFLATE's output depends on how the input is cut: always the same pieces.
const CHUNK: usize = 64 * 1024;

/// What can be counted in a staging folder, and its manifest.
pub(super) struct Contents {
    /// Bytes of `manifest-sha256.txt`.
    pub(super) manifest: Vec<u8>,
    /// The salted tree.
    pub(super) records: Records,
    /// The salted tree over the tally, where there is one.
    pub(super) tally: Option<Records>,
    /// Tasks by state, where there is a coverage ledger.
    pub(super) coverage: Option<BTreeMap<String, u64>>,
    /// Tasks that are gaps.
    pub(super) gaps: Option<u64>,
    /// Digest of the plan.
    pub(super) plan: Option<Sha256Digest>,
    size: u64,
    files: usize,
}

/// Reads every staged file back, and computes manifest, tree and counts.
pub(super) fn survey(staging: &Staging, kind: Kind, salt_key: &[u8; 32]) -> Result<Contents, ArchiveError> {
    if staging.get(SALT_KEY).is_none() {
        staging.add(SALT_KEY, salt_key)?;
    }
    tally::write(staging, kind)?;
    let files = staging.files()?;
    let mut trees = [(Tree::Records, TreeHasher::new()), (Tree::Tally, TreeHasher::new())];
    for (path, staged) in &files {
        let file = staging.open(path)?;
        let io = |source| ArchiveError::Io { action: "read", path: path.clone(), source };
        let read = match trees.iter_mut().find(|(tree, _)| tree.holds(kind, path)) {
            Some((tree, hasher)) => records::feed(hasher, *tree, salt_key, path, file).map_err(io)?,
            None => digest(file).map_err(io)?,
        };
        if read.sha256 != staged.sha256 || read.size != staged.size {
            return Err(ArchiveError::Changed(path.clone()));
        }
    }
    let ledger = staging.get("data/coverage.ndjson").map(|_| counts(staging)).transpose()?;
    let (coverage, gaps) = ledger.unzip();
    let [records, tally] = trees.map(|(_, hasher)| Records { count: hasher.size(), root: hasher.root() });
    Ok(Contents {
        manifest: manifest::render(files.iter().map(|(path, staged)| (path.as_str(), staged.sha256))),
        records,
        tally: staging.get(TALLY).map(|_| tally),
        coverage,
        gaps,
        plan: staging.joint_digest("data/plan.ndjson")?,
        size: files.iter().map(|(_, staged)| staged.size).sum(),
        files: files.len(),
    })
}

pub(crate) fn digest(mut reader: impl Read) -> io::Result<FileFacts> {
    let (mut hasher, mut size, mut lines, mut buffer) = (Sha256::new(), 0, 0, vec![0; CHUNK]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(FileFacts { sha256: Sha256Digest::from(hasher), size, lines }),
            n => {
                hasher.update(&buffer[..n]);
                size += n as u64;
                lines += buffer[..n].iter().filter(|b| **b == b'\n').count() as u64;
            }
        }
    }
}

/// Feeds everything that `reader` gives into `hasher`.
pub(crate) fn pour(mut reader: impl Read, hasher: &mut Sha256) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn counts(staging: &Staging) -> Result<(BTreeMap<String, u64>, u64), ArchiveError> {
    const PATH: &str = "data/coverage.ndjson";
    let (mut states, mut gaps) = (BTreeMap::new(), 0);
    for part in super::path::parts(PATH).take_while(|part| staging.get(part).is_some()) {
        for (line, number) in BufReader::new(staging.open(&part)?).lines().zip(1..) {
            let line = line.map_err(|source| ArchiveError::Io { action: "read", path: part.clone(), source })?;
            let coverage: Coverage =
                serde_json::from_str(&line).map_err(|e| ArchiveError::malformed(&part, Some(number), e))?;
            *states.entry(coverage.state.as_str().to_owned()).or_default() += 1;
            gaps += u64::from(coverage.gap);
        }
    }
    Ok((states, gaps))
}

/// Returns the four files that the tagmanifest lists.
pub(super) fn tag_files(contents: &Contents, seal: &Seal) -> Result<BTreeMap<&'static str, Vec<u8>>, ArchiveError> {
    let info = format!(
        "Bag-Software-Agent: orgproof {}\nBagging-Date: {}\nExternal-Identifier: {}/{}\nPayload-Oxum: {}.{}\n",
        seal.tool.version,
        seal.closed.strftime("%Y-%m-%d"),
        seal.log,
        seal.sequence,
        contents.size,
        contents.files
    );
    Ok(BTreeMap::from([
        ("VERIFY.md", super::guide::guide(seal).map_err(|e| ArchiveError::malformed("VERIFY.md", None, e))?),
        ("bag-info.txt", info.into_bytes()),
        ("bagit.txt", BAGIT.as_bytes().to_vec()),
        ("manifest-sha256.txt", contents.manifest.clone()),
    ]))
}

/// Returns the tagmanifest's bytes and the seal's two subjects.
pub(super) fn subjects(tags: &BTreeMap<&'static str, Vec<u8>>) -> (Vec<u8>, Vec<Subject>) {
    let tagmanifest = manifest::render(tags.iter().map(|(name, bytes)| (*name, Sha256Digest::of(bytes))));
    let listed = tags.get("manifest-sha256.txt").map(Vec::as_slice).unwrap_or_default();
    let subjects = vec![
        Subject::new("manifest-sha256.txt", Sha256Digest::of(listed)),
        Subject::new("tagmanifest-sha256.txt", Sha256Digest::of(&tagmanifest)),
    ];
    (tagmanifest, subjects)
}

/// Writes the zip: root files first, then `data/`, each in bytewise order; fixed time, mode and maker.
pub(super) fn write_zip<W: Write + Seek>(
    out: W,
    root: &BTreeMap<&str, Vec<u8>>,
    staging: &Staging,
) -> Result<W, ArchiveError> {
    let fault = |path: &str| {
        let path = path.to_owned();
        move |e: zip::result::ZipError| ArchiveError::Io { action: "write", path, source: io::Error::other(e) }
    };
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644)
        .system(System::Unix);
    let mut zip = ZipWriter::new(out);
    for (name, bytes) in root {
        zip.start_file(*name, options).map_err(fault(name))?;
        pieces(bytes.as_slice(), &mut zip).map_err(|source| ArchiveError::Io {
            action: "write",
            path: (*name).to_owned(),
            source,
        })?;
    }
    for (path, staged) in staging.files()? {
        zip.start_file(path.as_str(), options).map_err(fault(&path))?;
        let size = pieces(staging.open(&path)?, &mut zip).map_err(|source| ArchiveError::Io {
            action: "write",
            path: path.clone(),
            source,
        })?;
        if size != staged.size {
            return Err(ArchiveError::Changed(path));
        }
    }
    zip.finish().map_err(fault("the zip"))
}

fn pieces(mut from: impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let mut filled = 0;
        while filled < CHUNK {
            match from.read(&mut buffer[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        if filled == 0 {
            return Ok(size);
        }
        to.write_all(&buffer[..filled])?;
        size += filled as u64;
    }
}

/// Writes the zip into an unnamed temporary file beside the staging folder, flushed and rewound.
pub(super) fn zip_file(root: &BTreeMap<&str, Vec<u8>>, staging: &Staging) -> Result<File, ArchiveError> {
    let place = staging.root().parent().unwrap_or(staging.root());
    let io = |source| ArchiveError::Io { action: "write", path: place.display().to_string(), source };
    let file = tempfile::tempfile_in(place).map_err(io)?;
    let writer = write_zip(BufWriter::new(file), root, staging)?;
    let mut file = writer.into_inner().map_err(|e| io(e.into_error()))?;
    file.rewind().map_err(io)?;
    Ok(file)
}
