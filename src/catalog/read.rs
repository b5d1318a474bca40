//! From text to [`UnvalidatedFile`].
//!
//! The reader walks the spanned TOML tree itself rather than through serde, because serde stops at the first fault and a
//! reviewer wants all of them.

use toml::de::{DeTable, DeValue};

use super::{
    Faults, Text,
    files::Source,
    raw::{At, UnvalidatedAsk, UnvalidatedAwsPart, UnvalidatedCheck, UnvalidatedFile, UnvalidatedFramework},
    raw::{UnvalidatedHow, UnvalidatedItem, UnvalidatedMapping, UnvalidatedRequirement},
    suggest::did_you_mean,
};

/// Keys of a file.
pub(super) const FILE_KEYS: &[&str] = &["id", "title", "version", "from", "only", "requirement", "check", "means"];
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
];
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

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset)
    }
}

struct Reader<'a> {
    shown: &'a str,
    lines: Lines,
    faults: &'a mut Faults,
}

/// A table, the line on which it begins, and what a fault calls it.
struct Table<'t, 'i> {
    table: &'t DeTable<'i>,
    line: usize,
    name: String,
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
        let is_framework = ["id", "title", "version", "from", "requirement"].iter().any(|key| table.contains_key(*key));
        let framework = is_framework.then(|| {
            let requirements = self.children(&top, "requirement");
            UnvalidatedFramework {
                id: self.required(&top, "id"),
                title: self.text(&top, "title"),
                version: self.required(&top, "version"),
                from: self.optional(&top, "from"),
                only: self.strings(&top, "only"),
                requirements: requirements.iter().map(|t| self.requirement(t)).collect(),
            }
        });
        (framework, checks)
    }

    fn requirement(&mut self, t: &Table<'_, '_>) -> UnvalidatedRequirement {
        self.known(t, REQUIREMENT_KEYS);
        let items = self.children(t, "item");
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
        }
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
        questions
    }

    fn known(&mut self, t: &Table<'_, '_>, keys: &[&str]) {
        for key in t.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let line = self.lines.of(key.span().start);
            let help = did_you_mean(key.get_ref(), keys.iter().copied())
                .unwrap_or_else(|| format!("the keys known there are {}", keys.join(", ")));
            let what = format!("{} has no key {:?}", t.name, key.get_ref());
            self.faults.push("unknown-key", (self.shown, line), what, Some(help));
        }
    }

    fn wrong(&mut self, line: usize, t: &Table<'_, '_>, key: &str, needs: &str) {
        self.faults.add("wrong-type", (self.shown, line), format!("{key:?} of {} has to be {needs}", t.name));
    }

    fn missing(&mut self, t: &Table<'_, '_>, key: &str) {
        self.faults.add("missing-key", (self.shown, t.line), format!("{} lacks {key:?}", t.name));
    }

    fn string(&mut self, t: &Table<'_, '_>, key: &str, value: &toml::Spanned<DeValue<'_>>) -> Option<At<String>> {
        let line = self.lines.of(value.span().start);
        let DeValue::String(text) = value.get_ref() else {
            self.wrong(line, t, key, "a text in quotes");
            return None;
        };
        if text.trim().is_empty() {
            self.faults.add("empty-text", (self.shown, line), format!("{key:?} of {} says nothing", t.name));
            return None;
        }
        Some(At { value: text.trim().to_owned(), line })
    }

    fn optional(&mut self, t: &Table<'_, '_>, key: &str) -> Option<At<String>> {
        t.table.get(key).and_then(|value| self.string(t, key, value))
    }

    fn required(&mut self, t: &Table<'_, '_>, key: &str) -> Option<At<String>> {
        if !t.table.contains_key(key) {
            self.missing(t, key);
        }
        self.optional(t, key)
    }

    /// A text in English, or a table of texts by language tag.
    fn text(&mut self, t: &Table<'_, '_>, key: &str) -> Option<Text> {
        let Some(value) = t.table.get(key) else {
            self.missing(t, key);
            return None;
        };
        let DeValue::Table(languages) = value.get_ref() else {
            return self.string(t, key, value).map(|text| Text::from([("en".to_owned(), text.value)]));
        };
        let line = self.lines.of(value.span().start);
        let text: Text = languages
            .iter()
            .filter_map(|(tag, text)| Some((tag.get_ref().to_string(), self.string(t, key, text)?.value)))
            .collect();
        if !languages.contains_key("en") {
            self.faults.add("missing-english", (self.shown, line), format!("{key:?} of {} has no \"en\"", t.name));
        }
        text.contains_key("en").then_some(text)
    }

    fn strings(&mut self, t: &Table<'_, '_>, key: &str) -> Vec<At<String>> {
        let Some(value) = t.table.get(key) else { return Vec::new() };
        let DeValue::Array(values) = value.get_ref() else {
            let line = self.lines.of(value.span().start);
            self.wrong(line, t, key, "a list of texts in brackets");
            return Vec::new();
        };
        values.iter().filter_map(|value| self.string(t, key, value)).collect()
    }

    fn flag(&mut self, t: &Table<'_, '_>, key: &str) -> bool {
        let Some(value) = t.table.get(key) else { return false };
        if let DeValue::Boolean(flag) = value.get_ref() {
            return *flag;
        }
        let line = self.lines.of(value.span().start);
        self.wrong(line, t, key, "true or false");
        false
    }

    fn table<'t, 'i>(&self, key: &str, value: &'t toml::Spanned<DeValue<'i>>) -> Option<Table<'t, 'i>> {
        let DeValue::Table(table) = value.get_ref() else { return None };
        let name = ["id", "check"].iter().find_map(|key| table.get(*key)).and_then(|id| id.get_ref().as_str());
        let name = name.map_or_else(|| format!("a {key}"), |id| format!("{key} {id:?}"));
        Some(Table { table, line: self.lines.of(value.span().start), name })
    }

    fn child<'t, 'i>(&mut self, t: &Table<'t, 'i>, key: &str) -> Option<Table<'t, 'i>> {
        let value = t.table.get(key)?;
        let child = self.table(key, value);
        if child.is_none() {
            let line = self.lines.of(value.span().start);
            self.wrong(line, t, key, "a table in braces");
        }
        child
    }

    fn children<'t, 'i>(&mut self, t: &Table<'t, 'i>, key: &str) -> Vec<Table<'t, 'i>> {
        let Some(value) = t.table.get(key) else { return Vec::new() };
        let children: Option<Vec<_>> = match value.get_ref() {
            DeValue::Array(values) => values.iter().map(|value| self.table(key, value)).collect(),
            _ => None,
        };
        children.unwrap_or_else(|| {
            let line = self.lines.of(value.span().start);
            self.wrong(line, t, key, "a list of tables");
            Vec::new()
        })
    }
}
