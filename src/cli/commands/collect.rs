//! `orgproof collect`: one run into the store, sealed whatever happens.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use tokio::sync::watch;

use super::{
    super::{Exit, Failure, Output, clock, one_line},
    Setting, sealing,
};
use crate::{
    archive::chain::{self, Chain},
    audit::{
        self,
        interrupted::{self, Interrupted},
        run::{self, RunReport, RunRequest},
    },
    aws::{Aws, Settings},
    collect::Event,
    config::Config,
    model::{Coverage, CoverageState, Period, Sha256Digest},
    spool,
    store::Store,
    verify::Depth,
};

/// The runtime that everything asynchronous runs on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::usage)
}

/// A run's id: its time and 32 random bits; session name and source identity of every role session.
pub(super) fn run_id() -> Result<String, Failure> {
    let random = clock::random32().map_err(Failure::usage)?;
    let suffix = u32::from_be_bytes([random[0], random[1], random[2], random[3]]);
    Ok(format!("orgproof-{}-{suffix:08x}", clock::now().strftime("%Y%m%dT%H%M%SZ")))
}

/// Connects as the configuration says.
pub(super) async fn connect(config: &Config, run_id: &str) -> Result<Aws, Failure> {
    let organization = &config.organization;
    let settings = Settings {
        external_id: organization.external_id.clone(),
        session_seconds: organization.session_seconds,
        aggregator: config.aggregator.clone(),
        rates: config.limits.rates.clone(),
        concurrency: config.limits.concurrency,
        clock: clock::now,
        ..Settings::new(organization.home_region.clone(), &organization.role_name, run_id)
    };
    Aws::connect(settings).await.map_err(Failure::usage)
}

pub(super) fn run(setting: &Setting, period: Option<&str>, resume: bool, output: &Output) -> Result<Exit, Failure> {
    let config = &setting.config;
    let period = sealing::period(config, period)?;
    let now = clock::now();
    if !period.contains(now) {
        return Err(Failure::usage(format!(
            "it is {now}, which is not in {} ({} to {}): a run belongs to the period in which it is made",
            period.label, period.from, period.to
        )));
    }
    let (catalog, _) = sealing::catalog(setting, &[])?;
    let left = left(setting)?;
    let interrupted = left.clone().filter(|_| resume).map(|(left, _)| left);
    match &interrupted {
        Some(left) => may_go_on(left, setting, catalog.digest, &period)?,
        None if resume => output.say("No run was interrupted here; beginning a new one."),
        None => {}
    }
    let run = interrupted.as_ref().map_or_else(run_id, |left| Ok(left.run.clone()))?;
    let runtime = runtime()?;
    let aws = runtime.block_on(async {
        let aws = connect(config, &run).await?;
        aws.preflight().await.map_err(Failure::usage)?;
        Ok::<_, Failure>(aws)
    })?;
    let mut chain = sealing::chain(setting)?;
    let trust = sealing::trust(&chain);
    let work = work_folder(setting, chain.store(), &run);
    let request = RunRequest {
        config,
        catalog: catalog.digest,
        period,
        work,
        run,
        clock: clock::now,
        overridden: clock::overrides().into_iter().collect(),
        salt_key: clock::random32().map_err(Failure::usage)?,
        tool: sealing::tool(),
        interrupted,
    };
    // The chain is locked only now: the process that had opened the run may have ended it meanwhile.
    let still = |left: &Interrupted| Interrupted::find(chain.links()).is_some_and(|now| now.run == left.run);
    match (&request.interrupted, left.filter(|(left, _)| still(left))) {
        (None, Some((left, work))) => give_up(&mut chain, &left, &request, &aws, &work, output)?,
        (Some(gone), None) => {
            return Err(Failure::usage(format!("the run {} was ended meanwhile, by another process", gone.run)));
        }
        _ => {}
    }
    report_leftovers(&request.work, output);
    output.say(format!("Run {} for {}", request.run, request.period.label));
    let report = runtime.block_on(async {
        let (stop, stopped) = watch::channel(None);
        tokio::spawn(signals(stop));
        let mut done = 0_usize;
        run::run(request, aws, chain, stopped, &mut |event| {
            if let Event::Ended(line) = event {
                done += 1;
                output.progress(&format!("{done} tasks done, last {}: {}", line.task, line.state.as_str()));
                output.detail(format!("{}: {}", line.task, line.state.as_str()));
            }
        })
        .await
    });
    output.progress_done();
    let report = report.map_err(Failure::incomplete)?;
    let archive: Vec<String> = report.sealed.archive.iter().cloned().collect();
    sealing::reopen(setting, trust, &archive, Depth::Bytes)?;
    output.result(&document(&report), || human(&report))?;
    let gaps = report.coverage.iter().any(|line| line.gap);
    Ok(if report.aborted.is_some() || gaps { Exit::Incomplete } else { Exit::Done })
}

/// The run that an earlier process left open, and its working folder; `None` where it is not on this machine.
fn left(setting: &Setting) -> Result<Option<(Interrupted, PathBuf)>, Failure> {
    let store = sealing::store(setting)?;
    let found = Interrupted::find(&chain::read(&*store).map_err(Failure::usage)?);
    Ok(found
        .map(|left| (work_folder(setting, &*store, &left.run), left))
        .filter(|(work, _)| work.is_dir())
        .map(|(w, l)| (l, w)))
}

/// Refuses to go on with a run that was begun under other conditions.
fn may_go_on(left: &Interrupted, setting: &Setting, catalog: Sha256Digest, period: &Period) -> Result<(), Failure> {
    let changed = if left.configuration != Some(setting.config.digest) {
        "the configuration is another than the one that it was opened with"
    } else if left.catalog != Some(catalog) {
        "the catalogue is another than the one that it was opened with"
    } else if left.period != *period {
        "it belongs to another period"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "the interrupted run {} cannot go on: {changed}. Put it back, or run 'orgproof collect' without --resume, which seals what \
         the run gathered as aborted and begins anew",
        left.run
    )))
}

/// Seals what an interrupted run gathered, before a new one begins.
fn give_up(
    chain: &mut Chain,
    left: &Interrupted,
    request: &RunRequest<'_>,
    aws: &Aws,
    work: &Path,
    output: &Output,
) -> Result<(), Failure> {
    let discovery = audit::discovery_task(aws, request.config);
    let sealed = interrupted::abandon(chain, left, request, discovery, work).map_err(Failure::incomplete)?;
    output.say(format!(
        "The run {} had been interrupted; what it gathered is sealed as aborted in {}",
        left.run,
        sealed.archive.as_deref().unwrap_or("the chain")
    ));
    Ok(())
}

/// A folder for raw evidence: in the store's own, on the same disk; beside the configuration where the store is not local.
fn work_folder(setting: &Setting, store: &dyn Store, run: &str) -> PathBuf {
    let elsewhere = || setting.base.join(".orgproof-work").join(run);
    store.local_path(&format!("work/{run}")).unwrap_or_else(elsewhere)
}

/// Names what earlier runs left unsealed. The chain's lock is held: no run of this store is under way.
fn report_leftovers(work: &Path, output: &Output) {
    for left in work.parent().map(spool::leftovers).unwrap_or_default().into_iter().filter(|left| left != work) {
        output.error(format!(
            "note: {} holds raw evidence of a run that ended without sealing it; it is kept: remove it when you need it no more",
            left.display()
        ));
    }
}

/// Turns Ctrl-C and SIGTERM into the reason for which a run is aborted.
async fn signals(stop: watch::Sender<Option<String>>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    let reason = tokio::select! {
        _ = tokio::signal::ctrl_c() => "interrupted (Ctrl-C)",
        _ = terminate.recv() => "terminated (SIGTERM)",
    };
    // The run may be over already.
    let _ = stop.send(Some(reason.to_owned()));
    std::future::pending::<()>().await;
}

fn document(report: &RunReport) -> serde_json::Value {
    let seal = &report.sealed.statement.predicate;
    json!({
        "run": seal.run,
        "seal": report.sealed.digest,
        "sequence": seal.sequence,
        "archive": report.sealed.archive,
        "tasks": report.coverage.len(),
        "states": run::by_state(&report.coverage),
        "gaps": report.coverage.iter().filter(|line| line.gap).collect::<Vec<_>>(),
        "aborted": report.aborted,
        "overridden": seal.overridden,
        "checkpoint": report.sealed.checkpoint,
    })
}

fn human(report: &RunReport) -> String {
    let seal = &report.sealed.statement.predicate;
    let mut text = String::new();
    if let Some(reason) = &report.aborted {
        let _ = writeln!(text, "The run was aborted: {reason}. What was gathered is sealed.");
    }
    let _ = writeln!(
        text,
        "Sealed as {} (seal {}, {})",
        report.sealed.archive.as_deref().unwrap_or("a seal without an archive"),
        seal.sequence,
        report.sealed.digest
    );
    for (state, count) in run::by_state(&report.coverage) {
        let _ = writeln!(text, "{count:>8} {state}");
    }
    let gaps: Vec<&Coverage> = report.coverage.iter().filter(|line| line.gap).collect();
    if !gaps.is_empty() {
        let _ = writeln!(text, "{} gaps:", gaps.len());
        for line in gaps.iter().take(40) {
            let said = one_line(line.error.as_deref().unwrap_or(""));
            let _ = writeln!(text, "  {:<13} {}  {said}", line.state.as_str(), line.task);
        }
        if gaps.len() > 40 {
            let _ = writeln!(text, "  … and {} more: data/coverage.ndjson in the archive, or --json", gaps.len() - 40);
        }
    }
    let silent = report.coverage.iter().filter(|l| l.state == CoverageState::OutOfScope).count();
    if silent > 0 {
        let _ = writeln!(text, "{silent} tasks out of scope, with their reasons in the ledger");
    }
    for what in &seal.overridden {
        let _ = writeln!(text, "overridden, and so it says in the seal: {what}");
    }
    text
}
