//! What a task was already told before its run was interrupted, so that no page is asked for twice.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::model::{BodyRef, Call};

/// Answers by question. Each is given once: whoever asks the same again wants it from AWS.
#[derive(Debug)]
pub struct Memory {
    bodies: PathBuf,
    answers: Mutex<HashMap<Question, Answer>>,
}

/// A request as the record of calls keeps it. Of REST requests the path says which operation it is, of the others the operation's name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Question {
    operation: String,
    request: String,
}

#[derive(Debug)]
struct Answer {
    at: u64,
    size: u64,
    reference: BodyRef,
}

impl Question {
    fn new(operation: &str, request: &str) -> Self {
        let operation = if request.starts_with("{\"path\":") { "" } else { operation };
        Self { operation: operation.to_owned(), request: request.to_owned() }
    }
}

impl Memory {
    pub(super) fn new(bodies: PathBuf) -> Self {
        Self { bodies, answers: Mutex::default() }
    }

    /// Keeps an answered call, whose body's line lies `at` this offset; of several answers to one question the last. What was
    /// refused is asked again.
    pub(super) fn keep(&self, call: &Call, at: u64, size: u64) {
        let answered = call.error.is_none() && call.status == Some(200);
        if let (true, Some(request), Some(reference)) = (answered, &call.request, &call.body) {
            let answer = Answer { at, size, reference: reference.clone() };
            self.lock().insert(Question::new(&call.operation, request.get()), answer);
        }
    }

    /// Returns whether there is anything left to recall.
    pub fn is_spent(&self) -> bool {
        self.lock().is_empty()
    }

    /// Returns the exact bytes with which AWS answered (status 200), and forgets them; `None` where they must be asked for.
    ///
    /// `request` is the request as the record of calls keeps it (see [`super::Attempt::request`]).
    ///
    /// # Errors
    /// The spool file cannot be read.
    pub fn recall(&self, operation: &str, request: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(answer) = self.lock().remove(&Question::new(operation, request)) else { return Ok(None) };
        let mut file = File::open(&self.bodies)?;
        file.seek(SeekFrom::Start(answer.at))?;
        let mut line = Vec::new();
        file.take(answer.size).read_to_end(&mut line)?;
        Ok(answer.reference.decode(&line))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Question, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
