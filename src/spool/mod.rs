//! Where a run's raw evidence lies while it is being gathered: one pair of append-only files per task.
//!
//! A collector hands each HTTP attempt to its task's [`Sink`] the moment it ends, so that an abort loses nothing that was
//! answered. Tasks run in any order; [`Spool::assemble`] then lays their pages out in the order of the format document
//! (account, Region, collector, position), so that completion order never shows in an archive.
//!
//! The spool of a run that was interrupted (killed, power lost) is gone on with: [`Spool::reopen`] checks every body against
//! its hash, knows from the journal which tasks had ended, and gives the others a [`Memory`] of what they were told.

mod memory;
mod task;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use serde_json::value::RawValue;

pub use memory::Memory;
pub use task::TaskSpool;
use task::{BODIES, CALLS, recover, whole_line};

use crate::model::{BodyRef, Call, Coverage, CoverageState, PlannedTask, TaskId};

/// How each task ended, as it ended: what an interrupted run need not ask again.
const JOURNAL: &str = "ledger.ndjson";

/// One HTTP attempt as a collector saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When the response was complete, by our clock.
    pub time: Timestamp,
    /// AWS's request id.
    pub request_id: Option<String>,
    /// ARN of the identity that signed.
    pub principal: String,
    /// `organizations`, `config`, `securityhub`, `account` or `sts`.
    pub service: &'static str,
    /// API operation.
    pub operation: String,
    /// Region of the endpoint.
    pub endpoint_region: String,
    /// The request as JSON text: the body, or `{"path": …, "body": …}`. `None` for STS.
    pub request: Option<String>,
    /// Page, from 0.
    pub page: u32,
    /// Attempt at this page, from 1.
    pub attempt: u32,
    /// HTTP status; `None` where no response arrived.
    pub status: Option<u16>,
    /// AWS's error code, or `transport`.
    pub error: Option<String>,
    /// The exact response bytes. `None` for STS, whose answers hold credentials.
    pub body: Option<Vec<u8>>,
}

impl Attempt {
    /// Turns the attempt into its line in the record of calls; `body` says where its bytes lie.
    ///
    /// # Errors
    /// The request is not JSON.
    pub fn into_call(self, task: TaskId, seq: u64, body: Option<BodyRef>) -> io::Result<Call> {
        Ok(Call {
            task,
            seq,
            time: self.time,
            request_id: self.request_id,
            principal: self.principal,
            service: self.service.to_owned(),
            operation: self.operation,
            endpoint_region: self.endpoint_region,
            request: self.request.map(RawValue::from_string).transpose().map_err(io::Error::from)?,
            page: self.page,
            attempt: self.attempt,
            status: self.status,
            error: self.error,
            body,
        })
    }
}

/// Takes a task's attempts as they happen.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Appends one attempt.
    ///
    /// # Errors
    /// The disk refused: fatal for the run, which ends as aborted with what it has.
    fn record(&self, attempt: Attempt) -> io::Result<()>;

    /// Returns what was recorded before the run was interrupted; `None` where it was not.
    fn memory(&self) -> Option<Arc<Memory>> {
        None
    }
}

/// How a task ended, before it is held against the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The terminal state.
    pub state: CoverageState,
    /// What was said.
    pub error: Option<String>,
    /// Since when, where the service says so.
    pub since: Option<Timestamp>,
}

/// A run's working directory for raw evidence.
#[derive(Debug)]
pub struct Spool {
    root: PathBuf,
    reopened: bool,
    refused: Arc<OnceLock<String>>,
}

impl Spool {
    /// Creates the directory (owner-only) below `root`.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub fn create(root: &Path) -> io::Result<Self> {
        private_dir(root)?;
        Ok(Self { root: root.to_owned(), reopened: false, refused: Arc::default() })
    }

    /// Opens what an interrupted run left below `root`, and returns the lines of the tasks that had ended and whose recorded
    /// attempts are all there.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn reopen(root: &Path) -> io::Result<(Self, Vec<Coverage>)> {
        private_dir(root)?;
        let spool = Self { root: root.to_owned(), reopened: true, refused: Arc::default() };
        let mut ended = BTreeMap::new();
        if let Ok(file) = File::open(root.join(JOURNAL)) {
            let (mut journal, mut line) = (BufReader::new(file), Vec::new());
            while whole_line(&mut journal, &mut line)? {
                let Ok(coverage) = serde_json::from_slice::<Coverage>(&line) else { continue };
                ended.insert(coverage.task.clone(), coverage);
            }
        }
        let mut whole = Vec::new();
        for coverage in ended.into_values() {
            if recover(&spool.dir(&coverage.task))?.map_or(0, |r| r.calls) == coverage.calls {
                whole.push(coverage);
            }
        }
        Ok((spool, whole))
    }

    /// Opens the spool of one task; files come into being with the first attempt. In a reopened spool the task goes on after
    /// the last whole attempt.
    pub fn task(&self, task: &TaskId) -> TaskSpool {
        let dir = self.dir(task);
        let before = if self.reopened { recover(&dir) } else { Ok(None) };
        let before = before.unwrap_or_else(|error| {
            self.refused.get_or_init(|| refusal(&error));
            None
        });
        TaskSpool::new(task, dir, before, &self.refused)
    }

    /// Writes down that a task has ended.
    ///
    /// # Errors
    /// The disk refused: [`Spool::broken`] says so too.
    pub fn ended(&self, line: &Coverage) -> io::Result<()> {
        let written = serde_json::to_vec(line).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o600).open(self.root.join(JOURNAL))?.write_all(&bytes)
        });
        written.inspect_err(|error| {
            self.refused.get_or_init(|| refusal(error));
        })
    }

    /// Returns what the disk said when it first refused an attempt; the run must end then, for evidence was lost.
    pub fn broken(&self) -> Option<String> {
        self.refused.get().cloned()
    }

    fn dir(&self, task: &TaskId) -> PathBuf {
        self.root.join(task.account.as_str()).join(task.region.as_str()).join(task.collector.as_str())
    }

    /// Returns how many attempts of `task` were recorded.
    ///
    /// # Errors
    /// The spool file cannot be read.
    pub fn calls(&self, task: &TaskId) -> io::Result<u64> {
        use io::BufRead as _;
        match File::open(self.dir(task).join(CALLS)) {
            Ok(file) => Ok(BufReader::new(file).lines().count() as u64),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Streams every attempt of `plan`'s tasks, in plan order, to `each`; bodies come as stored lines (see [`BodyRef`]).
    ///
    /// `plan` must be sorted by task id. A task without files made no call. An attempt that the disk refused in the middle is
    /// left out; its task ended as failed.
    ///
    /// # Errors
    /// A spool file cannot be read, or `each` fails.
    pub fn assemble<E: From<io::Error>>(
        &self,
        plan: &[PlannedTask],
        mut each: impl FnMut(Call, Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        for planned in plan {
            let dir = self.dir(&planned.task);
            let mut calls = match File::open(dir.join(CALLS)) {
                Ok(file) => BufReader::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let mut bodies = BufReader::new(File::open(dir.join(BODIES))?);
            let (mut line, mut body) = (Vec::new(), Vec::new());
            while whole_line(&mut calls, &mut line)? {
                let call: Call = serde_json::from_slice(&line).map_err(io::Error::from)?;
                if call.body.is_none() {
                    each(call, None)?;
                } else if whole_line(&mut bodies, &mut body)? {
                    each(call, Some(&body))?;
                } else {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Returns the working directories in `folder` of runs that ended without a seal (a crash, a full disk), sorted.
///
/// They may hold the only copy of what such a run gathered: they are reported, and never removed.
pub fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut left: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("orgproof-") && entry.path().is_dir())
        .map(|entry| entry.path())
        .collect();
    left.sort();
    left
}

/// Creates `path` and its parents with mode 0700.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn refusal(error: &io::Error) -> String {
    format!("the working directory refused evidence ({error}): free or mend the disk")
}
