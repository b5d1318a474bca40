//! From a run's archive to its observations, target by target and side by side, in bounded memory.
//!
//! The record of calls is read twice: first for what was asked once for the whole run, then target by target. An archive keeps each
//! target's answers in files of their own, so that several threads read different targets at once.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
    mpsc::{self, Receiver, SyncSender},
};

use super::JudgeError;
use crate::{
    archive::{ArchiveError, Reader},
    model::{Call, Coverage, Exchange, PlannedTask},
    observe::{Observed, Run, RunReader, Shelf, Target, TargetReader},
    sorted::Scratch,
};

/// More threads than this would cost more memory than they save time.
const MOST_WORKERS: usize = 4;

/// Observes one run. `plan` and `coverage` are the archive's own.
///
/// # Errors
/// The archive cannot be read, its calls do not lie in plan order, or a temporary file cannot be written.
pub fn observe(
    archive: &Reader,
    plan: &[PlannedTask],
    coverage: &[Coverage],
    scratch: &Scratch,
) -> Result<Observed, JudgeError> {
    let seal = archive.seal_digest();
    let mut reader = RunReader::new(plan, coverage, scratch);
    let mut bodies = archive.bodies();
    for call in archive.calls()? {
        let call = call?;
        if RunReader::concerns(&call.task) {
            let body = bodies.of(&call)?;
            reader.push(Exchange { call: &call, body: &body, seal })?;
        }
    }
    let run = reader.finish()?;
    let shelves = targets(archive, &run)?;
    Ok(run.finish(shelves)?)
}

/// All calls of one target.
type Job = (Target, Vec<Call>);

fn targets(archive: &Reader, run: &Run<'_>) -> Result<Vec<Shelf>, JudgeError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let (sender, receiver) = mpsc::sync_channel(workers);
    let (receiver, failed) = (Mutex::new(receiver), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let work = || draw(archive, run, &receiver).inspect_err(|_| failed.store(true, Ordering::Relaxed));
        let working: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let dealt = deal(archive, sender, &failed);
        let mut shelves = Vec::new();
        for worker in working {
            match worker.join() {
                Ok(shelf) => shelves.push(shelf?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        dealt.map(|()| shelves)
    })
}

/// Hands out the targets in the order of their calls.
fn deal(archive: &Reader, jobs: SyncSender<Job>, failed: &AtomicBool) -> Result<(), JudgeError> {
    let mut open: Option<Job> = None;
    for call in archive.calls()? {
        let call = call?;
        let of = (&call.task.account, &call.task.region);
        match &mut open {
            Some((target, calls)) if (&target.0, &target.1) == of => calls.push(call),
            _ => {
                let next = (call.task.account.clone(), call.task.region.clone());
                // Nobody takes jobs any more where every worker failed: what failed is said by them.
                let sent = open.replace((next, vec![call])).map_or(Ok(()), |job| jobs.send(job));
                if sent.is_err() || failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
            }
        }
    }
    if let Some(job) = open {
        let _ = jobs.send(job);
    }
    Ok(())
}

fn draw(archive: &Reader, run: &Run<'_>, jobs: &Mutex<Receiver<Job>>) -> Result<Shelf, JudgeError> {
    let seal = archive.seal_digest();
    let mut shelf = run.shelf();
    let mut bodies = archive.bodies();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((target, calls)) = job else { return Ok(shelf) };
        let mut reader = TargetReader::new(run, target);
        for call in calls.iter().filter(|call| !RunReader::concerns(&call.task)) {
            let body = bodies.of(call)?;
            reader.push(Exchange { call, body: &body, seal });
        }
        reader.finish(&mut shelf)?;
    }
}

impl From<std::io::Error> for JudgeError {
    fn from(source: std::io::Error) -> Self {
        let path = "the working files".to_owned();
        Self::Archive(ArchiveError::Io { action: "read or write", path, source })
    }
}
