//! AWS Organizations: the tree, the accounts, the policies, delegation.

use serde_json::{Value, json};

use crate::{
    call::{Call, compact, epoch},
    hash,
    organization::{Account, Policy, StateField},
    wire::{Answer, AwsError},
};

pub(super) fn answer(call: &Call<'_>) -> Option<Answer> {
    type Operation = fn(&Call<'_>) -> Answer;
    let operation: Operation = match call.operation {
        "DescribeOrganization" => describe_organization,
        "ListRoots" => list_roots,
        "ListOrganizationalUnitsForParent" => list_units,
        "ListAccounts" => list_accounts,
        "ListAccountsForParent" => list_accounts_for_parent,
        "ListParents" => list_parents,
        "ListTagsForResource" => list_tags,
        "ListPolicies" => list_policies,
        "DescribePolicy" => describe_policy,
        "ListTargetsForPolicy" => list_targets,
        "ListDelegatedAdministrators" => list_delegated_administrators,
        "ListDelegatedServicesForAccount" => list_delegated_services,
        "ListAWSServiceAccessForOrganization" => list_service_access,
        "DescribeResourcePolicy" => describe_resource_policy,
        _ => return None,
    };
    Some(allowed(call).and_then(|()| operation(call)))
}

/// Management account and delegated administrators may read; a member may only describe the organisation it is in.
fn allowed(call: &Call<'_>) -> Result<(), AwsError> {
    let org = &call.world.org;
    if call.world.account(call.account()).is_none() {
        return Err(AwsError::new(
            "AWSOrganizationsNotInUseException",
            "Your account is not a member of an organization.",
        ));
    }
    let central = call.account() == org.management || org.delegates.iter().any(|d| d.account == call.account());
    if central || call.operation == "DescribeOrganization" {
        return Ok(());
    }
    Err(AwsError::new("AccessDeniedException", "You don't have permissions to access this resource."))
}

fn arn(call: &Call<'_>, rest: &str) -> String {
    let org = &call.world.org;
    format!("arn:{}:organizations::{}:{rest}", org.partition, org.management)
}

fn policy_types(call: &Call<'_>) -> Value {
    call.world.org.policy_types.iter().map(|t| json!({"Type": t, "Status": "ENABLED"})).collect()
}

fn describe_organization(call: &Call<'_>) -> Answer {
    let org = &call.world.org;
    Ok(json!({"Organization": {
        "Id": org.id,
        "Arn": arn(call, &format!("organization/{}", org.id)),
        "FeatureSet": org.feature_set,
        "MasterAccountArn": arn(call, &format!("account/{}/{}", org.id, org.management)),
        "MasterAccountId": org.management,
        "MasterAccountEmail": format!("aws+{}@example.com", org.management),
        "AvailablePolicyTypes": policy_types(call),
    }}))
}

fn size(call: &Call<'_>) -> Result<usize, AwsError> {
    call.page_size("MaxResults", 20, 20)
}

fn list_roots(call: &Call<'_>) -> Answer {
    let id = call.world.root_id();
    let root = json!({
        "Id": id,
        "Arn": arn(call, &format!("root/{}/{id}", call.world.org.id)),
        "Name": "Root",
        "PolicyTypes": policy_types(call),
    });
    call.list("Roots", vec![root], size(call)?)
}

/// Checks that a parent exists and returns the unit's name; `None` is the root.
fn parent(call: &Call<'_>) -> Result<Option<String>, AwsError> {
    let id = call.required("ParentId")?;
    match call.world.node(id) {
        Some(node) if node.kind == "ROOT" => Ok(None),
        Some(node) if node.kind == "ORGANIZATIONAL_UNIT" => Ok(Some(node.name)),
        _ => Err(AwsError::new("ParentNotFoundException", "You specified parent that doesn't exist.")),
    }
}

fn list_units(call: &Call<'_>) -> Answer {
    let parent = parent(call)?;
    let world = call.world;
    let units = world.org.units.iter().filter(|u| u.parent == parent).map(|u| {
        let id = world.unit_id(&u.name);
        json!({
            "Id": id,
            "Arn": arn(call, &format!("ou/{}/{id}", world.org.id)),
            "Name": u.name,
            "Path": world.entity_path(u.parent.as_deref(), id),
        })
    });
    call.list("OrganizationalUnits", units.collect(), size(call)?)
}

fn account(call: &Call<'_>, account: &Account) -> Value {
    let world = call.world;
    let mut value = json!({
        "Id": account.id,
        "Arn": arn(call, &format!("account/{}/{}", world.org.id, account.id)),
        "Email": format!("aws+{}@example.com", account.id),
        "Name": account.name,
        "JoinedMethod": if account.id == world.org.management { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": epoch(world.founded),
    });
    let field = world.org.account_state_field;
    if matches!(field, StateField::State | StateField::Both) {
        value["State"] = json!(account.state);
    }
    if matches!(field, StateField::Status | StateField::Both) {
        let status = if account.state == "CLOSED" { "SUSPENDED" } else { account.state.as_str() };
        value["Status"] = json!(status);
    }
    if field == StateField::State {
        value["Paths"] = json!([world.entity_path(account.unit.as_deref(), &account.id)]);
    }
    value
}

fn list_accounts(call: &Call<'_>) -> Answer {
    call.list_of("Accounts", call.world.org.accounts.iter().collect(), size(call)?, |a| account(call, a))
}

fn list_accounts_for_parent(call: &Call<'_>) -> Answer {
    let parent = parent(call)?;
    let accounts = call.world.org.accounts.iter().filter(|a| a.unit == parent);
    call.list_of("Accounts", accounts.collect(), size(call)?, |a| account(call, a))
}

fn list_parents(call: &Call<'_>) -> Answer {
    let id = call.required("ChildId")?;
    let world = call.world;
    let unit = world.org.units.iter().find(|u| world.unit_id(&u.name) == id).map(|u| u.parent.clone());
    let parent = unit
        .or_else(|| world.account(id).map(|a| a.unit.clone()))
        .ok_or_else(|| AwsError::new("ChildNotFoundException", "You specified child that doesn't exist."))?;
    let kind = if parent.is_some() { "ORGANIZATIONAL_UNIT" } else { "ROOT" };
    call.list("Parents", vec![json!({"Id": world.parent_id(parent.as_deref()), "Type": kind})], size(call)?)
}

fn list_tags(call: &Call<'_>) -> Answer {
    let id = call.required("ResourceId")?;
    let known = call.world.node(id).is_some() || call.world.org.policies.iter().any(|p| p.id == id);
    if !known {
        return Err(AwsError::new("TargetNotFoundException", "You specified a target that doesn't exist."));
    }
    let tags = call.world.account(id).map(|a| &a.tags);
    let tags = tags.into_iter().flatten().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
    call.list("Tags", tags, 20)
}

fn summary(call: &Call<'_>, policy: &Policy) -> Value {
    let path = format!("policy/{}/{}/{}", call.world.org.id, policy.kind.to_lowercase(), policy.id);
    let arn = if policy.aws_managed {
        format!("arn:{}:organizations::aws:policy/{}/{}", call.world.partition(), policy.kind.to_lowercase(), policy.id)
    } else {
        arn(call, &path)
    };
    json!({
        "Id": policy.id, "Arn": arn, "Name": policy.name, "Description": policy.description,
        "Type": policy.kind, "AwsManaged": policy.aws_managed,
    })
}

fn list_policies(call: &Call<'_>) -> Answer {
    let kind = call.required("Filter")?;
    let policies = call.world.org.policies.iter().filter(|p| p.kind == kind).map(|p| summary(call, p));
    call.list("Policies", policies.collect(), size(call)?)
}

fn policy<'a>(call: &Call<'a>) -> Result<&'a Policy, AwsError> {
    let id = call.required("PolicyId")?;
    call.world
        .org
        .policies
        .iter()
        .find(|p| p.id == id)
        .ok_or_else(|| AwsError::new("PolicyNotFoundException", "You specified a policy that doesn't exist."))
}

fn describe_policy(call: &Call<'_>) -> Answer {
    let policy = policy(call)?;
    Ok(json!({"Policy": {"PolicySummary": summary(call, policy), "Content": policy.document}}))
}

fn list_targets(call: &Call<'_>) -> Answer {
    let org = &call.world.org.id;
    let nodes = call.world.policy_targets(policy(call)?);
    call.list_of("Targets", nodes, size(call)?, |node| {
        let path = match node.kind {
            "ROOT" => "root",
            "ACCOUNT" => "account",
            _ => "ou",
        };
        json!({
            "TargetId": node.id, "Arn": arn(call, &format!("{path}/{org}/{}", node.id)),
            "Name": node.name, "Type": node.kind,
        })
    })
}

fn list_delegated_administrators(call: &Call<'_>) -> Answer {
    let service = call.text("ServicePrincipal");
    let delegates =
        call.world.org.delegates.iter().filter(|d| service.is_none_or(|s| d.services.iter().any(|x| x == s)));
    let items = delegates.filter_map(|d| {
        let mut value = account(call, call.world.account(&d.account)?);
        value["DelegationEnabledDate"] = epoch(call.world.founded);
        value.as_object_mut()?.remove("Paths");
        Some(value)
    });
    call.list("DelegatedAdministrators", items.collect(), size(call)?)
}

fn list_delegated_services(call: &Call<'_>) -> Answer {
    let id = call.required("AccountId")?;
    if call.world.account(id).is_none() {
        return Err(AwsError::new("AccountNotFoundException", "You specified an account that doesn't exist."));
    }
    let Some(delegate) = call.world.org.delegates.iter().find(|d| d.account == id) else {
        return Err(AwsError::new(
            "AccountNotRegisteredException",
            "The specified account is not a delegated administrator for this AWS service.",
        ));
    };
    let date = epoch(call.world.founded);
    let items = delegate.services.iter().map(|s| json!({"ServicePrincipal": s, "DelegationEnabledDate": date}));
    call.list("DelegatedServices", items.collect(), size(call)?)
}

fn list_service_access(call: &Call<'_>) -> Answer {
    let date = epoch(call.world.founded);
    let items = call.world.org.trusted_services.iter().map(|s| json!({"ServicePrincipal": s, "DateEnabled": date}));
    call.list("EnabledServicePrincipals", items.collect(), size(call)?)
}

/// The organisation's delegation policy: there is one where somebody administers by delegation.
fn describe_resource_policy(call: &Call<'_>) -> Answer {
    let org = &call.world.org;
    let Some(delegate) = org.delegates.first() else {
        return Err(AwsError::new(
            "ResourcePolicyNotFoundException",
            "You specified a resource policy that doesn't exist.",
        ));
    };
    let id = format!("rp-{}", hash::hex(&["resource-policy", &org.id], 8));
    let content = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "DelegateReading", "Effect": "Allow",
        "Principal": {"AWS": format!("arn:{}:iam::{}:root", org.partition, delegate.account)},
        "Action": ["organizations:Describe*", "organizations:List*"], "Resource": "*",
    }]});
    Ok(compact(json!({"ResourcePolicy": {
        "ResourcePolicySummary": {"Id": id, "Arn": arn(call, &format!("resourcepolicy/{}/{id}", org.id))},
        "Content": content.to_string(),
    }})))
}
