//! What the emulator promises to the tests that rely on it: if one of these does not hold, their passing means little.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;

use std::{collections::BTreeSet, path::Path};

use client::{Caller, nothing};
use orgproof_emulator::{Emulator, Fault, FaultKind, Handle, Options, Organization, generator};
use serde_json::{Value, json};

fn start(file: &str, options: Options) -> Handle {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("organizations").join(file);
    Emulator::start(Organization::read(&path).unwrap(), options).unwrap()
}

fn at(time: &str) -> Options {
    Options { at: Some(time.parse().unwrap()), quotas: false, ..Options::default() }
}

fn fault(kind: FaultKind) -> Fault {
    Fault {
        service: None,
        operation: None,
        account: None,
        region: None,
        kind,
        rate: 1.0,
        after: 0,
        count: Some(1),
        milliseconds: 0,
    }
}

const DAY: &str = "2026-11-23T00:00:00Z";
const COMPLIANCE: &str =
    "SELECT resourceId, accountId, awsRegion WHERE resourceType = 'AWS::Config::ResourceCompliance'";

#[test]
fn only_a_right_signature_by_a_known_key_is_served() {
    let emulator = start("demo.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    let ask = |caller: &Caller| caller.json("organizations", "us-east-1", "DescribeOrganization", &nothing());
    assert_eq!(ask(&auditor).status, 200);
    assert_eq!(ask(&auditor.with_secret("wrong")).code, "InvalidSignatureException");
    assert_eq!(ask(&Caller::named(&emulator, "outsider")).code, "AWSOrganizationsNotInUseException");
    let list =
        |name| Caller::named(&emulator, name).json("organizations", "us-east-1", "ListAccounts", &nothing()).status;
    assert_eq!((list("management"), list("member")), (200, 400));
    let unsigned = client::exchange(
        &emulator.url().replace("http://", ""),
        "GET /accounts HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    assert_eq!((unsigned.status, unsigned.code.as_str()), (403, "MissingAuthenticationTokenException"));
}

#[test]
fn a_role_is_given_to_whom_it_trusts_and_a_refusal_never_says_why() {
    let emulator = start("demo.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    let good = auditor.assume("110000000011", "OrgProofAudit", "&SourceIdentity=orgproof-1").ok().unwrap();
    assert_eq!(good.json("config", "us-east-1", "DescribeConfigRules", &nothing()).status, 200);
    let mut messages = BTreeSet::new();
    for (account, role) in [
        ("110000000031", "OrgProofAudit"), // no such role here
        ("110000000023", "OrgProofAudit"), // suspended
        ("110000000041", "OrgProofAudit"), // trusts somebody else
        ("888888888888", "OrgProofAudit"), // no such account
        ("110000000011", "Administrator"), // not the auditor's
    ] {
        let refused = auditor.assume(account, role, "").err().unwrap();
        assert_eq!((refused.status, refused.code.as_str()), (403, "AccessDenied"), "{account} {role}");
        messages.insert(
            refused
                .body
                .replace(account, "ACCOUNT")
                .replace(role, "ROLE")
                .split("<RequestId>")
                .next()
                .unwrap()
                .to_owned(),
        );
    }
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(auditor.assume("110000000011", "OrgProofAudit", "&SourceIdentity=somebody").is_err());
    assert!(Caller::named(&emulator, "member").assume("110000000012", "OrgProofAudit", "").is_err());
    // A session is not the trusted principal itself, so that it cannot hop on.
    assert!(good.assume("110000000012", "OrgProofAudit", "").is_err());
}

#[test]
fn an_external_id_is_asked_for_where_the_trust_asks() {
    let emulator = start("variants.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    assert!(auditor.assume("310000000003", "ExternalAudit", "").is_err());
    assert!(auditor.assume("310000000003", "ExternalAudit", "&ExternalId=guess").is_err());
    assert!(auditor.assume("310000000003", "ExternalAudit", "&ExternalId=c7b1-engagement-2026").is_ok());
}

#[test]
fn a_session_ends_with_the_scenario_clock_and_by_a_fault_and_a_new_one_works() {
    let emulator = start("healthy.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    let ask = |caller: &Caller| caller.json("config", "us-east-1", "DescribeConfigRules", &nothing()).code;
    let first = auditor.assume("210000000003", "OrgProofAudit", "&DurationSeconds=900").ok().unwrap();
    assert_eq!(ask(&first), "");
    emulator.set_clock("2026-11-23T00:15:01Z".parse().unwrap());
    assert_eq!(ask(&first), "ExpiredTokenException");
    let second = auditor.assume("210000000003", "OrgProofAudit", "").ok().unwrap();
    assert_eq!(ask(&second), "");
    emulator.add_fault(Fault { account: Some("210000000003".into()), ..fault(FaultKind::ExpireSession) });
    assert_eq!(ask(&second), "ExpiredTokenException");
    assert_eq!(ask(&second), "ExpiredTokenException", "an ended session stays ended");
    assert_eq!(ask(&auditor.assume("210000000003", "OrgProofAudit", "").ok().unwrap()), "");
}

#[test]
fn pages_hold_everything_once_whatever_their_size_and_some_come_empty() {
    let shape = generator::Shape { accounts: 60, ..generator::Shape::default() };
    let emulator = Emulator::start(generator::organization(3, &shape), at(DAY)).unwrap();
    let auditor = Caller::named(&emulator, "auditor");
    let mut empty_pages = 0;
    let mut lists = Vec::new();
    for limit in [7, 20, 100] {
        let params = json!({"ConfigurationAggregatorName": "org", "Expression": COMPLIANCE, "Limit": limit});
        let (items, empty) = auditor.pages("config", "us-east-1", "SelectAggregateResourceConfig", "Results", &params);
        empty_pages += empty;
        lists.push(items);
    }
    let distinct: BTreeSet<_> = lists[0].iter().map(Value::to_string).collect();
    assert!(distinct.len() > 1000 && distinct.len() == lists[0].len(), "{} of {}", distinct.len(), lists[0].len());
    assert!(lists.iter().all(|l| *l == lists[0]), "another page size brought other items");
    assert!(empty_pages > 0);
    let (accounts, _) = auditor.pages("organizations", "us-east-1", "ListAccounts", "Accounts", &nothing());
    assert_eq!(accounts.iter().map(|a| a["Id"].to_string()).collect::<BTreeSet<_>>().len(), 60);
}

#[test]
fn a_token_belongs_to_its_request_and_its_caller() {
    let emulator = start("demo.toml", Options { empty_pages: false, ..at(DAY) });
    let auditor = Caller::named(&emulator, "auditor");
    let list = |caller: &Caller, params: Value| caller.json("organizations", "us-east-1", "ListAccounts", &params);
    let token = list(&auditor, json!({"MaxResults": 3})).json()["NextToken"].clone();
    assert_eq!(list(&auditor, json!({"MaxResults": 5, "NextToken": token})).status, 200, "the size may change");
    let policies = auditor.json(
        "organizations",
        "us-east-1",
        "ListPolicies",
        &json!({"Filter": "SERVICE_CONTROL_POLICY", "NextToken": token}),
    );
    assert_eq!(policies.code, "InvalidInputException");
    let other = list(&Caller::named(&emulator, "management"), json!({"NextToken": token}));
    assert_eq!(other.code, "InvalidInputException");
    assert_eq!(list(&auditor, json!({"NextToken": "made up"})).code, "InvalidInputException");
    assert_eq!(list(&auditor, json!({"MaxResults": 21})).code, "InvalidInputException", "AWS's page size is the limit");
}

#[test]
fn control_policies_region_switches_and_faults_speak_as_aws_does() {
    let emulator = start("demo.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    let inside = |account: &str| auditor.assume(account, "OrgProofAudit", "").ok().unwrap();
    let denied = inside("110000000032").json("config", "us-east-1", "DescribeConfigRules", &nothing());
    assert_eq!(denied.code, "AccessDeniedException");
    assert!(denied.body.contains("with an explicit deny in a service control policy"), "{}", denied.body);
    let away = inside("110000000022").rest("securityhub", "eu-south-1", "/findings", &nothing());
    assert_eq!((away.status, away.code.as_str()), (403, "UnrecognizedClientException"));
    let busy = inside("110000000014").rest("securityhub", "eu-west-1", "/findings", &nothing());
    assert_eq!((busy.status, busy.code.as_str()), (429, "LimitExceededException"));
    let off = inside("110000000021").rest("securityhub", "eu-west-1", "/findings", &nothing());
    assert_eq!((off.status, off.code.as_str()), (401, "InvalidAccessException"));
    let stopped =
        inside("110000000013").json("config", "eu-west-1", "DescribeConfigurationRecorderStatus", &nothing()).json();
    assert_eq!(stopped["ConfigurationRecordersStatus"][0]["recording"], false);
}

#[test]
fn a_cut_answer_is_cut_a_malformed_one_is_whole_but_unreadable_and_each_fault_strikes_as_often_as_it_says() {
    let emulator = start("healthy.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    let ask = || auditor.json("organizations", "us-east-1", "ListAccounts", &nothing());
    emulator.add_fault(fault(FaultKind::Cut));
    assert!(ask().cut);
    emulator.add_fault(fault(FaultKind::Malformed));
    let malformed = ask();
    assert!(!malformed.cut && malformed.status == 200 && malformed.json().is_null());
    emulator.add_fault(Fault { after: 1, count: Some(2), ..fault(FaultKind::Unavailable) });
    assert_eq!([ask().status, ask().status, ask().status, ask().status], [200, 503, 503, 200]);
    emulator.add_fault(Fault { milliseconds: 1, ..fault(FaultKind::Slow) });
    let slow = ask();
    assert!(slow.status == 200 && !slow.cut && slow.json().is_object());
}

#[test]
fn the_organisation_changes_when_the_clock_passes_and_is_the_same_again_when_it_goes_back() {
    let emulator = start("demo.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    let bad = || {
        let params = json!({"ConfigurationAggregatorName": "org", "Filters": {"AccountId": "110000000012", "AwsRegion": "us-east-1"}});
        let (rows, _) = auditor.pages(
            "config",
            "us-east-1",
            "DescribeAggregateComplianceByConfigRules",
            "AggregateComplianceByConfigRules",
            &params,
        );
        let failing = rows.into_iter().filter(|r| r["Compliance"]["ComplianceType"] == "NON_COMPLIANT");
        failing.map(|r| r["ConfigRuleName"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let accounts = || auditor.pages("organizations", "us-east-1", "ListAccounts", "Accounts", &nothing()).0.len();
    let (before, count) = (bad(), accounts());
    emulator.set_clock("2027-01-10T00:00:00Z".parse().unwrap());
    let after = bad();
    assert!(after.len() < before.len() && after.is_subset(&before), "{before:?} {after:?}");
    emulator.set_clock("2027-01-12T00:00:00Z".parse().unwrap());
    assert_eq!(accounts(), count + 1);
    emulator.set_clock(DAY.parse().unwrap());
    assert_eq!((bad(), accounts()), (before, count));
}

#[test]
fn security_hub_shows_the_administrator_its_members_and_a_member_itself() {
    let emulator = start("demo.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    let accounts = |caller: &Caller, region: &str| {
        let (findings, _) = caller.pages("securityhub", region, "/findings", "Findings", &json!({"MaxResults": 100}));
        let ids: BTreeSet<_> = findings.iter().map(|f| f["Id"].to_string()).collect();
        assert_eq!(ids.len(), findings.len(), "a finding came twice");
        let of = |name: &str| findings.iter().map(|f| f[name].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
        (of("AwsAccountId"), of("Region"))
    };
    let (seen, regions) = accounts(&auditor, "us-east-1");
    assert!(!seen.contains("110000000033") && seen.contains("110000000012"), "no member, no findings: {seen:?}");
    assert_eq!(regions.len(), 3, "linked Regions are aggregated at home");
    assert_eq!(accounts(&auditor, "eu-west-1").1.len(), 1, "and only there");
    let member = auditor.assume("110000000033", "OrgProofAudit", "").ok().unwrap();
    let own = accounts(&member, "us-east-1");
    assert_eq!((own.0.len(), own.1.len()), (1, 1));
}

#[test]
fn what_is_not_served_is_refused_and_remembered() {
    let emulator = start("healthy.toml", at(DAY));
    let auditor = Caller::named(&emulator, "auditor");
    let reply = auditor.json("config", "us-east-1", "ListStoredQueries", &nothing());
    assert_eq!((reply.status, reply.code.as_str()), (400, "UnknownOperationException"));
    auditor.rest("securityhub", "us-east-1", "/nothing/here", &nothing());
    assert_eq!(emulator.unserved(), ["config:ListStoredQueries", "securityhub:POST /nothing/here"]);
}

#[test]
fn quotas_throttle_the_account_that_calls_and_no_other() {
    let emulator = start("healthy.toml", Options { quotas: true, ..at(DAY) });
    let auditor = Caller::named(&emulator, "auditor");
    let other = auditor.assume("210000000003", "OrgProofAudit", "").ok().unwrap();
    let codes: Vec<_> =
        (0..40).map(|_| auditor.rest("securityhub", "us-east-1", "/findings", &nothing()).code).collect();
    assert!(
        codes.iter().any(|c| c == "LimitExceededException") && codes.iter().take(6).all(String::is_empty),
        "{codes:?}"
    );
    assert_eq!(other.rest("securityhub", "us-east-1", "/findings", &nothing()).code, "");
}

#[test]
fn one_seed_makes_one_organisation() {
    let make = |seed| toml::to_string(&generator::organization(seed, &generator::Shape::default())).unwrap();
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
    assert!(Organization::parse(&make(1)).is_ok(), "what is generated can be written down and read again");
}

#[test]
fn a_file_that_means_nothing_is_refused_with_what_is_wrong() {
    let good = include_str!("../organizations/healthy.toml");
    for (from, to, says) in [
        ("home_region", "home_regoin", "home_regoin"),
        ("unit = \"Security\"", "unit = \"Nowhere\"", "Nowhere"),
        ("targets = [\"root\"]", "targets = [\"rooot\"]", "rooot"),
        ("parent = \"Workloads\"", "parent = \"Sandbox\"", "Sandbox"),
        ("audit = \"210000000002\"", "audit = \"210000000009\"", "210000000009"),
        ("type = \"AWS::IAM::User\"", "type = \"AWS::IAM::User\"\nregoins = []", "regoins"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let error = Organization::parse(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
