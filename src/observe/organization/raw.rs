//! What Organizations answers, in its own words.

use serde::Deserialize;

use crate::{model::AccountId, observe::wire::list_answer};

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawOrganization {
    pub id: String,
    pub master_account_id: AccountId,
    pub feature_set: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawAccount {
    pub id: AccountId,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub paths: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawUnit {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawRoot {
    pub id: String,
    #[serde(default)]
    pub policy_types: Option<Vec<RawPolicyType>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawPolicyType {
    pub r#type: String,
    pub status: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawTag {
    pub key: String,
    #[serde(default)]
    pub value: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawSummary {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub r#type: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawPolicy {
    pub policy_summary: RawSummary,
    #[serde(default)]
    pub content: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawTarget {
    pub target_id: String,
    #[serde(default)]
    pub r#type: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawService {
    pub service_principal: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawId {
    pub id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OneOrganization {
    pub organization: RawOrganization,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OnePolicy {
    pub policy: RawPolicy,
}

list_answer!(Accounts, "Accounts", RawAccount);
list_answer!(Units, "OrganizationalUnits", RawUnit);
list_answer!(Roots, "Roots", RawRoot);
list_answer!(Parents, "Parents", RawId);
list_answer!(Tags, "Tags", RawTag);
list_answer!(Policies, "Policies", RawSummary);
list_answer!(Targets, "Targets", RawTarget);
list_answer!(Administrators, "DelegatedAdministrators", RawId);
list_answer!(Delegated, "DelegatedServices", RawService);
list_answer!(Trusted, "EnabledServicePrincipals", RawService);

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Organization(RawOrganization),
    Accounts(Vec<RawAccount>),
    Units(Vec<RawUnit>),
    Roots(Vec<RawRoot>),
    Parents(Vec<RawId>),
    Tags(Vec<RawTag>),
    Summaries(Vec<RawSummary>),
    Policy(Box<RawPolicy>),
    Targets(Vec<RawTarget>),
    Administrators(Vec<RawId>),
    Services(Vec<RawService>),
}

/// Reads an answer and whether there is more of it; `None` where the operation says nothing of the organisation.
pub(super) fn read(operation: &str, body: &[u8]) -> Option<Result<(Answer, bool), serde_json::Error>> {
    fn list<T>(read: Result<(Vec<T>, bool), serde_json::Error>, to: fn(Vec<T>) -> Answer) -> ReadAnswer {
        read.map(|(items, more)| (to(items), more))
    }
    type ReadAnswer = Result<(Answer, bool), serde_json::Error>;
    Some(match operation {
        "DescribeOrganization" => {
            serde_json::from_slice::<OneOrganization>(body).map(|o| (Answer::Organization(o.organization), false))
        }
        "DescribePolicy" => {
            serde_json::from_slice::<OnePolicy>(body).map(|p| (Answer::Policy(Box::new(p.policy)), false))
        }
        "ListAccounts" | "ListAccountsForParent" => list(Accounts::read(body), Answer::Accounts),
        "ListOrganizationalUnitsForParent" => list(Units::read(body), Answer::Units),
        "ListRoots" => list(Roots::read(body), Answer::Roots),
        "ListParents" => list(Parents::read(body), Answer::Parents),
        "ListTagsForResource" => list(Tags::read(body), Answer::Tags),
        "ListPolicies" => list(Policies::read(body), Answer::Summaries),
        "ListTargetsForPolicy" => list(Targets::read(body), Answer::Targets),
        "ListDelegatedAdministrators" => list(Administrators::read(body), Answer::Administrators),
        "ListDelegatedServicesForAccount" => list(Delegated::read(body), Answer::Services),
        "ListAWSServiceAccessForOrganization" => list(Trusted::read(body), Answer::Services),
        _ => return None,
    })
}
