//! Every question that a run's evidence knows, answered as checks are but without a catalogue: what a period's timeline is made of.
//!
//! Global resources are answered Region by Region here: which Regions speak for which others is for whoever knows the check.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use super::{
    lines::Asker,
    population::{CoverageRef, Population},
};
use crate::{
    catalog::{Ask, Check, Means, Severity},
    model::{Collector, Coverage, ObservationStatus, PlannedTask, Question, ResultLine},
    observe::{Observed, Standing, StandingReading, states},
};

/// One answer to a question; `line.check` is the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionLine {
    /// The answer.
    pub line: ResultLine,
    /// What the recorder records, where a control that is on has no finding: with the resource types that it concerns that says
    /// whether there is nothing to ask.
    pub silent: Option<String>,
}

/// Returns the questions that the evidence knows: those answered, and those of the rules and controls that are there.
///
/// # Errors
/// A temporary file cannot be read.
pub fn known(observed: &Observed) -> io::Result<BTreeSet<String>> {
    let mut known: BTreeSet<String> = observed.observations.questions()?.iter().map(ToString::to_string).collect();
    observed.standings.each(|question, _, _, _| {
        known.insert(question.to_string());
    })?;
    let always = [
        states::CONFIG_RECORDER,
        states::REGION_COVERED,
        states::AGGREGATOR_COMPLETE,
        states::SECURITYHUB_ENABLED,
        states::ORGANIZATION_ALL_FEATURES,
        states::SCP_ENABLED,
    ];
    known.extend(always.map(|state| states::question(state, None).to_string()));
    Ok(known)
}

/// Answers `questions` (texts; those that no check could ask are left out), in order of their texts, then account by account.
///
/// # Errors
/// As `each` fails, or a temporary file cannot be read.
pub fn answer<E: From<io::Error>>(
    questions: &BTreeSet<String>,
    observed: &Observed,
    plan: &[PlannedTask],
    coverage: &[Coverage],
    coverage_ref: CoverageRef<'_>,
    each: &mut dyn FnMut(Vec<QuestionLine>) -> Result<(), E>,
) -> Result<(), E> {
    let asker = Asker { observed, population: Population::new(plan, coverage, observed, coverage_ref), policies: None };
    for text in questions {
        let Ok(question) = text.parse::<Question>() else { continue };
        let mut standings = observed.standings.of(&question)?;
        let Some(ask) = ask(question) else { continue };
        let check = bare(text, ask);
        asker.lines::<E>(&check, &mut |lines| {
            let mut said = Vec::with_capacity(lines.len());
            for line in lines {
                let silent = silent(&asker, &check, &line.line, &mut standings)?;
                said.push(QuestionLine { line: line.line, silent });
            }
            each(said)
        })?;
    }
    Ok(())
}

fn ask(question: Question) -> Option<Ask> {
    match question {
        Question::ConfigRule(identifier) => Some(Ask::ConfigRule { identifier }),
        Question::SecurityHub(control) => Some(Ask::SecurityHub { control }),
        Question::State(name) => {
            let (state, of) = name.split_once(':').map_or((name.as_str(), None), |(s, of)| (s, Some(of)));
            Some(Ask::State { state: state.to_owned(), of: of.map(str::to_owned) })
        }
        Question::GuardedAction(_) | Question::Product(_) | Question::Manual(_) => None,
    }
}

fn bare(question: &str, ask: Ask) -> Check {
    let nothing = String::new;
    Check {
        id: question.to_owned(),
        title: BTreeMap::new(),
        ask,
        severity: Severity::Informational,
        means: Means { pass: nothing(), fail: nothing(), not_applicable: nothing(), not_assessed: nothing() },
        remedy: nothing(),
        resource_types: Vec::new(),
        global: false,
    }
}

/// Returns what the recorder records, where the line says no more than that an enabled control has no finding.
fn silent(
    asker: &Asker<'_>,
    check: &Check,
    line: &ResultLine,
    standings: &mut StandingReading,
) -> io::Result<Option<String>> {
    let silence = line.observed.is_none() && line.status == ObservationStatus::NotAssessed;
    if !silence || !matches!(check.ask, Ask::SecurityHub { .. }) {
        return Ok(None);
    }
    let (account, region) = (&line.account, &line.region);
    let hole = [Collector::SecurityhubHub, Collector::SecurityhubFindings];
    if hole.iter().any(|collector| asker.population.gap(account, region, *collector).is_some()) {
        return Ok(None);
    }
    let Some(Standing::Control(control)) = standings.at(account, region)? else { return Ok(None) };
    let Some(state) = asker.observed.targets.get(&(account.clone(), region.clone())) else { return Ok(None) };
    let sure = control.enabled && state.hub.as_ref().is_some_and(|hub| hub.doubt().is_none());
    Ok(if sure { state.recorder.as_ref().and_then(|r| r.recorded()).map(ToString::to_string) } else { None })
}
