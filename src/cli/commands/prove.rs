//! `orgproof prove`: some records of an assessment, shown without the rest.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::super::{Exit, Failure, Output, clock, one_line};
use crate::{
    archive::{path, proof_guide},
    audit::prove::{self, Proved, RecordId, Selection},
    verify::{self, Depth, Options, ProofSummary, Trust},
};

/// Which records to show, and where to.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// An assessment archive, or a store (its newest assessment is taken)
    #[arg(value_name = "ARCHIVE|STORE")]
    input: PathBuf,
    /// One record, as PATH:LINE or by the SHA-256 of its line (both are in 'sample' and --list); may be given more than once
    #[arg(long, value_name = "ID")]
    record: Vec<RecordId>,
    /// The records of an account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The records of a check
    #[arg(long, value_name = "ID")]
    check: Option<String>,
    /// The records of a resource
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// Show the raw API pages behind them too: whole pages, with whatever else stands in them
    #[arg(long)]
    with_page: bool,
    /// An evidence archive that holds such a page, where it does not lie beside the assessment; may be given more than once
    #[arg(long, value_name = "FILE", requires = "with_page")]
    evidence: Vec<PathBuf>,
    /// The proof file; instructions for its receiver are written beside it, as .md
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// List the records that would be shown, and write nothing
    #[arg(long, conflicts_with_all = ["out", "with_page"])]
    list: bool,
}

pub(super) fn run(args: &ProveArgs, output: &Output) -> Result<Exit, Failure> {
    if args.record.is_empty() && args.account.is_none() && args.check.is_none() && args.resource.is_none() {
        return Err(Failure::usage(
            "say which records: --record, --account, --check, --resource, or several of them together",
        ));
    }
    let selection = Selection {
        records: args.record.clone(),
        account: args.account.clone(),
        check: args.check.clone(),
        resource: args.resource.clone(),
    };
    let pages = args.with_page.then_some(args.evidence.as_slice());
    let proved = prove::prove(&args.input, &selection, pages).map_err(Failure::usage)?;
    let Some(out) = &args.out else {
        let scratch = tempfile::tempdir()?;
        let summaries = write(&scratch.path().join("proof.json"), &proved)?;
        return list(&summaries, output);
    };
    let name = out.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    // The name stands in commands that its receiver runs.
    path::check(&name).map_err(|e| Failure::usage(format!("--out {}: {e}", out.display())))?;
    let guide = out.with_extension("md");
    if guide == *out || guide.exists() {
        return Err(Failure::usage(format!("{}: the instructions go there; name another --out", guide.display())));
    }
    let summaries = write(out, &proved)?;
    let text = proof_guide(&name, &proved.proof).map_err(Failure::usage)?;
    create(&guide, &text)?;
    say(out, &guide, &proved, &summaries, output);
    let document = json!({ "proof": out, "instructions": guide, "parts": summaries, "pages": proved.pages,
                           "without_page": proved.without_page });
    output.result(&document, || out.display().to_string())?;
    Ok(Exit::Done)
}

/// Writes the proof and reads it again through the verifier that its receiver runs.
fn write(out: &Path, proved: &Proved) -> Result<Vec<ProofSummary>, Failure> {
    create(out, &proved.proof.to_bytes().map_err(Failure::usage)?)?;
    let options = Options { trust: Trust::none(), depth: Depth::Replay, checkpoint: None, now: clock::now() };
    let report = verify::verify(&[out.to_owned()], &options, None);
    if report.problems.is_empty() {
        return Ok(report.proofs);
    }
    std::fs::remove_file(out)?;
    let message = "what was just proved does not verify, so it was not kept; run 'orgproof verify' on the archive";
    Err(Failure { exit: Exit::Failed, message: format!("{message}\n{}", report.render()) })
}

/// Creates a file for its owner's eyes; never over another.
fn create(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|e| Failure::usage(format!("{}: {e}; name a new file with --out", path.display())))
}

fn list(summaries: &[ProofSummary], output: &Output) -> Result<Exit, Failure> {
    let records: Vec<_> = summaries.iter().flat_map(|summary| &summary.records).collect();
    output.result(&json!({ "records": records }), || {
        records.iter().map(|r| format!("{}:{}  {}  {}\n", r.path, r.line, r.sha256, one_line(&r.says))).collect()
    })?;
    Ok(Exit::Done)
}

fn say(out: &Path, guide: &Path, proved: &Proved, summaries: &[ProofSummary], output: &Output) {
    let shown: usize = summaries.iter().take(1).map(|s| s.records.len()).sum();
    output.say(format!(
        "{} shows {shown} records, whole; read it before you give it away. How its receiver checks it stands in {}.",
        out.display(),
        guide.display()
    ));
    let complete: Vec<_> = summaries.iter().flat_map(|summary| &summary.complete).collect();
    for line in &complete {
        output.say(format!(
            "It proves that {} are all that the sealed archive counts: {}.",
            line.words(),
            line.records
        ));
    }
    if complete.is_empty() {
        output.say(
            "It proves that they are genuine, not that they are all of anything: only for all of one account, or all of one check, \
             is there a sealed number to hold them against.",
        );
    }
    for page in &proved.pages {
        let others: Vec<&str> = page.other_accounts.iter().map(String::as_str).collect();
        let also = match others.as_slice() {
            [] => "no other account id was found in it".to_owned(),
            few if few.len() <= 5 => format!("it also names {}", few.join(", ")),
            many => format!("it also names {} other accounts, {} among them", many.len(), many[..5].join(", ")),
        };
        output.say(format!(
            "It shows the whole API page {}:{} ({} bytes), and whatever stands in it; {also}.",
            page.path, page.line, page.bytes
        ));
    }
    if proved.without_page > 0 {
        output.say(format!(
            "{} of the records rest on no page: on a line of the run's ledger or on nothing that was collected. That cannot be shown alone.",
            proved.without_page
        ));
    }
}
