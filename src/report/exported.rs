//! Our own findings as other systems take them in: one per requirement and one per cause of gaps, about the organisation as
//! a whole. Shared by ASFF and OCSF.

use std::collections::BTreeSet;

use super::{Source, text::visible};
use crate::model::{Collector, Finding, ObservationStatus, ResultLine, Status};

/// Resources that a finding names (ASFF's limit); the rest is in `results.csv`.
pub const RESOURCES: usize = 32;

/// Severities from calm to worst; the position is the rank.
pub const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// A finding to hand on.
#[derive(Debug)]
pub struct Exported<'a> {
    /// Stable id: the same requirement or cause has it in every period.
    pub id: String,
    /// Framework id; `None` for a gap.
    pub framework: Option<&'a str>,
    /// Requirement id, or the cause of the gap.
    pub generator: &'a str,
    /// Title.
    pub title: String,
    /// What is the matter.
    pub description: String,
    /// Verdict; a gap is "not assessed".
    pub status: Status,
    /// Rank among [`SEVERITIES`]: of a failure, the worst failed check; of what was not assessed, the worst that may hide.
    pub severity: usize,
    /// What to do.
    pub remedy: String,
    /// Resources that did not pass, failures first, at most [`RESOURCES`].
    pub resources: Vec<&'a ResultLine>,
    /// Accounts of a gap, at most [`RESOURCES`].
    pub accounts: Vec<&'a str>,
}

/// Returns the account and Region in whose name the findings are handed on: where the organisation was read.
pub fn home<'a>(source: &Source<'a>) -> (&'a str, &'a str) {
    let assessment = source.assessment;
    let read = assessment.coverage.iter().find(|c| c.collector == Collector::Organization);
    read.map_or((assessment.organization.management_account.as_str(), "us-east-1"), |c| {
        (c.account.as_str(), c.region.as_str())
    })
}

/// Lists everything that is handed on: requirements in catalogue order, then gaps.
pub fn all<'a>(source: &'a Source<'a>) -> Vec<Exported<'a>> {
    let requirements = source.assessment.findings.iter().map(|f| requirement(source, f));
    let gaps = source.view.gaps.iter().map(|g| Exported {
        id: format!("{}/gap/{}", source.view.organization, g.cause),
        framework: None,
        generator: g.cause,
        title: g.title.clone(),
        description: g.means.clone(),
        status: Status::NotAssessed,
        severity: 2,
        remedy: g.request.clone(),
        resources: Vec::new(),
        accounts: g.places.iter().take(RESOURCES).map(|p| p.account.as_str()).collect(),
    });
    requirements.chain(gaps).collect()
}

fn requirement<'a>(source: &'a Source<'a>, finding: &'a Finding) -> Exported<'a> {
    let used: BTreeSet<&str> = finding.items.iter().flat_map(|i| &i.checks).map(String::as_str).collect();
    let checks: Vec<_> =
        used.iter().filter_map(|id| source.assessment.checks.get(*id)).filter(|c| c.status == finding.status).collect();
    let rank = |severity: &str| SEVERITIES.iter().position(|s| *s == severity).unwrap_or(2);
    let severity = match finding.status {
        Status::Satisfied | Status::NotApplicable => 0,
        Status::NotSatisfied | Status::NotAssessed => checks.iter().map(|c| rank(&c.severity)).max().unwrap_or(2),
    };
    let of = |status| {
        source.assessment.results.iter().filter(move |r| r.status == status).filter(|r| used.contains(r.check.as_str()))
    };
    Exported {
        id: format!("{}/{}/{}", source.view.organization, finding.framework, finding.requirement),
        framework: Some(&finding.framework),
        generator: &finding.requirement,
        title: format!("{} {}", finding.requirement, finding.title),
        description: finding.why.clone(),
        status: finding.status,
        severity,
        remedy: checks
            .iter()
            .map(|c| c.remedy.as_str())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
            .join(" "),
        resources: of(ObservationStatus::Fail).chain(of(ObservationStatus::NotAssessed)).take(RESOURCES).collect(),
        accounts: Vec::new(),
    }
}

/// Shows hidden characters, cuts to `limit` characters, and never returns an empty text.
pub fn cut(text: &str, limit: usize) -> String {
    let shown = text.split('\n').map(visible).collect::<Vec<_>>().join("\n");
    match shown.char_indices().nth(limit) {
        Some(_) => shown.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
        None if shown.trim().is_empty() => "–".to_owned(),
        None => shown,
    }
}
