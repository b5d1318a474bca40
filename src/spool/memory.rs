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

/// A request as the record of calls keeps it, and where it was made: the same words ask something else of another account or Region.
/// Of REST requests the path says which operation it is, of the others the operation's name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Question {
    account: String,
    region: String,
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
    fn new((account, region): (&str, &str), operation: &str, request: &str) -> Self {
        let operation = if request.starts_with("{\"path\":") { "" } else { operation };
        let [account, region, operation, request] = [account, region, operation, request].map(str::to_owned);
        Self { account, region, operation, request }
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
            let place = (account_of(&call.principal), call.endpoint_region.as_str());
            self.lock().insert(Question::new(place, &call.operation, request.get()), answer);
        }
    }

    /// Returns whether there is anything left to recall.
    pub fn is_spent(&self) -> bool {
        self.lock().is_empty()
    }

    /// Returns the exact bytes with which AWS answered (status 200), and forgets them; `None` where they must be asked for.
    ///
    /// `place` is the account whose credentials ask and the endpoint's Region; `request` is the request as the record of calls keeps
    /// it (see [`super::Attempt::request`]).
    ///
    /// # Errors
    /// The spool file cannot be read.
    pub fn recall(&self, place: (&str, &str), operation: &str, request: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(answer) = self.lock().remove(&Question::new(place, operation, request)) else { return Ok(None) };
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

/// Returns the account in an ARN; nothing where there is none, so that nothing is recalled.
fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_account_or_region_was_told_is_never_told_to_another() {
        let dir = tempfile::tempdir().unwrap();
        let bodies = dir.path().join("bodies.ndjson");
        std::fs::write(&bodies, "{\"of\":1}\n").unwrap();
        let call: Call = serde_json::from_value(serde_json::json!({
            "task": "111111111111/us-east-1/config-recorder", "seq": 0, "time": "2026-10-01T00:00:00Z",
            "principal": "arn:aws:sts::111111111111:assumed-role/Audit/run", "service": "config",
            "operation": "DescribeConfigurationRecorders", "endpoint_region": "us-east-1", "request": {},
            "page": 0, "attempt": 1, "status": 200,
            "body": { "path": "", "line": 1, "sha256": crate::model::Sha256Digest::of("{\"of\":1}") }
        }))
        .unwrap();
        let memory = Memory::new(bodies);
        memory.keep(&call, 0, 8);
        let ask = |place| memory.recall(place, "DescribeConfigurationRecorders", "{}").unwrap();
        assert_eq!(ask(("222222222222", "us-east-1")), None);
        assert_eq!(ask(("111111111111", "eu-west-1")), None);
        assert_eq!(ask(("111111111111", "us-east-1")).as_deref(), Some("{\"of\":1}".as_bytes()));
        assert_eq!(ask(("111111111111", "us-east-1")), None, "each answer is given once");
    }
}
