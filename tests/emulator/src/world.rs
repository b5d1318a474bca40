//! The organisation as it stands at one moment of the scenario clock, with the indexes that answers need.

use std::{collections::HashMap, sync::OnceLock};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    hash,
    organization::{Account, Organization, Policy, Unit},
};

/// Regions that every account has.
pub(crate) const DEFAULT_REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Regions that an account must opt in to.
pub(crate) const OPT_IN_REGIONS: [&str; 10] = [
    "af-south-1",
    "ap-east-1",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "me-central-1",
    "me-south-1",
];

/// The organisation at one moment.
#[derive(Debug)]
pub(crate) struct World {
    /// The declaration with every change that has come due.
    pub org: Organization,
    /// When the organisation was founded: the earliest time in any answer.
    pub founded: Timestamp,
    accounts: HashMap<String, usize>,
    root: String,
    /// Unit ids in the order of the declaration.
    unit_ids: Vec<String>,
    statements: HashMap<String, Vec<Value>>,
    sources: OnceLock<Vec<(String, String, String)>>,
}

/// How one account-Region stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TargetState {
    pub recorder: String,
    pub since: Option<Timestamp>,
    pub recording_frequency: String,
    pub not_recorded: Vec<String>,
    pub hub: bool,
    pub member: bool,
    pub source: String,
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub id: String,
    pub kind: &'static str,
    pub name: String,
}

impl World {
    /// Applies every change that is due at `now`.
    pub fn at(declared: &Organization, now: Timestamp) -> Self {
        let mut org = declared.clone();
        let mut changes = std::mem::take(&mut org.changes);
        changes.sort_by_key(|c| c.at);
        for change in changes.into_iter().filter(|c| c.at <= now) {
            org.accounts.retain(|a| !change.leave.contains(&a.id) && !change.accounts.iter().any(|n| n.id == a.id));
            org.accounts.extend(change.accounts);
            let replaced = |p: &Policy| change.policies.iter().any(|n| n.id == p.id);
            org.policies.retain(|p| !change.delete_policies.contains(&p.id) && !replaced(p));
            org.policies.extend(change.policies);
            org.results.extend(change.results);
            org.targets.extend(change.targets);
            org.findings.extend(change.findings);
        }
        let accounts = org.accounts.iter().enumerate().map(|(i, a)| (a.id.clone(), i)).collect();
        let founded = Timestamp::from_second(1_700_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
        let root = format!("r-{}", hash::hex(&["root", &org.id], 4));
        let unit_id = |u: &Unit| format!("ou-{}-{}", &root[2..], hash::hex(&["unit", &org.id, &u.name], 8));
        let unit_ids = org.units.iter().map(unit_id).collect();
        let statements = org.policies.iter().map(|p| (p.id.clone(), statements(&p.document))).collect();
        Self { founded, accounts, root, unit_ids, statements, sources: OnceLock::new(), org }
    }

    /// Returns a policy's statements.
    pub fn statements(&self, policy: &Policy) -> &[Value] {
        self.statements.get(&policy.id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns every account and Region that the aggregator knows, with the state of the source.
    pub fn sources(&self) -> &[(String, String, String)] {
        self.sources.get_or_init(|| {
            let mut sources = Vec::new();
            for account in self.active_accounts() {
                for region in self.regions_of(&account.id) {
                    let source = self.target(&account.id, region).source;
                    if source != "absent" {
                        sources.push((account.id.clone(), region.to_owned(), source));
                    }
                }
            }
            sources
        })
    }

    /// Returns the time of the next change after `now`.
    pub fn next_change(declared: &Organization, now: Timestamp) -> Option<Timestamp> {
        declared.changes.iter().map(|c| c.at).filter(|at| *at > now).min()
    }

    /// Returns a member (or the management account).
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id).and_then(|i| self.org.accounts.get(*i))
    }

    /// Returns the ids of all accounts that hold targets: those that are ACTIVE.
    pub fn active_accounts(&self) -> impl Iterator<Item = &Account> {
        self.org.accounts.iter().filter(|a| a.state == "ACTIVE")
    }

    /// Returns whether the account has enabled the Region.
    pub fn opted_in(&self, account: &str, region: &str) -> bool {
        DEFAULT_REGIONS.contains(&region)
            || (OPT_IN_REGIONS.contains(&region)
                && self.org.regions.iter().any(|r| r == region)
                && self.account(account).is_some_and(|a| !a.opted_out.iter().any(|r| r == region)))
    }

    /// Returns whether the organisation uses the Region in this account.
    pub fn in_use(&self, account: &str, region: &str) -> bool {
        self.org.regions.iter().any(|r| r == region) && self.opted_in(account, region)
    }

    /// Returns the Regions that the organisation uses in this account.
    pub fn regions_of<'a>(&'a self, account: &'a str) -> impl Iterator<Item = &'a str> {
        self.org.regions.iter().map(String::as_str).filter(move |r| self.opted_in(account, r))
    }

    /// Returns how the target stands: every matching entry applies, later ones over earlier ones.
    pub fn target(&self, account: &str, region: &str) -> TargetState {
        let used = self.in_use(account, region);
        let mut state = TargetState {
            recorder: if used { "on" } else { "absent" }.to_owned(),
            since: None,
            recording_frequency: "CONTINUOUS".to_owned(),
            not_recorded: Vec::new(),
            hub: used && self.org.securityhub.enabled,
            member: true,
            source: if used { "SUCCEEDED" } else { "absent" }.to_owned(),
        };
        if !used {
            return state;
        }
        for rule in self.org.targets.iter().filter(|t| t.scope.covers(account, region)) {
            if let Some(recorder) = &rule.recorder {
                state.recorder.clone_from(recorder);
                state.since = rule.since;
            }
            if let Some(frequency) = &rule.recording_frequency {
                state.recording_frequency.clone_from(frequency);
            }
            if let Some(kinds) = &rule.not_recorded {
                state.not_recorded.clone_from(kinds);
            }
            state.hub = rule.hub.unwrap_or(state.hub);
            state.member = rule.member.unwrap_or(state.member);
            if let Some(source) = &rule.source {
                state.source.clone_from(source);
            }
        }
        state
    }

    /// Returns the root's id.
    pub fn root_id(&self) -> &str {
        &self.root
    }

    /// Returns a unit's id by its name; empty where there is no such unit.
    pub fn unit_id(&self, name: &str) -> &str {
        let at = self.org.units.iter().position(|u| u.name == name);
        at.and_then(|n| self.unit_ids.get(n)).map_or("", String::as_str)
    }

    /// Returns the parent id of a unit or account.
    pub fn parent_id(&self, parent: Option<&str>) -> &str {
        parent.map_or(&self.root, |name| self.unit_id(name))
    }

    /// Finds a root, unit or account by id.
    pub fn node(&self, id: &str) -> Option<Node> {
        if id == self.root_id() {
            return Some(Node { id: id.to_owned(), kind: "ROOT", name: "Root".to_owned() });
        }
        if let Some(account) = self.account(id) {
            return Some(Node { id: id.to_owned(), kind: "ACCOUNT", name: account.name.clone() });
        }
        let unit = self.org.units.get(self.unit_ids.iter().position(|u| u == id)?)?;
        Some(Node { id: id.to_owned(), kind: "ORGANIZATIONAL_UNIT", name: unit.name.clone() })
    }

    /// Finds what a policy's targets (`root`, unit names, account ids, `*` for every node) name.
    pub fn policy_targets(&self, policy: &Policy) -> Vec<Node> {
        let mut nodes = Vec::new();
        for target in &policy.targets {
            match target.as_str() {
                "root" => nodes.extend(self.node(self.root_id())),
                "*" => {
                    nodes.extend(self.node(self.root_id()));
                    nodes.extend(self.org.units.iter().filter_map(|u| self.node(self.unit_id(&u.name))));
                    nodes.extend(self.org.accounts.iter().filter_map(|a| self.node(&a.id)));
                }
                id if self.account(id).is_some() => nodes.extend(self.node(id)),
                name => nodes.extend(self.node(self.unit_id(name))),
            }
        }
        nodes
    }

    /// Returns the names of the units above an account, from the root down.
    pub fn unit_path(&self, unit: Option<&str>) -> Vec<String> {
        let mut path = Vec::new();
        let mut at = unit.map(str::to_owned);
        while let Some(name) = at {
            at = self.org.units.iter().find(|u| u.name == name).and_then(|u| u.parent.clone());
            path.push(name);
            if path.len() > self.org.units.len() {
                break;
            }
        }
        path.reverse();
        path
    }

    /// Returns `o-…/r-…/ou-…/…/`, as Organizations writes paths.
    pub fn entity_path(&self, unit: Option<&str>, leaf: &str) -> String {
        let mut path = format!("{}/{}/", self.org.id, self.root_id());
        for name in self.unit_path(unit) {
            path.push_str(self.unit_id(&name));
            path.push('/');
        }
        path.push_str(leaf);
        path.push('/');
        path
    }

    /// Returns the policies of a type that stand at each node from the root down to the account.
    pub fn policy_chain(&self, account: &Account, kind: &str) -> Vec<Vec<&Policy>> {
        let mut nodes = vec!["root".to_owned()];
        nodes.extend(self.unit_path(account.unit.as_deref()));
        nodes.push(account.id.clone());
        let on = |p: &Policy, node: &String| p.targets.iter().any(|t| t == node || t == "*");
        let at = |node: &String| self.org.policies.iter().filter(|p| p.kind == kind && on(p, node)).collect();
        nodes.iter().map(at).collect()
    }

    /// Returns the ARN partition.
    pub fn partition(&self) -> &str {
        &self.org.partition
    }
}

fn statements(document: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    match &document["Statement"] {
        Value::Array(list) => list.clone(),
        Value::Object(_) => vec![document["Statement"].clone()],
        _ => Vec::new(),
    }
}
