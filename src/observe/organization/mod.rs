//! Organizations: the tree, the accounts, the policies, delegation. Reads the AWS JSON answers of the `organization` collector.

mod raw;

use std::collections::{BTreeMap, BTreeSet};

use raw::{Answer, RawAccount, RawOrganization, RawPolicy, RawRoot, RawSummary, RawUnit, read};

use super::{
    pages::{Listing, Listings, Page, Source},
    wire::Strings,
};
use crate::model::{
    Account, AccountId, AccountState, Exchange, Organization, OrganizationalUnit, Policy, PolicyTarget,
    PolicyTypeStatus, Root, ServiceAccess, Sha256Digest,
};

/// Why the recorded answers do not describe an organisation whole enough to plan by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationUnreadable {
    /// A call that nothing can replace has no answer.
    #[error("Organizations' {0} has no complete answer in the evidence: see the errors of these calls in calls.ndjson")]
    Missing(&'static str),
    /// An answer is not what Organizations sends.
    #[error("an answer of Organizations' {operation} cannot be read: {cause}")]
    Malformed {
        /// The operation.
        operation: String,
        /// What the parser said.
        cause: String,
    },
}

/// Builds the organisation from the answers of the `organization` collector, pushed in the order of the calls.
#[derive(Debug, Default)]
pub struct OrganizationReader {
    strings: Strings,
    listings: Listings<Answer>,
    malformed: Option<OrganizationUnreadable>,
}

impl OrganizationReader {
    /// Begins with nothing read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one exchange; attempts without an answer and operations of other kinds are passed over.
    pub fn push(&mut self, exchange: Exchange<'_>) {
        let call = exchange.call;
        if !exchange.answered() {
            return;
        }
        let Some(answer) = read(&call.operation, exchange.body) else { return };
        match answer {
            Ok((value, more)) => {
                let (path, line) = call.body.as_ref().map_or(("", 0), |b| (b.path.as_str(), b.line));
                let source = Source { seal: exchange.seal, path: self.strings.one(path), line };
                let page = Page { value, at: call.time, source };
                self.listings.push(call, page, more);
            }
            Err(cause) => {
                let operation = call.operation.clone();
                self.malformed = Some(OrganizationUnreadable::Malformed { operation, cause: cause.to_string() });
            }
        }
    }

    /// Returns the organisation.
    ///
    /// # Errors
    /// Where the organisation, its roots or its accounts have no complete answer, or one cannot be read: planning on
    /// less would drop accounts in silence. Units, parents, tags, policies and delegation may be
    /// missing: then links are absent and documents `None`, and what depends on them is not assessed.
    pub fn finish(self) -> Result<Organization, OrganizationUnreadable> {
        if let Some(malformed) = self.malformed {
            return Err(malformed);
        }
        let mut parts = Parts::default();
        for listing in self.listings.finish() {
            parts.take(listing)?;
        }
        parts.build()
    }
}

#[derive(Default)]
struct Parts {
    organization: Option<RawOrganization>,
    roots: BTreeMap<String, Root>,
    units: BTreeMap<String, OrganizationalUnit>,
    accounts_complete: bool,
    accounts: BTreeMap<AccountId, Account>,
    parents: BTreeMap<String, String>,
    tags: BTreeMap<String, BTreeMap<String, String>>,
    policies: BTreeMap<String, Policy>,
    targets: BTreeMap<String, Vec<PolicyTarget>>,
    administrators: BTreeMap<String, BTreeSet<AccountId>>,
    trusted: BTreeSet<String>,
}

impl Parts {
    fn take(&mut self, listing: Listing<Answer>) -> Result<(), OrganizationUnreadable> {
        let Listing { operation, request, pages, complete, .. } = listing;
        let of = |name: &str| request.param(name).unwrap_or_default().to_owned();
        match (operation.as_str(), complete) {
            ("ListRoots", false) => return Err(OrganizationUnreadable::Missing("ListRoots")),
            ("ListAccounts", false) => return Err(OrganizationUnreadable::Missing("ListAccounts")),
            ("ListAccounts", true) => self.accounts_complete = true,
            ("ListTargetsForPolicy", true) => drop(self.targets.entry(of("PolicyId")).or_default()),
            _ => {}
        }
        for page in pages {
            match page.value {
                Answer::Organization(organization) => self.organization = Some(organization),
                Answer::Accounts(accounts) => {
                    let parent = request.param("ParentId");
                    for account in accounts {
                        self.account(account, parent, &page.source);
                    }
                }
                Answer::Units(units) => {
                    for RawUnit { id, name } in units {
                        let unit = OrganizationalUnit {
                            id: id.clone(),
                            name: name.unwrap_or_default(),
                            parent: of("ParentId"),
                        };
                        self.units.insert(id, unit);
                    }
                }
                Answer::Roots(roots) => self.roots.extend(roots.into_iter().map(root)),
                Answer::Parents(parents) => {
                    for parent in parents {
                        self.parents.insert(of("ChildId"), parent.id);
                    }
                }
                Answer::Tags(tags) => {
                    let all = self.tags.entry(of("ResourceId")).or_default();
                    all.extend(tags.into_iter().map(|t| (t.key, t.value.unwrap_or_default())));
                }
                Answer::Summaries(summaries) => {
                    for summary in summaries {
                        self.policy(summary, request.param("Filter"), None, &page.source);
                    }
                }
                Answer::Policy(policy) => {
                    let RawPolicy { policy_summary, content } = *policy;
                    self.policy(policy_summary, None, content, &page.source);
                }
                // An unfinished list of targets would make a policy look attached to less than it is.
                Answer::Targets(targets) if complete => {
                    let all = self.targets.entry(of("PolicyId")).or_default();
                    all.extend(
                        targets
                            .into_iter()
                            .map(|t| PolicyTarget { id: t.target_id, kind: t.r#type.unwrap_or_default() }),
                    );
                }
                Answer::Services(services) if operation == "ListAWSServiceAccessForOrganization" => {
                    self.trusted.extend(services.into_iter().map(|s| s.service_principal));
                }
                Answer::Services(services) => {
                    let Ok(account) = of("AccountId").parse::<AccountId>() else { continue };
                    for service in services {
                        self.administrators.entry(service.service_principal).or_default().insert(account.clone());
                    }
                }
                Answer::Administrators(administrators) => {
                    let Some(service) = request.param("ServicePrincipal") else { continue };
                    let ids = administrators.into_iter().filter_map(|a| a.id.parse().ok());
                    self.administrators.entry(service.to_owned()).or_default().extend(ids);
                }
                Answer::Targets(_) => {}
            }
        }
        Ok(())
    }

    fn account(&mut self, raw: RawAccount, parent: Option<&str>, source: &Source) {
        let from_path = raw.paths.iter().flatten().find_map(|path| parent_in(path, raw.id.as_str()));
        let parent = parent.map(str::to_owned).or(from_path);
        let known = self.accounts.entry(raw.id.clone()).or_insert_with(|| Account {
            id: raw.id,
            name: raw.name.unwrap_or_default(),
            state: state(raw.state.as_deref().or(raw.status.as_deref())),
            parent: None,
            tags: BTreeMap::new(),
            evidence: Some(source.evidence()),
        });
        if parent.is_some() {
            known.parent = parent;
        }
    }

    fn policy(&mut self, summary: RawSummary, filter: Option<&str>, content: Option<String>, source: &Source) {
        let known = self.policies.entry(summary.id.clone()).or_insert_with(|| Policy {
            id: summary.id,
            name: String::new(),
            policy_type: String::new(),
            document: None,
            sha256: None,
            targets: None,
            evidence: None,
        });
        if let Some(name) = summary.name {
            known.name = name;
        }
        if let Some(kind) = summary.r#type.or(filter.map(str::to_owned)) {
            known.policy_type = kind;
        }
        if let Some(document) = content {
            known.sha256 = Some(Sha256Digest::of(&document));
            known.document = Some(document);
            known.evidence = Some(source.evidence());
        } else if known.evidence.is_none() {
            known.evidence = Some(source.evidence());
        }
    }

    fn build(mut self) -> Result<Organization, OrganizationUnreadable> {
        let organization = self.organization.ok_or(OrganizationUnreadable::Missing("DescribeOrganization"))?;
        if self.roots.is_empty() {
            return Err(OrganizationUnreadable::Missing("ListRoots"));
        }
        if !self.accounts_complete {
            return Err(OrganizationUnreadable::Missing("ListAccounts"));
        }
        for account in self.accounts.values_mut() {
            if account.parent.is_none() {
                account.parent = self.parents.get(account.id.as_str()).cloned();
            }
            account.tags = self.tags.remove(account.id.as_str()).unwrap_or_default();
        }
        for policy in self.policies.values_mut() {
            policy.targets = self.targets.remove(&policy.id).map(|mut targets| {
                targets.sort();
                targets.dedup();
                targets
            });
        }
        let services: BTreeSet<_> = self.trusted.iter().chain(self.administrators.keys()).cloned().collect();
        let services = services.into_iter().map(|service| ServiceAccess {
            administrators: self.administrators.get(&service).into_iter().flatten().cloned().collect(),
            trusted: self.trusted.contains(&service),
            service,
        });
        Ok(Organization {
            id: organization.id,
            management_account: organization.master_account_id,
            feature_set: organization.feature_set,
            services: services.collect(),
            roots: self.roots.into_values().collect(),
            units: self.units.into_values().collect(),
            accounts: self.accounts.into_values().collect(),
            policies: self.policies.into_values().collect(),
        })
    }
}

fn root(raw: RawRoot) -> (String, Root) {
    let types = raw.policy_types.unwrap_or_default();
    let mut policy_types: Vec<_> =
        types.into_iter().map(|t| PolicyTypeStatus { policy_type: t.r#type, status: t.status }).collect();
    policy_types.sort_by(|a, b| a.policy_type.cmp(&b.policy_type));
    (raw.id.clone(), Root { id: raw.id, policy_types })
}

fn state(text: Option<&str>) -> AccountState {
    match text {
        Some("ACTIVE") => AccountState::Active,
        Some("PENDING_ACTIVATION") => AccountState::PendingActivation,
        Some("SUSPENDED") => AccountState::Suspended,
        Some("PENDING_CLOSURE") => AccountState::PendingClosure,
        Some("CLOSED") => AccountState::Closed,
        _ => AccountState::Unknown,
    }
}

/// Returns the root or OU that holds `account` in a path such as `o-x/r-y/ou-z/111122223333/`.
fn parent_in(path: &str, account: &str) -> Option<String> {
    let parts: Vec<_> = path.split('/').filter(|p| !p.is_empty() && *p != account).collect();
    parts.last().filter(|p| p.starts_with("ou-") || p.starts_with("r-")).map(|p| (*p).to_owned())
}
