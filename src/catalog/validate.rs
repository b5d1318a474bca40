//! From "as written" to [`Catalog`]: references, uniqueness, vocabulary; every fault at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AwsPart, Catalog, Check, Confidence, Faults, Framework, How, Item, Loosened, MappedCheck, Means, Party,
    Requirement, Severity, Text,
    operating::{self, Operating},
    overlay::{self, ResolvedFramework},
    questions::ask,
    raw::{At, UnvalidatedCatalog, UnvalidatedCheck, UnvalidatedFramework, UnvalidatedHow, UnvalidatedItem},
    raw::{UnvalidatedFile, UnvalidatedMapping, UnvalidatedRequirement},
    suggest::did_you_mean,
};
use crate::model::Sha256Digest;

/// Whether identifiers are looked up in AWS's published lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identifiers {
    /// They are: the catalogue is being written or used for the first time.
    Checked,
    /// They are not: the catalogue comes from an archive, and AWS's lists may have moved on since it was sealed.
    AsSealed,
}

/// Validates `raw`; the catalogue's `checks` are those that its frameworks use.
pub(super) fn validate(
    raw: &UnvalidatedCatalog,
    digest: Sha256Digest,
    identifiers: Identifiers,
    mut faults: Faults,
) -> Result<Catalog, Faults> {
    let defined = defined_checks(raw, &mut faults);
    let mut frameworks: Vec<Framework> = Vec::new();
    for file in raw.files.iter().filter(|file| file.wanted) {
        let Some(framework) = &file.framework else { continue };
        let resolved = overlay::resolve(raw, file, framework, &mut faults);
        let mut reader = Validator { file: &file.shown, defined: &defined, faults: &mut faults };
        let Some(framework) = reader.framework(framework, &resolved) else { continue };
        if frameworks.iter().any(|other| other.id == framework.id) {
            faults.add("duplicate-framework", (&file.shown, 0), format!("framework {:?} is here twice", framework.id));
        }
        frameworks.push(framework);
    }
    let mut checks = checks(raw, &defined, identifiers, &mut faults);
    frameworks.extend(bare(raw, &checks, &used(&frameworks)));
    let used = used(&frameworks);
    checks.retain(|id, _| used.contains(id));
    faults.none_or(Catalog { frameworks, checks, digest })
}

/// Validates every check of `raw`, used or not.
fn checks(
    raw: &UnvalidatedCatalog,
    defined: &BTreeMap<String, String>,
    identifiers: Identifiers,
    faults: &mut Faults,
) -> BTreeMap<String, Check> {
    let mut checks = BTreeMap::new();
    for file in &raw.files {
        for check in &file.checks {
            let mut reader = Validator { file: &file.shown, defined, faults: &mut *faults };
            if let Some(check) = reader.check(check, identifiers) {
                checks.insert(check.id.clone(), check);
            }
        }
    }
    checks
}

/// Validates every check of `raw` for its own sake.
pub(super) fn every_check(raw: &UnvalidatedCatalog, mut faults: Faults) -> Result<BTreeMap<String, Check>, Faults> {
    let defined = defined_checks(raw, &mut faults);
    let checks = checks(raw, &defined, Identifiers::Checked, &mut faults);
    faults.none_or(checks)
}

/// Makes a framework of each file of the user's own that holds checks only: one requirement for each check that no other
/// framework uses. So a new check gives a verdict as soon as its file is saved.
fn bare(raw: &UnvalidatedCatalog, checks: &BTreeMap<String, Check>, used: &BTreeSet<String>) -> Vec<Framework> {
    let files = raw.files.iter().filter(|file| file.wanted && file.framework.is_none());
    let framework = |file: &UnvalidatedFile| {
        let ids = file.checks.iter().filter_map(|check| check.id.as_ref()).filter(|id| !used.contains(&id.value));
        let name = file.path.strip_prefix("own/").unwrap_or(&file.path).trim_end_matches(".toml");
        let requirements = ids.filter_map(|id| checks.get(&id.value)).map(bare_requirement);
        Framework {
            id: name.to_owned(),
            title: Text::from([("en".to_owned(), format!("Checks of {name}"))]),
            version: "1".to_owned(),
            operating: Operating::default(),
            requirements: requirements.collect(),
        }
    };
    files.map(framework).filter(|framework| !framework.requirements.is_empty()).collect()
}

fn bare_requirement(check: &Check) -> Requirement {
    let mapped = MappedCheck {
        check: check.id.clone(),
        confidence: Confidence::Judgement,
        source: "the check stands for itself".to_owned(),
    };
    Requirement {
        id: check.id.clone(),
        title: check.title.clone(),
        description: Text::from([("en".to_owned(), check.means.pass.clone())]),
        responsibility: Party::Customer,
        responsibility_reason: "A check of the organisation's own.".to_owned(),
        aws_part: None,
        customer_response: None,
        items: vec![Item {
            id: "a".to_owned(),
            title: check.title.clone(),
            how: How::Automated { checks: vec![mapped] },
        }],
        owner: None,
        reviewed: None,
        operating: Operating::default(),
        loosened: Vec::new(),
    }
}

/// Returns the ids of the checks that `frameworks` use.
fn used(frameworks: &[Framework]) -> BTreeSet<String> {
    let items = frameworks.iter().flat_map(|f| &f.requirements).flat_map(|r| &r.items);
    let mapped = items.filter_map(|item| match &item.how {
        How::Automated { checks } => Some(checks),
        _ => None,
    });
    mapped.flatten().map(|mapped| mapped.check.clone()).collect()
}

/// Every check id that some file defines; a second definition is a fault.
fn defined_checks(raw: &UnvalidatedCatalog, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut defined: BTreeMap<String, String> = BTreeMap::new();
    // Shipped files first: where a user's own check takes a shipped id, the fault is the user's to mend.
    let (shipped, own): (Vec<_>, Vec<_>) = raw.files.iter().partition(|file| file.path.starts_with("checks/"));
    for file in shipped.into_iter().chain(own) {
        for id in file.checks.iter().filter_map(|check| check.id.as_ref()) {
            if let Some(first) = defined.get(&id.value) {
                let what = format!("check {:?} is defined in {first} already", id.value);
                faults.add("duplicate-check", (&file.shown, id.line), what);
            }
            defined.entry(id.value.clone()).or_insert_with(|| format!("{}:{}", file.shown, id.line));
        }
    }
    defined
}

/// The validator of one file: its methods return `None` where a fault stands in the way of a value.
pub(super) struct Validator<'a> {
    pub file: &'a str,
    defined: &'a BTreeMap<String, String>,
    pub faults: &'a mut Faults,
}

impl Validator<'_> {
    /// Adds a fault at `line` of this file.
    pub(super) fn fault(&mut self, code: &'static str, line: usize, what: String) {
        self.faults.add(code, (self.file, line), what);
    }

    fn framework(&mut self, raw: &UnvalidatedFramework, resolved: &ResolvedFramework<'_>) -> Option<Framework> {
        let id = raw.id.as_ref();
        if let Some(id) = id {
            self.id(id, "framework", false);
        }
        if resolved.requirements.is_empty() {
            let name = id.map_or("?", |id| id.value.as_str());
            self.fault("framework-without-requirements", 0, format!("framework {name:?} has no requirement"));
        }
        let mut seen = BTreeMap::new();
        for id in raw.requirements.iter().filter_map(|r| r.id.as_ref()) {
            if let Some(first) = seen.insert(&id.value, id.line) {
                let what = format!("requirement {:?} stands on line {first} already", id.value);
                self.fault("duplicate-requirement", id.line, what);
            }
        }
        let defined = self.defined;
        let (operating, _) = operating::settle(&resolved.layers, self.faults);
        let requirements: Vec<_> = resolved
            .requirements
            .iter()
            .map(|r| {
                let (operating, loosened) = operating::settle(&r.layers, self.faults);
                let mut validator = Validator { file: r.file, defined, faults: &mut *self.faults };
                let requirement = validator.requirement(r.requirement, operating)?;
                Some(Requirement { loosened: [requirement.loosened, loosened].concat(), ..requirement })
            })
            .collect();
        Some(Framework {
            id: id?.value.clone(),
            title: raw.title.clone()?,
            version: raw.version.as_ref()?.value.clone(),
            operating,
            requirements: requirements.into_iter().collect::<Option<_>>()?,
        })
    }

    fn requirement(&mut self, raw: &UnvalidatedRequirement, operating: Operating) -> Option<Requirement> {
        let name = raw.id.as_ref().map_or_else(|| "?".to_owned(), |id| id.value.clone());
        if raw.items.is_empty() {
            let what = format!("requirement {name:?} does not say how it is confirmed: it has no item");
            self.fault("requirement-without-items", raw.line, what);
        }
        let mut seen = BTreeSet::new();
        for id in raw.items.iter().filter_map(|item| item.id.as_ref()) {
            if !seen.insert(&id.value) {
                let what = format!("requirement {name:?} has two items {:?}", id.value);
                self.fault("duplicate-item", id.line, what);
            }
        }
        let inherits = |item: &&UnvalidatedItem| matches!(item.modes[..], [UnvalidatedHow::Inherited(_)]);
        if let (None, Some(item)) = (&raw.aws_part, raw.items.iter().find(inherits)) {
            let what = format!("requirement {name:?} inherits an item but has no aws-part");
            self.fault("inherited-without-aws-part", item.line, what);
        }
        if let Some(date) = raw.reviewed.as_ref().filter(|date| date.value.parse::<jiff::civil::Date>().is_err()) {
            self.fault("invalid-date", date.line, format!("{:?} is not a date (YYYY-MM-DD)", date.value));
        }
        let responsibility = raw.responsibility.as_ref().and_then(|word| self.word(word, PARTIES));
        let items: Vec<_> = raw.items.iter().map(|item| self.item(item, &name)).collect();
        let value = |text: &Option<At<String>>| text.as_ref().map(|text| text.value.clone());
        let loosened: Vec<_> = raw
            .loosened
            .iter()
            .map(|l| Some(Loosened { what: value(&l.what)?, by: value(&l.by)?, why: value(&l.why)? }))
            .collect();
        Some(Requirement {
            id: value(&raw.id)?,
            title: raw.title.clone()?,
            description: raw.description.clone()?,
            responsibility: responsibility?,
            responsibility_reason: value(&raw.responsibility_reason)?,
            aws_part: match &raw.aws_part {
                Some(part) => Some(AwsPart { what: value(&part.what)?, attestation: value(&part.attestation)? }),
                None => None,
            },
            customer_response: value(&raw.customer_response),
            items: items.into_iter().collect::<Option<_>>()?,
            owner: value(&raw.owner),
            reviewed: value(&raw.reviewed),
            operating,
            loosened: loosened.into_iter().collect::<Option<_>>()?,
        })
    }

    fn item(&mut self, raw: &UnvalidatedItem, requirement: &str) -> Option<Item> {
        let name = raw.id.as_ref().map_or("?", |id| id.value.as_str());
        if let Some(id) = &raw.id {
            self.id(id, "item", false);
        }
        let ways = "checks, manual, not-automated or inherited";
        let how = match &raw.modes[..] {
            [how] => self.how(how, raw.line, requirement),
            [] => {
                let what = format!("item {name:?} of {requirement:?} is confirmed in no way: give it {ways}");
                self.fault("item-without-mode", raw.line, what);
                None
            }
            _ => {
                let what = format!("item {name:?} of {requirement:?} is confirmed in several ways: keep one of {ways}");
                self.fault("item-several-modes", raw.line, what);
                None
            }
        };
        Some(Item { id: raw.id.as_ref()?.value.clone(), title: raw.title.clone()?, how: how? })
    }

    fn how(&mut self, raw: &UnvalidatedHow, line: usize, requirement: &str) -> Option<How> {
        Some(match raw {
            UnvalidatedHow::Checks(mappings) => {
                if mappings.is_empty() {
                    self.fault("empty-list", line, format!("an item of {requirement:?} lists no check"));
                }
                let mut seen = BTreeSet::new();
                for check in mappings.iter().filter_map(|m| m.check.as_ref()) {
                    if !seen.insert(&check.value) {
                        let what = format!("an item of {requirement:?} names check {:?} twice", check.value);
                        self.fault("duplicate-mapping", check.line, what);
                    }
                }
                let checks: Vec<_> = mappings.iter().map(|m| self.mapping(m)).collect();
                How::Automated { checks: checks.into_iter().collect::<Option<_>>()? }
            }
            UnvalidatedHow::Manual { evidence, frequency, by } => How::Manual {
                evidence: evidence.as_ref()?.value.clone(),
                frequency: frequency.as_ref()?.value.clone(),
                by: by.as_ref()?.value.clone(),
            },
            UnvalidatedHow::NotAutomated(reason) => How::NotAutomated { reason: reason.value.clone() },
            UnvalidatedHow::Inherited(attestation) => How::Inherited { attestation: attestation.value.clone() },
        })
    }

    fn mapping(&mut self, raw: &UnvalidatedMapping) -> Option<MappedCheck> {
        let confidence = raw.confidence.as_ref().and_then(|word| self.word(word, CONFIDENCES));
        let check = raw.check.as_ref()?;
        if !self.defined.contains_key(&check.value) {
            let help = did_you_mean(&check.value, self.defined.keys().map(String::as_str));
            let what = format!("no file defines check {:?}", check.value);
            self.faults.push("unknown-check", (self.file, check.line), what, help);
        }
        let source = raw.source.as_ref()?.value.clone();
        Some(MappedCheck { check: check.value.clone(), confidence: confidence?, source })
    }

    fn check(&mut self, raw: &UnvalidatedCheck, identifiers: Identifiers) -> Option<Check> {
        let name = raw.id.as_ref().map_or("?", |id| id.value.as_str());
        if let Some(id) = &raw.id {
            self.id(id, "check", true);
        }
        let kinds = "config-rule, securityhub, guarded-actions, state, product or conformance-pack";
        let question = match &raw.questions[..] {
            [question] => ask(self, question, identifiers),
            [] => {
                self.fault("check-without-question", raw.line, format!("check {name:?} asks nothing: give it {kinds}"));
                None
            }
            _ => {
                let what = format!("check {name:?} asks several questions: keep one of {kinds}");
                self.fault("check-several-questions", raw.line, what);
                None
            }
        };
        let severity = raw.severity.as_ref().and_then(|word| self.word(word, SEVERITIES));
        let value = |text: &Option<At<String>>| text.as_ref().map(|text| text.value.clone());
        Some(Check {
            id: value(&raw.id)?,
            title: raw.title.clone()?,
            ask: question?,
            severity: severity?,
            means: Means {
                pass: value(&raw.pass)?,
                fail: value(&raw.fail)?,
                not_applicable: value(&raw.not_applicable)?,
                not_assessed: value(&raw.not_assessed)?,
            },
            remedy: value(&raw.remedy)?,
            resource_types: raw.resource_types.iter().map(|kind| kind.value.clone()).collect(),
            global: raw.global,
        })
    }

    /// Ids travel in file names, links and archive records.
    fn id(&mut self, id: &At<String>, what: &str, slashes: bool) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c) || (slashes && c == '/');
        if !id.value.chars().all(allowed) {
            let may = if slashes { "letters, digits, . _ - : /" } else { "letters, digits, . _ - :" };
            self.fault("invalid-id", id.line, format!("{what} id {:?} may hold only {may}", id.value));
        }
    }

    /// Reads one of a few words.
    pub(super) fn word<T: Copy>(&mut self, word: &At<String>, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(name, _)| *name == word.value);
        if found.is_none() {
            let all: Vec<_> = words.iter().map(|(name, _)| *name).collect();
            let what = format!("{:?} is none of {}", word.value, all.join(", "));
            let help = did_you_mean(&word.value, all);
            self.faults.push("invalid-value", (self.file, word.line), what, help);
        }
        found.map(|(_, value)| *value)
    }
}

const PARTIES: &[(&str, Party)] = &[("aws", Party::Aws), ("shared", Party::Shared), ("customer", Party::Customer)];

const CONFIDENCES: &[(&str, Confidence)] = &[
    ("aws-documented", Confidence::AwsDocumented),
    ("derived", Confidence::Derived),
    ("judgement", Confidence::Judgement),
];

pub(super) const SEVERITIES: &[(&str, Severity)] = &[
    ("informational", Severity::Informational),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];
