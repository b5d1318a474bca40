//! Re-performance: the verdicts, rebuilt from the evidence and compared byte for byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, BufReader, Read},
};

use super::{Depth, Options, Problem, Reperform, Report};
use crate::{
    archive::{FileSink, Reader},
    model::Sha256Digest,
};

/// As much of a line is read as it takes to show how it differs.
const LONGEST: u64 = 64 * 1024;

/// Rebuilds the verdicts of every assessment archive.
pub(super) fn verify_verdicts(
    archives: &[Reader],
    options: &Options,
    reperform: Option<&dyn Reperform>,
    report: &mut Report,
) {
    let assessments: Vec<&Reader> = archives.iter().filter(|a| a.seal().predicate.kind.is_assessment()).collect();
    if options.depth < Depth::Replay || assessments.is_empty() {
        return;
    }
    let by_seal: BTreeMap<Sha256Digest, &Reader> = archives.iter().map(|a| (a.seal_digest(), a)).collect();
    for assessment in assessments {
        let input = assessment.label();
        let seal = &assessment.seal().predicate;
        let Some(reperform) = reperform else {
            report.not_done("this verifier does not rebuild verdicts");
            continue;
        };
        if reperform.semantics() != seal.semantics {
            let message = format!(
                "its verdicts follow rules of version {}, this release implements {}; re-perform it with {} {}",
                seal.semantics,
                reperform.semantics(),
                seal.tool.name,
                seal.tool.version
            );
            report.unchecked("unknown-semantics", input, message);
            continue;
        }
        let missing: Vec<String> =
            seal.evidence.iter().filter(|d| !by_seal.contains_key(*d)).map(ToString::to_string).collect();
        if !missing.is_empty() {
            let message = format!(
                "its verdicts could not be rebuilt: these evidence archives were not given (by seal): {}",
                missing.join(", ")
            );
            report.unchecked("evidence-not-given", input, message);
            continue;
        }
        let evidence: Vec<&Reader> = seal.evidence.iter().filter_map(|d| by_seal.get(d).copied()).collect();
        let mut comparison = Comparison::new(assessment);
        match reperform.results(assessment, &evidence, &mut comparison) {
            Ok(()) => {
                let problems = comparison.settle();
                for summary in report.archives.iter_mut().filter(|s| s.seal == assessment.seal_digest()) {
                    summary.reperformed = problems.is_empty();
                }
                problems.into_iter().for_each(|problem| report.problem(problem));
            }
            Err(why) => {
                report.problem(Problem::new("replay-failed", input, format!("its verdicts cannot be rebuilt: {why}")))
            }
        }
    }
}

/// Holds the files that are rebuilt against those that are there, as they come.
struct Comparison<'a> {
    assessment: &'a Reader,
    rebuilt: BTreeSet<String>,
    problems: Vec<Problem>,
    open: Option<Open>,
    found: Vec<u8>,
}

struct Open {
    path: String,
    reader: BufReader<Box<dyn Read + Send>>,
    /// Whole lines that were equal so far.
    lines: u64,
}

impl<'a> Comparison<'a> {
    fn new(assessment: &'a Reader) -> Self {
        Self { assessment, rebuilt: BTreeSet::new(), problems: Vec::new(), open: None, found: Vec::new() }
    }

    fn changed(&self, path: &str, message: String) -> Problem {
        Problem::new("verdict-changed", self.assessment.label(), message).file(path)
    }

    /// Notes the first line that differs, and leaves the rest of the file alone.
    fn differs(&mut self, open: Open, expected: &[u8], found: &[u8]) {
        let (line, expected, found) = first_difference(expected, found);
        let line = open.lines + line;
        let message = format!("{}, line {line}: re-performance gives another verdict", open.path);
        self.problems.push(self.changed(&open.path, message).values(expected, found));
    }

    fn unreadable(&mut self, path: &str, error: &dyn std::fmt::Display) {
        self.problems.push(self.changed(path, format!("{path}: {error}")));
    }

    /// Ends the last file, and names the files that nothing was rebuilt for.
    fn settle(mut self) -> Vec<Problem> {
        self.end();
        let names = self.assessment.names();
        for name in names.into_iter().filter(|n| n.starts_with("data/results/")) {
            if !self.rebuilt.contains(name) {
                let message = format!("{name} does not follow from the evidence: no such file is rebuilt");
                self.problems.push(self.changed(name, message));
            }
        }
        self.problems
    }

    fn end(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        let mut rest = Vec::new();
        match open.reader.by_ref().take(LONGEST).read_until(b'\n', &mut rest) {
            Ok(0) => {}
            Ok(_) => self.differs(open, b"", &rest),
            Err(e) => self.unreadable(&open.path, &e),
        }
    }
}

impl FileSink for Comparison<'_> {
    fn begin(&mut self, path: &str) -> io::Result<()> {
        self.end();
        self.rebuilt.insert(path.to_owned());
        match self.assessment.file(path) {
            Ok(file) => {
                let reader = BufReader::with_capacity(128 * 1024, file);
                self.open = Some(Open { path: path.to_owned(), reader, lines: 0 });
            }
            Err(e) => self.unreadable(path, &e),
        }
        Ok(())
    }

    fn write(&mut self, expected: &[u8]) -> io::Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        let read = open.reader.by_ref().take(expected.len() as u64).read_to_end(&mut found);
        if let Err(e) = read {
            self.unreadable(&open.path, &e);
        } else if found == expected {
            open.lines += expected.iter().filter(|b| **b == b'\n').count() as u64;
            self.open = Some(open);
        } else {
            // The line that differs is shown whole.
            match open.reader.by_ref().take(LONGEST).read_until(b'\n', &mut found) {
                Ok(_) => self.differs(open, expected, &found),
                Err(e) => self.unreadable(&open.path, &e),
            }
        }
        self.found = found;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end();
        Ok(())
    }
}

/// Returns the number (from 1) of the first line that differs, and what either has there.
fn first_difference(expected: &[u8], found: &[u8]) -> (u64, String, String) {
    let text = |line: Option<&[u8]>| {
        let line = line.filter(|l| !l.is_empty());
        line.map_or_else(|| "nothing".to_owned(), |l| String::from_utf8_lossy(l).chars().take(400).collect())
    };
    let (mut a, mut b) = (expected.split(|c| *c == b'\n'), found.split(|c| *c == b'\n'));
    let mut line = 1;
    loop {
        let (x, y) = (a.next(), b.next());
        if x != y || (x.is_none() && y.is_none()) {
            return (line, text(x), text(y));
        }
        line += 1;
    }
}
