//! One run: open, discover, plan, collect, seal. Every way out of an opened run ends in a seal.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    Discovered, discover, discovery_task,
    interrupted::{self, Interrupted},
    layout,
};
use crate::{
    archive::{
        ArchiveError, Staging,
        chain::{Chain, ChainError, Facts, Sealed},
        seal::Tool,
    },
    aws::{Abort, Aws},
    collect::{self, Answer, Ask, Event, Gathered},
    collectors,
    config::Config,
    model::{Coverage, CoverageState, Period, PlannedTask, Sha256Digest},
    observe::SEMANTICS,
    plan,
    spool::{Sink, Spool},
};

/// What a run is made with. Clock and randomness are given, never taken.
#[derive(Debug)]
pub struct RunRequest<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Digest of the catalogue, pinned before the first call.
    pub catalog: Sha256Digest,
    /// The period that the run belongs to.
    pub period: Period,
    /// `orgproof-<time>-<random>`.
    pub run: String,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// What is overridden besides what [`Aws::overrides`] knows.
    pub overridden: Vec<String>,
    /// 32 random bytes for the archive's salts.
    pub salt_key: [u8; 32],
    /// This program.
    pub tool: Tool,
    /// A folder for raw evidence while the run lasts; must not exist, unless the run was interrupted.
    pub work: PathBuf,
    /// The run to go on with, under its own id; `None` begins a new one.
    pub interrupted: Option<Interrupted>,
}

/// What a run left behind.
#[derive(Debug)]
pub struct RunReport {
    /// The closing seal.
    pub sealed: Sealed,
    /// The ledger.
    pub coverage: Vec<Coverage>,
    /// Why the run ended early, if it did.
    pub aborted: Option<String>,
}

/// Why a run failed after it had opened. What could be kept is kept: see the message.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The chain or the store refused.
    #[error("{source}{}", kept(.work))]
    Chain {
        /// The cause.
        source: Box<ChainError>,
        /// Where the raw evidence still lies.
        work: PathBuf,
    },
    /// The evidence could not be laid out.
    #[error("{source}{}", kept(.work))]
    Archive {
        /// The cause.
        source: Box<ArchiveError>,
        /// Where the raw evidence still lies.
        work: PathBuf,
    },
    /// The run stopped for a reason that can be mended: it is left open, so that it can go on.
    #[error("the run was interrupted: {reason}{}", kept(.work))]
    Interrupted {
        /// Why.
        reason: String,
        /// Where the raw evidence still lies.
        work: PathBuf,
    },
}

fn kept(work: &Path) -> String {
    if !work.exists() {
        return String::new();
    }
    format!(
        ". What was gathered lies in {}: go on with 'orgproof collect --resume'; a plain 'orgproof collect' seals it as aborted \
         and begins anew",
        work.display()
    )
}

/// Carries out a run and seals it: `run-open`, `run-plan`, then `run-close`, or `run-abort` with what was gathered. A run that
/// was interrupted goes on where it stopped.
///
/// # Errors
/// The store or the signer refused, the disk is full or the credentials are gone: the chain then shows an open run, which
/// can be resumed, or is recorded as aborted by the next.
pub async fn run(
    request: RunRequest<'_>,
    aws: Aws,
    mut chain: Chain,
    mut stop: watch::Receiver<Option<String>>,
    events: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<RunReport, RunError> {
    let work = request.work.clone();
    let chain_error = |source| RunError::Chain { source: Box::new(source), work: work.clone() };
    let archive_error = |source: ArchiveError| RunError::Archive { source: Box::new(source), work: work.clone() };
    let io_error = |source| archive_error(ArchiveError::Io { action: "use", path: work.display().to_string(), source });
    let Begun { opened, resumed, spool, staging, plan, ended } = begin(&request, &aws, &mut chain)?;
    let facts = |reason| {
        let mut facts = Facts { resumed: resumed.clone(), ..request.facts(opened, &aws, reason) };
        if let Some(left) = &request.interrupted {
            facts.overridden = left.overridden(&work, &facts.overridden).map_err(io_error)?;
        }
        Ok::<_, RunError>(facts)
    };
    let mut watch = Watch { aws: &aws, work: &work, known: 0 };
    watch.note().map_err(io_error)?;

    let planned = match plan {
        Some(tasks) => Ok((tasks, ended)),
        None => {
            let found = tokio::select! {
                biased;
                reason = collect::stopped(&mut stop) => Err(reason),
                found = discover(&aws, request.config, &spool) => found.map_err(|e| e.to_string()),
            };
            found.map(|Discovered { organization, coverage, regions }| {
                (plan::build(request.config, &organization, aws.account(), &regions).tasks, vec![coverage])
            })
        }
    };
    let (tasks, gathered) = match planned {
        Ok((tasks, ended)) => {
            let digest = layout::plan(&staging, &tasks).map_err(archive_error)?;
            if !chain.run_is_planned() {
                interrupted::keep_plan(&work, &tasks).map_err(archive_error)?;
                chain.plan(digest, &facts(None)?).map_err(chain_error)?;
            }
            let ask: Arc<dyn Ask> = Arc::new(Collectors { aws: aws.clone() });
            let mut events = |event: Event<'_>| {
                // A disk that refuses this refuses evidence as well, and that ends the run.
                let _ = watch.note();
                events(event);
            };
            let concurrency = request.config.limits.concurrency;
            let gathered = collect::gather(ask, &tasks, ended, &spool, concurrency, stop, &mut events).await;
            (tasks, gathered)
        }
        Err(reason) => without_organization(&request, &aws, &spool, &staging, reason).map_err(archive_error)?,
    };
    if let Some(reason) = mendable(&aws, &spool) {
        return Err(RunError::Interrupted { reason, work: work.clone() });
    }
    layout::evidence(&staging, &tasks, &gathered.coverage, &spool).map_err(archive_error)?;
    staging.add("data/inputs/orgproof.toml", &request.config.bytes).map_err(archive_error)?;
    let facts = facts(gathered.aborted.clone())?;
    let sealed = match gathered.aborted {
        None => chain.close_run(&staging, &facts, &request.salt_key),
        Some(_) => chain.abort_run(Some(&staging), &facts, &request.salt_key),
    }
    .map_err(chain_error)?;
    // The sealed archive holds it all; what cannot be removed now is only disk space.
    let _ = std::fs::remove_dir_all(&work);
    Ok(RunReport { sealed, coverage: gathered.coverage, aborted: gathered.aborted })
}

/// Writes down who answers, as it is learnt.
struct Watch<'a> {
    aws: &'a Aws,
    work: &'a Path,
    known: usize,
}

impl Watch<'_> {
    fn note(&mut self) -> std::io::Result<()> {
        let overridden = self.aws.overrides();
        if overridden.len() > self.known {
            interrupted::note_overridden(self.work, &overridden)?;
            self.known = overridden.len();
        }
        Ok(())
    }
}

/// A run under way, new or gone on with.
struct Begun {
    opened: Timestamp,
    resumed: Vec<Timestamp>,
    spool: Spool,
    staging: Staging,
    /// The plan, where it was sealed before an interruption.
    plan: Option<Vec<PlannedTask>>,
    ended: Vec<Coverage>,
}

fn begin(request: &RunRequest<'_>, aws: &Aws, chain: &mut Chain) -> Result<Begun, RunError> {
    let work = &request.work;
    let chain_error = |source| RunError::Chain { source: Box::new(source), work: work.clone() };
    let archive_error = |source: ArchiveError| RunError::Archive { source: Box::new(source), work: work.clone() };
    let io_error = |source| archive_error(ArchiveError::Io { action: "use", path: work.display().to_string(), source });
    let now = (request.clock)();
    let (opened, resumed, plan, (spool, ended)) = match &request.interrupted {
        None => {
            chain.open_run(&request.facts(now, aws, None)).map_err(chain_error)?;
            (now, Vec::new(), None, (Spool::create(&work.join("spool")).map_err(io_error)?, Vec::new()))
        }
        Some(left) => {
            let resumed = interrupted::note_resumed(work, now).map_err(io_error)?;
            let plan = left.plan(work).map_err(archive_error)?;
            (left.opened, resumed, plan, Spool::reopen(&work.join("spool")).map_err(io_error)?)
        }
    };
    let staging = interrupted::fresh_staging(work).map_err(archive_error)?;
    Ok(Begun { opened, resumed, spool, staging, plan, ended })
}

/// Ends a run that never learned whom to audit.
fn without_organization(
    request: &RunRequest<'_>,
    aws: &Aws,
    spool: &Spool,
    staging: &Staging,
    reason: String,
) -> Result<(Vec<PlannedTask>, Gathered), ArchiveError> {
    let task = discovery_task(aws, request.config);
    layout::plan(staging, std::slice::from_ref(&task))?;
    let calls = spool.calls(&task.task)?;
    let line = Coverage::close(&task, CoverageState::Failed, Some(reason.clone()), None, calls);
    Ok((vec![task], Gathered { coverage: vec![line], aborted: Some(reason) }))
}

/// Returns why the run stopped, where mending that lets it go on: no seal is made then.
fn mendable(aws: &Aws, spool: &Spool) -> Option<String> {
    let gone = aws.aborted().filter(|abort| matches!(abort, Abort::Credentials { .. }));
    spool.broken().or_else(|| gone.map(|abort| abort.to_string()))
}

impl RunRequest<'_> {
    fn facts(&self, opened: Timestamp, aws: &Aws, reason: Option<String>) -> Facts {
        let closed = (self.clock)();
        let schedule = &self.config.schedule;
        let next = closed.checked_add(schedule.next_run).and_then(|t| t.checked_add(schedule.grace)).ok();
        let mut overridden = self.overridden.clone();
        overridden.extend(aws.overrides());
        Facts {
            run: Some(self.run.clone()),
            period: Some(self.period.clone()),
            configuration: Some(self.config.digest),
            catalog: Some(self.catalog),
            next_run_expected_by: next,
            overridden,
            reason,
            tool: self.tool.clone(),
            ..Facts::new(SEMANTICS, opened, closed)
        }
    }
}

/// The collectors as the engine sees them.
struct Collectors {
    aws: Aws,
}

impl Ask for Collectors {
    fn ask(self: Arc<Self>, task: PlannedTask, sink: Arc<dyn Sink>) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            let outcome = collectors::run(&self.aws, &task, sink).await;
            Answer { outcome, abort: self.aws.aborted().map(|abort| abort.to_string()) }
        })
    }
}

/// Counts the ledger's lines by state.
pub fn by_state(coverage: &[Coverage]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for line in coverage {
        *counts.entry(line.state.as_str()).or_default() += 1;
    }
    counts
}
