//! OSCAL 1.1 assessment results (NIST): a finding per requirement, an observation per check and per cause of gaps, a risk
//! per failed check, the sealed archives as back matter with their hashes.
//!
//! OSCAL knows two states of an objective. "Not assessed" is therefore `not-satisfied` with the reason `other`, never
//! `satisfied`; "not applicable" is `satisfied` with the reason `other` and the implementation status `not-applicable`.
//! The exact verdict stands in the property `verdict`. Passing resources are counted, not listed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{ReportError, ReportFile, Source, gaps::Gap, text::visible, view::CheckView};
use crate::model::{Finding, ObservationStatus, ResultLine, Sha256Digest, Status};

/// OSCAL's version, as `metadata.oscal-version` states it.
const OSCAL_VERSION: &str = "1.1.3";
/// Namespace of our own properties: a name, not an address (RFC 2606 reserves `.invalid`).
const NAMESPACE: &str = "https://orgproof.invalid/ns/oscal";

/// Writes `oscal-assessment-results.json`.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let document = json!({ "assessment-results": Document::new(source).build() });
    let mut bytes =
        serde_json::to_vec_pretty(&document).map_err(|e| ReportError::Write { format: "oscal", why: e.to_string() })?;
    bytes.push(b'\n');
    Ok(vec![("oscal-assessment-results.json".to_owned(), bytes)])
}

struct Document<'a> {
    source: &'a Source<'a>,
    /// Makes ids of one assessment differ from those of another.
    salt: String,
    /// Answers that did not pass, by check.
    open: BTreeMap<&'a str, Vec<&'a ResultLine>>,
}

/// What a result line looks at: its account, Region, type and id.
type Subject<'a> = (&'a str, &'a str, &'a str, &'a str);

fn subject_of(line: &ResultLine) -> Subject<'_> {
    (line.account.as_str(), line.region.as_str(), &line.resource.kind, &line.resource.id)
}

impl<'a> Document<'a> {
    fn new(source: &'a Source<'a>) -> Self {
        let header = &source.assessment.header;
        let seals: Vec<_> = header.evidence.iter().map(ToString::to_string).collect();
        let mut open: BTreeMap<&str, Vec<&ResultLine>> = BTreeMap::new();
        for line in &source.assessment.results {
            if matches!(line.status, ObservationStatus::Fail | ObservationStatus::NotAssessed) {
                open.entry(&line.check).or_default().push(line);
            }
        }
        Self { source, salt: format!("{} {}", header.catalog, seals.join(" ")), open }
    }

    /// Returns an id that follows from the assessment and `name` alone.
    ///
    /// SHA-256, cut, with the bits of version 5 (name-based): OSCAL's schema admits versions 4 and 5 only.
    fn uuid(&self, kind: &str, name: &str) -> String {
        let hash = Sha256Digest::of(format!("{}\n{kind}\n{name}", self.salt)).to_string();
        let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
        format!("{}-{}-5{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
    }

    fn build(&self) -> Value {
        let header = &self.source.assessment.header;
        let title = format!("{} {}", self.source.texts.get("page.title"), header.period.label);
        json!({
            "uuid": self.uuid("document", ""),
            "metadata": {
                "title": line(&title),
                "last-modified": header.closed.to_string(),
                "version": line(&header.run),
                "oscal-version": OSCAL_VERSION,
                "props": props([
                    ("organization", self.source.view.organization),
                    ("tool", &self.source.view.provenance.tool),
                    ("semantics", &header.semantics.to_string()),
                    ("catalog-sha256", &header.catalog.to_string()),
                ]),
            },
            "import-ap": {
                "href": format!("#{}", self.uuid("plan", "")),
                "remarks": "The plan is data/plan.ndjson of each evidence archive, and the catalogue that the property catalog-sha256 names.",
            },
            "results": [self.result()],
            "back-matter": { "resources": self.resources() },
        })
    }

    fn result(&self) -> Value {
        let header = &self.source.assessment.header;
        let checks = &self.source.view.checks;
        let mut observations: Vec<_> = checks.values().map(|c| self.observation(c)).collect();
        observations.extend(self.source.view.gaps.iter().map(|g| self.gap(g)));
        let risks: Vec<_> =
            checks.values().filter(|c| c.result.status == Status::NotSatisfied).map(|c| self.risk(c)).collect();
        let mut result = json!({
            "uuid": self.uuid("result", ""),
            "title": line(&header.period.label),
            "description": self.source.texts.get("summary.lead"),
            "start": header.period.from.to_string(),
            "end": header.closed.to_string(),
            "props": self.totals(),
            "reviewed-controls": { "control-selections": self.selections() },
        });
        let items = self.inventory();
        put(&mut result, "local-definitions", (!items.is_empty()).then(|| json!({ "inventory-items": items })));
        put(&mut result, "observations", filled(observations));
        put(&mut result, "risks", filled(risks));
        put(&mut result, "findings", filled(self.source.assessment.findings.iter().map(|f| self.finding(f)).collect()));
        result
    }

    fn totals(&self) -> Vec<Value> {
        let t = &self.source.view.totals;
        let numbers = [
            ("requirements", t.requirements),
            ("satisfied", t.verdicts.satisfied),
            ("not-satisfied", t.verdicts.not_satisfied),
            ("not-assessed", t.verdicts.not_assessed),
            ("not-applicable", t.verdicts.not_applicable),
            ("results", t.results),
            ("tasks", t.tasks),
            ("gaps", t.gaps),
            ("accounts", t.accounts),
            ("accounts-with-gaps", t.accounts_with_gaps),
            ("accounts-out-of-scope", t.accounts_out_of_scope),
            ("discrepancies", t.discrepancies),
        ];
        let texts = numbers.map(|(name, n)| (name, n.to_string()));
        props(texts.iter().map(|(name, n)| (*name, n.as_str())))
    }

    fn selections(&self) -> Vec<Value> {
        let chosen = self.source.view.frameworks.iter().filter(|f| !f.requirements.is_empty()).map(|f| {
            let controls: Vec<_> = f.requirements.iter().map(|r| json!({ "control-id": control(r.finding) })).collect();
            json!({ "description": line(f.title), "include-controls": controls })
        });
        let chosen: Vec<_> = chosen.collect();
        if chosen.is_empty() { vec![json!({ "description": "No requirement was assessed." })] } else { chosen }
    }

    /// Every account, and every resource that did not pass.
    fn inventory(&self) -> Vec<Value> {
        let subjects: BTreeSet<Subject<'_>> = self.open.values().flatten().map(|l| subject_of(l)).collect();
        let resource = |(account, region, kind, id): Subject<'_>| {
            json!({
                "uuid": self.subject((account, region, kind, id)),
                "description": line(id),
                "props": props([("account", account), ("region", region), ("resource-type", kind)]),
            })
        };
        let accounts = self.source.view.accounts.iter().map(|a| {
            let mut about =
                vec![("account", a.id.to_owned()), ("tasks", a.tasks.to_string()), ("gaps", a.gaps.to_string())];
            if let Some(out) = &a.out_of_scope {
                about.push(("out-of-scope", out.kind.to_owned()));
                let stated = [("rule", &out.rule), ("decided-by", &out.by), ("why", &out.why)];
                about.extend(stated.into_iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n, v.clone())));
            }
            json!({
                "uuid": self.uuid("account", a.id),
                "description": line(&format!("{} {}", a.id, a.name)),
                "props": props(about.iter().map(|(n, v)| (*n, v.as_str()))),
            })
        });
        subjects.into_iter().map(resource).chain(accounts).collect()
    }

    fn subject(&self, (account, region, kind, id): Subject<'_>) -> String {
        self.uuid("resource", &format!("{account}\n{region}\n{kind}\n{id}"))
    }

    fn observation(&self, check: &CheckView<'_>) -> Value {
        let c = &check.result.counts;
        let counts = [
            ("pass", c.pass),
            ("fail", c.fail),
            ("not-applicable", c.not_applicable),
            ("not-assessed", c.not_assessed),
        ]
        .map(|(name, n)| (name, n.to_string()));
        let about = [
            ("check", check.result.check.as_str()),
            ("severity", check.result.severity.as_str()),
            ("verdict", check.result.status.as_str()),
        ];
        let lines = self.open.get(check.result.check.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut observation = json!({
            "uuid": self.uuid("check", &check.result.check),
            "title": line(&check.result.title),
            "description": line(&check.result.why),
            "props": props(about.into_iter().chain(counts.iter().map(|(name, n)| (*name, n.as_str())))),
            "methods": ["TEST"],
            "types": ["control-objective"],
            "collected": self.source.assessment.header.closed.to_string(),
        });
        let subjects: BTreeSet<_> = lines.iter().map(|l| subject_of(l)).collect();
        let subjects = subjects
            .into_iter()
            .map(|s| json!({ "subject-uuid": self.subject(s), "type": "inventory-item", "title": line(s.3) }));
        put(&mut observation, "subjects", filled(subjects.collect()));
        put(&mut observation, "relevant-evidence", filled(lines.iter().filter_map(|l| self.evidence(l)).collect()));
        observation
    }

    fn evidence(&self, result: &ResultLine) -> Option<Value> {
        let evidence = result.evidence.as_ref()?;
        let status = super::tables::name_of(result.status);
        Some(json!({
            "href": format!("#{}", self.uuid("archive", &evidence.seal.to_string())),
            "description": line(&format!("{}:{}", evidence.path, evidence.line)),
            "props": props([
                ("answer", status.as_str()),
                ("account", result.account.as_str()),
                ("region", result.region.as_str()),
                ("resource", result.resource.id.as_str()),
            ]),
            "remarks": line(&result.why),
        }))
    }

    fn gap(&self, gap: &Gap) -> Value {
        let subjects: Vec<_> = gap
            .places
            .iter()
            .map(|p| {
                json!({
                    "subject-uuid": self.uuid("account", &p.account),
                    "type": "inventory-item",
                    "title": line(&format!("{} {}", p.account, p.name)),
                })
            })
            .collect();
        json!({
            "uuid": self.uuid("gap", gap.cause),
            "title": line(&gap.title),
            "description": gap.means,
            "props": props([("gap", gap.cause), ("tasks", &gap.tasks.to_string())]),
            "methods": ["EXAMINE"],
            "types": ["gap"],
            "subjects": subjects,
            "collected": self.source.assessment.header.closed.to_string(),
            "remarks": gap.request,
        })
    }

    fn risk(&self, check: &CheckView<'_>) -> Value {
        json!({
            "uuid": self.uuid("risk", &check.result.check),
            "title": line(&check.result.title),
            "description": line(&check.result.why),
            "statement": line(&check.result.remedy),
            "props": props([("severity", check.result.severity.as_str())]),
            "status": "open",
            "related-observations": [{ "observation-uuid": self.uuid("check", &check.result.check) }],
        })
    }

    fn finding(&self, finding: &Finding) -> Value {
        let (state, reason) = match finding.status {
            Status::Satisfied => ("satisfied", "pass"),
            Status::NotSatisfied => ("not-satisfied", "fail"),
            Status::NotAssessed => ("not-satisfied", "other"),
            Status::NotApplicable => ("satisfied", "other"),
        };
        let mut target = json!({
            "type": "objective-id",
            "target-id": control(finding),
            "props": props([("verdict", finding.status.as_str())]),
            "status": { "state": state, "reason": reason, "remarks": line(&finding.why) },
        });
        put(
            &mut target,
            "implementation-status",
            (finding.status == Status::NotApplicable).then(|| json!({ "state": "not-applicable" })),
        );
        let known = &self.source.view.checks;
        let used: BTreeMap<&str, Status> = finding
            .items
            .iter()
            .flat_map(|i| &i.checks)
            .filter_map(|c| known.get(c.as_str()))
            .map(|c| (c.result.check.as_str(), c.result.status))
            .collect();
        let observations = used.keys().map(|c| json!({ "observation-uuid": self.uuid("check", c) })).collect();
        let failed = used.iter().filter(|(_, status)| **status == Status::NotSatisfied);
        let risks = failed.map(|(c, _)| json!({ "risk-uuid": self.uuid("risk", c) })).collect();
        let mut value = json!({
            "uuid": self.uuid("finding", &format!("{}\n{}", finding.framework, finding.requirement)),
            "title": line(&format!("{} {}", finding.requirement, finding.title)),
            "description": line(&finding.why),
            "props": props([
                ("framework", finding.framework.as_str()),
                ("requirement", finding.requirement.as_str()),
                ("responsibility", finding.responsibility.as_str()),
            ]),
            "target": target,
        });
        put(&mut value, "related-observations", filled(observations));
        put(&mut value, "related-risks", filled(risks));
        value
    }

    fn resources(&self) -> Vec<Value> {
        let plan = json!({
            "uuid": self.uuid("plan", ""),
            "title": "Plan of the runs",
            "description": "data/plan.ndjson in each of the evidence archives below.",
        });
        let archives = self.source.view.provenance.archives.iter().map(|a| {
            let seal = a.seal.to_string();
            let mut resource = json!({
                "uuid": self.uuid("archive", &seal),
                "title": line(a.name.as_deref().unwrap_or("Evidence archive")),
                "description": "A sealed evidence archive; the hash is that of its seal.json.",
                "props": props([("seal-sha256", seal.as_str())]),
            });
            let links = a.name.as_ref().map(|name| {
                json!([{ "href": format!("{}/seal.json", href(name)), "hashes": [{ "algorithm": "SHA-256", "value": seal }] }])
            });
            put(&mut resource, "rlinks", links);
            resource
        });
        std::iter::once(plan).chain(archives).collect()
    }
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value);
    }
}

/// OSCAL forbids empty arrays.
fn filled(values: Vec<Value>) -> Option<Value> {
    if values.is_empty() { None } else { Some(Value::Array(values)) }
}

/// Makes one line that is not empty and neither begins nor ends with white space.
fn line(text: &str) -> String {
    let shown = visible(text);
    let trimmed = shown.trim();
    if trimmed.is_empty() { "–".to_owned() } else { trimmed.to_owned() }
}

fn props<'v>(values: impl IntoIterator<Item = (&'v str, &'v str)>) -> Vec<Value> {
    values.into_iter().map(|(name, value)| json!({ "name": name, "ns": NAMESPACE, "value": line(value) })).collect()
}

/// Returns the requirement as an OSCAL token: letters, digits, `.`, `-`, `_`, and a letter or `_` first.
fn control(finding: &Finding) -> String {
    let text = format!("{}_{}", finding.framework, finding.requirement);
    let clean = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    let token: String = text.chars().map(clean).collect();
    if token.starts_with(|c: char| c.is_ascii_alphabetic()) { token } else { format!("_{token}") }
}

/// Percent-encodes what a relative reference may not hold (RFC 3986).
fn href(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
