//! One run: open, discover, plan, collect, seal. Every way out of an opened run ends in a seal.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{Discovered, discover, discovery_task, layout};
use crate::{
    archive::{
        ArchiveError, Staging,
        chain::{Chain, ChainError, Facts, Sealed},
        seal::Tool,
    },
    aws::Aws,
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
    /// A folder for raw evidence while the run lasts; must not exist.
    pub work: PathBuf,
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
        source: ChainError,
        /// Where the raw evidence still lies.
        work: PathBuf,
    },
    /// The evidence could not be laid out.
    #[error("{}{source}{}", .refused.as_ref().map(|said| format!("{said}. Nor could the run be sealed: ")).unwrap_or_default(), kept(.work))]
    Archive {
        /// The cause.
        source: ArchiveError,
        /// What the disk said before, if it refused evidence during the run.
        refused: Option<String>,
        /// Where the raw evidence still lies.
        work: PathBuf,
    },
}

fn kept(work: &Path) -> String {
    if work.exists() { format!("; what was gathered still lies in {}", work.display()) } else { String::new() }
}

/// Carries out a run and seals it: `run-open`, `run-plan`, then `run-close`, or `run-abort` with what was gathered.
///
/// # Errors
/// The store or the signer refused; the chain then shows an open run, which the next one records as aborted.
pub async fn run(
    request: RunRequest<'_>,
    aws: Aws,
    mut chain: Chain,
    mut stop: watch::Receiver<Option<String>>,
    events: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<RunReport, RunError> {
    let work = request.work.clone();
    let chain_error = |source| RunError::Chain { source, work: work.clone() };
    let archive_error = |source: ArchiveError| RunError::Archive { source, refused: None, work: work.clone() };
    let io_error =
        |source| archive_error(ArchiveError::Io { action: "create", path: work.display().to_string(), source });
    let opened = (request.clock)();
    let facts = request.facts(opened, &aws, None);
    chain.open_run(&facts).map_err(chain_error)?;
    let spool = Spool::create(&work.join("spool")).map_err(io_error)?;
    let staging = Staging::create(&work.join("staging")).map_err(archive_error)?;

    let found = tokio::select! {
        biased;
        reason = collect::stopped(&mut stop) => Err(reason),
        found = discover(&aws, request.config, &spool) => found.map_err(|e| e.to_string()),
    };
    let (tasks, gathered) = match found {
        Ok(Discovered { organization, coverage, regions }) => {
            let plan = plan::build(request.config, &organization, aws.account(), &regions);
            let digest = layout::plan(&staging, &plan.tasks).map_err(archive_error)?;
            chain.plan(digest, &request.facts(opened, &aws, None)).map_err(chain_error)?;
            let ask: Arc<dyn Ask> = Arc::new(Collectors { aws: aws.clone() });
            let concurrency = request.config.limits.concurrency;
            let gathered = collect::gather(ask, &plan.tasks, vec![coverage], &spool, concurrency, stop, events).await;
            (plan.tasks, gathered)
        }
        Err(reason) => {
            let task = discovery_task(&aws, request.config);
            layout::plan(&staging, std::slice::from_ref(&task)).map_err(archive_error)?;
            let calls = spool.calls(&task.task).map_err(io_error)?;
            let line = Coverage::close(&task, CoverageState::Failed, Some(reason.clone()), None, calls);
            (vec![task], Gathered { coverage: vec![line], aborted: Some(reason) })
        }
    };
    layout::evidence(&staging, &tasks, &gathered.coverage, &spool).map_err(|source| RunError::Archive {
        source,
        refused: spool.broken(),
        work: work.clone(),
    })?;
    staging.add("data/inputs/orgproof.toml", &request.config.bytes).map_err(archive_error)?;
    let facts = request.facts(opened, &aws, gathered.aborted.clone());
    let sealed = match gathered.aborted {
        None => chain.close_run(&staging, &facts, &request.salt_key),
        Some(_) => chain.abort_run(Some(&staging), &facts, &request.salt_key),
    }
    .map_err(chain_error)?;
    // The sealed archive holds it all; what cannot be removed now is only disk space.
    let _ = std::fs::remove_dir_all(&work);
    Ok(RunReport { sealed, coverage: gathered.coverage, aborted: gathered.aborted })
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
