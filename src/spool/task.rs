//! One task's pair of files: attempts and bodies, append-only, whole lines.
//!
//! Each attempt is handed to the system before the next one is made, the body first: a process that is killed leaves at most
//! one torn line. Whoever goes on with the task cuts the files back to the last attempt whose body has the hash that its
//! line states, so that not even a lost disk cache can pair a body with the wrong call.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use base64ct::{Base64, Encoding};

use super::{Attempt, Memory, Sink, private_dir};
use crate::model::{BodyRef, Call, Sha256Digest, TaskId};

pub(super) const CALLS: &str = "calls.ndjson";
pub(super) const BODIES: &str = "bodies.ndjson";

/// A task's open spool files.
#[derive(Debug)]
pub struct TaskSpool {
    task: TaskId,
    open: Mutex<Option<Open>>,
    dir: PathBuf,
    before: Option<Recovered>,
    refused: Arc<OnceLock<String>>,
}

/// What an interrupted run left of a task, up to its last whole attempt.
#[derive(Debug)]
pub(super) struct Recovered {
    /// Attempts.
    pub(super) calls: u64,
    lines: u64,
    memory: Arc<Memory>,
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

impl TaskSpool {
    pub(super) fn new(task: &TaskId, dir: PathBuf, before: Option<Recovered>, refused: &Arc<OnceLock<String>>) -> Self {
        Self { task: task.clone(), open: Mutex::new(None), dir, before, refused: Arc::clone(refused) }
    }

    /// Returns whether an interrupted run had begun the task.
    pub fn interrupted(&self) -> bool {
        self.before.as_ref().is_some_and(|b| b.calls > 0)
    }

    /// Flushes the files and returns the number of attempts recorded, those of an interrupted run among them.
    ///
    /// # Errors
    /// The disk refused the last bytes.
    pub fn finish(&self) -> io::Result<u64> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut files) = open.take() else { return Ok(self.before.as_ref().map_or(0, |b| b.calls)) };
        files.flush().inspect_err(|error| self.note(error))?;
        Ok(files.seq)
    }

    fn note(&self, error: &io::Error) {
        self.refused.get_or_init(|| super::refusal(error));
    }

    fn open(&self) -> io::Result<Open> {
        private_dir(&self.dir)?;
        match &self.before {
            None => {
                let create = |name: &str| {
                    let mut options = OpenOptions::new();
                    options.write(true).create_new(true).mode(0o600).open(self.dir.join(name)).map(BufWriter::new)
                };
                Ok(Open { calls: create(CALLS)?, bodies: create(BODIES)?, seq: 0, lines: 0, spoiled: false })
            }
            Some(before) => {
                let go_on = |name: &str| OpenOptions::new().append(true).open(self.dir.join(name)).map(BufWriter::new);
                let (calls, bodies) = (go_on(CALLS)?, go_on(BODIES)?);
                Ok(Open { calls, bodies, seq: before.calls, lines: before.lines, spoiled: false })
            }
        }
    }

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

impl Sink for TaskSpool {
    fn record(&self, attempt: Attempt) -> io::Result<()> {
        self.append(attempt).inspect_err(|error| self.note(error))
    }

    fn memory(&self) -> Option<Arc<Memory>> {
        self.before.as_ref().map(|before| Arc::clone(&before.memory))
    }
}

impl Open {
    fn append(&mut self, task: &TaskId, attempt: Attempt) -> io::Result<()> {
        let body = attempt.body.as_deref().map(|bytes| self.store(bytes)).transpose()?;
        let call = attempt.into_call(task.clone(), self.seq, body)?;
        serde_json::to_writer(&mut self.calls, &call)?;
        self.calls.write_all(b"\n")?;
        self.flush()?;
        self.seq += 1;
        Ok(())
    }

    /// The body first: a call's line never names a body that is not there.
    fn flush(&mut self) -> io::Result<()> {
        self.bodies.flush().and_then(|()| self.calls.flush())
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

/// Reads what an interrupted run left of a task, and cuts off what is not whole; `None` where it left nothing.
///
/// # Errors
/// The files cannot be read or cut.
pub(super) fn recover(dir: &Path) -> io::Result<Option<Recovered>> {
    let open = |name: &str| match File::open(dir.join(name)) {
        Ok(file) => Ok(Some(BufReader::new(file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    // The files are made in this order: where the second is missing, nothing was ever recorded.
    let (Some(mut calls), Some(mut bodies)) = (open(CALLS)?, open(BODIES)?) else {
        for name in [CALLS, BODIES] {
            match std::fs::remove_file(dir.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        return Ok(None);
    };
    let memory = Arc::new(Memory::new(dir.join(BODIES)));
    let mut found = Recovered { calls: 0, lines: 0, memory };
    let (mut calls_size, mut bodies_size) = (0, 0);
    let (mut line, mut body) = (Vec::new(), Vec::new());
    while whole_line(&mut calls, &mut line)? {
        let Ok(call) = serde_json::from_slice::<Call>(&line) else { break };
        if call.seq != found.calls {
            break;
        }
        if let Some(reference) = &call.body {
            if !whole_line(&mut bodies, &mut body)? || !matches(reference, found.lines + 1, &body) {
                break;
            }
            found.memory.keep(&call, bodies_size, body.len() as u64);
            found.lines += 1;
            bodies_size += body.len() as u64 + 1;
        }
        found.calls += 1;
        calls_size += line.len() as u64 + 1;
    }
    for (name, size) in [(CALLS, calls_size), (BODIES, bodies_size)] {
        OpenOptions::new().write(true).open(dir.join(name))?.set_len(size)?;
    }
    Ok(Some(found))
}

/// Returns whether a stored line is the body that its call states.
fn matches(reference: &BodyRef, number: u64, line: &[u8]) -> bool {
    reference.line == number && reference.decode(line).is_some_and(|bytes| Sha256Digest::of(bytes) == reference.sha256)
}

/// Reads the next line without its line feed; false at the end, and where the rest of the last line is missing: that
/// attempt was never recorded.
pub(super) fn whole_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    file.read_until(b'\n', line)?;
    Ok(line.pop() == Some(b'\n'))
}
