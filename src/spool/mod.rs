//! Where a run's raw evidence lies while it is being gathered: one pair of append-only files per task.
//!
//! A collector hands each HTTP attempt to its task's [`Sink`] the moment it ends, so that an abort loses nothing that was
//! answered. Tasks run in any order; [`Spool::assemble`] then lays their pages out in the order of the format document
//! (account, Region, collector, position), so that completion order never shows in an archive.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use base64ct::{Base64, Encoding};
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::model::{BodyRef, Call, CoverageState, PlannedTask, Sha256Digest, TaskId};

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
    refused: Arc<OnceLock<String>>,
}

/// A task's open spool files.
#[derive(Debug)]
pub struct TaskSpool {
    task: TaskId,
    open: Mutex<Option<Open>>,
    dir: PathBuf,
    refused: Arc<OnceLock<String>>,
}

#[derive(Debug)]
struct Open {
    calls: BufWriter<File>,
    bodies: BufWriter<File>,
    seq: u64,
    lines: u64,
    /// Set once an attempt was refused: what came after it would lie beside the wrong body.
    spoiled: bool,
}

impl Spool {
    /// Creates the directory (owner-only) below `root`.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub fn create(root: &Path) -> io::Result<Self> {
        private_dir(root)?;
        Ok(Self { root: root.to_owned(), refused: Arc::default() })
    }

    /// Opens the spool of one task; files come into being with the first attempt.
    pub fn task(&self, task: &TaskId) -> TaskSpool {
        TaskSpool {
            task: task.clone(),
            open: Mutex::new(None),
            dir: self.dir(task),
            refused: Arc::clone(&self.refused),
        }
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
        match File::open(self.dir(task).join("calls.ndjson")) {
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
            let mut calls = match File::open(dir.join("calls.ndjson")) {
                Ok(file) => BufReader::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let mut bodies = BufReader::new(File::open(dir.join("bodies.ndjson"))?);
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

impl TaskSpool {
    /// Flushes the files and returns the number of attempts recorded.
    ///
    /// # Errors
    /// The disk refused the last bytes.
    pub fn finish(&self) -> io::Result<u64> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut files) = open.take() else { return Ok(0) };
        files.bodies.flush().and_then(|()| files.calls.flush()).inspect_err(|error| self.note(error))?;
        Ok(files.seq)
    }

    fn note(&self, error: &io::Error) {
        let said = format!("the working directory refused evidence ({error}): free or mend the disk, then run again");
        self.refused.get_or_init(|| said);
    }

    fn open(&self) -> io::Result<Open> {
        private_dir(&self.dir)?;
        let create = |name: &str| {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.dir.join(name)).map(BufWriter::new)
        };
        Ok(Open { calls: create("calls.ndjson")?, bodies: create("bodies.ndjson")?, seq: 0, lines: 0, spoiled: false })
    }
}

impl Sink for TaskSpool {
    fn record(&self, attempt: Attempt) -> io::Result<()> {
        self.append(attempt).inspect_err(|error| self.note(error))
    }
}

impl TaskSpool {
    fn append(&self, attempt: Attempt) -> io::Result<()> {
        let mut slot = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(self.open()?);
        }
        let Some(files) = slot.as_mut() else { return Err(io::Error::other("spool closed")) };
        if files.spoiled {
            return Err(io::Error::other("an earlier attempt of the task was refused"));
        }
        let written = files.append(&self.task, attempt);
        files.spoiled = written.is_err();
        written
    }
}

impl Open {
    fn append(&mut self, task: &TaskId, attempt: Attempt) -> io::Result<()> {
        let body = attempt.body.as_deref().map(|bytes| self.store(bytes)).transpose()?;
        let call = attempt.into_call(task.clone(), self.seq, body)?;
        serde_json::to_writer(&mut self.calls, &call)?;
        self.calls.write_all(b"\n")?;
        self.seq += 1;
        Ok(())
    }

    fn store(&mut self, bytes: &[u8]) -> io::Result<BodyRef> {
        let as_is = !bytes.contains(&b'\n') && std::str::from_utf8(bytes).is_ok();
        if as_is {
            self.bodies.write_all(bytes)?;
        } else {
            self.bodies.write_all(Base64::encode_string(bytes).as_bytes())?;
        }
        self.bodies.write_all(b"\n")?;
        self.lines += 1;
        Ok(BodyRef {
            path: String::new(),
            line: self.lines,
            sha256: Sha256Digest::of(bytes),
            encoding: (!as_is).then(|| "base64".to_owned()),
        })
    }
}

/// Reads the next line without its line feed; false at the end, and where the disk refused the rest of the last line: that
/// attempt was never recorded, and [`TaskSpool::finish`] has said so.
fn whole_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    file.read_until(b'\n', line)?;
    Ok(line.pop() == Some(b'\n'))
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

#[cfg(test)]
mod tests;
