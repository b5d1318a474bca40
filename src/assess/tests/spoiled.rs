//! Each way in which evidence can fall short of a pass, at each place where it can.

use serde_json::{Value, json};

use super::*;
use crate::{
    model::{Collector, CoverageState, Mode, TaskId},
    observe::fixture::{self, ASKED, AUDIT, HOME, MANAGEMENT, MEMBER, OTHER, REGIONS, SUSPENDED, World, task},
};

const MODES: [Mode; 2] = [Mode::FanOut, Mode::Central];

#[test]
fn a_world_without_a_fault_satisfies_every_requirement() {
    for mode in MODES {
        let assessment = assessed(&World::new(mode));
        for finding in &assessment.findings {
            assert_eq!(finding.status, Status::Satisfied, "{}: {}", finding.requirement, finding.why);
        }
        assert_eq!(assessment.discrepancies, [], "{mode:?}");
    }
}

#[test]
fn no_state_of_a_needed_task_but_collected_and_empty_satisfies() {
    use Collector::{ConfigCompliance, ConfigRecorder, ConfigRules, SecurityhubFindings, SecurityhubHub};
    let needs = [
        (RULE, vec![ConfigRecorder, ConfigRules, ConfigCompliance]),
        (CONTROL, vec![SecurityhubHub, SecurityhubFindings]),
    ];
    for (check, collectors) in needs {
        for collector in collectors {
            for state in CoverageState::ALL {
                let mut world = World::new(Mode::FanOut);
                world.close(&task(MEMBER, OTHER, collector), state);
                let (status, why) = verdict(&assessed(&world), check);
                let good = matches!(state, CoverageState::Collected | CoverageState::Empty);
                // A Region that is off, unless it was named, is outside the population.
                if good || state == CoverageState::RegionDisabled {
                    continue;
                }
                assert_eq!(status, Status::NotAssessed, "{check} {collector} {state:?}: {why}");
                assert!(why.contains(MEMBER) && why.contains(state.as_str()), "{why}");
            }
        }
    }
}

#[test]
fn a_gap_is_a_line_with_the_ledgers_line_as_evidence() {
    let mut world = World::new(Mode::FanOut);
    let id = task(MEMBER, OTHER, Collector::ConfigRules);
    world.close(&id, CoverageState::Denied);
    let index = world.coverage.iter().position(|c| c.task == id).unwrap();
    let lines = lines_of(&assessed(&world), "observations.ndjson");
    let gap = lines.iter().find(|l| l["check"] == RULE && l["status"] == "not-assessed").unwrap();
    assert_eq!(gap["evidence"]["path"], "data/coverage.ndjson");
    assert_eq!(gap["evidence"]["line"], index + 1);
    assert_eq!((&gap["account"], &gap["region"]), (&json!(MEMBER), &json!(OTHER)));
}

#[test]
fn a_ledger_that_claims_more_than_the_answers_bear_out_satisfies_nothing() {
    use Collector::{ConfigCompliance, ConfigRecorder, ConfigRules, SecurityhubFindings, SecurityhubHub};
    let all = [ConfigRecorder, ConfigRules, ConfigCompliance, SecurityhubHub, SecurityhubFindings];
    for collector in all {
        let check = if matches!(collector, SecurityhubFindings | SecurityhubHub) { CONTROL } else { RULE };
        let id = task(MEMBER, HOME, collector);
        type Spoil = fn(&mut World, &TaskId);
        let spoil: [(&str, Spoil); 4] = [
            ("removed", |w, id| drop(w.attempts.remove(id))),
            ("malformed", |w, id| w.attempts.get_mut(id).unwrap()[0].body.truncate(9)),
            ("without its list", |w, id| w.attempts.get_mut(id).unwrap()[0].body = "{}".into()),
            ("refused", |w, id| {
                w.attempts.get_mut(id).unwrap().iter_mut().for_each(|a| a.error = Some("AccessDenied"))
            }),
        ];
        for (how, spoil) in spoil {
            let mut world = World::new(Mode::FanOut);
            spoil(&mut world, &id);
            let (status, why) = verdict(&assessed(&world), check);
            assert_eq!(status, Status::NotAssessed, "{collector} {how}: {why}");
        }
        let mut world = World::new(Mode::FanOut);
        let first = &mut world.attempts.get_mut(&id).unwrap()[0];
        first.body = first.body.replacen('{', r#"{"NextToken":"more","#, 1);
        let (status, why) = verdict(&assessed(&world), check);
        let paginated = collector != SecurityhubHub;
        assert_eq!(status == Status::NotAssessed, paginated, "{collector} unfinished: {why}");
    }
}

/// Sets one answer at the member's other Region and returns the verdict on `check`.
fn with(mode: Mode, check: &str, collector: Collector, operation: &str, body: &Value) -> (Status, String) {
    let mut world = World::new(mode);
    let central = matches!(
        collector,
        Collector::ConfigAggregator | Collector::SecurityhubOrganization | Collector::ConfigAggregateCompliance
    );
    let id = if central { task(AUDIT, HOME, collector) } else { task(MEMBER, OTHER, collector) };
    world.set(&id, operation, body);
    verdict(&assessed(&world), check)
}

#[test]
fn answers_that_are_no_pass_satisfy_nothing() {
    for mode in MODES {
        for kind in ["INSUFFICIENT_DATA", "", "SOMETHING_NEW"] {
            let item = fixture::item(MEMBER, OTHER, "b", &[("our-s3", kind)]);
            let body = json!({"Results": [item]});
            let (status, why) = with(mode, RULE, Collector::ConfigCompliance, "SelectResourceConfig", &body);
            assert_eq!(status, Status::NotAssessed, "{kind}: {why}");
        }
        let findings = [
            ("PASSED", "SUPPRESSED"),
            ("FAILED", "SUPPRESSED"),
            ("WARNING", "NEW"),
            ("NOT_AVAILABLE", "NEW"),
            ("", "NEW"),
        ];
        for (compliance, workflow) in findings {
            let body = json!({"Findings": [fixture::finding(MEMBER, OTHER, compliance, workflow)]});
            let (status, why) = with(mode, CONTROL, Collector::SecurityhubFindings, "GetFindings", &body);
            assert_eq!(status, Status::NotAssessed, "{compliance} {workflow}: {why}");
        }
    }
}

#[test]
fn duplicates_count_once_and_the_failure_wins() {
    let both = json!({"Findings": [fixture::finding(MEMBER, OTHER, "PASSED", "NEW"), fixture::finding(MEMBER, OTHER, "FAILED", "NEW")]});
    let mut world = World::new(Mode::FanOut);
    world.set(&task(MEMBER, OTHER, Collector::SecurityhubFindings), "GetFindings", &both);
    let assessment = assessed(&world);
    assert_eq!(verdict(&assessment, CONTROL).0, Status::NotSatisfied);
    let counts = assessment.checks[CONTROL].counts;
    assert_eq!((counts.pass, counts.fail), (5, 1), "six targets, one resource each");

    let rules = json!({"ConfigRules": [
        {"ConfigRuleName": "our-s3", "Source": {"Owner": "AWS", "SourceIdentifier": "S3_X"}},
        {"ConfigRuleName": "securityhub-s3-x-abc", "Source": {"Owner": "AWS", "SourceIdentifier": "S3_X"}}]});
    let items = json!({"Results": [fixture::item(MEMBER, OTHER, "b", &[("our-s3", "COMPLIANT"), ("securityhub-s3-x-abc", "COMPLIANT")])]});
    let mut world = World::new(Mode::FanOut);
    world.set(&task(MEMBER, OTHER, Collector::ConfigRules), "DescribeConfigRules", &rules);
    world.set(&task(MEMBER, OTHER, Collector::ConfigCompliance), "SelectResourceConfig", &items);
    let counts = assessed(&world).checks[RULE].counts;
    assert_eq!(
        (counts.pass, counts.fail, counts.not_assessed),
        (6, 0, 0),
        "one resource, however many copies of the rule"
    );
}

#[test]
fn silence_is_nothing_to_ask_only_where_that_is_proved() {
    let empty = json!({"Results": []});
    let silent = |spoil: &dyn Fn(&mut World)| {
        let mut world = World::new(Mode::FanOut);
        world.set(&task(MEMBER, OTHER, Collector::ConfigCompliance), "SelectResourceConfig", &empty);
        // The independent cross-check has nothing for the rule there either.
        let id = task(AUDIT, HOME, Collector::ConfigAggregateCompliance);
        let mut all = world.get(&id, "DescribeAggregateComplianceByConfigRules");
        let rules = all["AggregateComplianceByConfigRules"].as_array_mut().unwrap();
        rules.retain(|r| r["AccountId"] != MEMBER || r["AwsRegion"] != OTHER);
        world.set(&id, "DescribeAggregateComplianceByConfigRules", &all);
        spoil(&mut world);
        let assessment = assessed(&world);
        (verdict(&assessment, RULE).0, assessment.checks[RULE].counts)
    };
    let (status, counts) = silent(&|_| {});
    assert_eq!(
        (status, counts.pass, counts.not_applicable),
        (Status::Satisfied, 5, 2),
        "the suspended account is listed"
    );
    let recorder = task(MEMBER, OTHER, Collector::ConfigRecorder);
    let rules = task(MEMBER, OTHER, Collector::ConfigRules);
    let group = |group: Value| json!({"ConfigurationRecorders": [{"name": "default", "recordingGroup": group}]});
    let spoilers: [(&str, &TaskId, &str, Value); 7] = [
        (
            "type not recorded",
            &recorder,
            "DescribeConfigurationRecorders",
            group(json!({"resourceTypes": ["AWS::EC2::Instance"]})),
        ),
        (
            "compliance not recorded",
            &recorder,
            "DescribeConfigurationRecorders",
            group(json!({"resourceTypes": ["AWS::S3::Bucket"]})),
        ),
        ("no recorder", &recorder, "DescribeConfigurationRecorders", json!({"ConfigurationRecorders": []})),
        (
            "stopped",
            &recorder,
            "DescribeConfigurationRecorderStatus",
            json!({"ConfigurationRecordersStatus": [{"name": "default", "recording": false}]}),
        ),
        (
            "never ran",
            &rules,
            "DescribeConfigRuleEvaluationStatus",
            json!({"ConfigRulesEvaluationStatus": [{"ConfigRuleName": "our-s3"}]}),
        ),
        (
            "failed",
            &rules,
            "DescribeConfigRuleEvaluationStatus",
            json!({"ConfigRulesEvaluationStatus": [
            {"ConfigRuleName": "our-s3", "LastSuccessfulEvaluationTime": 1, "LastFailedEvaluationTime": 2}]}),
        ),
        ("not deployed", &rules, "DescribeConfigRules", json!({"ConfigRules": []})),
    ];
    for (how, id, operation, body) in spoilers {
        let (status, counts) = silent(&|world| world.set(id, operation, &body));
        assert_eq!((status, counts.not_assessed), (Status::NotAssessed, 1), "{how}");
    }
}

#[test]
fn a_disabled_control_or_an_unready_hub_explains_no_silence() {
    let hub = Collector::SecurityhubHub;
    let silent = |operation: &str, body: &Value| {
        let mut world = World::new(Mode::FanOut);
        world.set(&task(MEMBER, OTHER, Collector::SecurityhubFindings), "GetFindings", &json!({"Findings": []}));
        world.set(&task(MEMBER, OTHER, hub), operation, body);
        verdict(&assessed(&world), CONTROL)
    };
    let control =
        |status: &str| json!({"Controls": [{"ControlId": "S3.8", "ControlStatus": status, "DisabledReason": "costs"}]});
    assert_eq!(silent("DescribeStandardsControls", &control("ENABLED")).0, Status::Satisfied);
    let (status, why) = silent("DescribeStandardsControls", &control("DISABLED"));
    assert!(status == Status::NotAssessed && why.contains("costs"), "{why}");
    let bodies = [
        ("DescribeStandardsControls", json!({"Controls": []})),
        ("GetEnabledStandards", json!({"StandardsSubscriptions": []})),
        (
            "GetEnabledStandards",
            json!({"StandardsSubscriptions": [{"StandardsSubscriptionArn": "a", "StandardsStatus": "INCOMPLETE"}]}),
        ),
        ("DescribeHub", json!({"HubArn": "a", "SubscribedAt": "2026-11-19T12:00:00Z"})),
    ];
    for (operation, body) in bodies {
        assert_eq!(silent(operation, &body).0, Status::NotAssessed, "{operation} {body}");
    }
}

#[test]
fn a_central_view_that_does_not_hold_a_target_satisfies_nothing_read_through_it() {
    let sources = "DescribeConfigurationAggregatorSourcesStatus";
    let aggregator = |status: Option<&str>| {
        let pairs = fixture::asked().into_iter().filter_map(|(a, r)| {
            let here = a.as_str() == MEMBER && r.as_str() == OTHER;
            let status = if here { status? } else { "SUCCEEDED" };
            Some(json!({"SourceId": a, "SourceType": "ACCOUNT", "AwsRegion": r, "LastUpdateStatus": status}))
        });
        json!({"AggregatedSourceStatusList": pairs.collect::<Vec<_>>()})
    };
    for state in [None, Some("OUTDATED"), Some("FAILED")] {
        let body = aggregator(state);
        let central = with(Mode::Central, RULE, Collector::ConfigAggregator, sources, &body);
        assert_eq!(central.0, Status::NotAssessed, "{state:?}: {}", central.1);
        assert_eq!(with(Mode::FanOut, RULE, Collector::ConfigAggregator, sources, &body).0, Status::Satisfied);
        let complete = with(Mode::FanOut, "state/aggregator-complete", Collector::ConfigAggregator, sources, &body);
        assert_eq!(complete.0, Status::NotSatisfied, "{state:?}");
    }
    let members = |member: Option<&str>| {
        let all = ASKED.iter().filter_map(|a| {
            let status = if *a == MEMBER { member? } else { "Enabled" };
            Some(json!({"AccountId": a, "MemberStatus": status}))
        });
        json!({"Members": all.collect::<Vec<_>>()})
    };
    for state in [None, Some("Created")] {
        let body = members(state);
        let central = with(Mode::Central, CONTROL, Collector::SecurityhubOrganization, "ListMembers", &body);
        assert_eq!(central.0, Status::NotAssessed, "{state:?}: {}", central.1);
        assert_eq!(
            with(Mode::FanOut, CONTROL, Collector::SecurityhubOrganization, "ListMembers", &body).0,
            Status::Satisfied
        );
    }
    // Where nothing reached the home Region and the target itself was asked as well, that answer stands.
    let mut world = World::new(Mode::Central);
    world.set(&task(AUDIT, HOME, Collector::SecurityhubOrganization), "ListMembers", &members(None));
    let findings = task(MEMBER, OTHER, Collector::SecurityhubFindings);
    let mut inside = world.attempts[&findings][0].clone();
    world.set(&findings, "GetFindings", &json!({"Findings": []}));
    inside.inside = true;
    world.attempts.get_mut(&findings).unwrap().push(inside);
    let home = task(MEMBER, HOME, Collector::SecurityhubFindings);
    world.attempts.get_mut(&home).unwrap()[0].inside = true;
    assert_eq!(verdict(&assessed(&world), CONTROL).0, Status::Satisfied);
    for collector in [Collector::ConfigAggregator, Collector::SecurityhubOrganization] {
        let check = if collector == Collector::ConfigAggregator { RULE } else { CONTROL };
        let mut world = World::new(Mode::Central);
        world.close(&task(AUDIT, HOME, collector), CoverageState::Denied);
        assert_eq!(verdict(&assessed(&world), check).0, Status::NotAssessed, "{collector} unread");
    }
}

#[test]
fn accounts_outside_the_population_are_listed_and_never_counted() {
    let assessment = assessed(&World::new(Mode::FanOut));
    for (check, outside) in [(RULE, vec![SUSPENDED]), (GUARD, vec![MANAGEMENT, SUSPENDED])] {
        let lines = lines_of(&assessment, "observations.ndjson");
        let listed: Vec<_> = lines
            .iter()
            .filter(|l| l["check"] == check && l["status"] == "not-applicable")
            .map(|l| l["account"].clone())
            .collect();
        assert_eq!(listed, outside, "{check}");
    }
    // An organisation in which nobody is left to ask satisfies nothing, and nothing is "not applicable" either.
    let mut world = World::new(Mode::FanOut);
    for planned in world.plan.iter_mut().filter(|p| p.collector.scope() != crate::model::Scope::Run) {
        planned.out_of_scope = Some(crate::model::ScopeReason::AccountState { state: "SUSPENDED".into() });
    }
    for check in [RULE, CONTROL, GUARD] {
        let (status, why) = verdict(&assessed(&world), check);
        assert_eq!(status, Status::NotAssessed, "{check}: {why}");
    }
}

#[test]
fn a_region_that_is_off_is_outside_the_population_unless_named() {
    let mut world = World::new(Mode::FanOut);
    for named in [false, true] {
        for planned in world.plan.iter_mut().filter(|p| p.region.as_str() == OTHER && p.out_of_scope.is_none()) {
            planned.region_named = named;
        }
        let ids: Vec<_> = world.attempts.keys().filter(|t| t.region.as_str() == OTHER).cloned().collect();
        for id in ids {
            world.close(&id, CoverageState::RegionDisabled);
            world.attempts.insert(id, Vec::new());
        }
        let status = verdict(&assessed(&world), RULE).0;
        assert_eq!(status, if named { Status::NotAssessed } else { Status::Satisfied });
    }
}

#[test]
fn for_global_resources_a_region_that_answers_speaks_for_the_others() {
    let mut world = World::new(Mode::FanOut);
    for account in ASKED {
        world.set(&task(account, OTHER, Collector::ConfigRules), "DescribeConfigRules", &json!({"ConfigRules": []}));
        world.set(&task(account, OTHER, Collector::ConfigCompliance), "SelectResourceConfig", &json!({"Results": []}));
    }
    let observed = world.observe();
    let mut catalog = catalog();
    let judged = |catalog: &Catalog, observed: &Observed| judge_by(catalog, &world, observed).checks[RULE].status;
    assert_eq!(judged(&catalog, &observed), Status::NotAssessed);
    catalog.checks.get_mut(RULE).unwrap().global = true;
    assert_eq!(judged(&catalog, &observed), Status::Satisfied);
    let mut nowhere = world.clone();
    for region in REGIONS {
        nowhere.close(&task(MEMBER, region, Collector::ConfigRules), CoverageState::Denied);
    }
    let assessment = judge_by(&catalog, &nowhere, &nowhere.observe());
    assert_eq!(assessment.checks[RULE].status, Status::NotAssessed, "an account none of whose Regions answers");
}
