//! From checks to items to requirements.

use std::collections::{BTreeMap, BTreeSet};

use super::{Supplements, verdict};
use crate::{
    catalog::{Catalog, Confidence, Framework, How, Item, MappedCheck, Party, Requirement, Text},
    model::{CheckResult, Counts, Finding, ItemMode, ItemResult, Status},
};

/// Returns the verdicts of all requirements, in the catalogue's order.
pub(super) fn findings(
    catalog: &Catalog,
    checks: &BTreeMap<String, CheckResult>,
    supplements: &Supplements,
) -> Vec<Finding> {
    let all = catalog.frameworks.iter().flat_map(|f| f.requirements.iter().map(move |r| (f, r)));
    all.map(|(framework, requirement)| finding(framework, requirement, catalog, checks, supplements)).collect()
}

fn finding(
    framework: &Framework,
    requirement: &Requirement,
    catalog: &Catalog,
    checks: &BTreeMap<String, CheckResult>,
    supplements: &Supplements,
) -> Finding {
    let attested = |item: &Item, mode| supplements.attested((&framework.id, &requirement.id, &item.id), mode);
    let items: Vec<_> = requirement.items.iter().map(|i| item(i, checks, &|mode| attested(i, mode))).collect();
    let status = verdict::of_parts(items.iter().map(|i| i.status));
    let parts: Vec<_> = items.iter().map(|i| (i.item.as_str(), i.status, i.why.as_str())).collect();
    Finding {
        framework: framework.id.clone(),
        requirement: requirement.id.clone(),
        title: english(&requirement.title),
        responsibility: match requirement.responsibility {
            Party::Aws => "aws",
            Party::Shared => "shared",
            Party::Customer => "customer",
        }
        .to_owned(),
        responsibility_reason: requirement.responsibility_reason.clone(),
        aws_part: requirement
            .aws_part
            .as_ref()
            .map(|part| format!("{} (AWS Artifact: {})", verdict::sentence(part.what.clone()), part.attestation)),
        customer_response: requirement.customer_response.clone(),
        status,
        why: verdict::why_of_parts(status, &parts),
        counts: counts(&items, catalog, checks),
        items,
    }
}

fn item(
    item: &Item,
    checks: &BTreeMap<String, CheckResult>,
    attested: &dyn Fn(ItemMode) -> Option<(Status, String)>,
) -> ItemResult {
    let (mode, status, why, used) = match &item.how {
        How::Automated { checks: mapped } => automated(mapped, checks),
        How::Manual { evidence, by, frequency } => {
            let why = format!("No manual evidence is at hand: {evidence}, {frequency}, by {by}");
            (ItemMode::Manual, Status::NotAssessed, verdict::sentence(why), &[][..])
        }
        How::NotAutomated { reason } => {
            let why = format!("Deliberately not automated ({reason}), and no evidence is at hand");
            (ItemMode::NotAutomated, Status::NotAssessed, verdict::sentence(why), &[][..])
        }
        How::Inherited { attestation } => {
            let why = format!("AWS's part; no AWS Artifact report of {attestation} that covers the period is at hand");
            (ItemMode::Inherited, Status::NotAssessed, verdict::sentence(why), &[][..])
        }
    };
    let (status, why) = attested(mode).map_or((status, why), |(status, why)| (status, verdict::sentence(why)));
    ItemResult {
        item: item.id.clone(),
        title: english(&item.title),
        mode,
        status,
        why,
        checks: used.iter().map(|m| m.check.clone()).collect(),
        confidence: used.iter().map(|m| m.confidence).max().map(confidence).unwrap_or_default().to_owned(),
    }
}

fn automated<'a>(
    mapped: &'a [MappedCheck],
    checks: &BTreeMap<String, CheckResult>,
) -> (ItemMode, Status, String, &'a [MappedCheck]) {
    let missing = "The catalogue has no such check.";
    let parts: Vec<_> = mapped
        .iter()
        .map(|m| match checks.get(&m.check) {
            Some(result) => (m.check.as_str(), result.status, result.why.as_str()),
            None => (m.check.as_str(), Status::NotAssessed, missing),
        })
        .collect();
    let status = verdict::of_parts(parts.iter().map(|(_, status, _)| *status));
    (ItemMode::Automated, status, verdict::why_of_parts(status, &parts), mapped)
}

/// Unites the counts of the requirement's checks; two checks that ask the same are one.
fn counts(items: &[ItemResult], catalog: &Catalog, checks: &BTreeMap<String, CheckResult>) -> Counts {
    let ids: BTreeSet<&String> = items.iter().flat_map(|i| &i.checks).collect();
    let mut asked = Vec::new();
    let mut sum = Counts::default();
    for id in ids {
        let (Some(check), Some(result)) = (catalog.checks.get(id), checks.get(id)) else { continue };
        if asked.contains(&&check.ask) {
            continue;
        }
        asked.push(&check.ask);
        sum.pass += result.counts.pass;
        sum.fail += result.counts.fail;
        sum.not_applicable += result.counts.not_applicable;
        sum.not_assessed += result.counts.not_assessed;
    }
    sum
}

/// Returns the English text, which every entry of a validated catalogue has.
pub(super) fn english(text: &Text) -> String {
    text.get("en").cloned().unwrap_or_default()
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::AwsDocumented => "aws-documented",
        Confidence::Derived => "derived",
        Confidence::Judgement => "judgement",
    }
}
