//! Conformance packs of one target: is the pack there, does it stand, and which rules did it bring?

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    Target,
    facts::Seen,
    rules::Rule,
    states::{self, CONFIG_RULE, Statement},
    wire::list_answer,
};
use crate::model::{
    Observation,
    ObservationStatus::{Fail, NotAssessed, Pass},
    Resource,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawPack {
    conformance_pack_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawPackStatus {
    conformance_pack_name: String,
    #[serde(default)]
    conformance_pack_state: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawPackRule {
    config_rule_name: String,
}

list_answer!(Packs, "ConformancePackDetails", RawPack);
list_answer!(Statuses, "ConformancePackStatusDetails", RawPackStatus);
list_answer!(Rules, "ConformancePackRuleComplianceList", RawPackRule);

type List<T> = Result<(Vec<T>, bool), serde_json::Error>;

pub(super) fn packs(body: &[u8]) -> List<RawPack> {
    Packs::read(body)
}

pub(super) fn statuses(body: &[u8]) -> List<RawPackStatus> {
    Statuses::read(body)
}

pub(super) fn rules(body: &[u8]) -> List<RawPackRule> {
    Rules::read(body)
}

/// What was read of the packs, before it is joined with the rules.
#[derive(Debug, Default)]
pub(super) struct RawPacks {
    names: BTreeMap<String, Seen<()>>,
    listed: bool,
    states: BTreeMap<String, String>,
    rules: BTreeMap<String, BTreeSet<String>>,
}

impl RawPacks {
    pub(super) fn take(&mut self, all: Vec<RawPack>, complete: bool, seen: &Seen<()>) {
        self.listed = complete;
        self.names.extend(all.into_iter().map(|pack| (pack.conformance_pack_name, seen.clone())));
    }

    pub(super) fn take_statuses(&mut self, all: Vec<RawPackStatus>) {
        let states = all.into_iter().filter_map(|s| Some((s.conformance_pack_name, s.conformance_pack_state?)));
        self.states.extend(states);
    }

    pub(super) fn take_rules(&mut self, pack: &str, all: Vec<RawPackRule>) {
        let rules = self.rules.entry(pack.to_owned()).or_default();
        rules.extend(all.into_iter().map(|rule| rule.config_rule_name));
    }

    /// Returns whether the packs were listed to their end.
    pub(super) fn listed(&self) -> bool {
        self.listed
    }

    /// Reads how each pack stands, and that each of its rules is deployed.
    pub(super) fn observations(&self, target: &Target, deployed: &BTreeMap<String, Rule>) -> Vec<Observation> {
        let mut out = Vec::new();
        for (name, seen) in self.names.iter().filter(|_| self.listed) {
            let question = || states::question(states::CONFORMANCE_PACK, Some(known_as(name)));
            let say = |status, why: String| Statement {
                target: (&target.0, &target.1),
                status,
                why: Some(why),
                at: seen.at,
                since: None,
                evidence: seen.evidence.clone(),
            };
            let rules = self.rules.get(name).filter(|rules| !rules.is_empty());
            let (status, why) = match (self.states.get(name).map(String::as_str), rules) {
                (Some(state @ ("CREATE_COMPLETE" | "UPDATE_COMPLETE")), Some(_)) => {
                    (Pass, format!("the pack is {state}"))
                }
                (Some("CREATE_COMPLETE" | "UPDATE_COMPLETE"), None) => {
                    (NotAssessed, "which rules the pack brought was not read".to_owned())
                }
                (Some(state), _) => (Fail, format!("the pack is {state}")),
                (None, _) => (NotAssessed, "the state of the pack was not read".to_owned()),
            };
            out.push(say(status, why).about_account(question()));
            for rule in rules.into_iter().flatten() {
                let (status, id, why) = match deployed.get(rule) {
                    Some(known) => (Pass, known.identifier.to_string(), format!("the pack brought rule {rule}")),
                    None => (Fail, rule.clone(), format!("rule {rule} of the pack is not among the deployed rules")),
                };
                out.push(say(status, why).about(question(), Resource { kind: CONFIG_RULE.to_owned(), id }));
            }
        }
        out
    }
}

/// Returns what a pack is called where it was made: AWS deploys an organisation's pack as `OrgConformsPack-<name>-<eight letters>`.
fn known_as(deployed: &str) -> &str {
    let of_organization = || {
        let (name, rest) = deployed.strip_prefix("OrgConformsPack-")?.rsplit_once('-')?;
        (rest.len() == 8 && rest.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(name)
    };
    of_organization().unwrap_or(deployed)
}

#[cfg(test)]
mod tests {
    use super::known_as;

    #[test]
    fn a_pack_of_the_organisation_is_known_by_its_name_there() {
        assert_eq!(known_as("baseline"), "baseline");
        assert_eq!(known_as("OrgConformsPack-baseline-2-ab12cd34"), "baseline-2");
        assert_eq!(known_as("OrgConformsPack-baseline"), "OrgConformsPack-baseline");
    }
}
