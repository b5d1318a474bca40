//! The chain's rules on policies as organisations write them, and on evidence with holes.

mod hostile;
mod twin;

use std::collections::BTreeMap;

use super::*;
use crate::model::{
    Account, AccountState, OrganizationalUnit, Policy, PolicyTarget, PolicyTypeStatus, Root, Sha256Digest,
};

const SCP: &str = "SERVICE_CONTROL_POLICY";
const RCP: &str = "RESOURCE_CONTROL_POLICY";
const MEMBER: &str = "222222222222";
const FULL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const RCP_FULL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn account(number: &str, parent: Option<&str>) -> Account {
    Account {
        id: id(number),
        name: format!("account {number}"),
        state: AccountState::Active,
        parent: parent.map(str::to_owned),
        tags: BTreeMap::new(),
        evidence: None,
    }
}

fn policy(name: &str, policy_type: &str, document: &str, targets: &[&str]) -> Policy {
    Policy {
        id: format!("p-{name}"),
        name: name.to_owned(),
        policy_type: policy_type.to_owned(),
        document: Some(document.to_owned()),
        sha256: Some(Sha256Digest::of(document)),
        targets: Some(targets.iter().map(|t| PolicyTarget { id: (*t).to_owned(), kind: String::new() }).collect()),
        evidence: None,
    }
}

/// Root r-1 over ou-1 over ou-2 over the member; the management account under the root; both types on, FullAWSAccess everywhere.
fn organization(policies: Vec<Policy>) -> Organization {
    let everywhere = ["r-1", "ou-1", "ou-2", MEMBER, "111111111111"];
    let on = |t: &str| PolicyTypeStatus { policy_type: t.to_owned(), status: "ENABLED".to_owned() };
    let unit = |id: &str, parent: &str| OrganizationalUnit {
        id: id.to_owned(),
        name: format!("unit {id}"),
        parent: parent.to_owned(),
    };
    let full = [policy("Full", SCP, FULL, &everywhere), policy("RcpFull", RCP, RCP_FULL, &everywhere)];
    Organization {
        id: "o-1".to_owned(),
        management_account: id("111111111111"),
        feature_set: "ALL".to_owned(),
        roots: vec![Root { id: "r-1".to_owned(), policy_types: vec![on(SCP), on(RCP)] }],
        units: vec![unit("ou-1", "r-1"), unit("ou-2", "ou-1")],
        accounts: vec![account("111111111111", Some("r-1")), account(MEMBER, Some("ou-2"))],
        policies: full.into_iter().chain(policies).collect(),
        services: Vec::new(),
    }
}

/// The same, without FullAWSAccess at `node`.
fn without_full(node: &str, policies: Vec<Policy>) -> Organization {
    let mut organization = organization(policies);
    organization.policies[0].targets.as_mut().unwrap().retain(|t| t.id != node);
    organization
}

fn ask(organization: &Organization, action: &str) -> Guard {
    guard(organization, &id(MEMBER), action)
}

fn statement(body: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{body}}}]}}"#)
}

fn denied_by(guard: Guard) -> Vec<Responsible> {
    match guard {
        Guard::Denied { by } if !by.is_empty() => by,
        other => panic!("not denied: {other:?}"),
    }
}

fn conditions(guard: Guard) -> Vec<String> {
    match guard {
        Guard::DeniedConditionally { by, conditions } if !by.is_empty() && by.len() == conditions.len() => conditions,
        other => panic!("not conditional: {other:?}"),
    }
}

fn unknown(guard: Guard) -> String {
    match guard {
        Guard::Unknown { why } => why,
        other => panic!("not unknown: {other:?}"),
    }
}

#[test]
fn full_access_everywhere_denies_nothing_and_a_deny_at_any_node_wins_over_it() {
    assert_eq!(ask(&organization(vec![]), "s3:GetObject"), Guard::NotDenied);
    assert_eq!(ask(&organization(vec![]), "*"), Guard::NotDenied);
    let deny = statement(
        r#""Sid":"NoPolicy","Effect":"Deny","Action":["S3:putBucketPolicy","s3:DeleteBucket*"],"Resource":"*""#,
    );
    for node in ["r-1", "ou-1", "ou-2", MEMBER] {
        let organization = organization(vec![policy("deny", SCP, &deny, &[node])]);
        let by = denied_by(ask(&organization, "s3:PutBucketPolicy"));
        let expected = Responsible {
            node: node.to_owned(),
            cause: Cause::ExplicitDeny,
            extent: Extent::Everything,
            policy: Some("p-deny".to_owned()),
            name: Some("deny".to_owned()),
            statement: Some(0),
            sid: Some("NoPolicy".to_owned()),
            sha256: Some(Sha256Digest::of(&deny)),
        };
        assert_eq!(by, [expected]);
        assert_eq!(ask(&organization, "s3:GetObject"), Guard::NotDenied);
        denied_by(ask(&organization, "s3:deletebucket*"));
        let text = conditions(ask(&organization, "s3:*"));
        assert_eq!(text, ["denied for action S3:putBucketPolicy, s3:DeleteBucket*"]);
        assert_eq!(ask(&organization, "ec2:*"), Guard::NotDenied);
    }
    let elsewhere = organization(vec![policy("deny", SCP, &deny, &["ou-9", "333333333333"])]);
    assert_eq!(ask(&elsewhere, "s3:PutBucketPolicy"), Guard::NotDenied);
}

#[test]
fn an_allow_must_stand_at_every_node_and_policies_at_one_node_unite() {
    let s3 = statement(r#""Effect":"Allow","Action":"s3:*","Resource":"*""#);
    let ec2 = statement(r#""Effect":"Allow","NotAction":"s3:*","Resource":"*""#);
    for node in ["r-1", "ou-1", "ou-2", MEMBER] {
        let one = without_full(node, vec![policy("s3", SCP, &s3, &[node])]);
        assert_eq!(ask(&one, "s3:PutObject"), Guard::NotDenied);
        let by = denied_by(ask(&one, "ec2:RunInstances"));
        assert_eq!(
            (by.len(), by[0].node.as_str(), by[0].cause, by[0].policy.as_deref()),
            (1, node, Cause::NoAllow, None)
        );
        assert_eq!(conditions(ask(&one, "*")), ["an Allow here only for action s3:*"]);
        let both = without_full(node, vec![policy("s3", SCP, &s3, &[node]), policy("ec2", SCP, &ec2, &[node])]);
        for action in ["s3:PutObject", "ec2:RunInstances", "*", "s3:*", "s*:*"] {
            assert_eq!(ask(&both, action), Guard::NotDenied, "{action}");
        }
    }
}

#[test]
fn allow_lists_at_different_nodes_intersect() {
    let s3 = statement(r#""Effect":"Allow","Action":"s3:*","Resource":"*""#);
    let not_s3 = statement(r#""Effect":"Allow","NotAction":"s3:*","Resource":"*""#);
    let mut organization =
        without_full("r-1", vec![policy("s3", SCP, &s3, &["r-1"]), policy("not", SCP, &not_s3, &["ou-2"])]);
    organization.policies[0].targets.as_mut().unwrap().retain(|t| t.id != "ou-2");
    assert_eq!(denied_by(ask(&organization, "s3:GetObject"))[0].node, "ou-2");
    assert_eq!(denied_by(ask(&organization, "ec2:RunInstances"))[0].node, "r-1");
    // Neither node denies everything by itself; together they do, and both are named.
    let by = denied_by(ask(&organization, "*"));
    assert_eq!(by.iter().map(|r| r.node.as_str()).collect::<Vec<_>>(), ["r-1", "ou-2"]);
}

#[test]
fn region_restriction_with_not_action_is_conditional_outside_its_exemptions() {
    let document = statement(
        r#""Sid":"Regions","Effect":"Deny","NotAction":["iam:*","organizations:*","sts:*","support:*"],"Resource":"*",
        "Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-central-1","eu-west-1"]},
                     "ArnNotLike":{"aws:PrincipalARN":"arn:aws:iam::*:role/Platform*"}}"#,
    );
    let organization = organization(vec![policy("regions", SCP, &document, &["r-1"])]);
    assert_eq!(
        conditions(ask(&organization, "ec2:RunInstances")),
        ["denied where aws:PrincipalARN is not like \"arn:aws:iam::*:role/Platform*\" (ArnNotLike) and \
          aws:RequestedRegion is not any of \"eu-central-1\", \"eu-west-1\" (StringNotEquals)"]
    );
    assert_eq!(ask(&organization, "IAM:CreateUser"), Guard::NotDenied);
    assert_eq!(ask(&organization, "iam:*"), Guard::NotDenied);
    assert!(
        conditions(ask(&organization, "*"))[0].starts_with("denied for every action but iam:*, organizations:*, sts:*")
    );
    assert!(!conditions(ask(&organization, "i*:Get*")).is_empty());
}

#[test]
fn root_user_deny_is_conditional_whatever_the_action() {
    let document = statement(
        r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalArn":["arn:aws:iam::*:root"]}}"#,
    );
    let organization = organization(vec![policy("root", SCP, &document, &["ou-1"])]);
    let expected = ["denied where aws:PrincipalArn is like \"arn:aws:iam::*:root\" (StringLike)"];
    assert_eq!(conditions(ask(&organization, "ec2:RunInstances")), expected);
    assert_eq!(conditions(ask(&organization, "*")), expected);
}

#[test]
fn s3_public_access_protection_shows_its_exemption_and_its_unconditional_twin_denies() {
    let actions = r#"["s3:PutAccountPublicAccessBlock","s3:PutBucketPublicAccessBlock"]"#;
    let exempting = statement(&format!(
        r#""Effect":"Deny","Action":{actions},"Resource":"*",
        "Condition":{{"ArnNotLike":{{"aws:PrincipalArn":"arn:aws:iam::*:role/SecurityBreakGlass"}}}}"#
    ));
    let hard = statement(&format!(r#""Effect":"Deny","Action":{actions},"Resource":"*""#));
    let soft = organization(vec![policy("soft", SCP, &exempting, &["r-1"])]);
    assert!(conditions(ask(&soft, "s3:PutBucketPublicAccessBlock"))[0].contains("SecurityBreakGlass"));
    let both = organization(vec![policy("soft", SCP, &exempting, &["r-1"]), policy("hard", SCP, &hard, &["ou-2"])]);
    let by = denied_by(ask(&both, "s3:PutBucketPublicAccessBlock"));
    assert_eq!(by.iter().map(|r| r.policy.as_deref().unwrap()).collect::<Vec<_>>(), ["p-hard"], "only what suffices");
}

#[test]
fn only_a_deny_that_spares_nobody_but_named_principals_is_a_guardrail_with_an_exemption() {
    let spare = r#""Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/BreakGlass"}}"#;
    let root = r#""Resource":"*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}"#;
    let deny = |action: &str, rest: &str| statement(&format!(r#""Effect":"Deny","Action":"{action}",{rest}"#));
    let spares = |document: &str, query: &str| {
        let answer = ask(&organization(vec![policy("x", SCP, document, &["r-1"])]), query);
        conditions(answer.clone());
        answer.spares_only_named()
    };
    assert!(spares(&deny("s3:*", spare), "s3:PutBucketPolicy"));
    assert!(spares(&deny("s3:*", spare), "s3:Put*"));
    assert!(!spares(&deny("s3:PutBucket*", spare), "s3:Put*"), "not every action of the query");
    assert!(!spares(&deny("*", root), "s3:PutBucketPolicy"), "only the root user");
    assert!(!spares(&deny("s3:*", r#""Resource":"arn:aws:s3:::a""#), "s3:PutBucketPolicy"), "only one bucket");
    let limited = statement(&format!(r#""Effect":"Allow","Action":"*",{spare}"#));
    let answer = ask(&without_full("ou-1", vec![policy("x", SCP, &limited, &["ou-1"])]), "s3:PutBucketPolicy");
    assert!(
        matches!(answer, Guard::DeniedConditionally { .. }) && !answer.spares_only_named(),
        "denied to those named"
    );
    assert!(!ask(&organization(vec![]), "s3:PutBucketPolicy").spares_only_named());
}

#[test]
fn resources_limit_a_deny_unless_they_leave_nothing_out() {
    let deny = |resources: &str| statement(&format!(r#""Effect":"Deny","Action":"s3:PutBucketPolicy",{resources}"#));
    let ask_one = |resources: &str| {
        ask(&organization(vec![policy("deny", SCP, &deny(resources), &["r-1"])]), "s3:PutBucketPolicy")
    };
    assert_eq!(conditions(ask_one(r#""Resource":"arn:aws:s3:::a*""#)), ["denied on resource arn:aws:s3:::a*"]);
    assert_eq!(
        conditions(ask_one(r#""NotResource":["arn:aws:s3:::a*"]"#)),
        ["denied on every resource but arn:aws:s3:::a*"]
    );
    assert_eq!(conditions(ask_one(r#""Resource":"arn:aws:s3:::${aws:username}""#)).len(), 1);
    denied_by(ask_one(r#""Resource":["arn:aws:s3:::a*","*"]"#));
    assert_eq!(ask_one(r#""NotResource":"*""#), Guard::NotDenied);
    // Two limited denies that together leave nothing out.
    let both = organization(vec![
        policy("a", SCP, &deny(r#""Resource":"arn:aws:s3:::a*""#), &["r-1"]),
        policy("b", SCP, &deny(r#""NotResource":"arn:aws:s3:::a*""#), &["ou-2"]),
    ]);
    assert_eq!(denied_by(ask(&both, "s3:PutBucketPolicy")).len(), 2);
}

#[test]
fn an_allow_under_a_condition_denies_where_it_fails() {
    let limited =
        statement(r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true}}"#);
    let one = without_full("ou-2", vec![policy("tls", SCP, &limited, &["ou-2"])]);
    assert_eq!(
        conditions(ask(&one, "s3:GetObject")),
        ["an Allow here only where aws:SecureTransport is \"true\" (Bool)"]
    );
    let beside_full = organization(vec![policy("tls", SCP, &limited, &["ou-2"])]);
    assert_eq!(ask(&beside_full, "s3:GetObject"), Guard::NotDenied, "statements of one node unite");
    // The same condition denies below: what the one lets through the other stops.
    let stop = limited.replace("Allow", "Deny");
    let both =
        without_full("ou-2", vec![policy("tls", SCP, &limited, &["ou-2"]), policy("stop", SCP, &stop, &[MEMBER])]);
    assert_eq!(denied_by(ask(&both, "s3:GetObject")).len(), 2);
}

#[test]
fn holes_in_the_evidence_are_unknown_even_beside_an_explicit_deny() {
    let deny = statement(r#""Effect":"Deny","Action":"*","Resource":"*""#);
    let base = || organization(vec![policy("deny", SCP, &deny, &["r-1"]), policy("hole", SCP, FULL, &["ou-1"])]);
    denied_by(ask(&base(), "s3:GetObject"));
    let mut broken: Vec<(&str, Organization)> = Vec::new();
    let mut spoil = |what: &'static str, how: &dyn Fn(&mut Organization)| {
        let mut organization = base();
        how(&mut organization);
        broken.push((what, organization));
    };
    spoil("document could not be read", &|o| o.policies[3].document = None);
    spoil("attached could not be read", &|o| o.policies[3].targets = None);
    spoil("malformed", &|o| o.policies[3].document = Some("{".to_owned()));
    spoil("twice", &|o| o.policies[3].document = Some(FULL.replace(r#""Effect""#, r#""Effect":"Deny","Effect""#)));
    spoil("which OU or root holds", &|o| o.accounts[1].parent = None);
    spoil("is not among the OUs", &|o| o.units.clear());
    spoil("circle", &|o| o.units[0].parent = "ou-2".to_owned());
    spoil("not among the accounts", &|o| o.accounts.clear());
    spoil("neither on nor off: PENDING_DISABLE", &|o| o.roots[0].policy_types[0].status = "PENDING_DISABLE".to_owned());
    spoil("no service control policy is recorded at ou-2", &|o| {
        o.policies[0].targets.as_mut().unwrap().retain(|t| t.id != "ou-2");
    });
    assert_eq!(broken.len(), 10);
    for (expected, organization) in broken {
        let why = unknown(ask(&organization, "s3:GetObject"));
        assert!(why.contains(expected), "{expected}: {why}");
        let report = chain(&organization, &id(MEMBER));
        assert!(!report.service_control.problems.is_empty(), "{expected}");
    }
}

#[test]
fn a_hole_outside_the_chain_or_in_another_type_does_not_matter() {
    let mut organization =
        organization(vec![policy("far", SCP, FULL, &["ou-9"]), policy("tags", "TAG_POLICY", "{}", &["r-1"])]);
    organization.policies[2].document = None;
    organization.policies[3].targets = None;
    assert_eq!(ask(&organization, "s3:GetObject"), Guard::NotDenied);
}

#[test]
fn the_management_account_is_exempt_and_a_disabled_type_denies_nothing() {
    let deny = statement(r#""Effect":"Deny","Action":"*","Resource":"*""#);
    let mut organization = organization(vec![policy("deny", SCP, &deny, &["r-1"])]);
    assert!(matches!(guard(&organization, &id("111111111111"), "s3:GetObject"), Guard::Exempt { .. }));
    assert!(chain(&organization, &id("111111111111")).exempt.is_some());
    organization.roots[0].policy_types.remove(0);
    assert_eq!(ask(&organization, "s3:GetObject"), Guard::NotDenied);
    let report = chain(&organization, &id(MEMBER));
    assert_eq!(report.service_control.state, TypeState::Disabled);
    assert_eq!(report.resource_control.state, TypeState::Enabled);
}

#[test]
fn a_query_that_is_no_action_is_unknown() {
    for action in ["", "s3", "s3:", ":x", "s3:a:b", "s3*"] {
        unknown(ask(&organization(vec![]), action));
    }
}

#[test]
fn resource_control_policies_are_judged_apart() {
    let deny = statement(
        r#""Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*",
        "Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}"#,
    );
    let organization = organization(vec![policy("perimeter", RCP, &deny, &["r-1"])]);
    assert_eq!(ask(&organization, "s3:GetObject"), Guard::NotDenied);
    assert_eq!(
        conditions(guard_resources(&organization, &id(MEMBER), "s3:GetObject")),
        [
            "denied where aws:PrincipalIsAWSService is \"false\" or is absent (Bool) and aws:PrincipalOrgID is not \"o-1\" or is absent \
          (StringNotEquals)"
        ]
    );
    assert_eq!(guard_resources(&organization, &id(MEMBER), "sqs:SendMessage"), Guard::NotDenied);
    // A policy that AWS would not apply denies nothing, and nothing is claimed.
    let deny = statement(r#""Effect":"Deny","Principal":"*","Action":["iam:*","KMS:*"],"Resource":"*""#);
    let organization = super::tests::organization(vec![policy("iam", RCP, &deny, &["r-1"])]);
    assert!(unknown(guard_resources(&organization, &id(MEMBER), "iam:PassRole")).contains("\"iam\""));
    denied_by(guard_resources(&organization, &id(MEMBER), "kms:Decrypt"));
    let some = deny.replace(r#""Principal":"*""#, r#""Principal":{"AWS":"333333333333"}"#);
    let organization = super::tests::organization(vec![policy("some", RCP, &some, &["r-1"])]);
    assert_eq!(
        conditions(guard_resources(&organization, &id(MEMBER), "kms:Decrypt")),
        ["denied to AWS \"333333333333\""]
    );
}

#[test]
fn the_chain_names_each_node_its_policies_and_where_no_allow_stands() {
    let deny = statement(r#""Effect":"Deny","Action":"s3:*","Resource":"*""#);
    let organization = without_full("ou-1", vec![policy("deny", SCP, &deny, &["ou-1"])]);
    let report = chain(&organization, &id(MEMBER));
    let nodes: Vec<_> = report.service_control.nodes.iter().map(|n| (n.id.as_str(), n.kind, n.allow)).collect();
    assert_eq!(
        nodes,
        [
            ("r-1", "ROOT", NodeAllow::Present),
            ("ou-1", "ORGANIZATIONAL_UNIT", NodeAllow::Absent),
            ("ou-2", "ORGANIZATIONAL_UNIT", NodeAllow::Present),
            (MEMBER, "ACCOUNT", NodeAllow::Present)
        ]
    );
    let at = &report.service_control.nodes[1].policies;
    assert_eq!((at.len(), at[0].id.as_str(), at[0].sha256), (1, "p-deny", Some(Sha256Digest::of(&deny))));
    assert!(report.service_control.problems.is_empty());
    assert_eq!(denied_by(ask(&organization, "ec2:RunInstances"))[0].to_string(), "no Allow at ou-1");
    let text = serde_json::to_string(&(report, ask(&organization, "s3:*"))).unwrap();
    assert!(!text.to_lowercase().contains("permitted"));
}

#[test]
fn what_one_account_was_told_names_the_other_where_the_other_asks() {
    let s3 = statement(r#""Effect":"Allow","Action":"s3:*","Resource":"*""#);
    let mut organization = without_full(MEMBER, vec![policy("s3", SCP, &s3, &[MEMBER, "333333333333"])]);
    organization.accounts.push(account("333333333333", Some("ou-2")));
    organization.accounts.push(account("444444444444", Some("ou-2")));
    organization.policies[0]
        .targets
        .as_mut()
        .unwrap()
        .push(PolicyTarget { id: "444444444444".to_owned(), kind: String::new() });
    let analysis = Analysis::new(&organization);
    for number in [MEMBER, "333333333333", MEMBER] {
        assert_eq!(denied_by(analysis.guard(&id(number), "ec2:RunInstances"))[0].node, number);
        assert_eq!(analysis.guard(&id(number), "EC2:*"), guard(&organization, &id(number), "ec2:*"));
    }
    assert_eq!(analysis.guard(&id("444444444444"), "ec2:RunInstances"), Guard::NotDenied);
    // Nothing of the other type is attached to either account, which only a hole in the evidence explains.
    for number in ["333333333333", "444444444444"] {
        let why = unknown(analysis.guard_resources(&id(number), "s3:GetObject"));
        assert!(why.contains("no resource control policy is recorded") && why.contains(number), "{why}");
    }
}

#[test]
fn the_two_types_never_borrow_each_others_answers() {
    let mut organization = organization(vec![]);
    organization.roots[0].policy_types.remove(0);
    organization.policies.iter_mut().for_each(|p| p.targets.as_mut().unwrap().retain(|t| t.id != MEMBER));
    let analysis = Analysis::new(&organization);
    assert_eq!(analysis.guard(&id(MEMBER), "s3:GetObject"), Guard::NotDenied, "not enabled");
    unknown(analysis.guard_resources(&id(MEMBER), "s3:GetObject"));
}
