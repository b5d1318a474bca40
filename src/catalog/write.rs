//! From [`Framework`] back to the text of a catalogue file.

use std::fmt::Write;

use super::{Confidence, Framework, How, Item, Loosened, MappedCheck, Operating, Party, Requirement, Text};

impl Framework {
    /// Returns the text of a file that reads back as this framework; overlays come out resolved.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        line(&mut out, "id", &quoted(&self.id));
        line(&mut out, "title", &text(&self.title));
        line(&mut out, "version", &quoted(&self.version));
        if self.operating != Operating::default() {
            line(&mut out, "operating", &operating(&self.operating));
        }
        for requirement in &self.requirements {
            write_requirement(&mut out, requirement, &self.operating);
        }
        out
    }
}

impl Party {
    /// Returns the word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Shared => "shared",
            Self::Customer => "customer",
        }
    }
}

impl Confidence {
    /// Returns the word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwsDocumented => "aws-documented",
            Self::Derived => "derived",
            Self::Judgement => "judgement",
        }
    }
}

fn write_requirement(out: &mut String, requirement: &Requirement, general: &Operating) {
    out.push_str("\n[[requirement]]\n");
    line(out, "id", &quoted(&requirement.id));
    line(out, "title", &text(&requirement.title));
    line(out, "description", &text(&requirement.description));
    line(out, "responsibility", &quoted(requirement.responsibility.as_str()));
    line(out, "responsibility-reason", &quoted(&requirement.responsibility_reason));
    if let Some(part) = &requirement.aws_part {
        let (what, attestation) = (quoted(&part.what), quoted(&part.attestation));
        line(out, "aws-part", &format!("{{ what = {what}, attestation = {attestation} }}"));
    }
    let optional = [
        ("customer-response", &requirement.customer_response),
        ("owner", &requirement.owner),
        ("reviewed", &requirement.reviewed),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            line(out, key, &quoted(value));
        }
    }
    if requirement.operating != *general {
        line(out, "operating", &operating(&requirement.operating));
    }
    if !requirement.loosened.is_empty() {
        let entries: Vec<_> = requirement.loosened.iter().map(loosened).collect();
        line(out, "loosened", &format!("[{}]", entries.join(", ")));
    }
    for item in &requirement.items {
        write_item(out, item);
    }
}

fn operating(criteria: &Operating) -> String {
    let Operating { max_days_failing, max_unobserved_percent, .. } = criteria;
    let every = quoted(&criteria.every());
    format!(
        "{{ max-days-failing = {max_days_failing}, max-unobserved-percent = {max_unobserved_percent}, at-least-every = {every} }}"
    )
}

fn loosened(entry: &Loosened) -> String {
    let [what, by, why] = [&entry.what, &entry.by, &entry.why].map(|text| quoted(text));
    format!("{{ what = {what}, by = {by}, why = {why} }}")
}

fn write_item(out: &mut String, item: &Item) {
    out.push_str("\n[[requirement.item]]\n");
    line(out, "id", &quoted(&item.id));
    line(out, "title", &text(&item.title));
    match &item.how {
        How::Automated { checks } => write_checks(out, checks),
        How::Manual { evidence, frequency, by } => {
            let (evidence, frequency, by) = (quoted(evidence), quoted(frequency), quoted(by));
            line(out, "manual", &format!("{{ evidence = {evidence}, frequency = {frequency}, by = {by} }}"));
        }
        How::NotAutomated { reason } => line(out, "not-automated", &quoted(reason)),
        How::Inherited { attestation } => line(out, "inherited", &quoted(attestation)),
    }
}

fn write_checks(out: &mut String, checks: &[MappedCheck]) {
    let common = checks.first().filter(|first| {
        checks.iter().all(|other| other.confidence == first.confidence && other.source == first.source)
    });
    if let Some(first) = common {
        line(out, "confidence", &quoted(first.confidence.as_str()));
        line(out, "source", &quoted(&first.source));
    }
    out.push_str("checks = [\n");
    for mapped in checks {
        let check = quoted(&mapped.check);
        let (confidence, source) = (quoted(mapped.confidence.as_str()), quoted(&mapped.source));
        let entry = match common {
            Some(_) => check,
            None => format!("{{ check = {check}, confidence = {confidence}, source = {source} }}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {entry},");
    }
    out.push_str("]\n");
}

fn line(out: &mut String, key: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{key} = {value}");
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// English alone stands plainly; several languages stand in a table.
fn text(text: &Text) -> String {
    match text.iter().next() {
        Some((tag, only)) if text.len() == 1 && tag == "en" => quoted(only),
        _ => {
            let languages: Vec<_> =
                text.iter().map(|(tag, words)| format!("{} = {}", quoted(tag), quoted(words))).collect();
            format!("{{ {} }}", languages.join(", "))
        }
    }
}
