//! An archive's own story: plan, ledger, calls and bodies must agree with each other and with the seal.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Problem, Report};
use crate::{
    archive::{
        Amended, ArchiveError, Kind, Reader,
        tally::{self, TALLY},
    },
    model::{Amendment, Authentication, Coverage, CoverageState, PlannedTask, Sha256Digest, TaskId},
};

/// What was found in an archive's content, to be held against the number of lines in its files.
#[derive(Debug, Default)]
pub(super) struct Content {
    problems: Vec<Problem>,
    // How often a line of each body file is named by a call; absent where the calls could not be read whole.
    referenced: Option<BTreeMap<String, u64>>,
}

impl Content {
    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Adds what was found to the report, and checks that every body line belongs to one call.
    pub(super) fn settle(self, reader: &Reader, lines: &BTreeMap<String, u64>, report: &mut Report) {
        report.problems.extend(self.problems);
        if let Some(referenced) = &self.referenced {
            verify_every_body_is_named(reader, referenced, lines, report);
        }
    }
}

/// Checks what an archive says about itself.
pub(super) fn verify_content(reader: &Reader) -> Content {
    let mut report = Content::default();
    if reader.seal().predicate.kind.is_assessment() {
        verify_evidence_list(reader, &mut report);
        verify_tally(reader, &mut report);
    } else if reader.seal().predicate.kind == Kind::Amend {
        verify_amendments(reader, &mut report);
    } else if reader.size("data/plan.ndjson").is_some() || reader.size("data/coverage.ndjson").is_some() {
        verify_ledger(reader, &mut report);
    } else if reader.seal().predicate.coverage.is_some() || reader.seal().predicate.plan.is_some() {
        let message = "the seal counts tasks, but the archive holds neither plan nor ledger";
        report.problem(Problem::new("task-sets-differ", reader.label(), message));
    } else {
        // Nothing was planned, so nothing can have been asked: a body would belong to no call.
        report.referenced = Some(BTreeMap::new());
    }
    report
}

fn malformed(input: &str, e: &ArchiveError) -> Problem {
    let file = match e {
        ArchiveError::Malformed { path, .. } | ArchiveError::Io { path, .. } => Some(path.clone()),
        ArchiveError::Missing(name) => Some(name.clone()),
        _ => None,
    };
    let mut problem = Problem::new("content-malformed", input, e.to_string());
    problem.file = file;
    problem
}

/// Holds an amend archive's lines, files and signatures against the rules of their kind.
fn verify_amendments(reader: &Reader, report: &mut Content) {
    let input = reader.label();
    report.referenced = Some(BTreeMap::new());
    let amended = match Amended::read(reader) {
        Ok(amended) => amended,
        Err(e) => return report.problem(malformed(input, &e)),
    };
    let names = reader.names();
    let sizes = names.iter().filter(|n| n.starts_with("data/")).filter_map(|n| Some((*n, reader.size(n)?))).collect();
    for (file, why) in amended.faults(&sizes) {
        report.problem(Problem::new("amendment-malformed", input, format!("{file}: {why}")).file(&file));
    }
    for name in names.iter().filter(|n| n.starts_with("data/files/")) {
        let stated = name.trim_start_matches("data/files/").split('.').next().unwrap_or_default();
        let found = reader.file(name).and_then(|file| {
            crate::archive::digest(file).map_err(|source| ArchiveError::Io {
                action: "read",
                path: (*name).to_owned(),
                source,
            })
        });
        // What cannot be read is reported where files are held against the manifest.
        if found.is_ok_and(|found| found.sha256.to_string() != stated) {
            let message = format!("{name}: it has another hash than its name says");
            report.problem(Problem::new("amendment-malformed", input, message).file(name));
        }
    }
    // Of signatures over lines of other archives the judgement speaks; here those over lines of this one.
    for line in &amended.lines {
        let id = line.amendment.id();
        let approved = |l: &crate::archive::AmendedLine| matches!(&l.amendment, Amendment::Approval(a) if a.of == id);
        if !amended.lines.iter().any(approved) {
            continue;
        }
        if let Authentication::AsStated { why } = amended.authenticate(line) {
            let file = crate::archive::approval_path(id);
            let message = format!("the approval of {id} is not proved: {why}");
            report.problem(Problem::new("approval-invalid", input, message).file(&file));
        }
    }
}

fn verify_ledger(reader: &Reader, report: &mut Content) {
    let input = reader.label();
    let (plan, coverage) = match (reader.plan(), reader.coverage()) {
        (Ok(plan), Ok(coverage)) => (plan, coverage),
        (plan, coverage) => {
            for e in [plan.err(), coverage.err()].into_iter().flatten() {
                report.problem(malformed(input, &e));
            }
            return;
        }
    };
    verify_plan_digest(reader, report);
    verify_tasks(input, &plan, &coverage, report);
    verify_counts(reader, &coverage, report);
    verify_calls(reader, &coverage, report);
}

fn verify_plan_digest(reader: &Reader, report: &mut Content) {
    let mut hasher = Sha256::new();
    let parts = reader.parts("data/plan.ndjson");
    let read = parts.iter().try_for_each(|part| {
        let io = |source| ArchiveError::Io { action: "read", path: part.clone(), source };
        crate::archive::pour(reader.file(part)?, &mut hasher).map_err(io)
    });
    let found = read.ok().map(|()| Sha256Digest::from(hasher));
    let sealed = reader.seal().predicate.plan;
    if sealed != found {
        let text = |d: Option<Sha256Digest>| d.map_or_else(|| "none".to_owned(), |d| d.to_string());
        report.problem(
            Problem::new("plan-mismatch", reader.label(), "the plan is not the one that the seal names")
                .file("data/plan.ndjson")
                .values(text(sealed), text(found)),
        );
    }
}

fn verify_tasks(input: &str, plan: &[PlannedTask], coverage: &[Coverage], report: &mut Content) {
    let mut planned: BTreeMap<&TaskId, &PlannedTask> = BTreeMap::new();
    for task in plan {
        if planned.insert(&task.task, task).is_some() {
            report.problem(task_problem(input, "data/plan.ndjson", &task.task, "is planned twice"));
        }
    }
    let mut closed: BTreeSet<&TaskId> = BTreeSet::new();
    for line in coverage {
        if !closed.insert(&line.task) {
            report.problem(task_problem(input, "data/coverage.ndjson", &line.task, "has two states"));
        }
        match planned.get(&line.task) {
            None => report.problem(task_problem(input, "data/coverage.ndjson", &line.task, "was never planned")),
            Some(task) => {
                let right = Coverage::close(task, line.state, None, None, 0).gap;
                if right != line.gap {
                    report.problem(
                        Problem::new("gap-flag", input, format!("task {} is marked wrongly", line.task))
                            .file("data/coverage.ndjson")
                            .values(format!("gap {right}"), format!("gap {}", line.gap)),
                    );
                }
                let same =
                    task.account == line.account && task.region == line.region && task.collector == line.collector;
                if !same {
                    report.problem(task_problem(
                        input,
                        "data/coverage.ndjson",
                        &line.task,
                        "has other fields than its plan",
                    ));
                }
            }
        }
    }
    for task in planned.keys().filter(|t| !closed.contains(*t)) {
        report.problem(task_problem(
            input,
            "data/coverage.ndjson",
            task,
            "was planned and has no state: it is missing",
        ));
    }
}

fn task_problem(input: &str, file: &str, task: &TaskId, what: &str) -> Problem {
    Problem::new("task-sets-differ", input, format!("task {task} {what}")).file(file)
}

fn verify_counts(reader: &Reader, coverage: &[Coverage], report: &mut Content) {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for line in coverage {
        *found.entry(line.state.as_str().to_owned()).or_default() += 1;
    }
    let gaps = coverage.iter().filter(|c| c.gap).count() as u64;
    let seal = &reader.seal().predicate;
    let text = |counts: &BTreeMap<String, u64>, gaps: u64| {
        let states: Vec<String> = counts.iter().map(|(s, n)| format!("{n} {s}")).collect();
        format!("{}; {gaps} gaps", states.join(", "))
    };
    let expected = seal.coverage.clone().unwrap_or_default();
    if expected != found || seal.gaps != Some(gaps) {
        report.problem(
            Problem::new("seal-counts-differ", reader.label(), "the ledger's counts are not those that were sealed")
                .file("data/coverage.ndjson")
                .values(text(&expected, seal.gaps.unwrap_or(0)), text(&found, gaps)),
        );
    }
}

#[derive(Default)]
struct Tally {
    calls: u64,
    bodies: u64,
}

fn verify_calls(reader: &Reader, coverage: &[Coverage], report: &mut Content) {
    let input = reader.label();
    let mut tallies: BTreeMap<TaskId, Tally> = BTreeMap::new();
    let mut referenced: BTreeMap<String, u64> = BTreeMap::new();
    let outcome = reader.exchanges(|exchange| {
        let tally = tallies.entry(exchange.call.task.clone()).or_default();
        tally.calls += 1;
        if let Some(body) = &exchange.call.body {
            *referenced.entry(body.path.clone()).or_default() += 1;
            // An answer counts as evidence; the body of an error does not.
            tally.bodies += u64::from(exchange.answered());
        }
        Ok::<(), ArchiveError>(())
    });
    if let Err(e) = outcome {
        let mut problem = malformed(input, &e);
        if problem.file.as_deref().is_some_and(|f| f.starts_with("data/bodies/")) {
            problem.code = "body-mismatch";
        }
        // The tallies are not whole, so nothing can be said of them.
        return report.problem(problem);
    }
    let known: BTreeSet<&TaskId> = coverage.iter().map(|c| &c.task).collect();
    for task in tallies.keys().filter(|t| !known.contains(t)) {
        report.problem(task_problem(input, "data/calls.ndjson", task, "made calls but is not in the ledger"));
    }
    for line in coverage {
        let none = Tally::default();
        let tally = tallies.get(&line.task).unwrap_or(&none);
        if tally.calls != line.calls {
            report.problem(
                Problem::new("call-count-differs", input, format!("task {} states another number of calls", line.task))
                    .file("data/coverage.ndjson")
                    .values(line.calls, tally.calls),
            );
        }
        if line.state == CoverageState::Collected && tally.bodies == 0 {
            let message = format!("task {} is said to be collected, but there is no answer for it", line.task);
            report.problem(Problem::new("collected-without-evidence", input, message).file("data/coverage.ndjson"));
        }
    }
    report.referenced = Some(referenced);
}

fn verify_every_body_is_named(
    reader: &Reader,
    referenced: &BTreeMap<String, u64>,
    lines: &BTreeMap<String, u64>,
    report: &mut Report,
) {
    for (name, lines) in lines.iter().filter(|(n, _)| n.starts_with("data/bodies/")) {
        let named = referenced.get(name).copied().unwrap_or(0);
        if named != *lines {
            report.problem(
                Problem::new(
                    "unreferenced-body",
                    reader.label(),
                    format!("{name}: not every line belongs to one call"),
                )
                .file(name)
                .values(format!("{named} lines"), format!("{lines} lines")),
            );
        }
    }
}

#[derive(serde::Deserialize)]
struct EvidenceLine {
    seal: Sha256Digest,
}

fn verify_evidence_list(reader: &Reader, report: &mut Content) {
    const FILE: &str = "data/evidence.ndjson";
    match reader.records::<EvidenceLine>(FILE) {
        Err(e) => report.problem(malformed(reader.label(), &e)),
        Ok(lines) => {
            let listed: Vec<Sha256Digest> = lines.iter().map(|l| l.seal).collect();
            let sealed = &reader.seal().predicate.evidence;
            if listed != *sealed {
                let text = |list: &[Sha256Digest]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                report.problem(
                    Problem::new("evidence-list-differs", reader.label(), "the list of evidence is not the one sealed")
                        .file(FILE)
                        .values(text(sealed), text(&listed)),
                );
            }
        }
    }
}

/// Counts the records anew: a proof that "these are all" rests on the sealed numbers.
fn verify_tally(reader: &Reader, report: &mut Content) {
    let sealed = reader.seal().predicate.tally.is_some();
    let found = match reader.bytes(TALLY) {
        Ok(found) => found,
        Err(ArchiveError::Missing(_)) if !sealed => return,
        Err(e) => return report.problem(malformed(reader.label(), &e)),
    };
    let mut tally = tally::Tally::default();
    let is_record = crate::archive::record_paths(reader.seal().predicate.kind);
    let mut paths = reader.names().into_iter().filter(|path| is_record(path));
    if let Err(e) = paths.try_for_each(|path| tally.count(path, reader.file(path)?)) {
        return report.problem(malformed(reader.label(), &e));
    }
    if !sealed || tally.render().ok().as_ref() != Some(&found) {
        let message = "the tally does not state the numbers of records that there are of each account and check";
        report.problem(Problem::new("tally-differs", reader.label(), message).file(TALLY));
    }
}
