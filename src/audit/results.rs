//! An assessment as files of its archive, and back: `data/results/`.
//!
//! `assess::results_files` writes observations, findings and discrepancies; here the rest that a report needs is added:
//! `summary.json` (header, organisation, accounts out of scope, checks) and `coverage.ndjson` (the newest run's ledger).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::JudgeError;
use crate::{
    assess,
    model::{AccountId, Assessment, AssessmentHeader, CheckResult, Coverage, Organization, ScopeReason},
};

/// Files of an archive, by path.
pub type Files = Vec<(String, Vec<u8>)>;

const FOLDER: &str = "data/results/";
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
