//! Everything for machines: the totals, the gaps by cause, and the whole assessment. `reports/README.md` describes
//! it.

use serde::Serialize;

use super::{
    Provenance, ReportError, ReportFile, Source,
    gaps::Gap,
    view::{AccountView, Tally, Totals},
};
use crate::model::Assessment;

/// Version of the shape; a field that goes or changes its meaning raises it, a new one does not.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    report: &'static str,
    version: u32,
    provenance: &'a Provenance,
    totals: &'a Totals,
    frameworks: Vec<Framework<'a>>,
    gaps: &'a [Gap],
    accounts: &'a [AccountView<'a>],
    assessment: &'a Assessment,
}

#[derive(Serialize)]
struct Framework<'a> {
    id: &'a str,
    title: &'a str,
    verdicts: Tally,
}

/// Writes `report.json`.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let view = &source.view;
    let document = Document {
        report: "orgproof",
        version: VERSION,
        provenance: &view.provenance,
        totals: &view.totals,
        frameworks: view.frameworks.iter().map(|f| Framework { id: f.id, title: f.title, verdicts: f.tally }).collect(),
        gaps: &view.gaps,
        accounts: &view.accounts,
        assessment: source.assessment,
    };
    let mut bytes =
        serde_json::to_vec_pretty(&document).map_err(|e| ReportError::Write { format: "json", why: e.to_string() })?;
    bytes.push(b'\n');
    Ok(vec![("report.json".to_owned(), bytes)])
}
