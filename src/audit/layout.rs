//! Lays a finished run out as the evidence archive's files: plan, coverage, calls and bodies, in plan order.

use std::io::{self, Write};

use serde::Serialize;

use crate::archive::{ArchiveError, StagedWriter, Staging};
#[cfg(feature = "aws")]
use crate::{
    model::{BodyRef, Call, Coverage, PlannedTask, Sha256Digest},
    spool::Spool,
};

/// Writes `data/plan.ndjson`, and returns its digest over all parts, so that it can be sealed before collection begins.
///
/// # Errors
/// The staging folder refuses.
#[cfg(feature = "aws")]
pub fn plan(staging: &Staging, tasks: &[PlannedTask]) -> Result<Sha256Digest, ArchiveError> {
    lines(staging, "data/plan", tasks)?;
    let digest = staging.joint_digest("data/plan.ndjson")?;
    digest.ok_or_else(|| ArchiveError::Missing("data/plan.ndjson".to_owned()))
}

/// Writes `data/coverage.ndjson`, `data/calls.ndjson` and `data/bodies/`, in the order of `tasks`.
///
/// # Errors
/// The spool cannot be read, or the staging folder refuses.
#[cfg(feature = "aws")]
pub fn evidence(
    staging: &Staging,
    tasks: &[PlannedTask],
    coverage: &[Coverage],
    spool: &Spool,
) -> Result<(), ArchiveError> {
    lines(staging, "data/coverage", coverage)?;
    let mut calls = Parts::open(staging, "data/calls", first_unnumbered)?;
    let mut bodies: Option<Parts<'_>> = None;
    spool.assemble(tasks, |mut call: Call, body| {
        if let (Some(line), Some(reference)) = (body, call.body.take()) {
            let stem = format!("data/bodies/{}/{}", call.task.account, call.task.region);
            if bodies.as_ref().is_none_or(|parts| parts.stem != stem) {
                if let Some(done) = bodies.take() {
                    done.finish()?;
                }
                bodies = Some(Parts::open(staging, &stem, all_numbered)?);
            }
            if let Some(parts) = &mut bodies {
                parts.line(line)?;
                call.body = Some(BodyRef { path: parts.path.clone(), line: parts.file.lines(), ..reference });
            }
        }
        calls.line(&json(&call)?)
    })?;
    bodies.map_or(Ok(()), Parts::finish)?;
    calls.finish()
}

/// Writes a file of JSON lines, continued in `….001.ndjson` and so on where it would grow past the format's limit.
///
/// # Errors
/// The staging folder refuses.
pub fn lines<T: Serialize>(staging: &Staging, stem: &str, records: &[T]) -> Result<(), ArchiveError> {
    let mut parts = Parts::open(staging, stem, first_unnumbered)?;
    for record in records {
        parts.line(&json(record)?)?;
    }
    parts.finish()
}

/// How the n-th part of a file of lines is called.
type Naming = fn(&str, u32) -> String;

fn first_unnumbered(stem: &str, part: u32) -> String {
    if part == 0 { format!("{stem}.ndjson") } else { all_numbered(stem, part) }
}

fn all_numbered(stem: &str, part: u32) -> String {
    format!("{stem}.{part:03}.ndjson")
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, ArchiveError> {
    serde_json::to_vec(value).map_err(|e| ArchiveError::Io {
        action: "write",
        path: "a line".to_owned(),
        source: e.into(),
    })
}

/// A file of lines in as many parts as the format's limit asks for.
struct Parts<'a> {
    staging: &'a Staging,
    stem: String,
    naming: Naming,
    part: u32,
    path: String,
    file: StagedWriter,
}

impl<'a> Parts<'a> {
    fn open(staging: &'a Staging, stem: &str, naming: Naming) -> Result<Self, ArchiveError> {
        let path = naming(stem, 0);
        Ok(Self { staging, stem: stem.to_owned(), naming, part: 0, file: staging.writer(&path)?, path })
    }

    fn line(&mut self, line: &[u8]) -> Result<(), ArchiveError> {
        if self.file.remaining() <= line.len() as u64 && self.file.lines() > 0 {
            self.part += 1;
            self.path = (self.naming)(&self.stem, self.part);
            std::mem::replace(&mut self.file, self.staging.writer(&self.path)?).finish()?;
        }
        let written = self.file.write_all(line).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|source: io::Error| ArchiveError::Io { action: "write", path: self.path.clone(), source })
    }

    fn finish(self) -> Result<(), ArchiveError> {
        self.file.finish().map(drop)
    }
}
