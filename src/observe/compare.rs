//! Every view held against the others; a disagreement is a finding of its own.
//!
//! - `denominators`: an account that one of Organizations, the Config aggregator and Security Hub knows and another does not.
//! - `aggregate-cross-check`: the aggregator's verdict on a rule against the rows that were read for it. Counts that the
//!   aggregator capped are lower bounds.
//! - `sources-disagree`: a Config rule against the Security Hub control that names it, about the same resource.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Observed, Target,
    compliance::RawVerdict,
    facts::{RunFacts, Seen, TargetFacts},
    reconcile::Outcomes,
};
use crate::model::{
    Account, AccountId, AccountState, Discrepancy,
    ObservationStatus::{self, Fail, Pass},
};

/// Holds the aggregator's verdicts on whole rules against the rows.
pub(super) fn cross_check(
    target: &Target,
    verdicts: &BTreeMap<String, Seen<RawVerdict>>,
    outcomes: &Outcomes,
) -> Vec<Discrepancy> {
    let mut names: BTreeSet<&str> = verdicts.keys().map(String::as_str).collect();
    names.extend(outcomes.rules());
    let mut out = Vec::new();
    for name in names {
        let rows: Vec<_> = outcomes.of_rule(name).map(|(_, status)| status).collect();
        let failing = rows.iter().filter(|s| **s == Fail).count() as u64;
        let decided = rows.iter().any(|s| matches!(s, Fail | Pass));
        let compliance = verdicts.get(name).and_then(|v| v.value.compliance.as_ref());
        let kind = compliance.and_then(|c| c.compliance_type.as_deref());
        let count = compliance.and_then(|c| c.compliance_contributor_count.as_ref());
        let capped = count.and_then(|c| c.cap_exceeded) == Some(true);
        let counted = count.and_then(|c| c.capped_count);
        let agrees = match kind {
            None | Some("INSUFFICIENT_DATA" | "NOT_APPLICABLE") => !decided,
            Some("NON_COMPLIANT") => {
                failing > 0 && counted.is_none_or(|n| if capped { failing >= n } else { failing == n })
            }
            Some(_) => failing == 0 && decided,
        };
        if !agrees {
            let said = kind.unwrap_or("nothing");
            let many = match (counted, capped) {
                (Some(n), true) => format!(" (at least {n})"),
                (Some(n), false) => format!(" ({n})"),
                (None, _) => String::new(),
            };
            let (account, region) = target;
            out.push(Discrepancy {
                kind: "aggregate-cross-check".to_owned(),
                subject: format!("{account}/{region}/{name}"),
                what: format!(
                    "The aggregator says {said}{many} of the rule; the rows read show {failing} failing of {}.",
                    rows.len()
                ),
            });
        }
    }
    out
}

/// Holds what Security Hub says of a resource against the Config rule behind it.
pub(super) fn hub_against_config(target: &Target, facts: &TargetFacts, outcomes: &Outcomes) -> Vec<Discrepancy> {
    let named: BTreeSet<&str> =
        facts.findings.iter().flat_map(|p| &p.value).filter_map(|f| f.rule.as_deref()).collect();
    let mut rows: BTreeMap<(&str, &str), ObservationStatus> = BTreeMap::new();
    for name in named {
        rows.extend(outcomes.of_rule(name).map(|((rule, _, id), status)| ((rule, id), status)));
    }
    let mut out = Vec::new();
    for finding in facts.findings.iter().flat_map(|p| &p.value) {
        let Some(rule) = finding.rule.as_deref() else { continue };
        let Some(status) = spellings(&finding.id).find_map(|id| rows.get(&(rule, id))) else { continue };
        let opposite = matches!((finding.status, status), (Pass, Fail) | (Fail, Pass));
        if opposite {
            let word = |s: ObservationStatus| if s == Pass { "passes" } else { "fails" };
            let (account, region) = target;
            out.push(Discrepancy {
                kind: "sources-disagree".to_owned(),
                subject: format!("{account}/{region}/{}", finding.id),
                what: format!(
                    "{} says that the resource {}; the Config rule {rule} behind it says that it {}.",
                    finding.question,
                    word(finding.status),
                    word(*status)
                ),
            });
        }
    }
    out
}

/// The ways in which Config may spell a resource that Security Hub names by ARN (or `AWS::::Account:<id>`).
fn spellings(id: &str) -> impl Iterator<Item = &str> {
    let arn = id.starts_with("arn:").then(|| id.splitn(6, ':').nth(5)).flatten();
    [Some(id), arn, id.rsplit('/').next(), id.rsplit(':').next()].into_iter().flatten()
}

/// Holds the three counts of accounts against each other, account by account.
pub(super) fn denominators(observed: &Observed, run: &RunFacts) -> Vec<Discrepancy> {
    let Some(organization) = &observed.organization else { return Vec::new() };
    let usable = |a: &&Account| matches!(a.state, AccountState::Active | AccountState::Unknown);
    let active: BTreeSet<_> = organization.accounts.iter().filter(usable).map(|a| &a.id).collect();
    let listed: BTreeSet<_> = organization.accounts.iter().map(|a| &a.id).collect();
    let mut views: Vec<(&str, BTreeSet<&AccountId>)> = Vec::new();
    if let Some(sources) = &run.sources {
        views.push(("the Config aggregator", sources.value.accounts()));
    }
    if let Some(members) = &run.hub.members {
        let enabled = members.iter().filter(|(_, enabled)| **enabled).map(|(account, _)| account);
        views.push(("Security Hub's member list", enabled.chain(&run.hub.administrator).collect()));
    }
    let mut out = Vec::new();
    let mut say = |account: &AccountId, what: String| {
        out.push(Discrepancy { kind: "denominators".to_owned(), subject: account.to_string(), what });
    };
    for (view, known) in views {
        for account in active.difference(&known) {
            say(account, format!("Organizations lists the account as active; {view} does not have it."));
        }
        for account in known.difference(&listed) {
            say(account, format!("It is in {view}; Organizations does not list the account."));
        }
    }
    out
}
