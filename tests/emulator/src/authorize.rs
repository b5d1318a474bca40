//! Service control and resource control policies, evaluated for the calls that the emulator serves.

use serde_json::Value;

use crate::{estate::wildcard, identity::Principal, organization::Account, world::World};

/// Which kind of policy refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// An SCP denies.
    ServiceControlExplicit,
    /// No SCP at some node allows.
    ServiceControlImplicit,
    /// An RCP denies.
    ResourceControl,
}

impl Refusal {
    /// Returns the tail of AWS's message.
    pub fn because(self) -> &'static str {
        match self {
            Self::ServiceControlExplicit => "with an explicit deny in a service control policy",
            Self::ServiceControlImplicit => "because no service control policy allows the action",
            Self::ResourceControl => "with an explicit deny in a resource control policy",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub principal: &'a Principal,
    pub action: &'a str,
    pub region: &'a str,
}

/// Returns why the SCPs above the caller's account refuse the call, if they do.
pub(crate) fn service_control(world: &World, ask: Ask<'_>) -> Option<Refusal> {
    let account = world.account(&ask.principal.account)?;
    if account.id == world.org.management || !enabled(world, "SERVICE_CONTROL_POLICY") {
        return None;
    }
    let chain = world.policy_chain(account, "SERVICE_CONTROL_POLICY");
    let statements: Vec<Vec<&Value>> =
        chain.iter().map(|node| node.iter().flat_map(|p| world.statements(p)).collect()).collect();
    if statements.iter().flatten().any(|s| s["Effect"] == "Deny" && applies(s, ask)) {
        return Some(Refusal::ServiceControlExplicit);
    }
    let allowed = |node: &Vec<&Value>| node.iter().any(|s| s["Effect"] == "Allow" && applies(s, ask));
    if statements.iter().all(allowed) { None } else { Some(Refusal::ServiceControlImplicit) }
}

/// Returns whether the RCPs above the account that owns the resource refuse the call.
pub(crate) fn resource_control(world: &World, owner: &Account, ask: Ask<'_>) -> Option<Refusal> {
    if owner.id == world.org.management || !enabled(world, "RESOURCE_CONTROL_POLICY") {
        return None;
    }
    let chain = world.policy_chain(owner, "RESOURCE_CONTROL_POLICY");
    let mut statements = chain.iter().flatten().flat_map(|p| world.statements(p));
    statements.any(|s| s["Effect"] == "Deny" && applies(s, ask)).then_some(Refusal::ResourceControl)
}

fn enabled(world: &World, kind: &str) -> bool {
    world.org.policy_types.iter().any(|t| t == kind)
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn applies(statement: &Value, ask: Ask<'_>) -> bool {
    let is = |pattern: &&str| wildcard(&pattern.to_lowercase(), &ask.action.to_lowercase());
    let action = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), _) => texts(actions).iter().any(is),
        (None, Some(others)) => !texts(others).iter().any(is),
        (None, None) => false,
    };
    // The calls served here have no resource that a policy of the organisation files names: only "*" fits.
    let resource = statement.get("Resource").is_none_or(|r| texts(r).contains(&"*"));
    let conditions = statement.get("Condition").and_then(Value::as_object);
    action && resource && conditions.is_none_or(|all| all.iter().all(|(operator, keys)| holds(operator, keys, ask)))
}

fn holds(operator: &str, keys: &Value, ask: Ask<'_>) -> bool {
    let Some(keys) = keys.as_object() else { return false };
    let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
    keys.iter().all(|(key, wanted)| {
        let have = match key.to_lowercase().as_str() {
            "aws:principalarn" => Some(ask.principal.principal_arn.as_str()),
            "aws:requestedregion" => Some(ask.region),
            "aws:principalaccount" => Some(ask.principal.account.as_str()),
            _ => None,
        };
        let negated = operator.contains("Not");
        let Some(have) = have else { return negated };
        let likes = operator.contains("Like") || operator.starts_with("Arn");
        let hit = texts(wanted).iter().any(|w| if likes { wildcard(w, have) } else { *w == have });
        hit != negated
    })
}
