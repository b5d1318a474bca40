//! Conformance packs: everything that the rules of a pack say, in each account and Region.
//!
//! AWS's own verdict on a pack says nothing of resources; so each rule is read as a check of that rule would read it.

use std::{collections::BTreeMap, io};

use super::{
    lines::{Asker, Silence, observed},
    silence::{self, unknown},
    verdict::Line,
};
use crate::{
    catalog::Check,
    model::{
        AccountId, Collector, Observation,
        ObservationStatus::{NotAssessed, Pass},
        Question, Region,
    },
    observe::{Reading, Standing, StandingReading, states},
};

const NEEDS: [Collector; 3] = [Collector::ConfigRecorder, Collector::ConfigRules, Collector::ConfigCompliance];

/// A pack, asked of one account after the other.
pub(super) struct Asked<'a, 'p> {
    asker: &'a Asker<'p>,
    check: &'a Check,
    packs: Reading,
    /// What the rules that some pack brought say, by identifier.
    rules: BTreeMap<String, (Reading, StandingReading)>,
}

impl<'a, 'p> Asked<'a, 'p> {
    pub(super) fn new(asker: &'a Asker<'p>, check: &'a Check, name: &str) -> io::Result<Self> {
        let question = states::question(states::CONFORMANCE_PACK, Some(name));
        Ok(Self { asker, check, packs: asker.observed.observations.of(&question)?, rules: BTreeMap::new() })
    }

    /// Returns the answers of an account; accounts are asked for in ascending order.
    pub(super) fn lines(&mut self, account: &AccountId) -> io::Result<Vec<Line>> {
        let packs = self.packs.account(account)?;
        let mut answers: BTreeMap<String, Vec<Observation>> = BTreeMap::new();
        for rule in packs.iter().filter(|o| o.status == Pass && o.resource.kind == states::CONFIG_RULE) {
            let identifier = &rule.resource.id;
            if !answers.contains_key(identifier) {
                let said = self.rule(identifier)?.0.account(account)?;
                answers.insert(identifier.clone(), said);
            }
        }
        let mut lines = Vec::new();
        for region in &self.asker.population.accounts[account] {
            let here: Vec<&Observation> = packs.iter().filter(|o| o.region == *region).collect();
            lines.extend(self.of_target((account, region), &here, &answers)?);
        }
        Ok(lines)
    }

    fn rule(&mut self, identifier: &str) -> io::Result<&mut (Reading, StandingReading)> {
        let question = Question::ConfigRule(identifier.to_owned());
        let opened = match self.rules.remove(identifier) {
            Some(opened) => opened,
            None => {
                let observed = self.asker.observed;
                (observed.observations.of(&question)?, observed.standings.of(&question)?)
            }
        };
        Ok(self.rules.entry(identifier.to_owned()).or_insert(opened))
    }

    fn of_target(
        &mut self,
        target: (&AccountId, &Region),
        packs: &[&Observation],
        answers: &BTreeMap<String, Vec<Observation>>,
    ) -> io::Result<Vec<Line>> {
        let (asker, check) = (self.asker, self.check);
        let (account, region) = target;
        let mut lines: Vec<Line> = Vec::new();
        lines.extend(asker.first_gap(account, region, &NEEDS, false).map(|gap| asker.gap(check, target, gap)));
        if packs.is_empty() {
            let silence = match asker.observed.targets.get(&(account.clone(), region.clone())) {
                Some(state) if state.packs_listed => {
                    Silence { evidence: state.rules_evidence.clone(), ..unknown("the pack is not deployed") }
                }
                _ => unknown("the conformance packs were not listed"),
            };
            if lines.is_empty() {
                lines.push(asker.silent(check, target, silence));
            }
            return Ok(lines);
        }
        for observation in packs {
            let rule = observation.resource.kind == states::CONFIG_RULE;
            match (observation.status, rule) {
                (Pass, true) => lines.extend(self.of_rule(target, &observation.resource.id, answers)?),
                (Pass, false) => {}
                // A pack that does not stand, or lacks a rule, is silent about what it should have judged.
                _ => {
                    let mut line = observed(check, (*observation).clone());
                    line.line.status = NotAssessed;
                    lines.push(line);
                }
            }
        }
        Ok(lines)
    }

    fn of_rule(
        &mut self,
        (account, region): (&AccountId, &Region),
        identifier: &str,
        answers: &BTreeMap<String, Vec<Observation>>,
    ) -> io::Result<Vec<Line>> {
        let (asker, check) = (self.asker, self.check);
        let standing = self.rule(identifier)?.1.at(account, region)?;
        let said = answers.get(identifier).into_iter().flatten().filter(|o| o.region == *region);
        let mut lines: Vec<Line> = said.map(|o| observed(check, o.clone())).collect();
        if lines.is_empty() {
            let state = asker.observed.targets.get(&(account.clone(), region.clone()));
            let rule = match &standing {
                Some(Standing::Rule(rule)) => Some(rule),
                _ => None,
            };
            let silence = state.map(|state| silence::rule(state, identifier, rule, &[]));
            let silence = silence.unwrap_or_else(|| unknown("nothing was read of the target"));
            lines.push(asker.silent(check, (account, region), silence));
        }
        for line in &mut lines {
            line.line.why = format!("{identifier}: {}", line.line.why);
        }
        Ok(lines)
    }
}
