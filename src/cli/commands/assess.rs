//! `orgproof assess`: verdicts over the store's evidence. No network, nothing sealed.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    super::{Exit, Failure, Output, clock, one_line},
    Setting, sealing,
};
use crate::{
    archive::{FileSink, Folder, Nowhere, chain},
    audit::period::{self, Evidence},
    model::{Assessment, Finding, Status},
    sorted::Scratch,
};

pub(super) fn run(
    setting: &Setting,
    period: Option<&str>,
    with: &[PathBuf],
    out: Option<&Path>,
    output: &Output,
) -> Result<Exit, Failure> {
    let period = sealing::period(&setting.config, period)?;
    let (catalog, _) = sealing::catalog(setting, with)?;
    let store = sealing::store(setting)?;
    let links = chain::read(&*store).map_err(Failure::usage)?;
    let evidence = period::evidence(&*store, &links, &period).map_err(Failure::usage)?;
    let scratch = Scratch::default();
    let mut sink: Box<dyn FileSink> = match out {
        Some(out) => Box::new(Folder::new(out.to_owned(), "data/")),
        None => Box::new(Nowhere),
    };
    let assessment =
        evidence.assess_to(&catalog, &period, clock::now(), &scratch, &mut *sink).map_err(Failure::usage)?;
    if scratch.written() > 0 {
        output
            .detail(format!("{} MB went through temporary files; none is left.", scratch.written().div_ceil(1 << 20)));
    }
    output.result(&document(&assessment), || human(&assessment))?;
    Ok(exit(&assessment).max(warn_of_aborted(&evidence, output)))
}

/// Says that a newer run was aborted: the verdicts are older than the last attempt to renew them.
pub(super) fn warn_of_aborted(evidence: &Evidence, output: &Output) -> Exit {
    let Some(line) = evidence.aborted_since() else { return Exit::Done };
    output.say(format!(
        "Run {} was aborted after the run that is judged here: what it would have seen is unknown.",
        line.run
    ));
    Exit::Incomplete
}

/// 1 where a requirement is not satisfied, 3 where one could not be assessed or a gap stands in the ledger; the worse wins.
pub(super) fn exit<R>(assessment: &Assessment<R>) -> Exit {
    let of = |status| assessment.findings.iter().any(|finding| finding.status == status);
    let incomplete = of(Status::NotAssessed) || assessment.coverage.iter().any(|line| line.gap);
    let not_satisfied = if of(Status::NotSatisfied) { Exit::NotSatisfied } else { Exit::Done };
    not_satisfied.max(if incomplete { Exit::Incomplete } else { Exit::Done })
}

/// The machine's form of the verdicts.
pub(super) fn document<R>(assessment: &Assessment<R>) -> serde_json::Value {
    json!({
        "period": assessment.header.period,
        "run": assessment.header.run,
        "catalog": assessment.header.catalog,
        "evidence": assessment.header.evidence,
        "findings": assessment.findings,
        "gaps": assessment.coverage.iter().filter(|line| line.gap).count(),
        "discrepancies": assessment.discrepancies,
    })
}

/// The person's form of the verdicts.
pub(super) fn human<R>(assessment: &Assessment<R>) -> String {
    let header = &assessment.header;
    let mut text = format!("{}: state at {} (run {})\n", header.period.label, header.closed, header.run);
    for (id, title) in &header.frameworks {
        let findings: Vec<&Finding> = assessment.findings.iter().filter(|f| f.framework == *id).collect();
        let mut counts: BTreeMap<Status, usize> = BTreeMap::new();
        for finding in &findings {
            *counts.entry(finding.status).or_default() += 1;
        }
        let _ = writeln!(text, "\n{title} ({id}): {} requirements", findings.len());
        for (status, count) in &counts {
            let _ = writeln!(text, "{count:>6} {}", status.as_str());
        }
        for finding in findings.iter().filter(|f| f.status == Status::NotSatisfied) {
            let _ = writeln!(
                text,
                "       not satisfied  {:<8} {}: {}",
                finding.requirement,
                finding.title,
                one_line(&finding.why)
            );
        }
    }
    let gaps = assessment.coverage.iter().filter(|line| line.gap).count();
    let _ = writeln!(
        text,
        "\n{gaps} gaps in the newest run's ledger; {} disagreements between sources. A requirement that a gap touches is never \
         satisfied.",
        assessment.discrepancies.len()
    );
    text
}
