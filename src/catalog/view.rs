//! What `orgproof controls lint|list|show|matrix|coverage` answer: values that print as text and serialise as JSON.

use std::{collections::BTreeSet, fmt, path::Path};

use serde::Serialize;

use super::{Ask, Catalog, Check, Confidence, Faults, Framework, How, Requirement, Text, load, shipped};

/// Returns `text` in `lang`, or in English where it has none.
pub fn in_language<'a>(text: &'a Text, lang: &str) -> &'a str {
    text.get(lang).or_else(|| text.get("en")).map_or("", String::as_str)
}

/// The answer of `controls lint` where nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Linted {
    /// Frameworks read.
    pub frameworks: usize,
    /// Requirements in them.
    pub requirements: usize,
    /// Checklist items in them.
    pub items: usize,
    /// Checks that they use.
    pub checks: usize,
}

impl fmt::Display for Linted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frameworks, requirements, items, checks } = self;
        write!(f, "no faults: {frameworks} frameworks, {requirements} requirements, {items} items, {checks} checks")
    }
}

/// Reads and validates `wanted` (ids or paths relative to `base`); everything shipped where it is empty.
///
/// # Errors
/// All faults at once.
pub fn lint(wanted: &[String], base: &Path) -> Result<Linted, Faults> {
    let catalog = match wanted {
        [] => load(&shipped().into_iter().map(str::to_owned).collect::<Vec<_>>(), base)?.0,
        _ => load(wanted, base)?.0,
    };
    let requirements = || catalog.frameworks.iter().flat_map(|framework| &framework.requirements);
    Ok(Linted {
        frameworks: catalog.frameworks.len(),
        requirements: requirements().count(),
        items: requirements().map(|requirement| requirement.items.len()).sum(),
        checks: catalog.checks.len(),
    })
}

/// What `controls coverage` and `controls list` say of one framework: nothing that has no automated source is hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Framework id.
    pub framework: String,
    /// Title.
    pub title: String,
    /// Version.
    pub version: String,
    /// Requirements.
    pub requirements: usize,
    /// Requirements of which every item is automated.
    pub fully_automated: usize,
    /// Requirements of which some items are automated and others are not.
    pub partly_automated: usize,
    /// Requirements without any automated item: no check speaks for them.
    pub not_automated: usize,
    /// Automated items.
    pub automated_items: usize,
    /// Manual items.
    pub manual_items: usize,
    /// Items deliberately not automated.
    pub declined_items: usize,
    /// Items inherited from AWS.
    pub inherited_items: usize,
    /// Requirements with a check whose mapping AWS documents.
    pub aws_documented: usize,
    /// Requirements whose best mapping is derived.
    pub derived: usize,
    /// Requirements whose best mapping is judgement.
    pub judgement: usize,
}

impl Coverage {
    fn of(framework: &Framework) -> Self {
        let mut coverage = Self {
            framework: framework.id.clone(),
            title: in_language(&framework.title, "en").to_owned(),
            version: framework.version.clone(),
            requirements: framework.requirements.len(),
            ..Self::default()
        };
        for requirement in &framework.requirements {
            coverage.add(requirement);
        }
        coverage
    }

    fn add(&mut self, requirement: &Requirement) {
        let mut automated = 0;
        for item in &requirement.items {
            *match &item.how {
                How::Automated { .. } => {
                    automated += 1;
                    &mut self.automated_items
                }
                How::Manual { .. } => &mut self.manual_items,
                How::NotAutomated { .. } => &mut self.declined_items,
                How::Inherited { .. } => &mut self.inherited_items,
            } += 1;
        }
        *match automated {
            0 => &mut self.not_automated,
            n if n == requirement.items.len() => &mut self.fully_automated,
            _ => &mut self.partly_automated,
        } += 1;
        match best(requirement) {
            Some(Confidence::AwsDocumented) => self.aws_documented += 1,
            Some(Confidence::Derived) => self.derived += 1,
            Some(Confidence::Judgement) => self.judgement += 1,
            None => {}
        }
    }
}

/// Returns the best confidence among a requirement's mappings.
fn best(requirement: &Requirement) -> Option<Confidence> {
    let mapped = requirement.items.iter().filter_map(|item| match &item.how {
        How::Automated { checks } => Some(checks),
        _ => None,
    });
    mapped.flatten().map(|mapped| mapped.confidence).min()
}

/// Returns the coverage of every framework of `catalog`, in its order.
pub fn coverage(catalog: &Catalog) -> Vec<Coverage> {
    catalog.frameworks.iter().map(Coverage::of).collect()
}

/// Renders [`coverage`] as a table.
pub fn coverage_text(rows: &[Coverage]) -> String {
    let head = [
        "framework",
        "requirements",
        "automated",
        "partly",
        "no check",
        "auto items",
        "manual",
        "declined",
        "inherited",
        "aws",
        "derived",
        "judgement",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let numbers = [
            row.requirements,
            row.fully_automated,
            row.partly_automated,
            row.not_automated,
            row.automated_items,
            row.manual_items,
            row.declined_items,
            row.inherited_items,
            row.aws_documented,
            row.derived,
            row.judgement,
        ];
        table.push(std::iter::once(row.framework.clone()).chain(numbers.iter().map(usize::to_string)).collect());
    }
    aligned(&table)
}

/// Renders the answer of `controls list`.
pub fn list_text(rows: &[Coverage]) -> String {
    let mut table = vec![["id", "version", "requirements", "title"].map(str::to_owned).to_vec()];
    for row in rows {
        table.push(vec![row.framework.clone(), row.version.clone(), row.requirements.to_string(), row.title.clone()]);
    }
    aligned(&table)
}

/// One line of `controls matrix`: a checklist item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatrixRow {
    /// Framework id.
    pub framework: String,
    /// Requirement id.
    pub requirement: String,
    /// Item id.
    pub item: String,
    /// `aws`, `shared` or `customer`.
    pub responsibility: &'static str,
    /// `automated`, `manual`, `not-automated` or `inherited`.
    pub mode: &'static str,
    /// Check ids, or the evidence, reason or attestation.
    pub by: Vec<String>,
    /// The weakest confidence among the mappings; absent where nothing is mapped.
    pub confidence: Option<&'static str>,
    /// Title of the requirement.
    pub title: String,
}

/// Returns requirement x responsibility x checks x mode, in catalogue order.
pub fn matrix(catalog: &Catalog, lang: &str) -> Vec<MatrixRow> {
    let mut rows = Vec::new();
    for framework in &catalog.frameworks {
        for requirement in &framework.requirements {
            for item in &requirement.items {
                let (mode, by, weakest) = match &item.how {
                    How::Automated { checks } => {
                        let by = checks.iter().map(|mapped| mapped.check.clone()).collect();
                        ("automated", by, checks.iter().map(|mapped| mapped.confidence).max())
                    }
                    How::Manual { evidence, frequency, by } => {
                        ("manual", vec![format!("{evidence} ({frequency}, {by})")], None)
                    }
                    How::NotAutomated { reason } => ("not-automated", vec![reason.clone()], None),
                    How::Inherited { attestation } => ("inherited", vec![attestation.clone()], None),
                };
                rows.push(MatrixRow {
                    framework: framework.id.clone(),
                    requirement: requirement.id.clone(),
                    item: item.id.clone(),
                    responsibility: requirement.responsibility.as_str(),
                    mode,
                    by,
                    confidence: weakest.map(Confidence::as_str),
                    title: in_language(&requirement.title, lang).to_owned(),
                });
            }
        }
    }
    rows
}

/// Renders [`matrix`] as a table.
pub fn matrix_text(rows: &[MatrixRow]) -> String {
    let head = ["requirement", "item", "who", "mode", "confidence", "title", "by"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let confidence = row.confidence.unwrap_or("-");
        let cells = [row.item.as_str(), row.responsibility, row.mode, confidence, row.title.as_str()];
        let mut line = vec![format!("{}:{}", row.framework, row.requirement)];
        line.extend(cells.map(str::to_owned));
        line.push(row.by.join(", "));
        table.push(line);
    }
    aligned(&table)
}

/// What `controls show` was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shown<'a> {
    /// A framework.
    Framework(&'a Framework),
    /// A requirement of a framework.
    Requirement(&'a Framework, &'a Requirement, &'a Catalog),
    /// A check.
    Check(&'a Check, &'a Catalog),
}

/// Nothing of that name, and what it may have been meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no framework, requirement or check {name:?}{}", help.as_ref().map_or_else(String::new, |help| format!("; {help}")))]
pub struct NotFound {
    /// What was asked for.
    pub name: String,
    /// `did you mean …?`
    pub help: Option<String>,
}

/// Finds a framework (`cis-aws-3.0`), a requirement of it (`cis-aws-3.0` and `2.1.4`) or a check (`securityhub/S3.8`).
///
/// # Errors
/// [`NotFound`], with the nearest name where one is near.
pub fn find<'a>(catalog: &'a Catalog, name: &str, requirement: Option<&str>) -> Result<Shown<'a>, NotFound> {
    let Some(framework) = catalog.frameworks.iter().find(|framework| framework.id == name) else {
        if let Some(check) = catalog.checks.get(name) {
            return Ok(Shown::Check(check, catalog));
        }
        let known = catalog.frameworks.iter().map(|framework| &framework.id).chain(catalog.checks.keys());
        let help = super::suggest::did_you_mean(name, known.map(String::as_str));
        return Err(NotFound { name: name.to_owned(), help });
    };
    let Some(id) = requirement else { return Ok(Shown::Framework(framework)) };
    let found = framework.requirements.iter().find(|requirement| requirement.id == id);
    found.map(|requirement| Shown::Requirement(framework, requirement, catalog)).ok_or_else(|| {
        let known = framework.requirements.iter().map(|requirement| requirement.id.as_str());
        NotFound { name: id.to_owned(), help: super::suggest::did_you_mean(id, known) }
    })
}

impl Shown<'_> {
    /// Renders it for a person, in `lang` where there is a text in it.
    pub fn text(self, lang: &str) -> String {
        let lines = match self {
            Self::Framework(framework) => framework_lines(framework, lang),
            Self::Requirement(framework, requirement, catalog) => {
                requirement_lines(framework, requirement, catalog, lang)
            }
            Self::Check(check, catalog) => check_lines(check, catalog, lang),
        };
        lines.join("\n") + "\n"
    }
}

fn framework_lines(framework: &Framework, lang: &str) -> Vec<String> {
    let mut lines = vec![format!("{} {} ({})", in_language(&framework.title, lang), framework.version, framework.id)];
    let requirements = framework.requirements.iter();
    lines.extend(requirements.map(|r| format!("  {:<12} {}", r.id, in_language(&r.title, lang))));
    lines
}

fn requirement_lines(framework: &Framework, r: &Requirement, catalog: &Catalog, lang: &str) -> Vec<String> {
    let mut lines = vec![
        format!("{} {}  {}", framework.id, r.id, in_language(&r.title, lang)),
        format!("  {}", in_language(&r.description, lang)),
        format!("  responsibility: {} ({})", r.responsibility.as_str(), r.responsibility_reason),
    ];
    if let Some(part) = &r.aws_part {
        lines.push(format!("  AWS's part: {} (AWS Artifact: {})", part.what, part.attestation));
    }
    lines.extend(r.customer_response.iter().map(|response| format!("  our response: {response}")));
    lines.extend(r.owner.iter().map(|owner| format!("  owner: {owner}")));
    lines.extend(r.reviewed.iter().map(|date| format!("  reviewed: {date}")));
    for item in &r.items {
        lines.push(format!("  item {}: {}", item.id, in_language(&item.title, lang)));
        match &item.how {
            How::Automated { checks } => lines.extend(checks.iter().map(|mapped| {
                let title = catalog.checks.get(&mapped.check).map_or("", |check| in_language(&check.title, lang));
                let confidence = mapped.confidence.as_str();
                format!("    automated by {} ({title}); {confidence}: {}", mapped.check, mapped.source)
            })),
            How::Manual { evidence, frequency, by } => {
                lines.push(format!("    manual: {evidence}, {frequency}, by {by}"))
            }
            How::NotAutomated { reason } => lines.push(format!("    deliberately not automated: {reason}")),
            How::Inherited { attestation } => lines.push(format!("    inherited from AWS: {attestation}")),
        }
    }
    lines
}

fn check_lines(check: &Check, catalog: &Catalog, lang: &str) -> Vec<String> {
    let mut lines = vec![
        format!("{}  {}", check.id, in_language(&check.title, lang)),
        format!("  asks: {}", question(&check.ask)),
        format!("  severity: {:?}", check.severity).to_lowercase(),
        format!("  pass: {}", check.means.pass),
        format!("  fail: {}", check.means.fail),
        format!("  not applicable: {}", check.means.not_applicable),
        format!("  not assessed: {}", check.means.not_assessed),
        format!("  remedy: {}", check.remedy),
    ];
    if !check.resource_types.is_empty() {
        lines.push(format!("  asked of: {}", check.resource_types.join(", ")));
    }
    let users: BTreeSet<String> = catalog
        .frameworks
        .iter()
        .flat_map(|framework| framework.requirements.iter().map(move |r| (framework, r)))
        .filter(|(_, r)| {
            r.items.iter().any(
                |item| matches!(&item.how, How::Automated { checks } if checks.iter().any(|m| m.check == check.id)),
            )
        })
        .map(|(framework, r)| format!("{} {}", framework.id, r.id))
        .collect();
    lines.push(format!("  used by: {}", users.into_iter().collect::<Vec<_>>().join(", ")));
    lines
}

fn question(ask: &Ask) -> String {
    match ask {
        Ask::ConfigRule { identifier } => format!("AWS Config rule {identifier}"),
        Ask::SecurityHub { control } => format!("Security Hub control {control}"),
        Ask::GuardedActions { actions, .. } => format!("denied by service control policy: {}", actions.join(", ")),
        Ask::State { state, of: Some(of) } => format!("state {state} of {of}"),
        Ask::State { state, of: None } => format!("state {state}"),
        Ask::ConformancePack { name } => format!("every rule of conformance pack {name}"),
        Ask::Product(ask) => format!(
            "no finding of {} of severity {:?} or worse is open for more than {} days; on where it says so: {}",
            ask.product,
            ask.min_severity,
            ask.max_age_days,
            ask.enabled_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Aligns columns by the number of characters; the last one runs free.
fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| table.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
