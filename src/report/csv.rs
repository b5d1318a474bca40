//! Tables: RFC 4180, UTF-8 without a byte order mark, CRLF, a header line, protected against formula injection.
//!
//! `reports/README.md` documents every column.

use std::io;

use ::csv::{QuoteStyle, Terminator, WriterBuilder};

use super::{ReportError, ReportFile, Source, gaps, text::formula_safe};
use crate::model::{Assessment, Counts};

/// Writes every table.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let assessment = source.assessment;
    Ok(vec![
        ("findings.csv".to_owned(), table(|t| findings(t, assessment))?),
        ("items.csv".to_owned(), table(|t| items(t, assessment))?),
        ("checks.csv".to_owned(), table(|t| checks(t, assessment))?),
        results_file(source)?,
        coverage_file(source)?,
        ("discrepancies.csv".to_owned(), table(|t| discrepancies(t, assessment))?),
        ("accounts.csv".to_owned(), table(|t| accounts(t, source))?),
    ])
}

/// Writes the result lines alone.
pub fn results_file(source: &Source<'_>) -> Result<ReportFile, ReportError> {
    Ok(("results.csv".to_owned(), table(|t| results(t, source))?))
}

/// Writes the ledger alone.
pub fn coverage_file(source: &Source<'_>) -> Result<ReportFile, ReportError> {
    Ok(("coverage.csv".to_owned(), table(|t| coverage(t, source))?))
}

struct Table(::csv::Writer<Vec<u8>>);

impl Table {
    fn row<const N: usize>(&mut self, fields: [&str; N]) -> io::Result<()> {
        for field in fields {
            self.0.write_field(formula_safe(field).as_bytes())?;
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }
}

fn table(fill: impl FnOnce(&mut Table) -> io::Result<()>) -> Result<Vec<u8>, ReportError> {
    let error = |why: String| ReportError::Write { format: "csv", why };
    let writer =
        WriterBuilder::new().terminator(Terminator::CRLF).quote_style(QuoteStyle::Necessary).from_writer(Vec::new());
    let mut table = Table(writer);
    fill(&mut table).map_err(|e| error(e.to_string()))?;
    table.0.into_inner().map_err(|e| error(e.to_string()))
}

fn counts(counts: &Counts) -> [String; 4] {
    [counts.pass, counts.fail, counts.not_applicable, counts.not_assessed].map(|n| n.to_string())
}

/// Returns the kebab-case name that serde gives to a unit variant.
fn name_of(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn findings(table: &mut Table, assessment: &Assessment) -> io::Result<()> {
    table.row([
        "framework",
        "requirement",
        "title",
        "status",
        "why",
        "responsibility",
        "responsibility_reason",
        "aws_part",
        "customer_response",
        "pass",
        "fail",
        "not_applicable",
        "not_assessed",
    ])?;
    for f in &assessment.findings {
        let [pass, fail, not_applicable, not_assessed] = counts(&f.counts);
        table.row([
            &f.framework,
            &f.requirement,
            &f.title,
            f.status.as_str(),
            &f.why,
            &f.responsibility,
            &f.responsibility_reason,
            f.aws_part.as_deref().unwrap_or_default(),
            f.customer_response.as_deref().unwrap_or_default(),
            &pass,
            &fail,
            &not_applicable,
            &not_assessed,
        ])?;
    }
    Ok(())
}

fn items(table: &mut Table, assessment: &Assessment) -> io::Result<()> {
    table.row(["framework", "requirement", "item", "title", "mode", "status", "why", "confidence", "checks"])?;
    for f in &assessment.findings {
        for i in &f.items {
            table.row([
                &f.framework,
                &f.requirement,
                &i.item,
                &i.title,
                &name_of(i.mode),
                i.status.as_str(),
                &i.why,
                &i.confidence,
                &i.checks.join(" "),
            ])?;
        }
    }
    Ok(())
}

fn checks(table: &mut Table, assessment: &Assessment) -> io::Result<()> {
    table.row([
        "check",
        "title",
        "severity",
        "status",
        "why",
        "pass",
        "fail",
        "not_applicable",
        "not_assessed",
        "remedy",
    ])?;
    for (id, c) in &assessment.checks {
        let [pass, fail, not_applicable, not_assessed] = counts(&c.counts);
        table.row([
            id,
            &c.title,
            &c.severity,
            c.status.as_str(),
            &c.why,
            &pass,
            &fail,
            &not_applicable,
            &not_assessed,
            &c.remedy,
        ])?;
    }
    Ok(())
}

fn results(table: &mut Table, source: &Source<'_>) -> io::Result<()> {
    table.row([
        "check",
        "account",
        "account_name",
        "region",
        "resource_type",
        "resource",
        "status",
        "why",
        "observed",
        "since",
        "evidence_seal",
        "evidence_path",
        "evidence_line",
    ])?;
    for r in &source.assessment.results {
        let (seal, path, line) = r
            .evidence
            .as_ref()
            .map_or_else(Default::default, |e| (e.seal.to_string(), e.path.clone(), e.line.to_string()));
        table.row([
            &r.check,
            r.account.as_str(),
            source.account_name(&r.account),
            r.region.as_str(),
            &r.resource.kind,
            &r.resource.id,
            &name_of(r.status),
            &r.why,
            &time(r.observed),
            &time(r.since),
            &seal,
            &path,
            &line,
        ])?;
    }
    Ok(())
}

fn coverage(table: &mut Table, source: &Source<'_>) -> io::Result<()> {
    table.row([
        "task",
        "account",
        "account_name",
        "region",
        "collector",
        "state",
        "gap",
        "cause",
        "error",
        "since",
        "calls",
    ])?;
    for c in &source.assessment.coverage {
        let gap = gaps::is_gap(c);
        table.row([
            &c.task.to_string(),
            c.account.as_str(),
            source.account_name(&c.account),
            c.region.as_str(),
            c.collector.as_str(),
            c.state.as_str(),
            if gap { "true" } else { "false" },
            if gap { gaps::Cause::of(c).as_str() } else { "" },
            c.error.as_deref().unwrap_or_default(),
            &time(c.since),
            &c.calls.to_string(),
        ])?;
    }
    Ok(())
}

fn discrepancies(table: &mut Table, assessment: &Assessment) -> io::Result<()> {
    table.row(["kind", "subject", "what"])?;
    assessment.discrepancies.iter().try_for_each(|d| table.row([&d.kind, &d.subject, &d.what]))
}

fn accounts(table: &mut Table, source: &Source<'_>) -> io::Result<()> {
    table.row([
        "account",
        "name",
        "state",
        "path",
        "in_scope",
        "out_of_scope_reason",
        "rule",
        "by",
        "why",
        "tasks",
        "gaps",
    ])?;
    for a in &source.view.accounts {
        let out = a.out_of_scope.clone().unwrap_or_default();
        table.row([
            a.id,
            a.name,
            &a.state,
            &a.path,
            if a.out_of_scope.is_none() { "true" } else { "false" },
            out.kind,
            &out.rule,
            &out.by,
            &out.why,
            &a.tasks.to_string(),
            &a.gaps.to_string(),
        ])?;
    }
    Ok(())
}

fn time(at: Option<jiff::Timestamp>) -> String {
    at.map(|t| t.to_string()).unwrap_or_default()
}
