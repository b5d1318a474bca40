//! Samples for an auditor: the population first, frozen by its hash; the seed after that; the selection anybody's to repeat.
//!
//! The method, whole (also `src/archive/FORMAT.md`, section 6.4):
//!
//! 1. The population of a check is its records: the lines of `data/results/observations.ndjson` and its parts that begin
//!    with `{"check":"<id>",`, in the archive's order. Passes, failures, not applicable and not assessed alike.
//! 2. Its hash is SHA-256 of these lines, each with its LF.
//! 3. A record's digest is SHA-256 of its line without the LF (the `record` of section 6.3).
//! 4. A record's rank is SHA-256(seed || LF || digest in hexadecimal). The `size` lowest ranks are the sample, in that order;
//!    equal records (there are none in our archives) are taken in the archive's order.
//!
//! Nobody who does not know the seed can tell what will be drawn; nobody who has given the hash away can change the population.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    sync::Arc,
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    archive::{ArchiveError, Reader},
    model::{Counts, ObservationStatus, ResultLine, Sha256Digest},
};

/// Where an assessment archive keeps its records.
const RECORDS: &str = "data/results/observations.ndjson";

/// The method in one line, as outputs state it.
pub const METHOD: &str =
    "rank = SHA-256(seed || LF || hex(SHA-256(record))), ascending; the first of them are the sample";

/// Why no sample can be drawn.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// No record is of that check.
    #[error("{archive} holds no record of the check {check:?}{}", nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    NoRecord {
        /// The archive.
        archive: String,
        /// What was asked for.
        check: String,
        /// A check that has records.
        nearest: Option<String>,
    },
    /// Nothing would be drawn.
    #[error("a sample has at least one record: give --size as 1 or more")]
    Empty,
    /// A seed without content is nobody's choice.
    #[error("the seed is empty: let the auditor choose one, after the population's hash is known")]
    NoSeed,
}

/// One record of a population.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// SHA-256 of the line.
    pub record: Sha256Digest,
    /// File in the archive.
    #[serde(serialize_with = "text")]
    pub path: Arc<str>,
    /// Line, from 1.
    pub line: u64,
    /// The answer.
    pub status: ObservationStatus,
}

/// All records of a check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Population {
    /// Catalogue id.
    pub check: String,
    /// Number of records.
    pub count: u64,
    /// SHA-256 of their lines.
    pub sha256: Sha256Digest,
    /// Answers.
    pub counts: Counts,
    /// The records, in the archive's order.
    pub records: Vec<Member>,
}

/// One record that was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Selected {
    /// Place in the sample, from 1.
    pub order: u64,
    /// What it was drawn by.
    pub rank: Sha256Digest,
    /// Where it lies.
    #[serde(flatten)]
    pub member: Member,
    /// What it says.
    pub result: ResultLine,
}

/// Reads the population of `check` out of an assessment archive.
///
/// # Errors
/// The archive cannot be read, or has no record of that check.
pub fn population(archive: &Reader, check: &str) -> Result<Population, SampleError> {
    let mut gathered = Gathered::new(check);
    each_record(archive, |path, number, line| gathered.push(path, number, line))?;
    gathered.finish(archive.label())
}

fn text<S: serde::Serializer>(path: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(path)
}

/// Reads the records in the order of the format's section 6.3: that of the paths, so that part 001 comes before the first file.
fn each_record(
    archive: &Reader,
    mut each: impl FnMut(&str, u64, &[u8]) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut parts = archive.parts(RECORDS);
    parts.sort();
    for path in parts {
        let lines = BufReader::new(archive.file(&path)?).split(b'\n');
        for (line, number) in lines.zip(1..) {
            let io = |source| ArchiveError::Io { action: "read", path: path.clone(), source };
            each(&path, number, &line.map_err(io)?)?;
        }
    }
    Ok(())
}

struct Gathered<'a> {
    check: &'a str,
    hash: Sha256,
    counts: Counts,
    records: Vec<Member>,
    path: Arc<str>,
    others: BTreeSet<String>,
}

impl<'a> Gathered<'a> {
    fn new(check: &'a str) -> Self {
        let (counts, records) = (Counts::default(), Vec::new());
        Self { check, hash: Sha256::new(), counts, records, path: Arc::from(""), others: BTreeSet::new() }
    }

    fn push(&mut self, path: &str, number: u64, line: &[u8]) -> Result<(), ArchiveError> {
        let record: ResultLine =
            serde_json::from_slice(line).map_err(|e| ArchiveError::malformed(path, Some(number), e))?;
        let begins = serde_json::to_vec(&record.check).map_err(|e| ArchiveError::malformed(path, Some(number), e))?;
        if record.check != self.check {
            self.others.insert(record.check);
            return Ok(());
        }
        // The published method finds records by how they begin: one that is written otherwise would be missing from it.
        if !line.starts_with(&[b"{\"check\":", begins.as_slice(), b","].concat()) {
            return Err(ArchiveError::malformed(path, Some(number), "the record does not begin with its check"));
        }
        if *self.path != *path {
            self.path = Arc::from(path);
        }
        self.hash.update(line);
        self.hash.update(b"\n");
        self.counts.add(record.status);
        let (record, status) = (Sha256Digest::of(line), record.status);
        self.records.push(Member { record, path: Arc::clone(&self.path), line: number, status });
        Ok(())
    }

    fn finish(self, archive: &str) -> Result<Population, SampleError> {
        if self.records.is_empty() {
            let near = |name: &&String| strsim::normalized_levenshtein(name, self.check) > 0.6;
            let by = |name: &&String| (strsim::normalized_levenshtein(name, self.check) * 1e6) as u64;
            let nearest = self.others.iter().filter(near).max_by_key(by).cloned();
            return Err(SampleError::NoRecord { archive: archive.to_owned(), check: self.check.to_owned(), nearest });
        }
        Ok(Population {
            check: self.check.to_owned(),
            count: self.records.len() as u64,
            sha256: Sha256Digest(self.hash.finalize().into()),
            counts: self.counts,
            records: self.records,
        })
    }
}

impl Population {
    /// Returns rank and record of the `size` records with the lowest ranks, or of all where there are fewer.
    ///
    /// # Errors
    /// The seed or the size is none.
    pub fn select(&self, seed: &str, size: usize) -> Result<Vec<(Sha256Digest, &Member)>, SampleError> {
        if size == 0 {
            return Err(SampleError::Empty);
        }
        if seed.is_empty() {
            return Err(SampleError::NoSeed);
        }
        let mut ranked: Vec<_> = self.records.iter().map(|m| (rank(seed, &m.record), m)).collect();
        // Stable: equal ranks stay in the archive's order.
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.truncate(size);
        Ok(ranked)
    }
}

/// Returns the rank of a record under a seed.
pub fn rank(seed: &str, record: &Sha256Digest) -> Sha256Digest {
    Sha256Digest::of(format!("{seed}\n{record}"))
}

/// Draws a sample and reads what its records say.
///
/// # Errors
/// As [`Population::select`]; or the archive cannot be read again.
pub fn draw(archive: &Reader, population: &Population, seed: &str, size: usize) -> Result<Vec<Selected>, SampleError> {
    let ranked = population.select(seed, size)?;
    let wanted: BTreeMap<(&str, u64), usize> =
        ranked.iter().enumerate().map(|(n, (_, m))| ((&*m.path, m.line), n)).collect();
    let mut drawn = Vec::with_capacity(ranked.len());
    each_record(archive, |path, number, line| {
        let Some(n) = wanted.get(&(path, number)) else { return Ok(()) };
        let result = serde_json::from_slice(line).map_err(|e| ArchiveError::malformed(path, Some(number), e))?;
        let (rank, member) = &ranked[*n];
        if Sha256Digest::of(line) != member.record {
            return Err(ArchiveError::malformed(path, Some(number), "the record changed while it was read"));
        }
        drawn.push(Selected { order: *n as u64 + 1, rank: *rank, member: (*member).clone(), result });
        Ok(())
    })?;
    drawn.sort_by_key(|s| s.order);
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(check: &str, n: u32, status: &str) -> Vec<u8> {
        format!(
            "{{\"check\":\"{check}\",\"account\":\"111111111111\",\"region\":\"eu-west-1\",\"resource\":{{\"type\":\"AWS::S3::Bucket\",\
             \"id\":\"b{n}\"}},\"status\":\"{status}\",\"why\":\"w\"}}"
        )
        .into_bytes()
    }

    fn gathered(lines: &[Vec<u8>]) -> Result<Population, SampleError> {
        let mut gathered = Gathered::new("securityhub/S3.8");
        for (line, n) in lines.iter().zip(1..) {
            gathered.push(RECORDS, n, line)?;
        }
        gathered.finish("x.zip")
    }

    fn hundred() -> Vec<Vec<u8>> {
        let of = |n| {
            line(
                if n % 2 == 0 { "securityhub/S3.8" } else { "securityhub/S3.80" },
                n,
                ["pass", "fail"][n as usize % 3 / 2],
            )
        };
        (0..100).map(of).collect()
    }

    #[test]
    fn the_population_is_every_record_of_the_check_and_of_no_other() {
        let population = gathered(&hundred()).unwrap();
        assert_eq!(population.count, 50);
        assert!(population.counts.pass > 0 && population.counts.fail > 0);
        assert!(population.records.iter().all(|m| m.line % 2 == 1));
        let mut changed = hundred();
        changed[98] = line("securityhub/S3.8", 98, "not-assessed");
        assert_ne!(gathered(&changed).unwrap().sha256, population.sha256, "a changed record changes the frozen hash");
        changed.pop();
        changed.pop();
        assert_eq!(gathered(&changed).unwrap().count, 49);
    }

    #[test]
    fn a_sample_holds_each_record_once_and_a_larger_one_holds_the_smaller() {
        let population = gathered(&hundred()).unwrap();
        let all = population.select("seed", 1000).unwrap();
        let mut lines: Vec<u64> = all.iter().map(|(_, m)| m.line).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 50);
        assert_eq!(population.select("seed", 7).unwrap(), all[..7]);
        assert_ne!(population.select("another", 7).unwrap()[0], all[0]);
        assert!(matches!(population.select("seed", 0), Err(SampleError::Empty)));
        assert!(matches!(population.select("", 1), Err(SampleError::NoSeed)));
    }

    #[test]
    fn the_rank_is_that_of_the_document() {
        // printf '%s\n%s' 4711 "$(printf %s record | sha256sum | cut -c1-64)" | sha256sum
        let record = Sha256Digest::of("record");
        assert_eq!(rank("4711", &record), Sha256Digest::of(format!("4711\n{record}")));
    }

    #[test]
    fn an_unknown_check_names_the_nearest_and_a_record_written_otherwise_is_refused() {
        let error = gathered(&[line("securityhub/S3.80", 1, "pass")]).unwrap_err();
        assert!(error.to_string().contains("did you mean securityhub/S3.80?"), "{error}");
        let text = String::from_utf8(line("securityhub/S3.8", 1, "pass")).unwrap().replacen("{\"check", "{ \"check", 1);
        assert!(gathered(&[text.into_bytes()]).is_err());
    }
}
