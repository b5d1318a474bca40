//! One self-contained page: no network, no inline event handlers, scripts and styles allowed by hash only.

use std::{borrow::Cow, collections::BTreeMap};

use base64ct::{Base64, Encoding};
use minijinja::{Value, context, value::Serde};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    ReportError, ReportFile, Source, csv,
    map::MAP_ROWS,
    tables::{COVERAGE, RESULTS},
    template,
    text::{json_for_script, visible},
};
use crate::model::{Assessment, ObservationStatus, ResultLine};

/// Answers that the page holds for searching, those that did not pass first; past that, `results.csv` is written beside
/// the page. About 150 bytes each.
pub const EMBEDDED_RESULTS: usize = 50_000;

/// Answers listed under a check itself, which print and work without a script.
const LISTED: usize = 20;

const STYLE: &str = include_str!("../../reports/html/style.css");
const SCRIPT: &str = include_str!("../../reports/html/script.js");

/// Writes `report.html`, and the tables that it refers to where it does not hold everything.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let data = data(source)?;
    let page = page(source, &data).map_err(|source| ReportError::Template { name: "page.html", source })?;
    let mut files = vec![("report.html".to_owned(), page.into_bytes())];
    if source.assessment.results.len() > EMBEDDED_RESULTS {
        files.push(csv::file(&RESULTS, source)?);
    }
    if source.view.map.total > MAP_ROWS {
        files.push(csv::file(&COVERAGE, source)?);
    }
    Ok(files)
}

fn page(source: &Source<'_>, data: &str) -> Result<String, minijinja::Error> {
    let listed = listed(source.assessment);
    let context = context! {
        v => Value::from(Serde(&source.view)),
        t => Value::from(Serde(&source.texts)),
        findings => Value::from(Serde(&source.assessment.findings)),
        listed => Value::from(Serde(&listed)),
        embedded => source.assessment.results.len().min(EMBEDDED_RESULTS),
        listed_accounts => super::gaps::LISTED_ACCOUNTS,
        statuses => ["satisfied", "not-satisfied", "not-assessed", "not-applicable"],
        answers => ["pass", "fail", "not-assessed", "not-applicable"],
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        data => Value::from_safe_string(data.to_owned()),
        style_hash => csp_hash(STYLE),
        script_hash => csp_hash(SCRIPT),
    };
    template::environment()?.get_template("page.html")?.render(context)
}

/// Returns the hash as CSP level 2 writes it.
fn csp_hash(inline: &str) -> String {
    format!("sha256-{}", Base64::encode_string(&Sha256::digest(inline)))
}

/// Answers of a check that did not pass: the first few, and how many there are.
#[derive(Debug, Default, Serialize)]
struct Listed<'a> {
    rows: Vec<&'a ResultLine>,
    open: usize,
    total: usize,
}

/// Failures first, then what was not assessed, in the order of the results.
fn listed(assessment: &Assessment) -> BTreeMap<&str, Listed<'_>> {
    let mut listed: BTreeMap<&str, Listed<'_>> = BTreeMap::new();
    for wanted in [ObservationStatus::Fail, ObservationStatus::NotAssessed] {
        for line in assessment.results.iter().filter(|r| r.status == wanted) {
            let of = listed.entry(&line.check).or_default();
            of.open += 1;
            if of.rows.len() < LISTED {
                of.rows.push(line);
            }
        }
    }
    for line in &assessment.results {
        listed.entry(&line.check).or_default().total += 1;
    }
    for check in assessment.checks.keys() {
        listed.entry(check).or_default();
    }
    listed
}

/// Strings by index, so that a name that occurs in a thousand answers is written once.
#[derive(Default)]
struct Strings<'a> {
    all: Vec<&'a str>,
    known: BTreeMap<&'a str, usize>,
}

impl<'a> Strings<'a> {
    fn index(&mut self, text: &'a str) -> usize {
        *self.known.entry(text).or_insert_with(|| {
            self.all.push(text);
            self.all.len() - 1
        })
    }
}

#[derive(Serialize)]
struct Data<'a> {
    strings: Vec<Cow<'a, str>>,
    /// check, account, Region, type, resource, answer, why, since, observed, seal, path (indices into `strings`), line.
    rows: Vec<[usize; 12]>,
    names: BTreeMap<&'a str, Cow<'a, str>>,
    words: BTreeMap<&'static str, &'a str>,
}

fn data(source: &Source<'_>) -> Result<String, ReportError> {
    let mut order: Vec<&ResultLine> = source.assessment.results.iter().collect();
    order.sort_by_key(|r| match r.status {
        ObservationStatus::Fail => 0,
        ObservationStatus::NotAssessed => 1,
        ObservationStatus::Pass => 2,
        ObservationStatus::NotApplicable => 3,
    });
    order.truncate(EMBEDDED_RESULTS);
    let texts: Vec<[String; 3]> = order.iter().map(|r| owned(r)).collect();
    let mut strings = Strings::default();
    let rows = order.iter().zip(&texts).map(|(line, texts)| row(line, texts, &mut strings)).collect();
    let word = |path| source.texts.get(path);
    let data = Data {
        rows,
        strings: strings.all.into_iter().map(visible).collect(),
        names: source.view.accounts.iter().map(|a| (a.id, visible(a.name))).collect(),
        words: BTreeMap::from([
            ("pass", word("answer.pass.word")),
            ("fail", word("answer.fail.word")),
            ("not-assessed", word("answer.not-assessed.word")),
            ("not-applicable", word("answer.not-applicable.word")),
            ("shown", word("result.shown")),
            ("nothing", word("result.nothing")),
            ("copied", word("page.copied")),
            ("seal", word("check.seal")),
            ("since", word("check.since")),
        ]),
    };
    serde_json::to_string(&data)
        .map(|json| json_for_script(&json))
        .map_err(|e| ReportError::Write { format: "html", why: e.to_string() })
}

/// The texts of a row that are not stored as text: since, observed, seal.
fn owned(line: &ResultLine) -> [String; 3] {
    let minute = |t: Option<jiff::Timestamp>| t.map(|t| t.strftime("%Y-%m-%d %H:%M UTC").to_string());
    [
        minute(line.since).unwrap_or_default(),
        minute(line.observed).unwrap_or_default(),
        line.evidence.as_ref().map(|e| e.seal.to_string()).unwrap_or_default(),
    ]
}

fn row<'a>(line: &'a ResultLine, [since, observed, seal]: &'a [String; 3], strings: &mut Strings<'a>) -> [usize; 12] {
    let status = match line.status {
        ObservationStatus::Pass => "pass",
        ObservationStatus::Fail => "fail",
        ObservationStatus::NotApplicable => "not-applicable",
        ObservationStatus::NotAssessed => "not-assessed",
    };
    let path = line.evidence.as_ref().map_or("", |e| &e.path);
    let number = line.evidence.as_ref().map_or(0, |e| usize::try_from(e.line).unwrap_or(usize::MAX));
    let mut index = |text| strings.index(text);
    [
        index(&line.check),
        index(line.account.as_str()),
        index(line.region.as_str()),
        index(&line.resource.kind),
        index(&line.resource.id),
        index(status),
        index(&line.why),
        index(since),
        index(observed),
        index(seal),
        index(path),
        number,
    ]
}
