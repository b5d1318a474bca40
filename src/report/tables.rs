//! The tables that CSV and the workbook share: their names, columns and rows. `reports/README.md` documents the columns.

use std::borrow::Cow;

use super::{ReportError, Source, gaps};
use crate::model::Counts;

/// One field of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Field<'a> {
    /// Text, exactly as it came.
    Text(Cow<'a, str>),
    /// A count.
    Number(u64),
}

impl<'a> From<&'a str> for Field<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Field<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Field<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u64> for Field<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Field<'_> {
    fn from(yes: bool) -> Self {
        Self::from(if yes { "true" } else { "false" })
    }
}

impl From<Option<jiff::Timestamp>> for Field<'_> {
    fn from(at: Option<jiff::Timestamp>) -> Self {
        Self::from(at.map(|t| t.to_string()).unwrap_or_default())
    }
}

impl<'a> From<&'a Option<String>> for Field<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::from(text.as_deref().unwrap_or_default())
    }
}

/// Takes one row after the other.
pub type Rows<'r> = &'r mut dyn FnMut(&[Field<'_>]) -> Result<(), ReportError>;

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Name: of the CSV file, and of the sheet's title among the texts (`section.<name>`).
    pub name: &'static str,
    /// Columns.
    pub columns: &'static [&'static str],
    /// Writes the rows in order.
    pub write: fn(Rows<'_>, &Source<'_>) -> Result<(), ReportError>,
}

/// Verdicts of requirements.
pub static FINDINGS: Table = Table {
    name: "findings",
    columns: &[
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
    ],
    write: findings,
};
/// Verdicts of checklist items.
pub static ITEMS: Table = Table {
    name: "items",
    columns: &["framework", "requirement", "item", "title", "mode", "status", "why", "confidence", "checks"],
    write: items,
};
/// Verdicts of checks.
pub static CHECKS: Table = Table {
    name: "checks",
    columns: &[
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
    ],
    write: checks,
};
/// Every answer.
pub static RESULTS: Table = Table {
    name: "results",
    columns: &[
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
    ],
    write: results,
};
/// The ledger.
pub static COVERAGE: Table = Table {
    name: "coverage",
    columns: &[
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
    ],
    write: coverage,
};
/// Gaps by cause and account, with the request that closes them.
pub static GAPS: Table = Table {
    name: "gaps",
    columns: &[
        "cause",
        "account",
        "account_name",
        "regions",
        "collectors",
        "said",
        "since",
        "means",
        "whom",
        "request",
    ],
    write: open_gaps,
};
/// Disagreements.
pub static DISCREPANCIES: Table =
    Table { name: "discrepancies", columns: &["kind", "subject", "what"], write: discrepancies };
/// Accounts.
pub static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[
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
    ],
    write: accounts,
};

/// Every table.
pub static TABLES: [&Table; 8] = [&FINDINGS, &ITEMS, &CHECKS, &RESULTS, &COVERAGE, &GAPS, &DISCREPANCIES, &ACCOUNTS];

/// Returns the kebab-case name that serde gives to a unit variant.
pub fn name_of(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn counts(counts: &Counts) -> [Field<'static>; 4] {
    [counts.pass, counts.fail, counts.not_applicable, counts.not_assessed].map(Field::Number)
}

fn findings(rows: Rows<'_>, source: &Source<'_>) -> Result<(), ReportError> {
    source.assessment.findings.iter().try_for_each(|f| {
        let [pass, fail, not_applicable, not_assessed] = counts(&f.counts);
        rows(&[
            (&f.framework).into(),
            (&f.requirement).into(),
            (&f.title).into(),
            f.status.as_str().into(),
            (&f.why).into(),
            (&f.responsibility).into(),
            (&f.responsibility_reason).into(),
            (&f.aws_part).into(),
            (&f.customer_response).into(),
            pass,
            fail,
            not_applicable,
            not_assessed,
        ])
    })
}

fn items(rows: Rows<'_>, source: &Source<'_>) -> Result<(), ReportError> {
    source.assessment.findings.iter().flat_map(|f| f.items.iter().map(move |i| (f, i))).try_for_each(|(f, i)| {
        rows(&[
            (&f.framework).into(),
            (&f.requirement).into(),
            (&i.item).into(),
            (&i.title).into(),
            name_of(i.mode).into(),
            i.status.as_str().into(),
            (&i.why).into(),
            (&i.confidence).into(),
            i.checks.join(" ").into(),
        ])
    })
}

fn checks(rows: Rows<'_>, source: &Source<'_>) -> Result<(), ReportError> {
    source.assessment.checks.iter().try_for_each(|(id, c)| {
        let [pass, fail, not_applicable, not_assessed] = counts(&c.counts);
        rows(&[
            id.into(),
            (&c.title).into(),
            (&c.severity).into(),
            c.status.as_str().into(),
            (&c.why).into(),
            pass,
            fail,
            not_applicable,
            not_assessed,
            (&c.remedy).into(),
        ])
    })
}

fn results(rows: Rows<'_>, source: &Source<'_>) -> Result<(), ReportError> {
    source.assessment.results.iter().try_for_each(|r| {
        let e = r.evidence.as_ref();
        rows(&[
            (&r.check).into(),
            r.account.as_str().into(),
            source.account_name(&r.account).into(),
            r.region.as_str().into(),
            (&r.resource.kind).into(),
            (&r.resource.id).into(),
            name_of(r.status).into(),
            (&r.why).into(),
            r.observed.into(),
            r.since.into(),
            e.map(|e| e.seal.to_string()).unwrap_or_default().into(),
            e.map_or("", |e| &e.path).into(),
            e.map_or(Field::from(""), |e| e.line.into()),
        ])
    })
}

fn coverage(rows: Rows<'_>, source: &Source<'_>) -> Result<(), ReportError> {
    source.assessment.coverage.iter().try_for_each(|c| {
        let gap = gaps::is_gap(c);
        rows(&[
            c.task.to_string().into(),
            c.account.as_str().into(),
            source.account_name(&c.account).into(),
            c.region.as_str().into(),
            c.collector.as_str().into(),
            c.state.as_str().into(),
            gap.into(),
            if gap { gaps::Cause::of(c).as_str() } else { "" }.into(),
            (&c.error).into(),
            c.since.into(),
            c.calls.into(),
        ])
    })
}

fn open_gaps(rows: Rows<'_>, source: &Source<'_>) -> Result<(), ReportError> {
    let join = |texts: &mut dyn Iterator<Item = &str>| Field::from(texts.collect::<Vec<_>>().join(" "));
    source.view.gaps.iter().flat_map(|g| g.places.iter().map(move |p| (g, p))).try_for_each(|(g, p)| {
        rows(&[
            g.cause.into(),
            (&p.account).into(),
            (&p.name).into(),
            join(&mut p.regions.iter().map(String::as_str)),
            join(&mut p.collectors.iter().copied()),
            join(&mut p.said.iter().map(String::as_str)),
            (&p.since).into(),
            (&g.means).into(),
            (&g.whom).into(),
            (&g.request).into(),
        ])
    })
}

fn discrepancies(rows: Rows<'_>, source: &Source<'_>) -> Result<(), ReportError> {
    let mut row = |d: &crate::model::Discrepancy| rows(&[(&d.kind).into(), (&d.subject).into(), (&d.what).into()]);
    source.assessment.discrepancies.iter().try_for_each(&mut row)
}

fn accounts(rows: Rows<'_>, source: &Source<'_>) -> Result<(), ReportError> {
    source.view.accounts.iter().try_for_each(|a| {
        let out = a.out_of_scope.clone().unwrap_or_default();
        rows(&[
            a.id.into(),
            a.name.into(),
            (&a.state).into(),
            (&a.path).into(),
            a.out_of_scope.is_none().into(),
            out.kind.into(),
            (&out.rule).into(),
            (&out.by).into(),
            (&out.why).into(),
            a.tasks.into(),
            a.gaps.into(),
        ])
    })
}
