//! The engine: runs a plan's tasks side by side, and ends each of them in exactly one state.
//!
//! Nothing a task does can take another with it: a panic, an error or an abort ends that task's line in the ledger and no
//! more. Completion order is not kept; whoever reads the ledger gets it in plan order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    task::{Id, JoinSet},
};

use crate::{
    model::{Coverage, CoverageState, PlannedTask, TaskId},
    spool::{Outcome, Sink, Spool, TaskSpool},
};

/// Whoever can carry out a task: the collectors, or a double in tests.
pub trait Ask: Send + Sync + 'static {
    /// Carries out one task; every attempt goes to `sink`.
    fn ask(self: Arc<Self>, task: PlannedTask, sink: Arc<dyn Sink>) -> BoxFuture<'static, Answer>;
}

/// How a task ended, and whether the run may go on.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The task's end.
    pub outcome: Outcome,
    /// Set where no further answer could be trusted (a wrong clock): the run ends as aborted.
    pub abort: Option<String>,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, abort: None }
    }
}

/// What happens, as it happens; for progress and logs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A task began.
    Began(&'a TaskId),
    /// A task ended.
    Ended(&'a Coverage),
}

/// What a run gathered.
#[derive(Debug)]
pub struct Gathered {
    /// One line per planned task, in plan order.
    pub coverage: Vec<Coverage>,
    /// Why the run ended early, if it did.
    pub aborted: Option<String>,
}

/// Runs `plan` with at most `concurrency` tasks at once; `ended` are tasks already done (discovery, and what an interrupted run
/// had finished).
///
/// A value sent on `stop` ends the run: tasks under way end as `partial` or `not-run`, the rest as `not-run`, and what they
/// gathered so far stays in the spool.
pub async fn gather(
    ask: Arc<dyn Ask>,
    plan: &[PlannedTask],
    ended: Vec<Coverage>,
    spool: &Spool,
    concurrency: usize,
    mut stop: watch::Receiver<Option<String>>,
    events: &mut (dyn FnMut(Event<'_>) + Send),
) -> Gathered {
    let mut coverage: BTreeMap<TaskId, Coverage> = ended.into_iter().map(|c| (c.task.clone(), c)).collect();
    for task in plan {
        if let Some(reason) = &task.out_of_scope {
            let line = Coverage::close(task, CoverageState::OutOfScope, Some(reason.to_string()), None, 0);
            coverage.insert(task.task.clone(), line);
        }
    }
    let mut waiting = fair_order(plan.iter().filter(|t| !coverage.contains_key(&t.task))).into_iter();
    let mut running: JoinSet<Answer> = JoinSet::new();
    let mut open: HashMap<Id, (PlannedTask, Arc<TaskSpool>)> = HashMap::new();
    // Discovery may have met a full disk already.
    let mut aborted = spool.broken();
    while aborted.is_none() {
        while running.len() < concurrency.max(1) {
            let Some(task) = waiting.next() else { break };
            events(Event::Began(&task.task));
            let sink = Arc::new(spool.task(&task.task));
            let work = running.spawn(Arc::clone(&ask).ask(task.clone(), Arc::clone(&sink) as Arc<dyn Sink>));
            open.insert(work.id(), (task.clone(), sink));
        }
        let next = tokio::select! {
            biased;
            reason = stopped(&mut stop) => { aborted = Some(reason); break }
            next = running.join_next_with_id() => match next { Some(next) => next, None => break },
        };
        let (id, result) = match next {
            Ok((id, answer)) => (id, Ok(answer)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some((task, sink)) = open.remove(&id) else { continue };
        let answer = result.unwrap_or_else(|error| internal(&error));
        let line = close(&task, &sink, answer.outcome);
        aborted = answer.abort.or_else(|| spool.broken());
        if aborted.is_none() {
            // A task that ended together with the run is asked again, should the run be resumed.
            aborted = spool.ended(&line).err().and_then(|_| spool.broken());
        }
        events(Event::Ended(&line));
        coverage.insert(task.task, line);
        if aborted.is_some() {
            break;
        }
    }
    // Nobody writes to a spool after its line in the ledger is drawn.
    running.shutdown().await;
    for (task, sink) in open.into_values() {
        let line = close(&task, &sink, interrupted(aborted.as_deref()));
        coverage.insert(task.task, line);
    }
    let coverage = plan
        .iter()
        .map(|task| {
            coverage
                .remove(&task.task)
                .unwrap_or_else(|| Coverage::close(task, CoverageState::NotRun, aborted.clone(), None, 0))
        })
        .collect();
    Gathered { coverage, aborted }
}

/// Waits until somebody wants the run to end, and returns why.
pub(crate) async fn stopped(stop: &mut watch::Receiver<Option<String>>) -> String {
    match stop.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone().unwrap_or_default(),
        // Nobody is left who could stop the run.
        Err(_) => std::future::pending().await,
    }
}

/// Ends a task in the ledger. A task that made calls is never `not-run`, and a task whose spool refused is `failed`.
fn close(task: &PlannedTask, sink: &TaskSpool, outcome: Outcome) -> Coverage {
    let line = match sink.finish() {
        Ok(0) if outcome.state == CoverageState::Partial => {
            Coverage::close(task, CoverageState::NotRun, outcome.error, outcome.since, 0)
        }
        Ok(calls) => Coverage::close(task, outcome.state, outcome.error, outcome.since, calls),
        Err(error) => {
            Coverage::close(task, CoverageState::Failed, Some(format!("the spool refused: {error}")), None, 0)
        }
    };
    Coverage { interrupted: sink.interrupted(), ..line }
}

fn internal(error: &tokio::task::JoinError) -> Answer {
    let error = Some(format!("internal error: the collector ended abnormally ({error})"));
    Outcome { state: CoverageState::Failed, error, since: None }.into()
}

fn interrupted(reason: Option<&str>) -> Outcome {
    let error = Some(format!("interrupted: {}", reason.unwrap_or("the run was aborted")));
    Outcome { state: CoverageState::Partial, error, since: None }
}

/// Deals the tasks round by account, so that a slow account does not hold all places.
fn fair_order<'a>(tasks: impl Iterator<Item = &'a PlannedTask>) -> Vec<&'a PlannedTask> {
    let mut nth: BTreeMap<_, usize> = BTreeMap::new();
    let mut dealt: Vec<(usize, &PlannedTask)> = tasks
        .map(|task| {
            let n = nth.entry(&task.account).or_default();
            *n += 1;
            (*n, task)
        })
        .collect();
    dealt.sort_by_key(|(n, task)| (*n, &task.task));
    dealt.into_iter().map(|(_, task)| task).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{
        model::{Collector, Mode},
        spool::Attempt,
    };

    /// Answers as a task's account says: 1 answers, 2 panics, 3 never ends, 4 says that the clock is wrong.
    struct Script {
        most: AtomicUsize,
        now: AtomicUsize,
    }

    impl Script {
        fn new() -> Arc<Self> {
            Arc::new(Self { most: AtomicUsize::new(0), now: AtomicUsize::new(0) })
        }
    }

    fn attempt() -> Attempt {
        Attempt {
            time: "2026-11-23T00:00:00Z".parse().unwrap(),
            request_id: None,
            principal: "arn".into(),
            service: "config",
            operation: "X".into(),
            endpoint_region: "us-east-1".into(),
            request: None,
            page: 0,
            attempt: 1,
            status: Some(200),
            error: None,
            body: Some(b"{}".to_vec()),
        }
    }

    impl Ask for Script {
        fn ask(self: Arc<Self>, task: PlannedTask, sink: Arc<dyn Sink>) -> BoxFuture<'static, Answer> {
            Box::pin(async move {
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(now, Ordering::SeqCst);
                tokio::task::yield_now().await;
                sink.record(attempt()).unwrap();
                let abort = match task.account.as_str().as_bytes()[11] {
                    b'2' => panic!("a bug in a collector"),
                    b'3' => std::future::pending().await,
                    b'4' => Some("clock".to_owned()),
                    _ => None,
                };
                self.now.fetch_sub(1, Ordering::SeqCst);
                Answer { outcome: Outcome { state: CoverageState::Collected, error: None, since: None }, abort }
            })
        }
    }

    fn plan(accounts: &[u8], each: usize) -> Vec<PlannedTask> {
        let collectors = [Collector::ConfigRecorder, Collector::ConfigRules, Collector::ConfigCompliance];
        let mut tasks: Vec<PlannedTask> = accounts
            .iter()
            .flat_map(|a| collectors.iter().take(each).map(move |c| (format!("{:011}{a}", 0), *c)))
            .map(|(account, collector)| {
                let task =
                    TaskId { account: account.parse().unwrap(), region: "us-east-1".parse().unwrap(), collector };
                PlannedTask {
                    account: task.account.clone(),
                    region: task.region.clone(),
                    collector,
                    task,
                    mode: Mode::FanOut,
                    region_named: true,
                    out_of_scope: None,
                }
            })
            .collect();
        tasks.sort_by(|a, b| a.task.cmp(&b.task));
        tasks
    }

    async fn run(plan: &[PlannedTask], concurrency: usize, stop: Option<&str>) -> (Gathered, Arc<Script>) {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::create(&dir.path().join("s")).unwrap();
        let script = Script::new();
        let (stopper, receiver) = watch::channel(None);
        let mut ended = 0;
        let in_time = plan.iter().filter(|t| !t.account.as_str().ends_with('3')).count();
        let reason = stop.map(str::to_owned);
        let gathered = gather(
            Arc::clone(&script) as Arc<dyn Ask>,
            plan,
            Vec::new(),
            &spool,
            concurrency,
            receiver,
            &mut |event| {
                if matches!(event, Event::Ended(_)) {
                    ended += 1;
                    if ended == in_time {
                        stopper.send(reason.clone()).unwrap();
                    }
                }
            },
        )
        .await;
        (gathered, script)
    }

    fn states(gathered: &Gathered) -> Vec<(String, CoverageState)> {
        gathered.coverage.iter().map(|c| (c.account.as_str()[11..].to_owned(), c.state)).collect()
    }

    #[tokio::test]
    async fn a_collector_that_panics_takes_nobody_with_it() {
        let (gathered, _) = run(&plan(&[1, 2, 5], 1), 8, None).await;
        let expected = [("1", CoverageState::Collected), ("2", CoverageState::Failed), ("5", CoverageState::Collected)];
        assert_eq!(states(&gathered), expected.map(|(a, s)| (a.to_owned(), s)));
        assert_eq!(gathered.aborted, None);
    }

    #[tokio::test]
    async fn a_stopped_run_keeps_what_was_gathered_and_says_what_was_not_run() {
        let (gathered, _) = run(&plan(&[1, 3], 3), 4, Some("SIGTERM")).await;
        assert_eq!(gathered.aborted.as_deref(), Some("SIGTERM"));
        assert_eq!(gathered.coverage.len(), 6, "every planned task has a line");
        let of = |account: &str| {
            states(&gathered).into_iter().filter(|(a, _)| a == account).map(|(_, s)| s).collect::<Vec<_>>()
        };
        assert_eq!(of("1"), [CoverageState::Collected; 3]);
        assert!(of("3").iter().all(|s| matches!(s, CoverageState::Partial | CoverageState::NotRun)));
        assert!(
            gathered.coverage.iter().filter(|c| c.account.as_str().ends_with('3')).all(|c| c.gap && c.error.is_some())
        );
    }

    #[tokio::test]
    async fn a_wrong_clock_ends_the_run() {
        let (gathered, _) = run(&plan(&[4, 5], 3), 1, None).await;
        assert_eq!(gathered.aborted.as_deref(), Some("clock"));
        assert!(
            gathered.coverage.iter().any(|c| c.state == CoverageState::NotRun && c.error.as_deref() == Some("clock"))
        );
    }

    #[tokio::test]
    async fn no_more_tasks_at_once_than_allowed_and_every_account_gets_its_turn() {
        let plan = plan(&[1, 5, 6, 7], 3);
        let (_, script) = run(&plan, 2, None).await;
        assert_eq!(script.most.load(Ordering::SeqCst), 2);
        let order: Vec<_> = fair_order(plan.iter()).into_iter().map(|t| t.account.as_str()[11..].to_owned()).collect();
        assert_eq!(order, ["1", "5", "6", "7", "1", "5", "6", "7", "1", "5", "6", "7"]);
    }
}
