//! The organisation as Organizations described it to one run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AccountId, EvidenceRef, Sha256Digest};

/// An account's life-cycle state. Reads `State`, falls back to `Status` (retired 2026-09); absence of both is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountState {
    /// In use: the only state in which a role can be assumed.
    Active,
    /// Invitation or creation not finished.
    PendingActivation,
    /// Closed by its owner or suspended by AWS.
    Suspended,
    /// Being closed.
    PendingClosure,
    /// Closed.
    Closed,
    /// Organizations named neither State nor Status, or one that we do not know: asked nevertheless, never dropped.
    Unknown,
}

/// A member or management account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub id: AccountId,
    /// Display name (may hold anything).
    pub name: String,
    /// Life-cycle state.
    pub state: AccountState,
    /// Id of the root or OU that holds it; `None` where no answer said so.
    pub parent: Option<String>,
    /// Tags, sorted by key.
    pub tags: BTreeMap<String, String>,
    /// The raw record.
    pub evidence: Option<EvidenceRef>,
}

/// An organizational unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationalUnit {
    /// `ou-…`.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Id of the root or OU that holds it.
    pub parent: String,
}

/// Whether a policy type is switched on at a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTypeStatus {
    /// `SERVICE_CONTROL_POLICY`, `RESOURCE_CONTROL_POLICY`, …
    pub policy_type: String,
    /// `ENABLED`, `PENDING_ENABLE` or `PENDING_DISABLE`.
    pub status: String,
}

/// The root of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// `r-…`.
    pub id: String,
    /// Policy types and whether they are on.
    pub policy_types: Vec<PolicyTypeStatus>,
}

/// What a policy is attached to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyTarget {
    /// Root, OU or account id.
    pub id: String,
    /// `ROOT`, `ORGANIZATIONAL_UNIT` or `ACCOUNT`.
    pub kind: String,
}

/// An organisation policy: SCP, RCP, declarative and others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `p-…`.
    pub id: String,
    /// Display name.
    pub name: String,
    /// `SERVICE_CONTROL_POLICY`, `RESOURCE_CONTROL_POLICY`, …
    pub policy_type: String,
    /// The document exactly as delivered; `None` where it could not be read.
    pub document: Option<String>,
    /// SHA-256 of that document.
    pub sha256: Option<Sha256Digest>,
    /// Where it is attached, sorted; `None` where that could not be read.
    pub targets: Option<Vec<PolicyTarget>>,
    /// The raw record that brought the document.
    pub evidence: Option<EvidenceRef>,
}

/// A service with trusted access, or an account that administers it by delegation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceAccess {
    /// Service principal, such as `config.amazonaws.com`.
    pub service: String,
    /// Delegated administrators of the service, sorted.
    pub administrators: Vec<AccountId>,
    /// True where trusted access is enabled.
    pub trusted: bool,
}

/// Everything discovery learned, sorted by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// `o-…`.
    pub id: String,
    /// The management account: SCPs have no effect on it.
    pub management_account: AccountId,
    /// `ALL` or `CONSOLIDATED_BILLING`.
    pub feature_set: String,
    /// Roots (AWS allows one today).
    pub roots: Vec<Root>,
    /// The OU tree.
    pub units: Vec<OrganizationalUnit>,
    /// Every account, whatever its state.
    pub accounts: Vec<Account>,
    /// Policies of every enabled type.
    pub policies: Vec<Policy>,
    /// Trusted access and delegation.
    pub services: Vec<ServiceAccess>,
}

impl Organization {
    /// Returns the ids of `node`'s ancestors from the root down, ending in `node` itself; empty where a link is missing.
    pub fn path_to(&self, node: &str) -> Vec<&str> {
        let mut path = Vec::new();
        let mut at = Some(node);
        while let Some(id) = at {
            if path.len() > self.units.len() + 2 {
                return Vec::new();
            }
            if let Some(root) = self.roots.iter().find(|r| r.id == id) {
                path.push(root.id.as_str());
                path.reverse();
                return path;
            }
            at = if let Some(unit) = self.units.iter().find(|u| u.id == id) {
                path.push(unit.id.as_str());
                Some(unit.parent.as_str())
            } else if let Some(account) = self.accounts.iter().find(|a| a.id.as_str() == id) {
                path.push(account.id.as_str());
                account.parent.as_deref()
            } else {
                None
            };
        }
        Vec::new()
    }
}
