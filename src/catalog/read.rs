//! From text to [`UnvalidatedFile`].
//!
//! The reader walks the spanned TOML tree itself rather than through serde, because serde stops at the first fault and a
//! reviewer wants all of them.

use toml::de::{DeTable, DeValue};

use super::{
    Faults,
    fields::{Lines, Reader, Table},
    files::Source,
    raw::UnvalidatedRequirement,
    raw::{At, UnvalidatedAsk, UnvalidatedAwsPart, UnvalidatedCheck, UnvalidatedFile, UnvalidatedFramework},
    raw::{UnvalidatedHow, UnvalidatedItem, UnvalidatedLoosening, UnvalidatedMapping, UnvalidatedOperating},
};

/// Keys of a file.
pub(super) const FILE_KEYS: &[&str] =
    &["id", "title", "version", "from", "only", "operating", "requirement", "check", "means"];
/// Keys of a requirement.
pub(super) const REQUIREMENT_KEYS: &[&str] = &[
    "id",
    "title",
    "description",
    "responsibility",
    "responsibility-reason",
    "aws-part",
    "customer-response",
    "item",
    "owner",
    "reviewed",
    "operating",
    "loosened",
];
/// Keys of criteria of operating effectiveness.
pub(super) const OPERATING_KEYS: &[&str] =
    &["max-days-failing", "max-unobserved-percent", "at-least-every", "loosened"];
/// Keys of an item.
pub(super) const ITEM_KEYS: &[&str] =
    &["id", "title", "checks", "confidence", "source", "manual", "not-automated", "inherited"];
/// Keys of a mapping.
pub(super) const MAPPING_KEYS: &[&str] = &["check", "confidence", "source"];
/// Keys of a check.
pub(super) const CHECK_KEYS: &[&str] = &[
    "id",
    "title",
    "config-rule",
    "securityhub",
    "guarded-actions",
    "conditional",
    "state",
    "of",
    "conformance-pack",
    "product",
    "min-severity",
    "max-age-days",
    "enabled-by",
    "severity",
    "pass",
    "fail",
    "not-applicable",
    "not-assessed",
    "remedy",
    "resource-types",
    "global",
];

/// Reads one file's text; faults go to `faults`, and what could be read is returned.
pub(super) fn read(source: &Source, text: &str, faults: &mut Faults) -> UnvalidatedFile {
    let Source { shown, path, wanted, .. } = source;
    let file = UnvalidatedFile { shown: shown.clone(), path: path.clone(), wanted: *wanted, ..Default::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text);
    for error in &errors {
        let line = error.span().map_or(0, |span| lines.of(span.start));
        faults.add("invalid-toml", (shown, line), error.message().to_owned());
    }
    if !errors.is_empty() {
        return file;
    }
    let mut reader = Reader { shown, lines, faults };
    let (framework, checks) = reader.file(table.get_ref());
    UnvalidatedFile { framework, checks, ..file }
}

impl Reader<'_> {
    fn file(&mut self, table: &DeTable<'_>) -> (Option<UnvalidatedFramework>, Vec<UnvalidatedCheck>) {
        let top = Table { table, line: 0, name: "the file".to_owned() };
        self.known(&top, FILE_KEYS);
        let (not_applicable, not_assessed) = match self.child(&top, "means") {
            Some(means) => {
                self.known(&means, &["not-applicable", "not-assessed"]);
                (self.optional(&means, "not-applicable"), self.optional(&means, "not-assessed"))
            }
            None => (None, None),
        };
        let checks = self.children(&top, "check");
        let checks = checks.iter().map(|t| self.check(t, not_applicable.as_ref(), not_assessed.as_ref())).collect();
        let is_framework =
            ["id", "title", "version", "from", "operating", "requirement"].iter().any(|key| table.contains_key(*key));
        let framework = is_framework.then(|| {
            let requirements = self.children(&top, "requirement");
            UnvalidatedFramework {
                id: self.required(&top, "id"),
                title: self.text(&top, "title"),
                version: self.required(&top, "version"),
                from: self.optional(&top, "from"),
                only: self.strings(&top, "only"),
                operating: self.operating(&top),
                requirements: requirements.iter().map(|t| self.requirement(t)).collect(),
            }
        });
        (framework, checks)
    }

    fn requirement(&mut self, t: &Table<'_, '_>) -> UnvalidatedRequirement {
        self.known(t, REQUIREMENT_KEYS);
        let items = self.children(t, "item");
        let loosened = self.children(t, "loosened");
        let aws_part = self.child(t, "aws-part").map(|part| {
            self.known(&part, &["what", "attestation"]);
            UnvalidatedAwsPart { what: self.required(&part, "what"), attestation: self.required(&part, "attestation") }
        });
        UnvalidatedRequirement {
            line: t.line,
            id: self.required(t, "id"),
            title: self.text(t, "title"),
            description: self.text(t, "description"),
            responsibility: self.required(t, "responsibility"),
            responsibility_reason: self.required(t, "responsibility-reason"),
            aws_part,
            customer_response: self.optional(t, "customer-response"),
            items: items.iter().map(|item| self.item(item)).collect(),
            owner: self.optional(t, "owner"),
            reviewed: self.optional(t, "reviewed"),
            operating: self.operating(t),
            loosened: loosened.iter().map(|t| self.loosening(t, &["what", "by", "why"])).collect(),
        }
    }

    fn operating(&mut self, t: &Table<'_, '_>) -> Option<UnvalidatedOperating> {
        let operating = self.child(t, "operating")?;
        self.known(&operating, OPERATING_KEYS);
        let loosened = self.child(&operating, "loosened");
        Some(UnvalidatedOperating {
            max_days_failing: self.number(&operating, "max-days-failing"),
            max_unobserved_percent: self.number(&operating, "max-unobserved-percent"),
            at_least_every: self.optional(&operating, "at-least-every"),
            loosened: loosened.map(|t| self.loosening(&t, &["by", "why"])),
        })
    }

    fn loosening(&mut self, t: &Table<'_, '_>, keys: &[&str]) -> UnvalidatedLoosening {
        self.known(t, keys);
        let what = if keys.contains(&"what") { self.required(t, "what") } else { None };
        UnvalidatedLoosening { what, by: self.required(t, "by"), why: self.required(t, "why") }
    }

    fn item(&mut self, t: &Table<'_, '_>) -> UnvalidatedItem {
        self.known(t, ITEM_KEYS);
        let mut modes = Vec::new();
        if let Some(value) = t.table.get("checks") {
            modes.push(UnvalidatedHow::Checks(self.mappings(t, value)));
        }
        if let Some(manual) = self.child(t, "manual") {
            self.known(&manual, &["evidence", "frequency", "by"]);
            modes.push(UnvalidatedHow::Manual {
                evidence: self.required(&manual, "evidence"),
                frequency: self.required(&manual, "frequency"),
                by: self.required(&manual, "by"),
            });
        }
        modes.extend(self.optional(t, "not-automated").map(UnvalidatedHow::NotAutomated));
        modes.extend(self.optional(t, "inherited").map(UnvalidatedHow::Inherited));
        UnvalidatedItem { line: t.line, id: self.required(t, "id"), title: self.text(t, "title"), modes }
    }

    /// Check ids, for which the item's own `confidence` and `source` speak, and tables that bring theirs.
    fn mappings(&mut self, t: &Table<'_, '_>, value: &toml::Spanned<DeValue<'_>>) -> Vec<UnvalidatedMapping> {
        let DeValue::Array(values) = value.get_ref() else {
            let line = self.lines.of(value.span().start);
            self.wrong(line, t, "checks", "a list");
            return Vec::new();
        };
        let plain = values.iter().any(|value| value.get_ref().is_str());
        let (confidence, source) = match plain {
            true => (self.required(t, "confidence"), self.required(t, "source")),
            false => (None, None),
        };
        let mapping = |value: &toml::Spanned<DeValue<'_>>| match self.table("checks", value) {
            Some(mapping) => self.mapping(&mapping),
            None => UnvalidatedMapping {
                check: self.string(t, "checks", value),
                confidence: confidence.clone(),
                source: source.clone(),
            },
        };
        values.iter().map(mapping).collect()
    }

    fn mapping(&mut self, t: &Table<'_, '_>) -> UnvalidatedMapping {
        self.known(t, MAPPING_KEYS);
        UnvalidatedMapping {
            check: self.required(t, "check"),
            confidence: self.required(t, "confidence"),
            source: self.required(t, "source"),
        }
    }

    fn check(&mut self, t: &Table<'_, '_>, na: Option<&At<String>>, unseen: Option<&At<String>>) -> UnvalidatedCheck {
        self.known(t, CHECK_KEYS);
        let default = |reader: &mut Self, key, default: Option<&At<String>>| match default {
            Some(value) if !t.table.contains_key(key) => Some(value.clone()),
            _ => reader.required(t, key),
        };
        UnvalidatedCheck {
            line: t.line,
            id: self.required(t, "id"),
            title: self.text(t, "title"),
            questions: self.questions(t),
            severity: self.required(t, "severity"),
            pass: self.required(t, "pass"),
            fail: self.required(t, "fail"),
            not_applicable: default(self, "not-applicable", na),
            not_assessed: default(self, "not-assessed", unseen),
            remedy: self.required(t, "remedy"),
            resource_types: self.strings(t, "resource-types"),
            global: self.flag(t, "global"),
        }
    }

    fn questions(&mut self, t: &Table<'_, '_>) -> Vec<UnvalidatedAsk> {
        let mut questions = Vec::new();
        questions.extend(self.optional(t, "config-rule").map(UnvalidatedAsk::ConfigRule));
        questions.extend(self.optional(t, "securityhub").map(UnvalidatedAsk::SecurityHub));
        if t.table.contains_key("guarded-actions") {
            let actions = self.strings(t, "guarded-actions");
            let conditional = self.required(t, "conditional");
            questions.push(UnvalidatedAsk::GuardedActions { line: t.line, actions, conditional });
        }
        if let Some(state) = self.optional(t, "state") {
            questions.push(UnvalidatedAsk::State { state, of: self.optional(t, "of") });
        }
        questions.extend(self.optional(t, "conformance-pack").map(UnvalidatedAsk::ConformancePack));
        if let Some(product) = self.optional(t, "product") {
            let min_severity = self.required(t, "min-severity");
            let max_age_days = self.required_number(t, "max-age-days");
            let enabled_by = (t.line, self.strings(t, "enabled-by"));
            questions.push(UnvalidatedAsk::Product { product, min_severity, max_age_days, enabled_by });
        }
        questions
    }
}
