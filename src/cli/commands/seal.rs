//! `orgproof seal`: closes a period, once, after its end.

use serde_json::json;

use super::{
    super::{Exit, Failure, Output, clock},
    Setting, assess, sealing,
};
use crate::{
    archive::{Staging, chain},
    audit::period::{self, Close},
    verify::Depth,
};

pub(super) fn run(setting: &Setting, label: &str, dry_run: bool, output: &Output) -> Result<Exit, Failure> {
    let now = clock::now();
    let period = sealing::period(&setting.config, Some(label))?;
    let (catalog, catalog_files) = sealing::catalog(setting, &[])?;
    let store = sealing::store(setting)?;
    let links = chain::read(&*store).map_err(Failure::usage)?;
    period::may_close(&links, &period, now).map_err(Failure::usage)?;
    let evidence = period::evidence(&*store, &links, &period).map_err(Failure::usage)?;
    let assessment = evidence.assess(&catalog, &period, now).map_err(Failure::usage)?;
    let aborted = assess::warn_of_aborted(&evidence, output);
    let missed = chain::missed_runs(&links, now);
    if dry_run {
        output.say(format!(
            "Nothing is sealed. {} would be closed over {} evidence archives; {} runs were missed.",
            period.label,
            evidence.lines.len(),
            missed.len()
        ));
        output.result(&assess::document(&assessment), || assess::human(&assessment))?;
        return Ok(assess::exit(&assessment).max(aborted));
    }
    let mut chain = sealing::chain(setting)?;
    // Somebody may have closed it, or amended, between the reading above and taking the lock.
    period::may_close(chain.links(), &period, now).map_err(Failure::usage)?;
    if chain.links().len() != links.len() {
        return Err(Failure::usage(
            "the store was written to meanwhile; nothing was sealed: run 'orgproof seal' again",
        ));
    }
    let work = tempfile::tempdir()?;
    let staging = Staging::create(&work.path().join("staging")).map_err(Failure::usage)?;
    let close = Close {
        config: &setting.config,
        catalog: &catalog,
        catalog_files: &catalog_files,
        period: &period,
        now,
        salt_key: clock::random32().map_err(Failure::usage)?,
        overridden: sealing::overrides(setting),
        tool: sealing::tool(),
    };
    let sealed = period::close(&close, &mut chain, &staging, &evidence, &assessment).map_err(Failure::incomplete)?;
    let archive = sealed.archive.clone().unwrap_or_default();
    // All that was read: the verdicts are rebuilt only beside everything that the seal names.
    let read = evidence.lines.iter().map(|line| format!("archives/{}", line.archive));
    let names: Vec<String> = read.chain([archive.clone()]).collect();
    sealing::reopen(setting, sealing::trust(&chain), &names, Depth::Replay)?;
    output.say(format!(
        "Closed {}: {archive} (seal {}, {}). Give the auditor the store or its archives, and the key outside them.",
        period.label, sealed.statement.predicate.sequence, sealed.digest
    ));
    let document = json!({
        "archive": archive,
        "seal": sealed.digest,
        "sequence": sealed.statement.predicate.sequence,
        "checkpoint": sealed.checkpoint,
        "missed": sealed.statement.predicate.missed,
        "assessment": assess::document(&assessment),
    });
    output.result(&document, || assess::human(&assessment))?;
    Ok(assess::exit(&assessment).max(aborted))
}
