//! Collectors against a scripted AWS: what they ask, what they keep, and how they end.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    aws::{
        Abort,
        loopback::{Asked, Kept, Loopback, Say},
    },
    model::{Mode, Scope, TaskId},
};

const MEMBER: &str = "111111111111";

fn task(collector: Collector, mode: Mode) -> PlannedTask {
    let account = if collector.scope() == Scope::Run { "999999999999" } else { MEMBER }.parse().unwrap();
    let task = TaskId { account, region: "us-east-1".parse().unwrap(), collector };
    let (account, region) = (task.account.clone(), task.region.clone());
    PlannedTask { task, account, region, collector, mode, region_named: true, out_of_scope: None }
}

struct Run {
    outcome: Outcome,
    aws: Loopback,
    connection: Aws,
    sink: Arc<Kept>,
}

impl Run {
    fn asked(&self, operation: &str) -> Vec<String> {
        self.aws.asked().into_iter().filter(|a| a.operation == operation).map(|a| a.body).collect()
    }
}

async fn collect(collector: Collector, mode: Mode, script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Run {
    let aws = Loopback::start(script).await;
    let connection = aws.connect().await.unwrap();
    let sink = Arc::new(Kept::default());
    let outcome = run(&connection, &task(collector, mode), sink.clone()).await;
    Run { outcome, aws, connection, sink }
}

fn ok(body: &str) -> Say {
    Say::Ok(body.to_owned())
}

const RECORDING: &str = r#"{"ConfigurationRecordersStatus":[{"name":"d","recording":true,"lastStatus":"SUCCESS"}]}"#;

#[test]
fn every_source_has_exactly_one_collector() {
    let listed: Vec<_> = COLLECTORS.iter().map(|(collector, _)| *collector).collect();
    assert_eq!(listed, Collector::ALL);
}

#[tokio::test]
async fn a_refused_question_does_not_drop_its_siblings() {
    let run = collect(Collector::ConfigRules, Mode::FanOut, |asked| match asked.operation.as_str() {
        "DescribeConfigRules" => ok(r#"{"ConfigRules":[{"ConfigRuleName":"a","Source":{"Owner":"AWS"}}]}"#),
        "DescribeConformancePacks" => Say::Error(400, "AccessDeniedException", "no"),
        "DescribeRemediationConfigurations" => {
            ok(r#"{"RemediationConfigurations":[{"ConfigRuleName":"a","TargetType":"SSM_DOCUMENT","TargetId":"x"}]}"#)
        }
        _ => ok(""),
    })
    .await;
    assert_eq!(run.outcome.state, CoverageState::Partial);
    assert_eq!(
        run.outcome.error.as_deref(),
        Some("DescribeConformancePacks: AccessDeniedException: no"),
        "the first one"
    );
    for operation in
        ["DescribeConformancePackStatus", "DescribeRemediationExecutionStatus", "DescribeRemediationExceptions"]
    {
        assert_eq!(run.aws.count(operation), 1, "{operation}");
    }
}

#[tokio::test]
async fn a_recorder_that_is_off_or_fails_means_not_enabled_since_then_and_old_results_are_not_asked_for() {
    let off = r#"{"name":"d","recording":false,"lastStopTime":1.7907264E9}"#;
    let failing = r#"{"name":"d","recording":true,"lastStatus":"FAILURE","lastStatusChangeTime":1.7907264E9}"#;
    for recorder in [off, failing] {
        let answer = format!("{{\"ConfigurationRecordersStatus\":[{recorder}]}}");
        let run = collect(Collector::ConfigCompliance, Mode::FanOut, move |asked| match asked.operation.as_str() {
            "DescribeConfigurationRecorderStatus" => ok(&answer),
            _ => ok(""),
        })
        .await;
        assert_eq!(run.outcome.state, CoverageState::NotEnabled, "{recorder}");
        assert_eq!(run.outcome.since.map(|t| t.as_second()), Some(1_790_726_400));
        assert_eq!(run.aws.count("SelectResourceConfig"), 0);
    }
    let run = collect(Collector::ConfigCompliance, Mode::FanOut, |_| ok("")).await;
    assert_eq!(run.outcome.state, CoverageState::NotEnabled, "no recorder at all");
}

#[tokio::test]
async fn recorded_compliance_is_read_in_bulk_and_only_violated_rules_in_detail() {
    let run = collect(Collector::ConfigCompliance, Mode::FanOut, |asked| match asked.operation.as_str() {
        "DescribeConfigurationRecorderStatus" => ok(RECORDING),
        "SelectResourceConfig" => ok(
            r#"{"Results":["{\"configuration\":{\"configRuleList\":[{\"configRuleName\":\"bad\",\"complianceType\":\"NON_COMPLIANT\"},{\"configRuleName\":\"good\",\"complianceType\":\"COMPLIANT\"}]}}"]}"#,
        ),
        _ => ok(""),
    })
    .await;
    assert_eq!(run.outcome, Outcome { state: CoverageState::Collected, error: None, since: None });
    let details = run.asked("GetComplianceDetailsByConfigRule");
    assert_eq!(details.len(), 1);
    assert!(details[0].contains("\"bad\"") && details[0].contains("[\"NON_COMPLIANT\"]"), "{details:?}");
}

#[tokio::test]
async fn where_nothing_is_recorded_each_rule_is_asked() {
    let run = collect(Collector::ConfigCompliance, Mode::FanOut, |asked| match asked.operation.as_str() {
        "DescribeConfigurationRecorderStatus" => ok(RECORDING),
        "SelectResourceConfig" => ok(r#"{"Results":[]}"#),
        "DescribeComplianceByConfigRule" => {
            ok(r#"{"ComplianceByConfigRules":[{"ConfigRuleName":"a","Compliance":{"ComplianceType":"COMPLIANT"}},
                {"ConfigRuleName":"b","Compliance":{"ComplianceType":"INSUFFICIENT_DATA"}}]}"#)
        }
        "GetComplianceDetailsByConfigRule" => ok(r#"{"EvaluationResults":[{"ComplianceType":"COMPLIANT"}]}"#),
        _ => ok(""),
    })
    .await;
    assert_eq!(run.outcome.state, CoverageState::Collected);
    assert_eq!(run.aws.count("GetComplianceDetailsByConfigRule"), 1, "a rule without data has no details");
}

fn aggregator(asked: &Asked, status: &str) -> Option<Say> {
    Some(match asked.operation.as_str() {
        "DescribeConfigurationAggregators" => {
            ok(r#"{"ConfigurationAggregators":[{"ConfigurationAggregatorName":"org"}]}"#)
        }
        "DescribeConfigurationAggregatorSourcesStatus" => ok(&format!(
            r#"{{"AggregatedSourceStatusList":[{{"SourceId":"{MEMBER}","SourceType":"ACCOUNT","AwsRegion":"us-east-1",
                "LastUpdateStatus":"{status}","LastUpdateTime":1.7907264E9,"LastErrorCode":"AccessDenied"}}]}}"#
        )),
        _ => return None,
    })
}

#[tokio::test]
async fn an_outdated_source_makes_central_answers_stale_however_good_they_look() {
    for (status, state) in [("OUTDATED", CoverageState::Stale), ("FAILED", CoverageState::Stale)] {
        let run = collect(Collector::ConfigCompliance, Mode::Central, move |asked| {
            aggregator(asked, status).unwrap_or_else(|| match asked.operation.as_str() {
                "AssumeRole" => Say::Error(403, "AccessDenied", "no role"),
                "SelectAggregateResourceConfig" => ok(r#"{"Results":["{}"]}"#),
                _ => ok(""),
            })
        })
        .await;
        assert_eq!(run.outcome.state, state);
        assert_eq!(run.outcome.since.map(|t| t.as_second()), Some(1_790_726_400));
        assert!(
            run.sink.lines().iter().any(|l| l == "AssumeRole p0 a1 403 AccessDenied"),
            "central reading needs no role"
        );
        let asked = run.asked("SelectAggregateResourceConfig");
        assert!(asked[0].contains("accountId = '111111111111' AND awsRegion = 'us-east-1'"), "{asked:?}");
    }
}

#[tokio::test]
async fn where_nothing_is_aggregated_the_target_is_asked_and_its_refusal_is_a_gap() {
    let script = |assume: bool| {
        move |asked: &Asked| {
            aggregator(asked, "SUCCEEDED").unwrap_or_else(|| match asked.operation.as_str() {
                "AssumeRole" if !assume => Say::Error(403, "AccessDenied", "no"),
                "DescribeConfigurationRecorderStatus" => ok(RECORDING),
                _ => ok(""),
            })
        }
    };
    let run = collect(Collector::ConfigCompliance, Mode::Central, script(true)).await;
    assert_eq!(run.outcome.state, CoverageState::Empty);
    assert_eq!(run.aws.count("DescribeComplianceByConfigRule"), 1);
    let run = collect(Collector::ConfigCompliance, Mode::Central, script(false)).await;
    assert_eq!(run.outcome.state, CoverageState::Denied, "nothing seen centrally and nobody to ask is not empty");
}

#[tokio::test]
async fn a_stopped_recorder_is_seen_through_the_aggregators_old_rows() {
    let run = collect(Collector::ConfigCompliance, Mode::Central, |asked| {
        aggregator(asked, "SUCCEEDED").unwrap_or_else(|| match asked.operation.as_str() {
            "SelectAggregateResourceConfig" => ok(r#"{"Results":["{}"]}"#),
            "DescribeConfigurationRecorderStatus" => ok(r#"{"ConfigurationRecordersStatus":[{"recording":false}]}"#),
            _ => ok(""),
        })
    })
    .await;
    assert_eq!(run.outcome.state, CoverageState::NotEnabled);
}

#[tokio::test]
async fn what_has_no_aggregated_view_is_never_answered_by_the_audit_account() {
    for collector in [Collector::ConfigRecorder, Collector::ConfigRules, Collector::SecurityhubHub] {
        let run = collect(collector, Mode::Central, |_| ok("")).await;
        let attempts = run.sink.attempts.lock().unwrap();
        let asked: Vec<_> = attempts.iter().filter(|a| a.service != "sts").collect();
        assert!(!asked.is_empty() && asked.iter().all(|a| a.principal.contains("::111111111111:")), "{collector}");
    }
}

#[tokio::test]
async fn of_several_aggregators_none_is_guessed() {
    let run = collect(Collector::ConfigAggregator, Mode::Central, |asked| match asked.operation.as_str() {
        "DescribeConfigurationAggregators" => ok(
            r#"{"ConfigurationAggregators":[{"ConfigurationAggregatorName":"a"},{"ConfigurationAggregatorName":"b"}]}"#,
        ),
        _ => ok(""),
    })
    .await;
    assert_eq!(run.outcome.state, CoverageState::Failed);
    assert!(run.outcome.error.unwrap().contains("[config] aggregator"), "says what to set");
}

#[tokio::test]
async fn without_an_organization_the_run_ends_at_once_with_a_reason() {
    for (code, operation) in
        [("AWSOrganizationsNotInUseException", "DescribeOrganization"), ("AccessDeniedException", "ListAccounts")]
    {
        let run = collect(Collector::Organization, Mode::Central, move |asked| {
            if asked.operation == operation { Say::Error(400, code, "no") } else { ok("") }
        })
        .await;
        assert!(matches!(run.connection.aborted(), Some(Abort::Organization { said, .. }) if said.contains(code)));
        assert_eq!(run.aws.count("ListRoots"), 0);
        assert!(!matches!(run.outcome.state, CoverageState::Collected | CoverageState::Empty));
    }
}

#[tokio::test]
async fn a_policy_deleted_between_list_and_read_is_listed_again_and_is_no_gap() {
    let listed = AtomicUsize::new(0);
    let run = collect(Collector::Organization, Mode::Central, move |asked| match asked.operation.as_str() {
        "ListAccounts" => ok(r#"{"Accounts":[{"Id":"111111111111"}]}"#),
        "ListRoots" => ok(
            r#"{"Roots":[{"Id":"r-1","PolicyTypes":[{"Type":"SERVICE_CONTROL_POLICY","Status":"ENABLED"},{"Type":"TAG_POLICY","Status":"PENDING_ENABLE"}]}]}"#,
        ),
        "ListOrganizationalUnitsForParent" if asked.body.contains("r-1") => ok(r#"{"OrganizationalUnits":[{"Id":"ou-1"}]}"#),
        "ListPolicies" if listed.fetch_add(1, Ordering::SeqCst) == 0 => ok(r#"{"Policies":[{"Id":"p-gone"},{"Id":"p-1"}]}"#),
        "ListPolicies" => ok(r#"{"Policies":[{"Id":"p-1"},{"Id":"p-new"}]}"#),
        "DescribePolicy" | "ListTargetsForPolicy" if asked.body.contains("p-gone") => Say::Error(400, "PolicyNotFoundException", "gone"),
        "DescribeResourcePolicy" => Say::Error(400, "ResourcePolicyNotFoundException", "none"),
        _ => ok(""),
    })
    .await;
    assert_eq!(run.outcome, Outcome { state: CoverageState::Collected, error: None, since: None });
    assert_eq!(run.aws.count("ListPolicies"), 2);
    assert!(run.asked("ListPolicies").iter().all(|b| b.contains("SERVICE_CONTROL_POLICY")), "only enabled types");
    let read = run.asked("DescribePolicy");
    assert_eq!(read.len(), 3, "{read:?}");
    assert_eq!(run.aws.count("ListAccountsForParent"), 2, "the root and its unit");
    assert!(run.sink.lines().iter().any(|l| l.contains("PolicyNotFoundException")), "the race is on record");
}

#[tokio::test]
async fn parents_are_not_asked_for_where_accounts_name_their_paths() {
    let run = collect(Collector::Organization, Mode::Central, |asked| match asked.operation.as_str() {
        "ListAccounts" => ok(r#"{"Accounts":[{"Id":"111111111111","Paths":["o-1/r-1/111111111111/"]}]}"#),
        "ListRoots" => ok(r#"{"Roots":[{"Id":"r-1"}]}"#),
        _ => ok(""),
    })
    .await;
    assert_eq!(run.aws.count("ListAccountsForParent"), 0);
    assert_eq!(run.outcome.state, CoverageState::Collected);
}

#[tokio::test]
async fn an_scp_that_denies_the_auditor_is_named_as_a_limitation_of_scope() {
    let run = collect(Collector::ConfigRecorder, Mode::FanOut, |asked| match asked.operation.as_str() {
        "AssumeRole" => Say::Error(403, "AccessDenied", "with an explicit deny in a service control policy"),
        _ => ok(""),
    })
    .await;
    assert_eq!(run.outcome.state, CoverageState::Denied);
    assert!(run.outcome.error.unwrap().starts_with("scope limitation"));
    assert_eq!(run.sink.lines(), ["AssumeRole p0 a1 403 AccessDenied"]);
}

#[tokio::test]
async fn findings_are_asked_for_one_account_and_region_wherever_they_are_asked() {
    for (mode, questions) in [(Mode::Central, 2), (Mode::FanOut, 1)] {
        let run = collect(Collector::SecurityhubFindings, mode, |asked| match asked.operation.as_str() {
            "/findings" => ok(r#"{"Findings":[]}"#),
            _ => ok(""),
        })
        .await;
        assert_eq!(run.outcome.state, CoverageState::Empty);
        let asked = run.asked("/findings");
        assert_eq!(asked.len(), questions, "where nothing reached the home Region, the target is asked");
        let account = r#""AwsAccountId":[{"Value":"111111111111","Comparison":"EQUALS"}]"#;
        for part in [account, r#""Region":[{"Value":"us-east-1""#, "\"ACTIVE\""] {
            assert!(asked.iter().all(|a| a.contains(part)), "{part} in {asked:?}");
        }
        let request = run.sink.attempts.lock().unwrap().last().unwrap().request.clone().unwrap();
        let request: serde_json::Value = serde_json::from_str(&request).unwrap();
        assert_eq!(request["path"], "/findings");
        assert_eq!(request["body"]["MaxResults"], 100);
    }
}

#[tokio::test]
async fn a_hub_that_is_off_is_not_enabled_and_the_second_generation_is_asked_for_all_the_same() {
    let run = collect(Collector::SecurityhubHub, Mode::FanOut, |asked| match asked.operation.as_str() {
        "/accounts" => Say::Error(401, "InvalidAccessException", "Account is not subscribed to AWS Security Hub"),
        "/hubv2" => Say::Error(404, "ResourceNotFoundException", "none"),
        _ => ok(""),
    })
    .await;
    assert_eq!(run.outcome.state, CoverageState::NotEnabled);
    assert_eq!(run.aws.count("/hubv2"), 1);
    assert_eq!(run.aws.count("/standards/get"), 0);
}

#[tokio::test]
async fn a_region_counts_as_disabled_only_where_the_account_itself_says_so() {
    for (listed, state) in [("DISABLED", CoverageState::RegionDisabled), ("ENABLED", CoverageState::Denied)] {
        let run = collect(Collector::ConfigRecorder, Mode::FanOut, move |asked| match asked.operation.as_str() {
            "/listRegions" => {
                ok(&format!(r#"{{"Regions":[{{"RegionName":"us-east-1","RegionOptStatus":"{listed}"}}]}}"#))
            }
            "AssumeRole" | "GetCallerIdentity" => ok(""),
            _ => {
                Say::Error(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
            }
        })
        .await;
        assert_eq!(run.outcome.state, state, "{:?}", run.outcome);
    }
    let unknown = |asked: &Asked| match asked.operation.as_str() {
        "GetCallerIdentity" => ok(""),
        _ => Say::Error(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
    };
    for collector in [Collector::ConfigRecorder, Collector::ConfigAggregator, Collector::Regions] {
        let run = collect(collector, Mode::FanOut, unknown).await;
        assert_eq!(run.outcome.state, CoverageState::Denied, "revoked central credentials are a gap: {collector}");
    }
}
