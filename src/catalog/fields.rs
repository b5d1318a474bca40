//! A TOML table's fields by kind: each getter reports what is wrong with its line and returns what could be read.

use toml::de::{DeTable, DeValue};

use super::{Faults, Text, raw::At, suggest::did_you_mean};

/// Where each line begins.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    pub(super) fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset)
    }
}

/// Reads one file.
pub(super) struct Reader<'a> {
    pub shown: &'a str,
    pub lines: Lines,
    pub faults: &'a mut Faults,
}

/// A table, the line on which it begins, and what a fault calls it.
pub(super) struct Table<'t, 'i> {
    pub table: &'t DeTable<'i>,
    pub line: usize,
    pub name: String,
}

impl Reader<'_> {
    pub(super) fn known(&mut self, t: &Table<'_, '_>, keys: &[&str]) {
        for key in t.table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let line = self.lines.of(key.span().start);
            let help = did_you_mean(key.get_ref(), keys.iter().copied())
                .unwrap_or_else(|| format!("the keys known there are {}", keys.join(", ")));
            let what = format!("{} has no key {:?}", t.name, key.get_ref());
            self.faults.push("unknown-key", (self.shown, line), what, Some(help));
        }
    }

    pub(super) fn wrong(&mut self, line: usize, t: &Table<'_, '_>, key: &str, needs: &str) {
        self.faults.add("wrong-type", (self.shown, line), format!("{key:?} of {} has to be {needs}", t.name));
    }

    pub(super) fn missing(&mut self, t: &Table<'_, '_>, key: &str) {
        self.faults.add("missing-key", (self.shown, t.line), format!("{} lacks {key:?}", t.name));
    }

    pub(super) fn string(
        &mut self,
        t: &Table<'_, '_>,
        key: &str,
        value: &toml::Spanned<DeValue<'_>>,
    ) -> Option<At<String>> {
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

    pub(super) fn optional(&mut self, t: &Table<'_, '_>, key: &str) -> Option<At<String>> {
        t.table.get(key).and_then(|value| self.string(t, key, value))
    }

    pub(super) fn required(&mut self, t: &Table<'_, '_>, key: &str) -> Option<At<String>> {
        if !t.table.contains_key(key) {
            self.missing(t, key);
        }
        self.optional(t, key)
    }

    /// A text in English, or a table of texts by language tag.
    pub(super) fn text(&mut self, t: &Table<'_, '_>, key: &str) -> Option<Text> {
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

    pub(super) fn strings(&mut self, t: &Table<'_, '_>, key: &str) -> Vec<At<String>> {
        let Some(value) = t.table.get(key) else { return Vec::new() };
        let DeValue::Array(values) = value.get_ref() else {
            let line = self.lines.of(value.span().start);
            self.wrong(line, t, key, "a list of texts in brackets");
            return Vec::new();
        };
        values.iter().filter_map(|value| self.string(t, key, value)).collect()
    }

    pub(super) fn required_number(&mut self, t: &Table<'_, '_>, key: &str) -> Option<At<i64>> {
        if !t.table.contains_key(key) {
            self.missing(t, key);
        }
        self.number(t, key)
    }

    pub(super) fn number(&mut self, t: &Table<'_, '_>, key: &str) -> Option<At<i64>> {
        let value = t.table.get(key)?;
        let line = self.lines.of(value.span().start);
        let number = value.get_ref().as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
        if number.is_none() {
            self.wrong(line, t, key, "a whole number");
        }
        Some(At { value: number?, line })
    }

    pub(super) fn flag(&mut self, t: &Table<'_, '_>, key: &str) -> bool {
        let Some(value) = t.table.get(key) else { return false };
        if let DeValue::Boolean(flag) = value.get_ref() {
            return *flag;
        }
        let line = self.lines.of(value.span().start);
        self.wrong(line, t, key, "true or false");
        false
    }

    pub(super) fn table<'t, 'i>(&self, key: &str, value: &'t toml::Spanned<DeValue<'i>>) -> Option<Table<'t, 'i>> {
        let DeValue::Table(table) = value.get_ref() else { return None };
        let name = ["id", "check"].iter().find_map(|key| table.get(*key)).and_then(|id| id.get_ref().as_str());
        let name = name.map_or_else(|| format!("a {key}"), |id| format!("{key} {id:?}"));
        Some(Table { table, line: self.lines.of(value.span().start), name })
    }

    pub(super) fn child<'t, 'i>(&mut self, t: &Table<'t, 'i>, key: &str) -> Option<Table<'t, 'i>> {
        let value = t.table.get(key)?;
        let child = self.table(key, value);
        if child.is_none() {
            let line = self.lines.of(value.span().start);
            self.wrong(line, t, key, "a table in braces");
        }
        child
    }

    pub(super) fn children<'t, 'i>(&mut self, t: &Table<'t, 'i>, key: &str) -> Vec<Table<'t, 'i>> {
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
