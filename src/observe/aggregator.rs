//! The central views: the Config aggregator and its sources, Security Hub's members and linked Regions, and each account's Regions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::wire::{Time, list_answer, time};
use crate::model::{AccountId, EvidenceRef, Region};

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawSource {
    source_id: String,
    #[serde(default)]
    source_type: Option<String>,
    #[serde(default)]
    aws_region: Option<String>,
    #[serde(default)]
    last_update_status: Option<String>,
    #[serde(default, deserialize_with = "time")]
    last_update_time: Option<Time>,
    #[serde(default)]
    last_error_code: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawRegion {
    pub region_name: String,
    #[serde(default)]
    pub region_opt_status: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawMember {
    account_id: AccountId,
    #[serde(default)]
    member_status: Option<String>,
}

/// Security Hub's finding aggregator.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawFindingAggregator {
    #[serde(default)]
    finding_aggregation_region: Option<String>,
    #[serde(default)]
    region_linking_mode: Option<String>,
    #[serde(default)]
    regions: Option<Vec<String>>,
}

list_answer!(Sources, "AggregatedSourceStatusList", RawSource);
list_answer!(Regions, "Regions", RawRegion);
list_answer!(Members, "Members", RawMember);

type List<T> = Result<(Vec<T>, bool), serde_json::Error>;

pub(super) fn sources(body: &[u8]) -> List<RawSource> {
    Sources::read(body)
}

pub(super) fn regions(body: &[u8]) -> List<RawRegion> {
    Regions::read(body)
}

pub(super) fn members(body: &[u8]) -> List<RawMember> {
    Members::read(body)
}

impl RawRegion {
    /// Returns the Region where it is switched on for the account.
    pub(super) fn enabled(&self) -> Option<Region> {
        let on = matches!(self.region_opt_status.as_deref(), Some("ENABLED" | "ENABLED_BY_DEFAULT" | "DISABLING"));
        on.then(|| self.region_name.parse().ok()).flatten()
    }
}

/// Whether the aggregator holds one account's data of one Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// True where the last update succeeded.
    pub fresh: bool,
    /// In a few words.
    pub why: String,
    /// When it was last updated.
    pub since: Option<jiff::Timestamp>,
    /// The record that says so.
    pub evidence: EvidenceRef,
}

/// The sources of the Config aggregator, as it reports them itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AggregatorSources {
    /// By account and Region.
    pub states: BTreeMap<(AccountId, Region), SourceState>,
    /// The first page of the answer: what an absence rests on.
    pub evidence: Option<EvidenceRef>,
}

impl AggregatorSources {
    /// Takes a page; of two states of one source the worse one counts.
    pub(super) fn take(&mut self, sources: &[RawSource], evidence: &EvidenceRef) {
        self.evidence.get_or_insert_with(|| evidence.clone());
        for source in sources.iter().filter(|s| s.source_type.as_deref() != Some("ORGANIZATION")) {
            let region = source.aws_region.as_deref().and_then(|r| r.parse().ok());
            let (Ok(account), Some(region)) = (source.source_id.parse(), region) else { continue };
            let status = source.last_update_status.as_deref().unwrap_or("unknown");
            let why = match &source.last_error_code {
                Some(code) => format!("the aggregator's source is {status} ({code})"),
                None => format!("the aggregator's source is {status}"),
            };
            let fresh = status == "SUCCEEDED";
            let since = source.last_update_time.map(|t| t.0);
            let new = SourceState { fresh, why, since, evidence: evidence.clone() };
            self.states.entry((account, region)).and_modify(|s| *s = worse(s, &new)).or_insert(new);
        }
    }

    /// Returns the accounts that the aggregator knows.
    pub fn accounts(&self) -> BTreeSet<&AccountId> {
        self.states.keys().map(|(account, _)| account).collect()
    }
}

fn worse(a: &SourceState, b: &SourceState) -> SourceState {
    let key = |s: &SourceState| (s.fresh, s.why.clone(), s.since, s.evidence.clone());
    if key(a) <= key(b) { a.clone() } else { b.clone() }
}

/// Who reports to Security Hub's administrator, and from which Regions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubView {
    /// The administrator whose view it is.
    pub administrator: Option<AccountId>,
    /// Members and whether they are enabled; `None` where ListMembers has no complete answer.
    pub members: Option<BTreeMap<AccountId, bool>>,
    /// The Regions that the home Region aggregates, itself included; `None` where there is no finding aggregator.
    pub regions: Option<LinkedRegions>,
    /// The member list that an absence rests on.
    pub evidence: Option<EvidenceRef>,
}

/// Which Regions report to the home Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkedRegions {
    /// All of them.
    All,
    /// All but these.
    AllBut(BTreeSet<String>),
    /// These.
    Only(BTreeSet<String>),
}

impl HubView {
    pub(super) fn take_members(&mut self, members: &[RawMember], evidence: EvidenceRef) {
        self.evidence.get_or_insert(evidence);
        let all = self.members.get_or_insert_default();
        for member in members {
            let enabled = member.member_status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("enabled"));
            let known = all.entry(member.account_id.clone()).or_insert(enabled);
            *known &= enabled;
        }
    }

    pub(super) fn take_aggregator(&mut self, raw: &RawFindingAggregator) {
        let mut named: BTreeSet<_> = raw.regions.iter().flatten().cloned().collect();
        self.regions = Some(match raw.region_linking_mode.as_deref() {
            Some("ALL_REGIONS") => LinkedRegions::All,
            Some("ALL_REGIONS_EXCEPT_SPECIFIED") => LinkedRegions::AllBut(named),
            mode => {
                if mode != Some("SPECIFIED_REGIONS") {
                    named.clear();
                }
                named.extend(raw.finding_aggregation_region.clone());
                LinkedRegions::Only(named)
            }
        });
    }

    /// Returns why the central view does not hold `account`'s findings of `region`; `None` where it does.
    pub fn blind_to(&self, account: &AccountId, region: &Region, home: &Region) -> Option<String> {
        if self.administrator.as_ref() != Some(account) {
            match self.members.as_ref().map(|m| m.get(account)) {
                None => return Some("Security Hub's list of members was not read".to_owned()),
                Some(None) => return Some("the account is not a member of Security Hub's administrator".to_owned()),
                Some(Some(false)) => return Some("the account's Security Hub membership is not enabled".to_owned()),
                Some(Some(true)) => {}
            }
        }
        let linked = match &self.regions {
            Some(LinkedRegions::All) => true,
            Some(LinkedRegions::AllBut(but)) => !but.contains(region.as_str()),
            Some(LinkedRegions::Only(these)) => these.contains(region.as_str()),
            None => region == home,
        };
        (!linked && region != home).then(|| "the Region does not report to Security Hub's home Region".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sha256Digest;

    fn at() -> EvidenceRef {
        EvidenceRef { seal: Sha256Digest::of(""), path: "p".into(), line: 1 }
    }

    #[test]
    fn of_two_states_of_one_source_the_worse_counts() {
        let page = |status: &str| {
            let body = format!(
                r#"{{"AggregatedSourceStatusList":[{{"SourceId":"111122223333","SourceType":"ACCOUNT","AwsRegion":"us-east-1","LastUpdateStatus":"{status}"}}]}}"#
            );
            super::sources(body.as_bytes()).unwrap().0
        };
        for order in [["SUCCEEDED", "OUTDATED"], ["OUTDATED", "SUCCEEDED"]] {
            let mut sources = AggregatorSources::default();
            order.iter().for_each(|s| sources.take(&page(s), &at()));
            assert!(!sources.states.values().next().unwrap().fresh, "{order:?}");
        }
    }

    #[test]
    fn the_hub_is_blind_to_strangers_disabled_members_and_unlinked_regions() {
        let body = br#"{"Members":[{"AccountId":"111122223333","MemberStatus":"Enabled"},{"AccountId":"222222222222","MemberStatus":"Created"}]}"#;
        let mut view = HubView { administrator: "999999999999".parse().ok(), ..HubView::default() };
        let (home, other): (Region, Region) = ("us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap());
        let blind =
            |view: &HubView, account: &str, region| view.blind_to(&account.parse().unwrap(), region, &home).is_some();
        assert!(blind(&view, "111122223333", &home), "an unread list of members proves no membership");
        view.take_members(&super::members(body).unwrap().0, at());
        assert!(!blind(&view, "111122223333", &home) && blind(&view, "111122223333", &other));
        assert!(blind(&view, "222222222222", &home) && blind(&view, "333333333333", &home));
        assert!(!blind(&view, "999999999999", &home));
        let aggregator = r#"{"FindingAggregationRegion":"us-east-1","RegionLinkingMode":"SPECIFIED_REGIONS","Regions":["eu-west-1"]}"#;
        view.take_aggregator(&serde_json::from_str(aggregator).unwrap());
        assert!(!blind(&view, "111122223333", &other));
    }
}
