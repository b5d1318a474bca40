//! A small organisation whose every answer is right, for tests to spoil: three accounts asked in two Regions, one suspended.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json, value::RawValue};

use super::{Observed, RunReader, Target, TargetReader};
use crate::{
    model::{
        AccountId, BodyRef, Call, Collector, Coverage, CoverageState, Exchange, Mode, Observation, PlannedTask, Region,
        Scope, ScopeReason, Sha256Digest, TaskId,
    },
    sorted::Scratch,
};

pub(crate) const MANAGEMENT: &str = "100000000001";
pub(crate) const AUDIT: &str = "100000000002";
pub(crate) const MEMBER: &str = "100000000003";
pub(crate) const SUSPENDED: &str = "100000000004";
pub(crate) const HOME: &str = "us-east-1";
pub(crate) const OTHER: &str = "eu-west-1";
pub(crate) const ASKED: [&str; 3] = [MANAGEMENT, AUDIT, MEMBER];
pub(crate) const REGIONS: [&str; 2] = [HOME, OTHER];

/// One recorded attempt, not yet placed in an archive.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub operation: String,
    pub request: Value,
    pub page: u32,
    pub error: Option<&'static str>,
    pub body: String,
    /// Set where the target itself was asked although the plan says central.
    pub inside: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub plan: Vec<PlannedTask>,
    pub coverage: Vec<Coverage>,
    pub attempts: BTreeMap<TaskId, Vec<Attempt>>,
}

pub(crate) fn task(account: &str, region: &str, collector: Collector) -> TaskId {
    TaskId { account: account.parse().unwrap(), region: region.parse().unwrap(), collector }
}

pub(crate) fn answer(operation: &str, request: Value, body: &Value) -> Attempt {
    Attempt { operation: operation.into(), request, page: 0, error: None, body: body.to_string(), inside: false }
}

/// An item as `SelectResourceConfig` returns it.
pub(crate) fn item(account: &str, region: &str, bucket: &str, rules: &[(&str, &str)]) -> Value {
    let rules: Vec<_> = rules.iter().map(|(n, c)| json!({"configRuleName": n, "complianceType": c})).collect();
    let text = json!({"accountId": account, "awsRegion": region, "resourceId": format!("AWS::S3::Bucket/{bucket}"),
        "configuration": {"targetResourceId": bucket, "targetResourceType": "AWS::S3::Bucket", "complianceType": "COMPLIANT",
                          "configRuleList": rules}});
    json!(text.to_string())
}

pub(crate) fn finding(account: &str, region: &str, compliance: &str, workflow: &str) -> Value {
    json!({"AwsAccountId": account, "Region": region, "ProductName": "Security Hub", "RecordState": "ACTIVE",
        "Compliance": {"Status": compliance, "SecurityControlId": "S3.8"}, "Workflow": {"Status": workflow},
        "Resources": [{"Type": "AwsS3Bucket", "Id": format!("arn:aws:s3:::b-{account}-{region}")}]})
}

impl World {
    pub(crate) fn new(mode: Mode) -> Self {
        let mut world = Self { plan: Vec::new(), coverage: Vec::new(), attempts: BTreeMap::new() };
        for collector in Collector::ALL {
            let places: Vec<(&str, &str)> = match collector.scope() {
                Scope::Run => vec![(AUDIT, HOME)],
                Scope::Account => [&ASKED[..], &[SUSPENDED]].concat().into_iter().map(|a| (a, HOME)).collect(),
                Scope::Target => {
                    [&ASKED[..], &[SUSPENDED]].concat().into_iter().flat_map(|a| REGIONS.map(|r| (a, r))).collect()
                }
            };
            for (account, region) in places {
                world.add(account, region, collector, mode);
            }
        }
        world.plan.sort_by(|a, b| a.task.cmp(&b.task));
        world.coverage.sort_by(|a, b| a.task.cmp(&b.task));
        world
    }

    fn add(&mut self, account: &str, region: &str, collector: Collector, mode: Mode) {
        let id = task(account, region, collector);
        let central = matches!(collector, Collector::ConfigCompliance | Collector::SecurityhubFindings);
        let out_of_scope = (account == SUSPENDED).then(|| ScopeReason::AccountState { state: "SUSPENDED".to_owned() });
        let planned = PlannedTask {
            task: id.clone(),
            account: id.account.clone(),
            region: id.region.clone(),
            collector,
            mode: if central { mode } else { Mode::FanOut },
            region_named: false,
            out_of_scope,
        };
        let state = if account == SUSPENDED { CoverageState::OutOfScope } else { CoverageState::Collected };
        self.coverage.push(Coverage::close(&planned, state, None, None, 1));
        self.plan.push(planned);
        if account != SUSPENDED {
            self.attempts.insert(id, attempts(account, region, collector));
        }
    }

    /// Ends a task in `state`, keeping its answers.
    pub(crate) fn close(&mut self, id: &TaskId, state: CoverageState) {
        let planned = self.plan.iter().find(|p| p.task == *id).unwrap();
        let line = self.coverage.iter_mut().find(|c| c.task == *id).unwrap();
        *line = Coverage::close(planned, state, Some("as the test says".into()), None, 1);
    }

    /// Replaces the answer of an operation of a task.
    pub(crate) fn set(&mut self, id: &TaskId, operation: &str, body: &Value) {
        let all = self.attempts.get_mut(id).unwrap();
        let known = all.iter_mut().find(|a| a.operation == operation).unwrap();
        known.body = body.to_string();
    }

    /// The answer of an operation of a task.
    pub(crate) fn get(&self, id: &TaskId, operation: &str) -> Value {
        let known = self.attempts[id].iter().find(|a| a.operation == operation).unwrap();
        serde_json::from_str(&known.body).unwrap()
    }

    /// Observes the tasks in the order of `order` (all of them where it is empty), with so little memory that much of it lies on disk.
    pub(crate) fn observe_in(&self, order: &[usize]) -> Observed {
        self.observe_holding(order, 2000)
    }

    pub(crate) fn observe_holding(&self, order: &[usize], bytes: usize) -> Observed {
        let scratch = Scratch::default().holding(bytes);
        let mut tasks: Vec<_> = self.attempts.iter().collect();
        if !order.is_empty() {
            tasks = order.iter().map(|index| tasks[*index]).collect();
        }
        let modes: BTreeMap<_, _> = self.plan.iter().map(|p| (&p.task, p.mode)).collect();
        let exchanges = |id: &TaskId, each: &mut dyn FnMut(Exchange<'_>)| {
            for (seq, attempt) in self.attempts[id].iter().enumerate() {
                let mode = if attempt.inside { Mode::FanOut } else { modes[id] };
                let call = call(id, seq as u64, attempt, mode);
                each(Exchange { call: &call, body: attempt.body.as_bytes(), seal: Sha256Digest::of("seal") });
            }
        };
        let mut reader = RunReader::new(&self.plan, &self.coverage, &scratch);
        for (id, _) in tasks.iter().filter(|(id, _)| RunReader::concerns(id)) {
            exchanges(id, &mut |exchange| reader.push(exchange).unwrap());
        }
        let run = reader.finish().unwrap();
        // Two shelves, as two threads have them; a target's tasks come together, in any order.
        let mut shelves = vec![run.shelf(), run.shelf()];
        let mut targets: Vec<Target> = Vec::new();
        for (id, _) in &tasks {
            let target = (id.account.clone(), id.region.clone());
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        for (index, target) in targets.into_iter().enumerate() {
            let mut reader = TargetReader::new(&run, target.clone());
            for (id, _) in tasks.iter().filter(|(id, _)| (&id.account, &id.region) == (&target.0, &target.1)) {
                exchanges(id, &mut |exchange| reader.push(exchange));
            }
            reader.finish(&mut shelves[index % 2]).unwrap();
        }
        run.finish(shelves).unwrap()
    }

    pub(crate) fn observe(&self) -> Observed {
        self.observe_in(&[])
    }
}

impl Observed {
    /// Every observation, in order.
    pub(crate) fn all(&self) -> Vec<Observation> {
        self.observations.all().unwrap().collect::<Result<_, _>>().unwrap()
    }
}

/// A recorded call: central ones by the audit account in the home Region, others inside the target.
pub(crate) fn call(id: &TaskId, seq: u64, attempt: &Attempt, mode: Mode) -> Call {
    let (account, region) = match mode {
        Mode::Central => (AUDIT, HOME),
        Mode::FanOut => (id.account.as_str(), id.region.as_str()),
    };
    Call {
        task: id.clone(),
        seq,
        time: "2026-11-20T00:00:00Z".parse().unwrap(),
        request_id: None,
        principal: format!("arn:aws:sts::{account}:assumed-role/x/y"),
        service: "test".into(),
        operation: attempt.operation.clone(),
        endpoint_region: region.to_owned(),
        request: Some(RawValue::from_string(attempt.request.to_string()).unwrap()),
        page: attempt.page,
        attempt: 1,
        status: Some(if attempt.error.is_some() { 400 } else { 200 }),
        error: attempt.error.map(str::to_owned),
        body: Some(BodyRef {
            path: format!("data/bodies/{}/{}.001.ndjson", id.account, id.region),
            line: seq + 1,
            sha256: Sha256Digest::of(&attempt.body),
            encoding: None,
        }),
    }
}

fn attempts(account: &str, region: &str, collector: Collector) -> Vec<Attempt> {
    let ask = |operation: &str, body: Value| answer(operation, json!({}), &body);
    match collector {
        Collector::Organization => organization(),
        Collector::Regions => {
            let regions = REGIONS.map(|r| json!({"RegionName": r, "RegionOptStatus": "ENABLED_BY_DEFAULT"}));
            vec![ask("ListRegions", json!({"Regions": regions}))]
        }
        Collector::ConfigAggregator => {
            let states: Vec<_> = targets()
                .map(|(a, r)| json!({"SourceId": a, "SourceType": "ACCOUNT", "AwsRegion": r, "LastUpdateStatus": "SUCCEEDED"}))
                .collect();
            vec![ask("DescribeConfigurationAggregatorSourcesStatus", json!({"AggregatedSourceStatusList": states}))]
        }
        Collector::ConfigAggregateCompliance => {
            let rules: Vec<_> = targets()
                .map(|(a, r)| json!({"ConfigRuleName": "our-s3", "AccountId": a, "AwsRegion": r, "Compliance": {"ComplianceType": "COMPLIANT"}}))
                .collect();
            vec![ask("DescribeAggregateComplianceByConfigRules", json!({"AggregateComplianceByConfigRules": rules}))]
        }
        Collector::ConfigRecorder => vec![
            ask(
                "DescribeConfigurationRecorders",
                json!({"ConfigurationRecorders": [{"name": "default", "recordingGroup": {"allSupported": true, "includeGlobalResourceTypes": true}}]}),
            ),
            ask(
                "DescribeConfigurationRecorderStatus",
                json!({"ConfigurationRecordersStatus": [{"name": "default", "recording": true, "lastStatus": "SUCCESS"}]}),
            ),
            ask("DescribeDeliveryChannels", json!({"DeliveryChannels": [{"name": "default"}]})),
        ],
        Collector::ConfigRules => config_rules(),
        Collector::ConfigCompliance => {
            let item = item(account, region, &format!("b-{account}-{region}"), &[("our-s3", "COMPLIANT")]);
            vec![ask("SelectResourceConfig", json!({"Results": [item]}))]
        }
        Collector::SecurityhubOrganization => {
            let members = ASKED.map(|a| json!({"AccountId": a, "MemberStatus": "Enabled"}));
            vec![
                ask("ListMembers", json!({"Members": members})),
                ask(
                    "GetFindingAggregator",
                    json!({"FindingAggregationRegion": HOME, "RegionLinkingMode": "ALL_REGIONS"}),
                ),
            ]
        }
        Collector::SecurityhubHub => vec![
            ask("DescribeHub", json!({"HubArn": "arn", "SubscribedAt": "2026-01-01T00:00:00Z"})),
            ask(
                "GetEnabledStandards",
                json!({"StandardsSubscriptions": [{"StandardsSubscriptionArn": "fsbp", "StandardsStatus": "READY"}]}),
            ),
            ask("DescribeStandardsControls", json!({"Controls": [{"ControlId": "S3.8", "ControlStatus": "ENABLED"}]})),
        ],
        Collector::SecurityhubFindings => {
            vec![ask("GetFindings", json!({"Findings": [finding(account, region, "PASSED", "RESOLVED")]}))]
        }
    }
}

fn targets() -> impl Iterator<Item = (&'static str, &'static str)> {
    ASKED.into_iter().flat_map(|a| REGIONS.map(|r| (a, r)))
}

fn config_rules() -> Vec<Attempt> {
    let ask = |operation: &str, body: Value| answer(operation, json!({}), &body);
    vec![
        ask(
            "DescribeConfigRules",
            json!({"ConfigRules": [{"ConfigRuleName": "our-s3", "Source": {"Owner": "AWS", "SourceIdentifier": "S3_X"},
                    "Scope": {"ComplianceResourceTypes": ["AWS::S3::Bucket"]}, "ConfigRuleState": "ACTIVE"}]}),
        ),
        ask(
            "DescribeConfigRuleEvaluationStatus",
            json!({"ConfigRulesEvaluationStatus": [{"ConfigRuleName": "our-s3", "LastSuccessfulEvaluationTime": 1.79e9}]}),
        ),
        ask(
            "DescribeRemediationConfigurations",
            json!({"RemediationConfigurations": [{"ConfigRuleName": "our-s3", "Automatic": true, "TargetId": "doc"}]}),
        ),
    ]
}

/// A deny-list organisation: the root lets everything through but `s3:PutBucketPolicy`.
fn organization() -> Vec<Attempt> {
    let ask = |operation: &str, request: Value, body: Value| answer(operation, request, &body);
    let accounts = [MANAGEMENT, AUDIT, MEMBER].map(|a| json!({"Id": a, "Name": a, "State": "ACTIVE"}));
    let mut accounts = accounts.to_vec();
    accounts.push(json!({"Id": SUSPENDED, "Name": "gone", "Status": "SUSPENDED"}));
    let summary = |id: &str, name: &str| json!({"Id": id, "Name": name, "Type": "SERVICE_CONTROL_POLICY"});
    let full = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let deny = json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "s3:PutBucketPolicy", "Resource": "*"}]});
    let policy = |id: &str, name: &str, document: &Value| json!({"Policy": {"PolicySummary": summary(id, name), "Content": document.to_string()}});
    let mut everywhere = vec![json!({"TargetId": "r-1", "Type": "ROOT"})];
    everywhere.push(json!({"TargetId": "ou-1-a", "Type": "ORGANIZATIONAL_UNIT"}));
    everywhere.extend([MANAGEMENT, AUDIT, MEMBER, SUSPENDED].map(|a| json!({"TargetId": a, "Type": "ACCOUNT"})));
    let types = json!([{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]);
    vec![
        ask(
            "DescribeOrganization",
            json!({}),
            json!({"Organization": {"Id": "o-1", "MasterAccountId": MANAGEMENT, "FeatureSet": "ALL"}}),
        ),
        ask("ListRoots", json!({}), json!({"Roots": [{"Id": "r-1", "PolicyTypes": types}]})),
        ask(
            "ListOrganizationalUnitsForParent",
            json!({"ParentId": "r-1"}),
            json!({"OrganizationalUnits": [{"Id": "ou-1-a", "Name": "work"}]}),
        ),
        ask("ListAccounts", json!({}), json!({"Accounts": accounts})),
        ask("ListAccountsForParent", json!({"ParentId": "r-1"}), json!({"Accounts": [accounts[0]]})),
        ask("ListAccountsForParent", json!({"ParentId": "ou-1-a"}), json!({"Accounts": accounts[1..]})),
        ask(
            "ListPolicies",
            json!({"Filter": "SERVICE_CONTROL_POLICY"}),
            json!({"Policies": [summary("p-full", "FullAWSAccess"), summary("p-deny", "guard")]}),
        ),
        ask("DescribePolicy", json!({"PolicyId": "p-full"}), policy("p-full", "FullAWSAccess", &full)),
        ask("DescribePolicy", json!({"PolicyId": "p-deny"}), policy("p-deny", "guard", &deny)),
        ask("ListTargetsForPolicy", json!({"PolicyId": "p-full"}), json!({"Targets": everywhere})),
        ask(
            "ListTargetsForPolicy",
            json!({"PolicyId": "p-deny"}),
            json!({"Targets": [{"TargetId": "r-1", "Type": "ROOT"}]}),
        ),
        ask("ListDelegatedAdministrators", json!({}), json!({"DelegatedAdministrators": [{"Id": AUDIT}]})),
        ask(
            "ListDelegatedServicesForAccount",
            json!({"AccountId": AUDIT}),
            json!({"DelegatedServices": [{"ServicePrincipal": "config.amazonaws.com"}]}),
        ),
        ask(
            "ListAWSServiceAccessForOrganization",
            json!({}),
            json!({"EnabledServicePrincipals": [{"ServicePrincipal": "config.amazonaws.com"}]}),
        ),
    ]
}

/// All accounts and Regions that the world asks.
pub(crate) fn asked() -> BTreeSet<(AccountId, Region)> {
    targets().map(|(a, r)| (a.parse().unwrap(), r.parse().unwrap())).collect()
}
