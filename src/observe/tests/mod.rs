//! What targets and the organisation say about themselves, spoiled one answer at a time.

mod reader;

use serde_json::{Value, json};

use super::{
    Observed,
    fixture::{self, AUDIT, HOME, MEMBER, OTHER, World, answer, task},
    states,
};
use crate::model::{
    Collector, Mode,
    ObservationStatus::{self, Fail, NotApplicable, NotAssessed, Pass},
};

/// The member's answer to a state in the other Region.
fn state(observed: &Observed, name: &str, of: Option<&str>) -> Vec<(String, ObservationStatus)> {
    let question = states::question(name, of);
    let all = observed.all();
    let here =
        all.iter().filter(|o| o.question == question && o.account.as_str() == MEMBER && o.region.as_str() == OTHER);
    here.map(|o| (o.resource.id.clone(), o.status)).collect()
}

fn one(observed: &Observed, name: &str, of: Option<&str>) -> ObservationStatus {
    let all = state(observed, name, of);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].1
}

fn spoiled(collector: Collector, operation: &str, body: &Value) -> Observed {
    let mut world = World::new(Mode::FanOut);
    world.set(&task(MEMBER, OTHER, collector), operation, body);
    world.observe()
}

#[test]
fn a_recorder_that_leaves_types_out_is_seen() {
    let some = json!({"ConfigurationRecorders": [{"name": "default", "recordingGroup": {"resourceTypes": ["AWS::S3::Bucket"]}}]});
    let none = json!({"ConfigurationRecorders": []});
    for body in [some, none] {
        let observed = spoiled(Collector::ConfigRecorder, "DescribeConfigurationRecorders", &body);
        assert_eq!(one(&observed, states::CONFIG_RECORDER, None), Fail, "{body}");
    }
    assert_eq!(one(&World::new(Mode::FanOut).observe(), states::CONFIG_RECORDER, None), Pass);
}

#[test]
fn a_collectors_own_guidance_does_not_speak_for_the_responsible_one() {
    let mut world = World::new(Mode::FanOut);
    let stopped = json!({"ConfigurationRecordersStatus": [{"name": "default", "recording": false}]});
    let asked = answer("DescribeConfigurationRecorderStatus", json!({}), &stopped);
    world.attempts.get_mut(&task(MEMBER, OTHER, Collector::ConfigCompliance)).unwrap().insert(0, asked);
    assert_eq!(one(&world.observe(), states::CONFIG_RECORDER, None), Pass);
}

#[test]
fn an_account_without_a_hub_is_a_failure_and_one_that_refuses_is_none() {
    let refused = |error, message: &str| {
        let mut world = World::new(Mode::FanOut);
        let attempts = world.attempts.get_mut(&task(MEMBER, OTHER, Collector::SecurityhubHub)).unwrap();
        attempts.truncate(1);
        attempts[0].error = Some(error);
        attempts[0].body = json!({"Message": message}).to_string();
        state(&world.observe(), states::SECURITYHUB_ENABLED, None)
    };
    let account = || MEMBER.to_owned();
    let unsubscribed = "Account 100000000003 is not subscribed to AWS Security Hub";
    assert_eq!(refused("InvalidAccessException", unsubscribed), [(account(), Fail)]);
    assert_eq!(refused("ResourceNotFoundException", "no hub"), [(account(), Fail)]);
    assert_eq!(refused("InvalidAccessException", "not an administrator"), []);
    assert_eq!(refused("AccessDeniedException", unsubscribed), []);
}

#[test]
fn a_region_that_is_on_and_not_asked_is_a_failure() {
    let mut world = World::new(Mode::FanOut);
    let regions = [HOME, OTHER, "ap-northeast-1", "af-south-1"].map(|r| {
        let status = if r == "af-south-1" { "DISABLED" } else { "ENABLED" };
        json!({"RegionName": r, "RegionOptStatus": status})
    });
    world.set(&task(MEMBER, HOME, Collector::Regions), "ListRegions", &json!({"Regions": regions}));
    world.close(&task(MEMBER, OTHER, Collector::ConfigRules), crate::model::CoverageState::Denied);
    let observed = world.observe();
    let question = states::question(states::REGION_COVERED, None);
    let all = observed.all();
    let seen: Vec<_> = all
        .iter()
        .filter(|o| o.question == question && o.account.as_str() == MEMBER)
        .map(|o| (o.region.as_str(), o.status))
        .collect();
    assert_eq!(seen, [("ap-northeast-1", Fail), (OTHER, NotAssessed), (HOME, Pass)]);
}

#[test]
fn remediation_that_is_missing_or_manual_is_a_failure() {
    let operation = "DescribeRemediationConfigurations";
    let cases = [
        (json!([]), Fail),
        (json!([{"ConfigRuleName": "our-s3", "Automatic": false}]), Fail),
        (json!([{"ConfigRuleName": "our-s3", "Automatic": true}]), Pass),
    ];
    for (configurations, expected) in cases {
        let body = json!({"RemediationConfigurations": configurations});
        let observed = spoiled(Collector::ConfigRules, operation, &body);
        assert_eq!(one(&observed, states::REMEDIATION_CONFIGURED, Some("S3_X")), expected, "{body}");
    }
}

#[test]
fn remediation_is_executed_where_every_failing_resource_was_remedied() {
    let executed = |bucket: &str, executions: &[(&str, &str)]| {
        let mut world = World::new(Mode::FanOut);
        let items = json!({"Results": [fixture::item(MEMBER, OTHER, "b", &[("our-s3", bucket)])]});
        world.set(&task(MEMBER, OTHER, Collector::ConfigCompliance), "SelectResourceConfig", &items);
        let statuses: Vec<_> = executions
            .iter()
            .map(|(id, state)| json!({"ResourceKey": {"resourceType": "AWS::S3::Bucket", "resourceId": id}, "State": state}))
            .collect();
        let body = json!({"RemediationExecutionStatuses": statuses});
        let ran = answer("DescribeRemediationExecutionStatus", json!({"ConfigRuleName": "our-s3"}), &body);
        world.attempts.get_mut(&task(MEMBER, OTHER, Collector::ConfigRules)).unwrap().push(ran);
        state(&world.observe(), states::REMEDIATION_EXECUTED, Some("S3_X"))
    };
    assert_eq!(executed("COMPLIANT", &[]), [(MEMBER.to_owned(), NotApplicable)]);
    assert_eq!(executed("NON_COMPLIANT", &[]), [("b".to_owned(), Fail)]);
    assert_eq!(executed("COMPLIANT", &[("b", "SUCCEEDED")]), [("b".to_owned(), Pass)]);
    assert_eq!(executed("NON_COMPLIANT", &[("b", "FAILED")]), [("b".to_owned(), Fail)]);
    assert_eq!(executed("NON_COMPLIANT", &[("b", "IN_PROGRESS")]), [("b".to_owned(), NotAssessed)]);
    let other = executed("NON_COMPLIANT", &[("c", "SUCCEEDED")]);
    assert_eq!(other, [("b".to_owned(), Fail), ("c".to_owned(), Pass)]);
}

#[test]
fn rules_asked_one_by_one_must_name_the_resources_behind_their_verdict() {
    let rows = |verdict: &str, details: &[(&str, &str)]| {
        let mut world = World::new(Mode::FanOut);
        let id = task(MEMBER, OTHER, Collector::ConfigCompliance);
        world.set(&id, "SelectResourceConfig", &json!({"Results": []}));
        let verdicts = json!({"ComplianceByConfigRules": [{"ConfigRuleName": "our-s3", "Compliance": {"ComplianceType": verdict}}]});
        let results: Vec<_> = details
            .iter()
            .map(|(bucket, kind)| {
                json!({"ComplianceType": kind, "Annotation": "because", "EvaluationResultIdentifier": {"EvaluationResultQualifier":
                    {"ConfigRuleName": "our-s3", "ResourceType": "AWS::S3::Bucket", "ResourceId": bucket}}})
            })
            .collect();
        let attempts = world.attempts.get_mut(&id).unwrap();
        attempts.push(answer("DescribeComplianceByConfigRule", json!({}), &verdicts));
        let request = json!({"ConfigRuleName": "our-s3"});
        attempts.push(answer("GetComplianceDetailsByConfigRule", request, &json!({"EvaluationResults": results})));
        let question = crate::model::Question::ConfigRule("S3_X".into());
        let observed = world.observe();
        let here = observed
            .all()
            .into_iter()
            .filter(|o| o.question == question && o.account.as_str() == MEMBER && o.region.as_str() == OTHER);
        here.map(|o| (o.resource.id, o.status)).collect::<Vec<_>>()
    };
    assert_eq!(rows("COMPLIANT", &[("b", "COMPLIANT")]), [("b".to_owned(), Pass)]);
    assert_eq!(rows("COMPLIANT", &[]), [(MEMBER.to_owned(), NotAssessed)]);
    assert_eq!(rows("INSUFFICIENT_DATA", &[]), [(MEMBER.to_owned(), NotAssessed)]);
    let half = rows("NON_COMPLIANT", &[("b", "COMPLIANT")]);
    assert_eq!(half, [(MEMBER.to_owned(), NotAssessed), ("b".to_owned(), Pass)]);
    assert_eq!(rows("NON_COMPLIANT", &[("b", "NON_COMPLIANT")]), [("b".to_owned(), Fail)]);
}

#[test]
fn answers_of_the_organisation_become_states() {
    let observed = World::new(Mode::FanOut).observe();
    let asked = |name: &str, of: Option<&str>| {
        let question = states::question(name, of);
        observed.all().iter().filter(|o| o.question == question).map(|o| o.status).collect::<Vec<_>>()
    };
    assert_eq!(asked(states::ORGANIZATION_ALL_FEATURES, None), [Pass]);
    assert_eq!(asked(states::SCP_ENABLED, None), [Pass]);
    assert_eq!(asked(states::DELEGATED_ADMINISTRATOR, Some("config.amazonaws.com")), [Pass]);
    assert_eq!(asked(states::DELEGATED_ADMINISTRATOR, Some("macie.amazonaws.com")), []);
    let mut world = World::new(Mode::FanOut);
    let id = task(AUDIT, HOME, Collector::Organization);
    let types = json!([{"Type": "SERVICE_CONTROL_POLICY", "Status": "PENDING_DISABLE"}]);
    world.set(&id, "ListRoots", &json!({"Roots": [{"Id": "r-1", "PolicyTypes": types}]}));
    let observed = world.observe();
    let question = states::question(states::SCP_ENABLED, None);
    assert!(observed.all().iter().any(|o| o.question == question && o.status == Fail));
}
