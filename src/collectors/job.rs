//! One task under way: its callers, what failed so far, and how it ends.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use crate::{
    aws::{Aws, Caller, Failure, Signal},
    model::{Collector, CoverageState, Mode, PlannedTask, Scope},
    spool::{Outcome, Sink},
};

/// How much a task loses with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Without its answer the task has not been done: the task ends in the failure's own state.
    Essential,
    /// The rest stands without it: the task ends as partial.
    Auxiliary,
}

/// One task under way.
pub(super) struct Job<'a> {
    pub(super) aws: &'a Aws,
    pub(super) task: &'a PlannedTask,
    /// Who is asked first: the aggregated view in central mode, else the target.
    pub(super) caller: Caller,
    /// Inside the target, in its own Region.
    pub(super) target: Caller,
    ledger: Mutex<Ledger>,
}

/// What happened so far.
#[derive(Debug, Default)]
struct Ledger {
    items: u64,
    failures: Vec<(Weight, Failure)>,
    verdict: Option<(CoverageState, String, Option<Timestamp>)>,
}

impl<'a> Job<'a> {
    pub(super) fn new(aws: &'a Aws, task: &'a PlannedTask, sink: Arc<dyn Sink>) -> Self {
        let region = match task.collector.scope() {
            Scope::Account => aws.home_region(),
            Scope::Run | Scope::Target => &task.region,
        };
        let target = aws.caller(&task.account, region, Arc::clone(&sink));
        // Recorders, rules and hubs have no aggregated view: asked centrally, the audit account would answer about itself.
        let aggregated = matches!(task.collector, Collector::ConfigCompliance | Collector::SecurityhubFindings);
        let central = task.collector.scope() == Scope::Run || (task.mode == Mode::Central && aggregated);
        let caller = if central { aws.central(sink) } else { target.clone() };
        Self { aws, task, caller, target, ledger: Mutex::default() }
    }

    /// Counts what came back; a task that saw nothing ends as empty.
    pub(super) fn saw(&self, items: usize) {
        self.ledger().items += items as u64;
    }

    /// Notes a failure and goes on.
    pub(super) fn keep<T>(&self, weight: Weight, answer: Result<T, Failure>) -> Option<T> {
        answer.map_err(|failure| self.fail(weight, failure)).ok()
    }

    /// As [`Self::keep`], where some failures are answers too: "there is none".
    pub(super) fn keep_unless<T>(&self, weight: Weight, calm: &[Signal], answer: Result<T, Failure>) -> Option<T> {
        match answer {
            Err(failure) if calm.contains(&failure.signal) => None,
            other => self.keep(weight, other),
        }
    }

    pub(super) fn fail(&self, weight: Weight, failure: Failure) {
        self.ledger().failures.push((weight, failure));
    }

    /// Decides the task's state by what was answered, such as "no recorder"; failures still go first.
    pub(super) fn decide(&self, state: CoverageState, why: impl Into<String>, since: Option<Timestamp>) {
        self.ledger().verdict.get_or_insert((state, why.into(), since));
    }

    /// Closes the task.
    pub(super) fn finish(&self) -> Outcome {
        self.ledger().close()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("task", &self.task.task).finish_non_exhaustive()
    }
}

impl Ledger {
    /// An essential failure names the state, then what the answers said, then any other failure (partial), then whether there was anything.
    fn close(&self) -> Outcome {
        let essential = self.failures.iter().find(|(weight, _)| *weight == Weight::Essential);
        let first = self.failures.first();
        if let Some((_, failure)) = essential {
            let state = match failure.signal.state() {
                CoverageState::Failed if self.items > 0 => CoverageState::Partial,
                state => state,
            };
            return Outcome { state, error: Some(failure.to_string()), since: None };
        }
        if let Some((state, why, since)) = &self.verdict {
            return Outcome { state: *state, error: Some(why.clone()), since: *since };
        }
        if let Some((_, failure)) = first {
            return Outcome { state: CoverageState::Partial, error: Some(failure.to_string()), since: None };
        }
        let state = if self.items > 0 { CoverageState::Collected } else { CoverageState::Empty };
        Outcome { state, error: None, since: None }
    }
}

/// Names a batch that AWS answered only in part.
pub(super) fn unprocessed(operation: &str, left: usize) -> Failure {
    Failure {
        signal: Signal::Other,
        operation: operation.to_owned(),
        code: "unprocessed".to_owned(),
        message: format!("AWS left {left} of the batch unanswered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(signal: Signal) -> Failure {
        Failure { signal, operation: "ListX".into(), code: "Code".into(), message: "why".into() }
    }

    fn close(items: u64, failures: &[(Weight, Signal)]) -> (CoverageState, Option<String>) {
        let failures = failures.iter().map(|(w, s)| (*w, failure(*s))).collect();
        let outcome = Ledger { items, failures, verdict: None }.close();
        (outcome.state, outcome.error)
    }

    #[test]
    fn a_task_ends_as_its_worst_answer_says() {
        use CoverageState as C;
        use Weight::{Auxiliary, Essential};
        let table = [
            (3, vec![], C::Collected),
            (0, vec![], C::Empty),
            (3, vec![(Auxiliary, Signal::Denied)], C::Partial),
            (0, vec![(Auxiliary, Signal::Throttled)], C::Partial),
            (3, vec![(Auxiliary, Signal::Denied), (Essential, Signal::Throttled)], C::Throttled),
            (0, vec![(Essential, Signal::Denied)], C::Denied),
            (9, vec![(Essential, Signal::TimedOut)], C::TimedOut),
            (9, vec![(Essential, Signal::Transient)], C::Partial),
            (0, vec![(Essential, Signal::Transient)], C::Failed),
            (0, vec![(Essential, Signal::RegionDisabled)], C::RegionDisabled),
        ];
        for (items, failures, state) in table {
            let (got, error) = close(items, &failures);
            assert_eq!(got, state, "{items} items, {failures:?}");
            assert_eq!(error.is_some(), !failures.is_empty(), "a gap always says why");
        }
    }

    #[test]
    fn a_failure_is_not_hidden_behind_a_decision() {
        let verdict = Some((CoverageState::NotEnabled, "off".to_owned(), None));
        let failures = vec![(Weight::Essential, failure(Signal::Throttled))];
        assert_eq!(Ledger { items: 0, failures, verdict }.close().state, CoverageState::Throttled);
    }
}
