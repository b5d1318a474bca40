//! A framework as a spreadsheet (CSV), one row for each checklist item, and back without loss.
//!
//! Ids stand as `framework:requirement`, because a spreadsheet turns a bare `1.10` into the number 1.1. A cell that holds
//! several checks has one line for each: `check | confidence | source`. Texts in other languages than English have columns of
//! their own, such as `title [ja]`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AwsPart, Confidence, Framework, How, Item, Loosened, MappedCheck, Operating, Party, Requirement, Text,
    suggest::did_you_mean,
};

/// Columns besides those of other languages.
const COLUMNS: [&str; 27] = [
    "requirement",
    "title",
    "description",
    "responsibility",
    "responsibility reason",
    "aws part",
    "aws attestation",
    "customer response",
    "owner",
    "reviewed",
    "item",
    "item title",
    "mode",
    "checks",
    "evidence",
    "frequency",
    "by",
    "reason",
    "max days failing",
    "max unobserved percent",
    "at least every",
    "loosened",
    "framework title",
    "framework version",
    "framework max days failing",
    "framework max unobserved percent",
    "framework at least every",
];

/// Columns that hold texts, which may come in other languages too.
const TEXTS: [&str; 4] = ["title", "description", "item title", "framework title"];

/// A spreadsheet that does not read as a framework; each entry names the row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the spreadsheet cannot be brought back:\n{}", .0.join("\n"))]
pub struct SheetFaults(pub Vec<String>);

/// Returns `framework` as CSV (RFC 4180, UTF-8).
///
/// # Errors
/// Never for a framework that was loaded; the CSV writer's own errors are passed on.
pub fn export(framework: &Framework) -> Result<Vec<u8>, csv::Error> {
    let languages = languages(framework);
    let extra = languages.iter().flat_map(|lang| TEXTS.map(|column| format!("{column} [{lang}]")));
    let header: Vec<String> = COLUMNS.map(str::to_owned).into_iter().chain(extra).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header)?;
    for requirement in &framework.requirements {
        for item in &requirement.items {
            let row = row(framework, requirement, item);
            writer.write_record(header.iter().map(|column| row.get(column).map_or("", String::as_str)))?;
        }
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Returns the languages other than English that some text has.
fn languages(framework: &Framework) -> BTreeSet<String> {
    let items = framework.requirements.iter().flat_map(|r| r.items.iter().map(|item| &item.title));
    let texts = framework.requirements.iter().flat_map(|r| [&r.title, &r.description]);
    let all = texts.chain(items).chain([&framework.title]);
    all.flat_map(|text| text.keys()).filter(|tag| *tag != "en").cloned().collect()
}

type Row = BTreeMap<String, String>;

fn row(framework: &Framework, requirement: &Requirement, item: &Item) -> Row {
    let mut row = Row::new();
    let mut set = |column: &str, value: &str| {
        row.insert(column.to_owned(), value.to_owned());
    };
    let texts = [&requirement.title, &requirement.description, &item.title, &framework.title];
    for (column, text) in TEXTS.iter().zip(texts) {
        for (tag, words) in text {
            let name = if tag == "en" { (*column).to_owned() } else { format!("{column} [{tag}]") };
            set(&name, words);
        }
    }
    set("framework version", &framework.version);
    for (prefix, criteria) in [("framework ", &framework.operating), ("", &requirement.operating)] {
        set(&format!("{prefix}max days failing"), &criteria.max_days_failing.to_string());
        set(&format!("{prefix}max unobserved percent"), &criteria.max_unobserved_percent.to_string());
        set(&format!("{prefix}at least every"), &criteria.every());
    }
    let loosened = requirement.loosened.iter().map(|l| format!("{} | {} | {}", l.what, l.by, l.why));
    set("loosened", &loosened.collect::<Vec<_>>().join("\n"));
    set("requirement", &format!("{}:{}", framework.id, requirement.id));
    set("responsibility", requirement.responsibility.as_str());
    set("responsibility reason", &requirement.responsibility_reason);
    if let Some(part) = &requirement.aws_part {
        set("aws part", &part.what);
        set("aws attestation", &part.attestation);
    }
    set("customer response", requirement.customer_response.as_deref().unwrap_or(""));
    set("owner", requirement.owner.as_deref().unwrap_or(""));
    set("reviewed", requirement.reviewed.as_deref().unwrap_or(""));
    set("item", &item.id);
    match &item.how {
        How::Automated { checks } => {
            let line = |m: &MappedCheck| format!("{} | {} | {}", m.check, m.confidence.as_str(), m.source);
            set("mode", "automated");
            set("checks", &checks.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        How::Manual { evidence, frequency, by } => {
            set("mode", "manual");
            set("evidence", evidence);
            set("frequency", frequency);
            set("by", by);
        }
        How::NotAutomated { reason } => {
            set("mode", "not-automated");
            set("reason", reason);
        }
        How::Inherited { attestation } => {
            set("mode", "inherited");
            set("reason", attestation);
        }
    }
    row
}

/// Reads a spreadsheet back into a framework; [`Framework::to_toml`] writes it down, and `controls lint` judges it.
///
/// Columns may stand in any order, empty rows are skipped. What belongs to the requirement is taken from its first row.
///
/// # Errors
/// [`SheetFaults`] with every fault and its row.
pub fn import(bytes: &[u8]) -> Result<Framework, SheetFaults> {
    // Excel begins a UTF-8 file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| SheetFaults(vec![error.to_string()]))?.clone();
    let mut importer = Importer { faults: unknown_columns(&header), row: 0, framework: None };
    for (at, record) in reader.records().enumerate() {
        importer.row = at + 2;
        match record {
            Ok(record) if record.iter().all(|cell| cell.trim().is_empty()) => {}
            Ok(record) => {
                let cells = header.iter().zip(record.iter()).filter(|(_, cell)| !cell.trim().is_empty());
                importer
                    .take(&cells.map(|(name, cell)| (name.to_owned(), cell.trim().replace("\r\n", "\n"))).collect());
            }
            Err(error) => importer.fault(&error.to_string()),
        }
    }
    match (importer.faults.is_empty(), importer.framework) {
        (true, Some(framework)) => Ok(framework),
        (true, None) => Err(SheetFaults(vec!["there is no row".to_owned()])),
        (false, _) => Err(SheetFaults(importer.faults)),
    }
}

fn unknown_columns(header: &csv::StringRecord) -> Vec<String> {
    let known = |name: &str| {
        let base = name.split_once(" [").filter(|(_, tag)| tag.ends_with(']')).map(|(base, _)| base);
        COLUMNS.contains(&name) || base.is_some_and(|base| TEXTS.contains(&base))
    };
    let unknown = header.iter().filter(|name| !known(name));
    let mut faults: Vec<String> = unknown
        .map(|name| {
            let help = did_you_mean(name, COLUMNS).map_or_else(String::new, |help| format!("; {help}"));
            format!("row 1: there is no column {name:?}{help}")
        })
        .collect();
    let absent = COLUMNS.iter().filter(|column| !header.iter().any(|name| name == **column));
    faults.extend(absent.map(|column| format!("row 1: column {column:?} is missing")));
    faults
}

struct Importer {
    faults: Vec<String>,
    row: usize,
    framework: Option<Framework>,
}

impl Importer {
    fn fault(&mut self, what: &str) {
        self.faults.push(format!("row {}: {what}", self.row));
    }

    fn cell(&mut self, row: &Row, column: &str) -> String {
        if !row.contains_key(column) {
            self.fault(&format!("{column:?} is empty"));
        }
        row.get(column).cloned().unwrap_or_default()
    }

    fn take(&mut self, row: &Row) {
        let name = self.cell(row, "requirement");
        let Some((framework_id, id)) = name.split_once(':') else {
            return self.fault(&format!("requirement {name:?} is not framework:requirement"));
        };
        let item = self.item(row);
        let is_new = !self.framework.iter().flat_map(|f| &f.requirements).any(|requirement| requirement.id == id);
        let title = text(row, "framework title");
        let version = self.cell(row, "framework version");
        let operating = self.operating(row, "framework ", Operating::default());
        let framework = self.framework.get_or_insert_with(|| Framework {
            id: framework_id.to_owned(),
            title,
            version,
            operating,
            requirements: Vec::new(),
        });
        let general = framework.operating;
        let other = (framework.id != framework_id).then(|| framework.id.clone());
        let requirement = is_new.then(|| self.requirement(row, id, general)).flatten();
        let Some(framework) = &mut self.framework else { return };
        framework.requirements.extend(requirement);
        let holder = framework.requirements.iter_mut().find(|requirement| requirement.id == id);
        if let (Some(holder), Some(item)) = (holder, item) {
            holder.items.push(item);
        }
        if let Some(other) = other {
            self.fault(&format!("a spreadsheet holds one framework: {framework_id:?} stands beside {other:?}"));
        }
    }

    fn requirement(&mut self, row: &Row, id: &str, general: Operating) -> Option<Requirement> {
        let loosened = row.get("loosened").cloned().unwrap_or_default();
        let loosened: Vec<_> = loosened.lines().map(|line| self.loosened(line)).collect();
        let word = self.cell(row, "responsibility");
        let party = [Party::Aws, Party::Shared, Party::Customer].into_iter().find(|party| party.as_str() == word);
        if party.is_none() {
            self.fault(&format!("responsibility {word:?} is none of aws, shared, customer"));
        }
        let aws_part = match (row.get("aws part"), row.get("aws attestation")) {
            (None, None) => None,
            _ => Some(AwsPart { what: self.cell(row, "aws part"), attestation: self.cell(row, "aws attestation") }),
        };
        Some(Requirement {
            id: id.to_owned(),
            title: text(row, "title"),
            description: text(row, "description"),
            responsibility: party?,
            responsibility_reason: self.cell(row, "responsibility reason"),
            aws_part,
            customer_response: row.get("customer response").cloned(),
            items: Vec::new(),
            owner: row.get("owner").cloned(),
            reviewed: row.get("reviewed").cloned(),
            operating: self.operating(row, "", general),
            loosened: loosened.into_iter().collect::<Option<_>>()?,
        })
    }

    fn operating(&mut self, row: &Row, prefix: &str, general: Operating) -> Operating {
        let name = |column: &str| format!("{prefix}{column}");
        let number = |text: &str| text.parse().ok();
        Operating {
            max_days_failing: self.or(row, &name("max days failing"), general.max_days_failing, number),
            max_unobserved_percent: self.or(
                row,
                &name("max unobserved percent"),
                general.max_unobserved_percent,
                |text| text.parse().ok(),
            ),
            at_least_every: self.or(row, &name("at least every"), general.at_least_every, super::operating::duration),
        }
    }

    /// Reads a cell; an empty one leaves what holds in `general`.
    fn or<T>(&mut self, row: &Row, column: &str, general: T, parse: impl Fn(&str) -> Option<T>) -> T {
        let Some(text) = row.get(column) else { return general };
        parse(text).unwrap_or_else(|| {
            self.fault(&format!("{column:?} cannot be {text:?}"));
            general
        })
    }

    fn loosened(&mut self, line: &str) -> Option<Loosened> {
        let mut parts = line.splitn(3, " | ").map(|part| part.trim().to_owned());
        let (Some(what), Some(by), Some(why)) = (parts.next(), parts.next(), parts.next()) else {
            self.fault(&format!("{line:?} is not: what | by | why"));
            return None;
        };
        Some(Loosened { what, by, why })
    }

    fn item(&mut self, row: &Row) -> Option<Item> {
        let mode = self.cell(row, "mode");
        let how = match mode.as_str() {
            "automated" => {
                let lines = self.cell(row, "checks");
                let checks: Vec<_> = lines.lines().map(|line| self.mapping(line)).collect();
                How::Automated { checks: checks.into_iter().collect::<Option<_>>()? }
            }
            "manual" => How::Manual {
                evidence: self.cell(row, "evidence"),
                frequency: self.cell(row, "frequency"),
                by: self.cell(row, "by"),
            },
            "not-automated" => How::NotAutomated { reason: self.cell(row, "reason") },
            "inherited" => How::Inherited { attestation: self.cell(row, "reason") },
            _ => {
                self.fault(&format!("mode {mode:?} is none of automated, manual, not-automated, inherited"));
                return None;
            }
        };
        Some(Item { id: self.cell(row, "item"), title: text(row, "item title"), how })
    }

    fn mapping(&mut self, line: &str) -> Option<MappedCheck> {
        let mut parts = line.splitn(3, " | ").map(str::trim);
        let (Some(check), Some(word), Some(source)) = (parts.next(), parts.next(), parts.next()) else {
            self.fault(&format!("{line:?} is not: check | confidence | source"));
            return None;
        };
        let all = [Confidence::AwsDocumented, Confidence::Derived, Confidence::Judgement];
        let Some(confidence) = all.into_iter().find(|confidence| confidence.as_str() == word) else {
            self.fault(&format!("confidence {word:?} is none of aws-documented, derived, judgement"));
            return None;
        };
        Some(MappedCheck { check: check.to_owned(), confidence, source: source.to_owned() })
    }
}

/// Collects a text from its column and those of other languages; lint complains where English is missing.
fn text(row: &Row, column: &str) -> Text {
    let tag_of = |name: &str| match name.strip_prefix(column)? {
        "" => Some("en".to_owned()),
        rest => rest.strip_prefix(" [")?.strip_suffix(']').map(str::to_owned),
    };
    row.iter().filter_map(|(name, words)| Some((tag_of(name)?, words.clone()))).collect()
}
