//! The nodes from the root down to an account, and the policies attached at each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

use serde::Serialize;

use super::{
    guard::Guard,
    language::{Document, Effect, Kind, Statement},
};
use crate::model::{Account, AccountId, Organization, OrganizationalUnit, Policy, Root, Sha256Digest};

/// What a chain never reaches, whatever its policies say: shown beside every answer.
pub const OUTSIDE_EVERY_CHAIN: &str = "Service control and resource control policies do not affect service-linked roles, the management \
    account's own principals (service control) or its resources (resource control). They leave room and grant nothing.";

/// Whether a policy type is in force at the account's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TypeState {
    /// Enabled.
    Enabled,
    /// Not enabled: its policies have no effect.
    Disabled,
    /// Being enabled or disabled, or nothing reliable is known; the text says which.
    Unknown(String),
}

/// Whether a node has an Allow statement at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeAllow {
    /// At least one Allow statement.
    Present,
    /// None: everything is denied from here down.
    Absent,
    /// Not all of the node's policies could be read.
    Unknown,
}

/// A policy as it is attached to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachedPolicy {
    /// `p-…`.
    pub id: String,
    /// Display name (may hold anything).
    pub name: String,
    /// SHA-256 of the document that was analysed; `None` where it could not be read.
    pub sha256: Option<Sha256Digest>,
    /// Why its document could not be analysed.
    pub problem: Option<String>,
}

/// One node of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeReport {
    /// Root, OU or account id.
    pub id: String,
    /// `ROOT`, `ORGANIZATIONAL_UNIT` or `ACCOUNT`.
    pub kind: &'static str,
    /// Display name; empty for a root.
    pub name: String,
    /// Policies attached here, sorted by id.
    pub policies: Vec<AttachedPolicy>,
    /// Whether an Allow stands here.
    pub allow: NodeAllow,
}

/// The chain of one policy type, root first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyChain {
    /// `SERVICE_CONTROL_POLICY` or `RESOURCE_CONTROL_POLICY`.
    pub policy_type: &'static str,
    /// Whether the type is enabled.
    pub state: TypeState,
    /// Root, OUs, account; empty where the path is not known.
    pub nodes: Vec<NodeReport>,
    /// What keeps the chain from being judged: each makes a guard `Unknown`.
    pub problems: Vec<String>,
}

/// The chains above one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The account.
    pub account: AccountId,
    /// Why no chain has an effect on it, where that is so.
    pub exempt: Option<String>,
    /// Service control policies: they bind the account's principals.
    pub service_control: PolicyChain,
    /// Resource control policies: they bind the account's resources.
    pub resource_control: PolicyChain,
    /// [`OUTSIDE_EVERY_CHAIN`].
    pub note: &'static str,
}

impl Kind {
    /// The policy type as Organizations spells it.
    pub fn policy_type(self) -> &'static str {
        match self {
            Self::ServiceControl => "SERVICE_CONTROL_POLICY",
            Self::ResourceControl => "RESOURCE_CONTROL_POLICY",
        }
    }

    /// Short name for messages.
    pub(super) fn short(self) -> &'static str {
        match self {
            Self::ServiceControl => "service control policy",
            Self::ResourceControl => "resource control policy",
        }
    }
}

/// A policy's document and hash, or why there is none.
type Parsed = Result<(Arc<Document>, Sha256Digest), String>;

/// What decides an account's answers: the policy type, the node above it, and the policies (by place) attached to itself.
pub(super) type Place<'a> = (Kind, &'a str, Vec<usize>);

/// Answers by place and action, each with the account that it was given to.
pub(super) type Answers<'a> = HashMap<(Place<'a>, String), (AccountId, Guard)>;

/// An organisation prepared for many questions: nodes and attachments indexed, each document read once, when first needed, and each
/// question answered once for all accounts in the same place.
#[derive(Debug)]
pub struct Analysis<'a> {
    organization: &'a Organization,
    roots: HashMap<&'a str, &'a Root>,
    units: HashMap<&'a str, &'a OrganizationalUnit>,
    accounts: HashMap<&'a str, &'a Account>,
    /// Policies (by place) at each node.
    attached: HashMap<&'a str, Vec<usize>>,
    /// Policies whose targets are unknown.
    adrift: Vec<usize>,
    parsed: Vec<OnceLock<Parsed>>,
    pub(super) answers: Mutex<Answers<'a>>,
}

/// A policy at a node.
#[derive(Debug, Clone)]
pub(super) struct Attached<'a> {
    pub(super) policy: &'a Policy,
    pub(super) parsed: &'a Parsed,
}

/// A node with what is attached to it.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) id: &'a str,
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    pub(super) policies: Vec<Attached<'a>>,
}

impl<'a> Node<'a> {
    /// Every statement of `effect` that could be read here, with its policy.
    pub(super) fn statements(&self, effect: Effect) -> impl Iterator<Item = (&Attached<'a>, &'a Statement)> {
        self.policies.iter().flat_map(move |attached| {
            let document = attached.parsed.as_ref().ok().map(|(document, _)| document.statements.as_slice());
            let statements = document.unwrap_or_default().iter();
            statements.filter(move |s| s.effect == effect).map(move |s| (attached, s))
        })
    }
}

/// A chain as far as it is known.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    pub(super) state: TypeState,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) problems: Vec<String>,
}

impl<'a> Analysis<'a> {
    /// Indexes `organization`.
    pub fn new(organization: &'a Organization) -> Self {
        let mut attached: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut adrift = Vec::new();
        for (place, policy) in organization.policies.iter().enumerate() {
            let Some(targets) = &policy.targets else {
                adrift.push(place);
                continue;
            };
            for target in targets {
                attached.entry(target.id.as_str()).or_default().push(place);
            }
        }
        Self {
            organization,
            roots: organization.roots.iter().map(|r| (r.id.as_str(), r)).collect(),
            units: organization.units.iter().map(|u| (u.id.as_str(), u)).collect(),
            accounts: organization.accounts.iter().map(|a| (a.id.as_str(), a)).collect(),
            attached,
            adrift,
            parsed: organization.policies.iter().map(|_| OnceLock::new()).collect(),
            answers: Mutex::default(),
        }
    }

    /// Describes the chains above `account`, for reports.
    pub fn chain(&self, account: &AccountId) -> ChainReport {
        ChainReport {
            account: account.clone(),
            exempt: self.exempt(account),
            service_control: self.report(account, Kind::ServiceControl),
            resource_control: self.report(account, Kind::ResourceControl),
            note: OUTSIDE_EVERY_CHAIN,
        }
    }

    /// Says why no chain has an effect on `account`, where that is so.
    pub(super) fn exempt(&self, account: &AccountId) -> Option<String> {
        (*account == self.organization.management_account).then(|| {
            format!("{account} is the management account: organisation policies have no effect on its principals and resources")
        })
    }

    /// Two accounts in the same place get the same answers.
    pub(super) fn place(&self, account: &AccountId, kind: Kind) -> Option<Place<'a>> {
        let above = self.accounts.get(account.as_str())?.parent.as_deref()?;
        Some((kind, above, self.of_kind(self.attached.get(account.as_str()).map_or(&[], Vec::as_slice), kind)))
    }

    fn report(&self, account: &AccountId, kind: Kind) -> PolicyChain {
        let Chain { state, nodes, problems } = self.resolve(account, kind);
        PolicyChain { policy_type: kind.policy_type(), state, nodes: nodes.iter().map(report_node).collect(), problems }
    }

    /// Follows the chain of `kind` down to `account`; everything that leaves it uncertain is among its problems.
    pub(super) fn resolve(&self, account: &AccountId, kind: Kind) -> Chain<'_> {
        let mut problems = Vec::new();
        let path = self.path(account).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        let state = self.state(&path, kind);
        let mut nodes = Vec::new();
        if state != TypeState::Disabled {
            if let TypeState::Unknown(why) = &state {
                problems.push(why.clone());
            }
            for policy in self.of_kind(&self.adrift, kind) {
                let id = &self.organization.policies[policy].id;
                problems.push(format!("where the {} {id} is attached could not be read", kind.short()));
            }
            nodes = path.iter().map(|id| self.node(id, kind)).collect();
            nodes.iter().for_each(|node| find_problems(node, kind, &mut problems));
        }
        problems.sort();
        problems.dedup();
        Chain { state, nodes, problems }
    }

    /// Ids from the root down to `account`.
    fn path(&self, account: &AccountId) -> Result<Vec<&'a str>, String> {
        let Some(record) = self.accounts.get(account.as_str()) else {
            return Err(format!("{account} is not among the accounts of the organisation"));
        };
        let mut path = vec![record.id.as_str()];
        let mut above = record.parent.as_deref();
        while path.len() <= self.units.len() + 2 {
            let Some(id) = above else {
                return Err(format!("no answer said which OU or root holds {}", path[path.len() - 1]));
            };
            if let Some(root) = self.roots.get(id) {
                path.push(root.id.as_str());
                path.reverse();
                return Ok(path);
            }
            let Some(unit) = self.units.get(id) else {
                return Err(format!("{id}, which holds {}, is not among the OUs and roots", path[path.len() - 1]));
            };
            path.push(unit.id.as_str());
            above = Some(unit.parent.as_str());
        }
        Err(format!("the OUs above {account} form a circle"))
    }

    fn state(&self, path: &[&str], kind: Kind) -> TypeState {
        if self.organization.feature_set == "CONSOLIDATED_BILLING" {
            return TypeState::Disabled;
        }
        let Some(root) = path.first().and_then(|id| self.roots.get(id)) else {
            return TypeState::Unknown("the account's root is not known".to_owned());
        };
        let mut status =
            root.policy_types.iter().filter(|t| t.policy_type == kind.policy_type()).map(|t| t.status.as_str());
        match (status.next(), status.next()) {
            (None, _) => TypeState::Disabled,
            (Some("ENABLED"), None) => TypeState::Enabled,
            (Some(other), _) => {
                TypeState::Unknown(format!("{} at {} is neither on nor off: {other}", kind.policy_type(), root.id))
            }
        }
    }

    fn of_kind(&self, places: &[usize], kind: Kind) -> Vec<usize> {
        let is = |place: &usize| self.organization.policies[*place].policy_type == kind.policy_type();
        let mut places: Vec<usize> = places.iter().copied().filter(is).collect();
        places.sort_by(|a, b| self.organization.policies[*a].id.cmp(&self.organization.policies[*b].id));
        places.dedup();
        places
    }

    fn node(&self, id: &'a str, kind: Kind) -> Node<'_> {
        let (node_kind, name) = match (self.units.get(id), self.accounts.get(id)) {
            (Some(unit), _) => ("ORGANIZATIONAL_UNIT", unit.name.as_str()),
            (None, Some(account)) => ("ACCOUNT", account.name.as_str()),
            (None, None) => ("ROOT", ""),
        };
        let places = self.of_kind(self.attached.get(id).map_or(&[], Vec::as_slice), kind);
        let policies = places.into_iter().map(|p| self.attachment(p, kind)).collect();
        Node { id, kind: node_kind, name, policies }
    }

    fn attachment(&self, place: usize, kind: Kind) -> Attached<'_> {
        let policy = &self.organization.policies[place];
        let parsed = self.parsed[place].get_or_init(|| {
            let text = policy.document.as_deref().ok_or("its document could not be read")?;
            let document = Document::parse(text, kind).map_err(|e| format!("its document is malformed: {e}"))?;
            Ok((Arc::new(document), Sha256Digest::of(text)))
        });
        Attached { policy, parsed }
    }
}

fn find_problems(node: &Node<'_>, kind: Kind, problems: &mut Vec<String>) {
    if node.policies.is_empty() {
        // Organizations refuses to detach the last one, so this is a hole in the evidence and not a denial.
        problems.push(format!(
            "no {} is recorded at {}, though Organizations keeps at least one attached wherever the type is enabled",
            kind.short(),
            node.id
        ));
    }
    for Attached { policy, parsed } in &node.policies {
        if let Err(why) = parsed {
            problems.push(format!("{} {} at {}: {why}", kind.short(), policy.id, node.id));
        }
    }
}

fn report_node(node: &Node<'_>) -> NodeReport {
    let allow = if node.policies.is_empty() || node.policies.iter().any(|p| p.parsed.is_err()) {
        NodeAllow::Unknown
    } else if node.statements(Effect::Allow).next().is_some() {
        NodeAllow::Present
    } else {
        NodeAllow::Absent
    };
    let policies = node.policies.iter().map(|Attached { policy, parsed }| AttachedPolicy {
        id: policy.id.clone(),
        name: policy.name.clone(),
        sha256: parsed.as_ref().ok().map(|(_, digest)| *digest),
        problem: parsed.as_ref().err().cloned(),
    });
    NodeReport {
        id: node.id.to_owned(),
        kind: node.kind,
        name: node.name.to_owned(),
        policies: policies.collect(),
        allow,
    }
}
