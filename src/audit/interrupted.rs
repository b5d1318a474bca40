//! A run that ended without a seal (killed, power lost, disk full, credentials gone): what is left of it, and how it is given up.
//!
//! Its working folder holds:
//! - `spool/`: every attempt, and the journal of the tasks that ended;
//! - `plan.ndjson`: the plan, written before it was sealed;
//! - `resumed`: a time a line, whenever the run went on;
//! - `overridden`: a line for each override under which answers came, so that the closing seal names those of every stretch.
//!
//! `run` goes on with it; [`abandon`] seals what there is as `run-abort`, so that nothing gathered is lost.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use jiff::Timestamp;

use super::{
    layout,
    run::{RunError, RunRequest},
};
use crate::{
    archive::{
        ArchiveError, Kind, Staging,
        chain::{Chain, Facts, Link, Sealed, open_run},
    },
    model::{Coverage, CoverageState, Period, PlannedTask, Sha256Digest},
    observe::SEMANTICS,
    spool::Spool,
};

const PLAN: &str = "plan.ndjson";
const RESUMED: &str = "resumed";
const OVERRIDDEN: &str = "overridden";

/// A run that was opened and not ended, as its seals tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// Its id.
    pub run: String,
    /// Its period.
    pub period: Period,
    /// When it was opened.
    pub opened: Timestamp,
    /// The configuration that it committed to.
    pub configuration: Option<Sha256Digest>,
    /// The catalogue that it committed to.
    pub catalog: Option<Sha256Digest>,
    /// What its seals say was overridden so far.
    overridden: Vec<String>,
    plan: Option<Sha256Digest>,
}

impl Interrupted {
    /// Finds it in a chain; `None` where the last run was ended.
    pub fn find(links: &[Link]) -> Option<Self> {
        let open = open_run(links)?.seal();
        let own = links.iter().map(Link::seal).filter(|s| s.sequence >= open.sequence);
        let planned = links.iter().rev().map(Link::seal).find(|s| s.kind == Kind::RunPlan && s.run == open.run);
        Some(Self {
            run: open.run.clone()?,
            period: open.period.clone()?,
            opened: open.opened,
            configuration: open.configuration,
            catalog: open.catalog,
            overridden: own.flat_map(|seal| seal.overridden.iter().cloned()).collect(),
            plan: planned.and_then(|seal| seal.plan),
        })
    }

    /// Returns everything that was overridden in any stretch of the run: by its seals, by its working folder, and `now`.
    pub(super) fn overridden(&self, work: &Path, now: &[String]) -> io::Result<Vec<String>> {
        let noted = lines_of(&work.join(OVERRIDDEN))?;
        let all: BTreeSet<String> = self.overridden.iter().chain(now).cloned().chain(noted).collect();
        Ok(all.into_iter().collect())
    }

    /// Reads the plan that was sealed; `None` where the run was interrupted before.
    ///
    /// # Errors
    /// The file is missing, or not the one that was sealed.
    pub(super) fn plan(&self, work: &Path) -> Result<Option<Vec<PlannedTask>>, ArchiveError> {
        let Some(sealed) = self.plan else { return Ok(None) };
        let path = work.join(PLAN);
        let shown = path.display().to_string();
        let bytes =
            fs::read(&path).map_err(|source| ArchiveError::Io { action: "read", path: shown.clone(), source })?;
        if Sha256Digest::of(&bytes) != sealed {
            return Err(ArchiveError::malformed(&shown, None, "it is not the plan that was sealed"));
        }
        let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let tasks: Result<_, _> = lines.map(serde_json::from_slice).collect();
        tasks.map(Some).map_err(|e| ArchiveError::malformed(&shown, None, e))
    }
}

/// Writes the plan down where an interruption leaves it, flushed to disk.
pub(super) fn keep_plan(work: &Path, tasks: &[PlannedTask]) -> Result<(), ArchiveError> {
    let io = |source| ArchiveError::Io { action: "write", path: work.join(PLAN).display().to_string(), source };
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(work.join(PLAN)).map_err(io)?;
    let mut file = io::BufWriter::new(file);
    for task in tasks {
        let line = serde_json::to_vec(task).map_err(io::Error::from).map_err(io)?;
        file.write_all(&line).and_then(|()| file.write_all(b"\n")).map_err(io)?;
    }
    file.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)
}

/// Notes that the run goes on now, and returns all such times.
pub(super) fn note_resumed(work: &Path, now: Timestamp) -> io::Result<Vec<Timestamp>> {
    let path = work.join(RESUMED);
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    file.write_all(format!("{now}\n").as_bytes())?;
    resumed(work)
}

fn resumed(work: &Path) -> io::Result<Vec<Timestamp>> {
    Ok(lines_of(&work.join(RESUMED))?.iter().filter_map(|line| line.parse().ok()).collect())
}

/// Writes down what is overridden, where an interruption leaves it: who answers is learnt only as the run goes.
pub(super) fn note_overridden(work: &Path, overridden: &[String]) -> io::Result<()> {
    let text: String = overridden.iter().map(|what| format!("{}\n", what.replace('\n', " "))).collect();
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(work.join(OVERRIDDEN))?;
    file.write_all(text.as_bytes())
}

fn lines_of(path: &Path) -> io::Result<Vec<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Seals what an interrupted run had gathered as `run-abort`: for whoever begins a new run instead of going on with it.
///
/// `request` is the new run's; `discovery` is the task under which the first calls were recorded; `work` the interrupted run's folder.
///
/// # Errors
/// The working folder cannot be read, or the store or the signer refuses: the folder is then still there.
pub fn abandon(
    chain: &mut Chain,
    interrupted: &Interrupted,
    request: &RunRequest<'_>,
    discovery: PlannedTask,
    work: &Path,
) -> Result<Sealed, RunError> {
    let archive_error = |source| RunError::Archive { source: Box::new(source), work: work.to_owned() };
    let io_error =
        |source| archive_error(ArchiveError::Io { action: "read", path: work.display().to_string(), source });
    let tasks = interrupted.plan(work).map_err(archive_error)?.unwrap_or_else(|| vec![discovery]);
    let (spool, ended) = Spool::reopen(&work.join("spool")).map_err(io_error)?;
    let mut ended = ended.into_iter().peekable();
    let coverage: Vec<Coverage> = tasks
        .iter()
        .map(|task| ended.next_if(|line| line.task == task.task).unwrap_or_else(|| left_open(task, &spool)))
        .collect();
    let staging = fresh_staging(work).map_err(archive_error)?;
    layout::plan(&staging, &tasks).map_err(archive_error)?;
    layout::evidence(&staging, &tasks, &coverage, &spool).map_err(archive_error)?;
    if interrupted.configuration == Some(request.config.digest) {
        staging.add("data/inputs/orgproof.toml", &request.config.bytes).map_err(archive_error)?;
    }
    let reason = "the run was interrupted without a seal, and a new one was begun instead of going on with it";
    let facts = Facts {
        run: Some(interrupted.run.clone()),
        period: Some(interrupted.period.clone()),
        configuration: interrupted.configuration,
        catalog: interrupted.catalog,
        overridden: interrupted.overridden(work, &request.overridden).map_err(io_error)?,
        tool: request.tool.clone(),
        resumed: resumed(work).map_err(io_error)?,
        reason: Some(reason.to_owned()),
        ..Facts::new(SEMANTICS, interrupted.opened, (request.clock)())
    };
    let sealed = chain.abort_run(Some(&staging), &facts, &request.salt_key);
    let sealed = sealed.map_err(|source| RunError::Chain { source: Box::new(source), work: work.to_owned() })?;
    // The sealed archive holds it all.
    let _ = fs::remove_dir_all(work);
    Ok(sealed)
}

fn left_open(task: &PlannedTask, spool: &Spool) -> Coverage {
    if let Some(reason) = &task.out_of_scope {
        return Coverage::close(task, CoverageState::OutOfScope, Some(reason.to_string()), None, 0);
    }
    let why = Some("the run was interrupted and not gone on with".to_owned());
    let begun = spool.task(&task.task);
    match begun.finish() {
        Ok(calls) if calls > 0 => {
            let line = Coverage::close(task, CoverageState::Partial, why, None, calls);
            Coverage { interrupted: true, ..line }
        }
        _ => Coverage::close(task, CoverageState::NotRun, why, None, 0),
    }
}

/// Makes an empty staging folder: what an interrupted close had put there is laid out again.
pub(super) fn fresh_staging(work: &Path) -> Result<Staging, ArchiveError> {
    let root = work.join("staging");
    match fs::remove_dir_all(&root) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ArchiveError::Io { action: "remove", path: root.display().to_string(), source })
        }
        _ => Staging::create(&root),
    }
}
