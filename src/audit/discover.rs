//! Discovery: who is there to be audited, learned from recorded bytes, so that the plan rests on evidence too.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    aws::{Aws, NoSink, SetupError},
    collectors,
    config::{Config, Regions},
    model::{Collector, Coverage, Exchange, Mode, Organization, PlannedTask, Region, Sha256Digest, TaskId},
    observe::{OrganizationReader, OrganizationUnreadable},
    spool::{Attempt, Memory, Outcome, Sink, Spool},
};

/// Why there is nothing to plan for.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The run cannot reach AWS, or may not.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Organizations refused, or the clock is wrong.
    #[error(transparent)]
    Abort(#[from] crate::aws::Abort),
    /// The answers name no organisation.
    #[error("the organization's answers cannot be read: {0}")]
    Unreadable(#[from] OrganizationUnreadable),
    /// The spool refused.
    #[error("the working directory refused evidence: {0}; free or mend the disk, then run again")]
    Spool(#[from] io::Error),
}

/// What discovery learned.
#[derive(Debug)]
pub struct Discovered {
    /// The organisation, read from the recorded bytes.
    pub organization: Organization,
    /// How the discovery task ended.
    pub coverage: Coverage,
    /// Regions that the audit account knows; empty where the configuration names them.
    pub regions: Vec<Region>,
}

/// Asks Organizations everything, recording into `spool`, and reads the organisation from what was recorded.
///
/// # Errors
/// The organisation cannot be read at all; partial answers are no error, but a gap in the ledger.
pub async fn discover(aws: &Aws, config: &Config, spool: &Spool) -> Result<Discovered, DiscoverError> {
    let regions = match &config.organization.regions {
        Regions::Named(_) => Vec::new(),
        Regions::All => aws.regions(Arc::new(NoSink)).await?.into_iter().map(|(region, _)| region).collect(),
    };
    let task = discovery_task(aws, config);
    let spooled = Arc::new(spool.task(&task.task));
    let sink = Arc::new(Reading {
        task: task.task.clone(),
        inner: Arc::clone(&spooled) as Arc<dyn Sink>,
        reader: Mutex::new(read_before(spool, &task)?),
    });
    let Outcome { state, error, since } = collectors::run(aws, &task, Arc::clone(&sink) as Arc<dyn Sink>).await;
    let calls = spooled.finish()?;
    if let Some(abort) = aws.aborted() {
        return Err(abort.into());
    }
    let reader = std::mem::take(&mut sink.reader.lock().unwrap_or_else(PoisonError::into_inner).1);
    let organization = reader.finish()?;
    let line = Coverage::close(&task, state, error, since, calls);
    let coverage = Coverage { interrupted: spooled.interrupted(), ..line };
    spool.ended(&coverage)?;
    Ok(Discovered { organization, coverage, regions })
}

/// Reads what an interrupted run had recorded of the task already: it is recalled, and not recorded again.
fn read_before(spool: &Spool, task: &PlannedTask) -> io::Result<(u64, OrganizationReader)> {
    let mut reader = OrganizationReader::new();
    let mut seq = 0;
    spool.assemble::<io::Error>(std::slice::from_ref(task), |call, line| {
        seq += 1;
        let body = line.zip(call.body.as_ref()).and_then(|(line, reference)| reference.decode(line));
        reader.push(Exchange { call: &call, body: &body.unwrap_or_default(), seal: Sha256Digest([0; 32]) });
        Ok(())
    })?;
    Ok((seq, reader))
}

/// The task under which discovery's calls are recorded.
pub fn discovery_task(aws: &Aws, config: &Config) -> PlannedTask {
    let collector = Collector::Organization;
    let (account, region) = (aws.account().clone(), config.organization.home_region.clone());
    PlannedTask {
        task: TaskId { account: account.clone(), region: region.clone(), collector },
        account,
        region,
        collector,
        mode: Mode::Central,
        region_named: true,
        out_of_scope: None,
    }
}

/// Spools attempts and reads them in passing.
#[derive(Debug)]
struct Reading {
    task: TaskId,
    inner: Arc<dyn Sink>,
    reader: Mutex<(u64, OrganizationReader)>,
}

impl Sink for Reading {
    fn record(&self, attempt: Attempt) -> io::Result<()> {
        let body = attempt.body.clone().unwrap_or_default();
        {
            let mut guard = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            let seq = guard.0;
            guard.0 += 1;
            let call = attempt.clone().into_call(self.task.clone(), seq, None)?;
            // No archive exists yet that could be pointed to: this reading serves the plan only, the next one the verdicts.
            guard.1.push(Exchange { call: &call, body: &body, seal: Sha256Digest([0; 32]) });
        }
        self.inner.record(attempt)
    }

    fn memory(&self) -> Option<Arc<Memory>> {
        self.inner.memory()
    }
}
