//! Re-performance: the verdicts, rebuilt from the evidence and compared byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use super::{Depth, Options, Problem, Reperform, Report};
use crate::{archive::Reader, model::Sha256Digest};

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
        match reperform.results(assessment, &evidence) {
            Ok(results) => {
                let equal = compare(assessment, &results, report);
                for summary in report.archives.iter_mut().filter(|s| s.seal == assessment.seal_digest()) {
                    summary.reperformed = equal;
                }
            }
            Err(why) => {
                report.problem(Problem::new("replay-failed", input, format!("its verdicts cannot be rebuilt: {why}")))
            }
        }
    }
}

fn compare(assessment: &Reader, results: &[(String, Vec<u8>)], report: &mut Report) -> bool {
    let input = assessment.label();
    let rebuilt: BTreeSet<&str> = results.iter().map(|(path, _)| path.as_str()).collect();
    let before = report.problems.len();
    for name in assessment.names().into_iter().filter(|n| n.starts_with("data/results/")) {
        if !rebuilt.contains(name) {
            let message = format!("{name} does not follow from the evidence: no such file is rebuilt");
            report.problem(Problem::new("verdict-changed", input, message).file(name));
        }
    }
    for (path, bytes) in results {
        let found = match assessment.bytes(path) {
            Ok(found) => found,
            Err(e) => {
                report.problem(Problem::new("verdict-changed", input, format!("{path}: {e}")).file(path));
                continue;
            }
        };
        if found == *bytes {
            continue;
        }
        let (line, expected, found) = first_difference(bytes, &found);
        let message = format!("{path}, line {line}: re-performance gives another verdict");
        report.problem(Problem::new("verdict-changed", input, message).file(path).values(expected, found));
    }
    report.problems.len() == before
}

fn first_difference(expected: &[u8], found: &[u8]) -> (usize, String, String) {
    let text = |line: Option<&[u8]>| {
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
