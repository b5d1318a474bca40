//! Views that do not agree are findings of their own, and never a pass.

use serde_json::json;

use super::*;
use crate::{
    model::{Collector, Mode},
    observe::fixture::{self, AUDIT, HOME, MANAGEMENT, MEMBER, OTHER, World, task},
};

#[test]
fn denominators_differ_in_both_directions() {
    let mut world = World::new(Mode::FanOut);
    let id = task(AUDIT, HOME, Collector::SecurityhubOrganization);
    let members = json!({"Members": [{"AccountId": AUDIT, "MemberStatus": "Enabled"}, {"AccountId": MANAGEMENT, "MemberStatus": "Enabled"},
        {"AccountId": "999999999999", "MemberStatus": "Enabled"}]});
    world.set(&id, "ListMembers", &members);
    let subjects: Vec<_> = assessed(&world).discrepancies.into_iter().map(|d| (d.kind, d.subject)).collect();
    let kind = || "denominators".to_owned();
    assert_eq!(subjects, [(kind(), MEMBER.to_owned()), (kind(), "999999999999".to_owned())]);
}

#[test]
fn a_rule_that_another_view_calls_failing_is_no_pass() {
    let operation = "DescribeAggregateComplianceByConfigRules";
    let id = task(AUDIT, HOME, Collector::ConfigAggregateCompliance);
    let mut world = World::new(Mode::FanOut);
    let mut body = world.get(&id, operation);
    body["AggregateComplianceByConfigRules"][0]["Compliance"] = json!({"ComplianceType": "NON_COMPLIANT",
        "ComplianceContributorCount": {"CappedCount": 25, "CapExceeded": true}});
    world.set(&id, operation, &body);
    let assessment = assessed(&world);
    assert_eq!(verdict(&assessment, RULE).0, Status::NotAssessed);
    assert_eq!(assessment.discrepancies.len(), 1);
    assert_eq!(assessment.discrepancies[0].kind, "aggregate-cross-check");
}

#[test]
fn config_and_security_hub_disagreeing_is_a_finding_of_its_own() {
    let mut world = World::new(Mode::FanOut);
    let mut finding = fixture::finding(MEMBER, OTHER, "FAILED", "NEW");
    finding["ProductFields"] =
        json!({"RelatedAWSResources:0/type": "AWS::Config::ConfigRule", "RelatedAWSResources:0/name": "our-s3"});
    world.set(&task(MEMBER, OTHER, Collector::SecurityhubFindings), "GetFindings", &json!({"Findings": [finding]}));
    let discrepancies = assessed(&world).discrepancies;
    assert_eq!(discrepancies.len(), 1);
    assert_eq!(discrepancies[0].kind, "sources-disagree");
}
