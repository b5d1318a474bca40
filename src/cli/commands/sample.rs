//! `orgproof sample`: a population frozen by its hash, then a selection by the auditor's seed.

use std::path::Path;

use csv::{QuoteStyle, Terminator, WriterBuilder};
use serde_json::json;

use super::super::{Exit, Failure, Output};
use crate::{
    archive::Reader,
    audit::{
        open_archive,
        sample::{self, METHOD, Population, Selected},
    },
    report::text::{formula_safe, visible},
};

pub(super) fn run(input: &Path, check: &str, chosen: Option<(&str, usize)>, output: &Output) -> Result<Exit, Failure> {
    let archive = open_archive(input).map_err(Failure::usage)?;
    let population = sample::population(&archive, check).map_err(Failure::usage)?;
    let counts = &population.counts;
    output.say(format!(
        "{check} in {}: {} records ({} pass, {} fail, {} not applicable, {} not assessed)\npopulation SHA-256 {}",
        archive.label(),
        population.count,
        counts.pass,
        counts.fail,
        counts.not_applicable,
        counts.not_assessed,
        population.sha256
    ));
    let Some((seed, size)) = chosen else {
        output.say(
            "Nothing is drawn yet: give this hash to the auditor, who then names a seed; draw with --seed SEED --size N.",
        );
        output.result(&document(&archive, &population, None), || list(&population))?;
        return Ok(Exit::Done);
    };
    let drawn = sample::draw(&archive, &population, seed, size).map_err(Failure::usage)?;
    if drawn.len() < size {
        output.say(format!("The population has {} records: all of them are drawn, not {size}.", drawn.len()));
    }
    output.say(format!("seed {seed:?}; {METHOD}"));
    output.result(&document(&archive, &population, Some((seed, size, &drawn))), || table(&population, seed, &drawn))?;
    Ok(Exit::Done)
}

fn document(archive: &Reader, population: &Population, drawn: Option<(&str, usize, &[Selected])>) -> serde_json::Value {
    let mut document = json!({
        "archive": archive.label(),
        "seal": archive.seal_digest(),
        "check": population.check,
        "population": { "count": population.count, "sha256": population.sha256, "counts": population.counts,
                        "records": population.records },
        "method": METHOD,
    });
    if let Some((seed, size, drawn)) = drawn {
        document["seed"] = seed.into();
        document["size"] = size.into();
        document["selected"] = json!(drawn);
    }
    document
}

/// The population as CSV.
fn list(population: &Population) -> String {
    let header = ["record_sha256", "path", "line", "status", "population_count", "population_sha256"];
    let (count, hash) = (population.count.to_string(), population.sha256.to_string());
    let rows = population.records.iter().map(|m| {
        vec![m.record.to_string(), m.path.to_string(), m.line.to_string(), word(&m.status), count.clone(), hash.clone()]
    });
    csv(&header, rows)
}

/// The sample as CSV: each row says by which seed and out of which population it was drawn.
fn table(population: &Population, seed: &str, drawn: &[Selected]) -> String {
    let header = [
        "order",
        "rank",
        "record_sha256",
        "path",
        "line",
        "check",
        "account",
        "region",
        "resource_type",
        "resource_id",
        "status",
        "why",
        "observed",
        "population_count",
        "population_sha256",
        "seed",
    ];
    let (count, hash) = (population.count.to_string(), population.sha256.to_string());
    let rows = drawn.iter().map(|s| {
        let (member, result) = (&s.member, &s.result);
        vec![
            s.order.to_string(),
            s.rank.to_string(),
            member.record.to_string(),
            member.path.to_string(),
            member.line.to_string(),
            result.check.clone(),
            result.account.to_string(),
            result.region.to_string(),
            result.resource.kind.clone(),
            result.resource.id.clone(),
            word(&result.status),
            result.why.clone(),
            result.observed.map(|t| t.to_string()).unwrap_or_default(),
            count.clone(),
            hash.clone(),
            seed.to_owned(),
        ]
    });
    csv(&header, rows)
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Lines end in LF: this goes to a pipe or a terminal.
fn csv(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::Any(b'\n'))
        .quote_style(QuoteStyle::Necessary)
        .from_writer(Vec::new());
    // Writing to memory cannot fail, and every row has the header's length.
    let _ = writer.write_record(header);
    for row in rows {
        let _ = writer.write_record(row.iter().map(|field| formula_safe(&visible(field)).into_owned()));
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
