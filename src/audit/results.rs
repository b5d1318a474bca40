//! An assessment as files of its archive, and back: `data/results/`.
//!
//! `assess::results_files` writes observations, findings and discrepancies; here the rest that a report needs is added:
//! `summary.json` (header, organisation, accounts out of scope, checks) and `coverage.ndjson` (the newest run's ledger).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Inputs, JudgeError, judge_into};
use crate::{
    archive::FileSink,
    assess,
    model::{AccountId, Assessment, AssessmentHeader, CheckResult, Coverage, Organization, ScopeReason},
    sorted::Scratch,
};

/// Files of an archive, by path.
pub type Files = Vec<(String, Vec<u8>)>;

const FOLDER: &str = "data/results/";
const OBSERVATIONS: &str = "observations";
const SUMMARY: &str = "data/results/summary.json";
/// Where a file of lines is continued in another: the format's limit for a file.
const FILE_LIMIT: usize = 64 << 20;

#[derive(Serialize)]
struct Summary<'a> {
    header: &'a AssessmentHeader,
    organization: &'a Organization,
    out_of_scope: &'a BTreeMap<AccountId, ScopeReason>,
    checks: &'a BTreeMap<String, CheckResult>,
}

#[derive(Deserialize)]
struct OwnedSummary {
    header: AssessmentHeader,
    organization: Organization,
    out_of_scope: BTreeMap<AccountId, ScopeReason>,
    checks: BTreeMap<String, CheckResult>,
}

/// Returns every file under `data/results/`; the same assessment gives the same bytes.
///
/// # Errors
/// A value has no JSON form (a fault of this program).
pub fn to_files(assessment: &Assessment) -> Result<Files, JudgeError> {
    let fault = |path: &str| {
        let path = path.to_owned();
        move |e: serde_json::Error| JudgeError::Results { path, why: e.to_string() }
    };
    let mut files = assess::results_files(assessment).map_err(fault("data/results/"))?;
    let summary = Summary {
        header: &assessment.header,
        organization: &assessment.organization,
        out_of_scope: &assessment.out_of_scope,
        checks: &assessment.checks,
    };
    let mut bytes = serde_json::to_vec_pretty(&summary).map_err(fault(SUMMARY))?;
    bytes.push(b'\n');
    files.push((SUMMARY.to_owned(), bytes));
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    for line in &assessment.coverage {
        let mut line = serde_json::to_vec(line).map_err(fault("data/results/coverage.ndjson"))?;
        line.push(b'\n');
        match parts.last_mut() {
            Some(part) if part.len() + line.len() <= FILE_LIMIT => part.append(&mut line),
            _ => parts.push(line),
        }
    }
    files.extend(parts.into_iter().enumerate().map(|(n, bytes)| (part_name("coverage", n), bytes)));
    files.sort();
    Ok(files)
}

/// Judges in bounded memory and gives every file under `data/results/` to `sink`: the same bytes as [`to_files`].
///
/// # Errors
/// As [`judge_into`], or `sink` refuses.
pub fn judge_to(inputs: Inputs<'_>, scratch: &Scratch, sink: &mut dyn FileSink) -> Result<Assessment<()>, JudgeError> {
    let mut lines = Lines::begin(sink, OBSERVATIONS, FILE_LIMIT)?;
    let assessment = judge_into(inputs, scratch, |line| lines.line(&line))?.with_results(Vec::new());
    for (path, bytes) in to_files(&assessment)? {
        if path != part_name(OBSERVATIONS, 0) {
            sink.add(&path, &bytes)?;
        }
    }
    sink.finish()?;
    Ok(assessment.with_results(()))
}

/// A file of JSON lines in as many parts as the limit asks for; there even when it is empty.
struct Lines<'a> {
    sink: &'a mut dyn FileSink,
    name: &'static str,
    limit: usize,
    part: usize,
    size: usize,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn begin(sink: &'a mut dyn FileSink, name: &'static str, limit: usize) -> Result<Self, JudgeError> {
        sink.begin(&part_name(name, 0))?;
        Ok(Self { sink, name, limit, part: 0, size: 0, line: Vec::new() })
    }

    fn line(&mut self, record: &impl Serialize) -> Result<(), JudgeError> {
        self.line.clear();
        let path = || part_name(self.name, self.part);
        serde_json::to_writer(&mut self.line, record)
            .map_err(|e| JudgeError::Results { path: path(), why: e.to_string() })?;
        self.line.push(b'\n');
        if self.size > 0 && self.size + self.line.len() > self.limit {
            (self.part, self.size) = (self.part + 1, 0);
            self.sink.begin(&part_name(self.name, self.part))?;
        }
        self.size += self.line.len();
        Ok(self.sink.write(&self.line)?)
    }
}

/// Rebuilds an assessment from the files that [`to_files`] wrote; `read` gives a file's bytes, `None` where there is none.
///
/// # Errors
/// A file is missing or is not what was written.
pub fn from_files(mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>, JudgeError>) -> Result<Assessment, JudgeError> {
    let missing = || JudgeError::Results { path: SUMMARY.to_owned(), why: "the archive holds no results".to_owned() };
    let bytes = read(SUMMARY)?.ok_or_else(missing)?;
    let summary: OwnedSummary = serde_json::from_slice(&bytes)
        .map_err(|e| JudgeError::Results { path: SUMMARY.to_owned(), why: e.to_string() })?;
    // Rules of version 1 knew neither; that a file was taken away is for the verifier to find.
    let amended = summary.header.semantics > 1;
    Ok(Assessment {
        header: summary.header,
        organization: summary.organization,
        coverage: lines::<Coverage>("coverage", &mut read)?,
        out_of_scope: summary.out_of_scope,
        findings: lines("findings", &mut read)?,
        checks: summary.checks,
        results: lines("observations", &mut read)?,
        discrepancies: lines("discrepancies", &mut read)?,
        exceptions: if amended { lines("exceptions", &mut read)? } else { Vec::new() },
        attestations: if amended { lines("attestations", &mut read)? } else { Vec::new() },
    })
}

fn part_name(name: &str, part: usize) -> String {
    if part == 0 { format!("{FOLDER}{name}.ndjson") } else { format!("{FOLDER}{name}.{part:03}.ndjson") }
}

fn lines<T: DeserializeOwned>(
    name: &str,
    read: &mut impl FnMut(&str) -> Result<Option<Vec<u8>>, JudgeError>,
) -> Result<Vec<T>, JudgeError> {
    let mut all = Vec::new();
    for part in 0.. {
        let path = part_name(name, part);
        let Some(bytes) = read(&path)? else {
            if part == 0 {
                return Err(JudgeError::Results { path, why: "the file is missing".to_owned() });
            }
            break;
        };
        for line in bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let value = serde_json::from_slice(line)
                .map_err(|e| JudgeError::Results { path: path.clone(), why: e.to_string() })?;
            all.push(value);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Default)]
    struct Memory(Files);

    impl FileSink for Memory {
        fn begin(&mut self, path: &str) -> io::Result<()> {
            self.0.push((path.to_owned(), Vec::new()));
            Ok(())
        }
        fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0.last_mut().unwrap().1.extend_from_slice(bytes);
            Ok(())
        }
        fn finish(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_as_they_come_are_cut_into_the_same_parts_as_lines_that_are_all_there() {
        let mut assessment = crate::report::sample::assessment();
        let whole = to_files(&assessment).unwrap();
        let results = std::mem::take(&mut assessment.results);
        let mut memory = Memory::default();
        let mut lines = Lines::begin(&mut memory, OBSERVATIONS, FILE_LIMIT).unwrap();
        results.iter().for_each(|line| lines.line(line).unwrap());
        let path = part_name(OBSERVATIONS, 0);
        assert_eq!(memory.0, [(path.clone(), whole.iter().find(|(p, _)| *p == path).unwrap().1.clone())]);
        let mut memory = Memory::default();
        let mut lines = Lines::begin(&mut memory, OBSERVATIONS, 1000).unwrap();
        results.iter().for_each(|line| lines.line(line).unwrap());
        assert!(memory.0.len() > 1 && memory.0.iter().all(|(_, bytes)| bytes.len() <= 1000));
        assert_eq!(memory.0[1].0, "data/results/observations.001.ndjson");
    }
}
