//! Makes a store with large evidence archives, through the product's own writer: for benches and for tests that need size.
//!
//! ```text
//! cargo run --example large-archive -- --out DIR --evaluations 5000000 --findings 1000000 [--accounts 1000] [--regions 4] [--runs 1]
//! ```
//! DIR gets `orgproof.toml`, `keys/seal.pem` (a key from a fixed seed: never to be trusted), `evidence/` with `--runs` daily runs
//! from 2026-10-01 on, and is then what `orgproof --config DIR/orgproof.toml assess` and the others read. The same arguments give the
//! same evidence, byte for byte. An evaluation is one resource against one rule; four of them share an item, as Config gives
//! them, of about 1.7 KB; a finding has about 2.6 KB. Each run after the first answers a few things otherwise.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a tool for benches: it stops at the first fault"
)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};
use orgproof::{
    archive::{
        Reader, StagedWriter, Staging,
        chain::{Chain, Facts},
    },
    catalog::{self, Ask},
    config::Config,
    model::{BodyRef, Call, Collector, Coverage, CoverageState, Mode, PlannedTask, Scope, Sha256Digest, TaskId},
    observe::SEMANTICS,
    sign, store,
};
use serde_json::{Value, json, value::RawValue};

const HOME: &str = "us-east-1";
const REGIONS: [&str; 17] = [
    "us-east-1",
    "eu-west-1",
    "ap-northeast-1",
    "us-west-2",
    "eu-central-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-north-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-2",
    "us-west-1",
    "ap-south-1",
    "ap-northeast-2",
    "ap-northeast-3",
];
const PAGE: u64 = 100;
const RULES_OF_AN_ITEM: u64 = 4;

const CONFIGURATION: &str = r#"[organization]
role_name    = "OrgProofAudit"
regions      = [REGIONS]
home_region  = "us-east-1"
[config]
aggregator   = "org"
compliance   = "fan-out"
[securityhub]
findings     = "fan-out"
[store]
url          = "file:evidence"
[signing]
key          = "file:keys/seal.pem"
[catalog]
frameworks   = ["cis-aws-3.0", "aws-fsbp"]
[schedule]
period       = "quarter"
next_run     = "24h"
grace        = "6h"
"#;

struct Shape {
    out: PathBuf,
    evaluations: u64,
    findings: u64,
    accounts: u64,
    regions: usize,
    runs: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--floor", archive] => return floor(Path::new(archive)),
        ["--seal", folder] => return seal(Path::new(folder)),
        _ => {}
    }
    let shape = Shape::from_arguments(arguments);
    std::fs::create_dir_all(&shape.out).unwrap();
    let regions: Vec<String> = REGIONS[..shape.regions].iter().map(|r| format!("{r:?}")).collect();
    let text = CONFIGURATION.replace("REGIONS", &regions.join(", "));
    std::fs::write(shape.out.join("orgproof.toml"), &text).unwrap();
    let key = shape.out.join("keys/seal.pem");
    if !key.exists() {
        sign::generate(&key, sign::Algorithm::P256, &[7; 32], None).unwrap();
    }
    let world = World::new(&shape);
    for run in 0..shape.runs {
        let begun = Instant::now();
        let raw = world.seal(run, text.as_bytes());
        eprintln!("run {}: {} MB raw, {:.1} s", run + 1, raw / 1_000_000, begun.elapsed().as_secs_f64());
    }
}

impl Shape {
    fn from_arguments(arguments: Vec<String>) -> Self {
        let mut shape = Self {
            out: PathBuf::from("large"),
            evaluations: 1_000_000,
            findings: 200_000,
            accounts: 1000,
            regions: 4,
            runs: 1,
        };
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            match name.as_str() {
                "--out" => shape.out = PathBuf::from(value),
                "--evaluations" => shape.evaluations = value.parse().unwrap(),
                "--findings" => shape.findings = value.parse().unwrap(),
                "--accounts" => shape.accounts = value.parse().unwrap(),
                "--regions" => shape.regions = value.parse().unwrap(),
                "--runs" => shape.runs = value.parse().unwrap(),
                _ => panic!("unknown argument {name}"),
            }
        }
        assert!(
            (1..=REGIONS.len()).contains(&shape.regions) && shape.accounts > 1,
            "at least two accounts, 1 to 17 Regions"
        );
        shape
    }
}

/// Reads every answer as JSON, and the items inside where they are texts of their own.
fn floor(archive: &Path) {
    #[derive(serde::Deserialize)]
    struct Items {
        #[serde(rename = "Results")]
        items: Vec<String>,
    }
    let archive = Reader::open(archive).unwrap();
    let mut answers = 0_u64;
    for name in archive.names().into_iter().filter(|name| name.starts_with("data/bodies/")) {
        for line in BufReader::with_capacity(128 * 1024, archive.file(name).unwrap()).split(b'\n') {
            let line = line.unwrap();
            if line.starts_with(b"{\"NextToken\":") || line.starts_with(b"{\"Results\":") {
                if let Ok(items) = serde_json::from_slice::<Items>(&line) {
                    for item in items.items {
                        serde_json::from_str::<serde::de::IgnoredAny>(&item).unwrap();
                    }
                }
            } else {
                serde_json::from_slice::<serde::de::IgnoredAny>(&line).unwrap();
            }
            answers += 1;
        }
    }
    eprintln!("{answers} answers");
}

/// Seals the files of an unpacked evidence archive anew.
fn seal(folder: &Path) {
    let work = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
    let staging = Staging::create(&work.path().join("staging")).unwrap();
    let unpacked = Reader::open(folder).unwrap();
    for name in unpacked.names().into_iter().filter(|name| name.starts_with("data/")) {
        let mut file = staging.writer(name).unwrap();
        std::io::copy(&mut unpacked.file(name).unwrap(), &mut file).unwrap();
        file.finish().unwrap();
    }
    sign::generate(&work.path().join("seal.pem"), sign::Algorithm::P256, &[7; 32], None).unwrap();
    let signer = sign::open("file:seal.pem", &sign::Access::files(work.path())).unwrap();
    let mut chain = Chain::open(store::open("file:evidence", work.path()).unwrap(), signer, &[7; 16]).unwrap();
    let at = "2026-10-01T02:00:00Z".parse().unwrap();
    let facts = Facts { run: Some("again".to_owned()), ..Facts::new(SEMANTICS, at, at) };
    chain.open_run(&facts).unwrap();
    chain.plan(staging.joint_digest("data/plan.ndjson").unwrap().unwrap(), &facts).unwrap();
    chain.close_run(&staging, &facts, &[9; 32]).unwrap();
}

/// What does not change from target to target.
struct World<'a> {
    shape: &'a Shape,
    /// Identifier and resource type, in groups of those that judge the same type.
    rules: Vec<(String, Vec<String>)>,
    controls: Vec<(String, String)>,
    tasks: Vec<PlannedTask>,
    catalog: Sha256Digest,
}

fn account(n: u64) -> String {
    format!("{:012}", 100_000_000_000 + n * 7_919)
}

/// A number that looks drawn by lot and follows from its arguments alone.
fn lot(parts: &[u64]) -> u64 {
    let mut n = 0x9e37_79b9_7f4a_7c15_u64;
    for part in parts {
        n = (n ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd);
        n ^= n >> 29;
    }
    n
}

impl<'a> World<'a> {
    fn new(shape: &'a Shape) -> Self {
        let (catalog, _) = catalog::load(&["cis-aws-3.0".into(), "aws-fsbp".into()], Path::new("")).unwrap();
        let mut names = Vec::new();
        let mut controls = Vec::new();
        for check in catalog.checks.values() {
            let kind = check.resource_types.first().cloned().unwrap_or_else(|| "AWS::S3::Bucket".to_owned());
            match &check.ask {
                Ask::ConfigRule { identifier } => names.push(identifier.clone()),
                Ask::SecurityHub { control } => controls.push((control.clone(), kind)),
                _ => {}
            }
        }
        // Enough rules for a realistic number of questions; those beyond the catalogue are observed and asked by nobody.
        for n in 0..160 {
            names.push(format!("FURTHER_MANAGED_RULE_{n:03}"));
        }
        let kinds =
            ["AWS::S3::Bucket", "AWS::EC2::SecurityGroup", "AWS::EC2::Volume", "AWS::KMS::Key", "AWS::RDS::DBInstance"];
        let groups = names.chunks(RULES_OF_AN_ITEM as usize).zip(kinds.into_iter().cycle());
        let rules = groups.map(|(rules, kind)| (kind.to_owned(), rules.to_vec())).collect();
        let mut tasks = Vec::new();
        for n in 0..shape.accounts {
            let mut add = |region: &str, collector: Collector| {
                let task: TaskId = format!("{}/{region}/{collector}", account(n)).parse().unwrap();
                tasks.push(PlannedTask {
                    account: task.account.clone(),
                    region: task.region.clone(),
                    collector,
                    task,
                    mode: if collector.scope() == Scope::Run { Mode::Central } else { Mode::FanOut },
                    region_named: true,
                    out_of_scope: None,
                });
            };
            for collector in Collector::ALL {
                match collector.scope() {
                    // The second account is the one that audits.
                    Scope::Run if n == 1 => add(HOME, collector),
                    Scope::Run => {}
                    Scope::Account => add(HOME, collector),
                    Scope::Target => REGIONS[..shape.regions].iter().for_each(|region| add(region, collector)),
                }
            }
        }
        tasks.sort_by(|a, b| a.task.cmp(&b.task));
        Self { shape, rules, controls, tasks, catalog: catalog.digest }
    }

    /// Gathers and seals one day's run; returns how many bytes of answers it holds.
    fn seal(&self, run: u64, configuration: &[u8]) -> u64 {
        let opened: Timestamp = "2026-10-01T02:00:00Z".parse().unwrap();
        let opened = opened + SignedDuration::from_hours(24 * run as i64);
        let staging_root = self.shape.out.join("staging");
        let _ = std::fs::remove_dir_all(&staging_root);
        let staging = Staging::create(&staging_root).unwrap();
        let mut lines = Lines::new(&staging, "data/plan", false);
        self.tasks.iter().for_each(|task| lines.line(&serde_json::to_vec(task).unwrap()));
        lines.finish();
        let plan = staging.joint_digest("data/plan.ndjson").unwrap().unwrap();
        let mut facts = Facts::new(SEMANTICS, opened, opened);
        let config = Config::parse(configuration.to_vec(), "orgproof.toml").unwrap();
        facts.run = Some(format!("large-{run:03}"));
        facts.period = Some(config.schedule.period("2026Q4").unwrap());
        facts.configuration = Some(config.digest);
        facts.catalog = Some(self.catalog);
        let signer = sign::open("file:keys/seal.pem", &sign::Access::files(&self.shape.out)).unwrap();
        let mut chain = Chain::open(store::open("file:evidence", &self.shape.out).unwrap(), signer, &[7; 16]).unwrap();
        chain.open_run(&facts).unwrap();
        chain.plan(plan, &facts).unwrap();
        let raw = self.gather(&staging, run, opened);
        staging.add("data/inputs/orgproof.toml", configuration).unwrap();
        facts.closed = opened + SignedDuration::from_hours(1);
        facts.next_run_expected_by = Some(opened + SignedDuration::from_hours(30));
        chain.close_run(&staging, &facts, &[9; 32]).unwrap();
        staging.remove().unwrap();
        raw
    }

    fn gather(&self, staging: &Staging, run: u64, at: Timestamp) -> u64 {
        let mut calls = Lines::new(staging, "data/calls", false);
        let mut coverage = Lines::new(staging, "data/coverage", false);
        let mut bodies: Option<Lines<'_>> = None;
        let mut raw = 0;
        for (index, planned) in self.tasks.iter().enumerate() {
            let task = &planned.task;
            let stem = format!("data/bodies/{}/{}", task.account, task.region);
            if bodies.as_ref().is_none_or(|b| b.stem != stem)
                && let Some(done) = bodies.replace(Lines::new(staging, &stem, true))
            {
                done.finish();
            }
            let Some(bodies) = &mut bodies else { continue };
            let mut seq = 0;
            self.answers(run, planned, at, &mut |operation, request, page, body| {
                bodies.line(body.as_bytes());
                raw += body.len() as u64;
                let place = BodyRef {
                    path: bodies.path.clone(),
                    line: bodies.file.as_ref().unwrap().lines(),
                    sha256: Sha256Digest::of(&body),
                    encoding: None,
                };
                let call = Call {
                    task: task.clone(),
                    seq,
                    time: at + SignedDuration::from_millis(index as i64 * 20 + seq as i64),
                    request_id: Some(format!("{:016x}-{:016x}", lot(&[run, index as u64]), lot(&[seq]))),
                    principal: format!("arn:aws:sts::{}:assumed-role/OrgProofAudit/large", task.account),
                    service: "config".to_owned(),
                    operation: operation.to_owned(),
                    endpoint_region: task.region.to_string(),
                    request: Some(RawValue::from_string(request.to_string()).unwrap()),
                    page,
                    attempt: 1,
                    status: Some(200),
                    error: None,
                    body: Some(place),
                };
                calls.line(&serde_json::to_vec(&call).unwrap());
                seq += 1;
            });
            let line = Coverage::close(planned, CoverageState::Collected, None, None, seq);
            coverage.line(&serde_json::to_vec(&line).unwrap());
        }
        bodies.into_iter().for_each(Lines::finish);
        calls.finish();
        coverage.finish();
        raw
    }

    fn answers(&self, run: u64, planned: &PlannedTask, at: Timestamp, each: &mut dyn FnMut(&str, Value, u32, String)) {
        let (account, region) = (planned.account.as_str(), planned.region.as_str());
        let mut one = |operation: &str, body: Value| each(operation, json!({}), 0, body.to_string());
        match planned.collector {
            Collector::Organization => self.organization(each),
            Collector::Regions => {
                let regions: Vec<_> = REGIONS[..self.shape.regions]
                    .iter()
                    .map(|r| json!({"RegionName": r, "RegionOptStatus": "ENABLED_BY_DEFAULT"}))
                    .collect();
                one("ListRegions", json!({"Regions": regions}));
            }
            Collector::ConfigAggregator => {
                let states: Vec<_> = self
                    .targets()
                    .map(|(a, r)| {
                        json!({"SourceId": a, "SourceType": "ACCOUNT", "AwsRegion": r, "LastUpdateStatus": "SUCCEEDED"})
                    })
                    .collect();
                pages(&states, "AggregatedSourceStatusList", "DescribeConfigurationAggregatorSourcesStatus", each);
            }
            Collector::ConfigAggregateCompliance => {
                let verdicts: Vec<_> = self.targets().flat_map(|(a, r)| self.verdicts(run, &a, r)).collect();
                pages(&verdicts, "AggregateComplianceByConfigRules", "DescribeAggregateComplianceByConfigRules", each);
            }
            Collector::ConfigRecorder => {
                let group = json!({"allSupported": true, "includeGlobalResourceTypes": true});
                one(
                    "DescribeConfigurationRecorders",
                    json!({"ConfigurationRecorders": [{"name": "default", "recordingGroup": group}]}),
                );
                let status = json!({"name": "default", "recording": true, "lastStatus": "SUCCESS"});
                one("DescribeConfigurationRecorderStatus", json!({"ConfigurationRecordersStatus": [status]}));
                one("DescribeDeliveryChannels", json!({"DeliveryChannels": [{"name": "default"}]}));
            }
            Collector::ConfigRules => self.rules(each),
            Collector::ConfigCompliance => self.compliance(run, account, region, at, each),
            Collector::SecurityhubOrganization => {
                let members: Vec<_> = (0..self.shape.accounts)
                    .map(|n| json!({"AccountId": self::account(n), "MemberStatus": "Enabled"}))
                    .collect();
                pages(&members, "Members", "ListMembers", each);
                let aggregator = json!({"FindingAggregationRegion": HOME, "RegionLinkingMode": "ALL_REGIONS"});
                each("GetFindingAggregator", json!({}), 0, aggregator.to_string());
            }
            Collector::SecurityhubHub => {
                one("DescribeHub", json!({"HubArn": "arn", "SubscribedAt": "2026-01-01T00:00:00Z"}));
                let standard = json!({"StandardsSubscriptionArn": "fsbp", "StandardsStatus": "READY"});
                one("GetEnabledStandards", json!({"StandardsSubscriptions": [standard]}));
                let controls: Vec<_> =
                    self.controls.iter().map(|(id, _)| json!({"ControlId": id, "ControlStatus": "ENABLED"})).collect();
                pages(&controls, "Controls", "DescribeStandardsControls", each);
            }
            Collector::SecurityhubFindings => self.findings(run, account, region, at, each),
        }
    }

    fn targets(&self) -> impl Iterator<Item = (String, &'static str)> {
        (0..self.shape.accounts).flat_map(|n| REGIONS[..self.shape.regions].iter().map(move |r| (account(n), *r)))
    }

    fn organization(&self, each: &mut dyn FnMut(&str, Value, u32, String)) {
        let mut one = |operation: &str, body: Value| each(operation, json!({}), 0, body.to_string());
        let management = account(0);
        one(
            "DescribeOrganization",
            json!({"Organization": {"Id": "o-large", "MasterAccountId": management, "FeatureSet": "ALL"}}),
        );
        let types = json!([{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]);
        one("ListRoots", json!({"Roots": [{"Id": "r-1", "PolicyTypes": types}]}));
        let accounts: Vec<_> = (0..self.shape.accounts)
            .map(|n| json!({"Id": account(n), "Name": format!("account-{n:05}"), "State": "ACTIVE"}))
            .collect();
        pages(&accounts, "Accounts", "ListAccounts", each);
        let mut one = |operation: &str, request: Value, body: Value| each(operation, request, 0, body.to_string());
        one("ListOrganizationalUnitsForParent", json!({"ParentId": "r-1"}), json!({"OrganizationalUnits": []}));
        one("ListAccountsForParent", json!({"ParentId": "r-1"}), json!({"Accounts": accounts}));
        let summary = json!({"Id": "p-full", "Name": "FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY"});
        one("ListPolicies", json!({"Filter": "SERVICE_CONTROL_POLICY"}), json!({"Policies": [summary]}));
        let full = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        let policy = json!({"Policy": {"PolicySummary": summary, "Content": full.to_string()}});
        one("DescribePolicy", json!({"PolicyId": "p-full"}), policy);
        let targets = json!({"Targets": [{"TargetId": "r-1", "Type": "ROOT"}]});
        one("ListTargetsForPolicy", json!({"PolicyId": "p-full"}), targets);
        one("ListDelegatedAdministrators", json!({}), json!({"DelegatedAdministrators": [{"Id": account(1)}]}));
        let services = json!({"DelegatedServices": [{"ServicePrincipal": "config.amazonaws.com"}]});
        one("ListDelegatedServicesForAccount", json!({"AccountId": account(1)}), services);
        let enabled = json!({"EnabledServicePrincipals": [{"ServicePrincipal": "config.amazonaws.com"}]});
        one("ListAWSServiceAccessForOrganization", json!({}), enabled);
    }

    fn rules(&self, each: &mut dyn FnMut(&str, Value, u32, String)) {
        let all = || self.rules.iter().flat_map(|(kind, rules)| rules.iter().map(move |rule| (kind, rule)));
        let rules: Vec<_> = all()
            .map(|(kind, rule)| {
                json!({"ConfigRuleName": name(rule), "ConfigRuleState": "ACTIVE",
                    "Source": {"Owner": "AWS", "SourceIdentifier": rule}, "Scope": {"ComplianceResourceTypes": [kind]}})
            })
            .collect();
        pages(&rules, "ConfigRules", "DescribeConfigRules", each);
        let ran: Vec<_> = all()
            .map(|(_, rule)| json!({"ConfigRuleName": name(rule), "LastSuccessfulEvaluationTime": 1.79e9}))
            .collect();
        pages(&ran, "ConfigRulesEvaluationStatus", "DescribeConfigRuleEvaluationStatus", each);
        each("DescribeRemediationConfigurations", json!({}), 0, json!({"RemediationConfigurations": []}).to_string());
    }

    /// How many of `total` a target has, so that all together are `total`.
    fn share(&self, total: u64, account: &str, region: &str) -> u64 {
        let n = (account.parse::<u64>().unwrap() - 100_000_000_000) / 7_919;
        let r = REGIONS.iter().position(|known| *known == region).unwrap() as u64;
        let (targets, index) = (self.shape.accounts * self.shape.regions as u64, n * self.shape.regions as u64 + r);
        total / targets + u64::from(index < total % targets)
    }

    /// What the aggregator says of a target's rules: the same as its items.
    fn verdicts(&self, run: u64, account: &str, region: &str) -> Vec<Value> {
        let number: u64 = account.parse().unwrap();
        let mut failing: BTreeMap<&str, u64> = BTreeMap::new();
        let mut left = self.share(self.shape.evaluations, account, region);
        let mut nth = 0;
        while left > 0 {
            let (_, rules) = &self.rules[nth as usize % self.rules.len()];
            for rule in rules.iter().take(left as usize) {
                *failing.entry(rule).or_default() += u64::from(fails(&[number, nth, lot(&[rule.len() as u64])], run));
                left -= 1;
            }
            nth += 1;
        }
        let verdict = |(rule, failing): (&str, u64)| {
            let compliance = match failing {
                0 => json!({"ComplianceType": "COMPLIANT"}),
                n => json!({"ComplianceType": "NON_COMPLIANT",
                    "ComplianceContributorCount": {"CappedCount": n.min(25), "CapExceeded": n > 25}}),
            };
            json!({"ConfigRuleName": name(rule), "AccountId": account, "AwsRegion": region, "Compliance": compliance})
        };
        failing.into_iter().map(verdict).collect()
    }

    fn compliance(
        &self,
        run: u64,
        account: &str,
        region: &str,
        at: Timestamp,
        each: &mut dyn FnMut(&str, Value, u32, String),
    ) {
        let evaluations = self.share(self.shape.evaluations, account, region);
        let number: u64 = account.parse().unwrap();
        let seconds = at.as_second();
        let mut left = evaluations;
        let mut items = Vec::new();
        let mut nth = 0;
        while left > 0 {
            let (kind, rules) = &self.rules[nth as usize % self.rules.len()];
            let id = format!("resource-{account}-{region}-{nth:06}");
            let mut list = String::new();
            let mut bad = false;
            for rule in rules.iter().take(left as usize) {
                let fails = fails(&[number, nth, lot(&[rule.len() as u64])], run);
                bad |= fails;
                let verdict = if fails { "NON_COMPLIANT" } else { "COMPLIANT" };
                let rule_id = lot(&[number, lot(&[rule.len() as u64, rule.as_bytes()[0].into()])]) % 0xff_ffff;
                let _ = write!(
                    list,
                    r#"{}{{"configRuleName":"{}","configRuleArn":"arn:aws:config:{region}:{account}:config-rule/config-rule-{rule_id:06x}","configRuleId":"config-rule-{rule_id:06x}","complianceType":"{verdict}"}}"#,
                    if list.is_empty() { "" } else { "," },
                    name(rule)
                );
                left -= 1;
            }
            let captured = seconds - (lot(&[number, nth]) % 8_000_000) as i64;
            let captured = Timestamp::from_second(captured).unwrap();
            let verdict = if bad { "NON_COMPLIANT" } else { "COMPLIANT" };
            let item = format!(
                r#"{{"version":"1.3","accountId":"{account}","configurationItemCaptureTime":"{captured}","configurationItemStatus":"ResourceDiscovered","configurationStateId":"{}","configurationItemMD5Hash":"","arn":"arn:aws:config:{region}:{account}:resource-compliance/{kind}/{id}","resourceType":"AWS::Config::ResourceCompliance","resourceId":"{kind}/{id}","awsRegion":"{region}","availabilityZone":"Not Applicable","tags":[],"relatedEvents":[],"relationships":[{{"resourceType":"{kind}","resourceId":"{id}","relationshipName":"Is associated with "}}],"configuration":{{"targetResourceId":"{id}","targetResourceType":"{kind}","complianceType":"{verdict}","configRuleList":[{list}]}},"supplementaryConfiguration":{{}},"resourceTransitionStatus":"None"}}"#,
                captured.as_millisecond()
            );
            items.push(Value::String(item));
            nth += 1;
        }
        pages(&items, "Results", "SelectResourceConfig", each);
    }

    fn findings(
        &self,
        run: u64,
        account: &str,
        region: &str,
        at: Timestamp,
        each: &mut dyn FnMut(&str, Value, u32, String),
    ) {
        let number: u64 = account.parse().unwrap();
        let findings: Vec<Value> = (0..self.share(self.shape.findings, account, region))
            .map(|nth| {
                let (control, kind) = &self.controls[nth as usize % self.controls.len()];
                let failed = fails(&[number, nth, 77], run);
                finding(account, region, control, kind, nth, failed, at)
            })
            .collect();
        pages(&findings, "Findings", "GetFindings", each);
    }
}

/// Three in a hundred fail; of a day's answers one in five hundred is another than the day before.
fn fails(parts: &[u64], run: u64) -> bool {
    let n = lot(parts);
    let turned = (1..=run).filter(|day| lot(&[n, *day]).is_multiple_of(500)).count();
    (n % 100 < 3) != (turned % 2 == 1)
}

fn name(rule: &str) -> String {
    format!("OrgConfigRule-{}", rule.to_ascii_lowercase().replace('_', "-"))
}

fn finding(account: &str, region: &str, control: &str, kind: &str, nth: u64, failed: bool, at: Timestamp) -> Value {
    let id = format!("{:08x}-{:04x}-4000-8000-{:012x}", lot(&[nth, 1]) as u32, nth as u16, lot(&[nth, 2]) >> 16);
    let arn = format!("arn:aws:service:{region}:{account}:resource/{kind}-{nth:06}");
    let updated = Timestamp::from_second(at.as_second() - (lot(&[nth, 3]) % 80_000) as i64).unwrap();
    let text = format!(
        "This control checks whether the resource is configured as control {control} asks. It fails where the setting is absent, disabled, or narrower than what the standard requires of resources of this type."
    );
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("arn:aws:securityhub:{region}:{account}:security-control/{control}/finding/{id}"),
        "ProductArn": format!("arn:aws:securityhub:{region}::product/aws/securityhub"),
        "ProductName": "Security Hub", "CompanyName": "AWS", "Region": region,
        "GeneratorId": format!("security-control/{control}"), "AwsAccountId": account, "AwsAccountName": format!("account-{account}"),
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "FirstObservedAt": "2026-01-15T07:12:31.114Z", "LastObservedAt": updated, "CreatedAt": "2026-01-15T07:12:31.114Z",
        "UpdatedAt": updated, "ProcessedAt": updated,
        "Severity": {"Label": if failed { "HIGH" } else { "INFORMATIONAL" }, "Normalized": if failed { 70 } else { 0 }, "Original": "HIGH"},
        "Title": format!("{control} should be satisfied by every resource of its type"), "Description": text,
        "Remediation": {"Recommendation": {"Text": "For information on how to correct this issue, consult the AWS Security Hub controls documentation.", "Url": format!("https://docs.aws.amazon.com/console/securityhub/{control}/remediation")}},
        "ProductFields": {
            "RelatedAWSResources:0/name": format!("securityhub-{}", control.to_ascii_lowercase()), "RelatedAWSResources:0/type": "AWS::Config::ConfigRule",
            "aws/securityhub/ProductName": "Security Hub", "aws/securityhub/CompanyName": "AWS",
            "Resources:0/Id": arn, "aws/securityhub/FindingId": format!("arn:aws:securityhub:{region}::product/aws/securityhub/{id}"),
            "aws/securityhub/annotation": text,
        },
        "Resources": [{"Type": kind.replace("::", ""), "Id": arn, "Partition": "aws", "Region": region,
            "Tags": {"team": format!("team-{}", nth % 40), "environment": "production", "cost-center": format!("{:05}", nth % 977)}}],
        "Compliance": {"Status": if failed { "FAILED" } else { "PASSED" }, "SecurityControlId": control,
            "RelatedRequirements": ["NIST.800-53.r5 AC-3", "NIST.800-53.r5 AC-6", "PCI DSS v4.0.1/1.3.1", "CIS AWS Foundations Benchmark v3.0.0/2.1.4"],
            "AssociatedStandards": [{"StandardsId": "standards/aws-foundational-security-best-practices/v/1.0.0"}, {"StandardsId": "standards/cis-aws-foundations-benchmark/v/3.0.0"}]},
        "WorkflowState": "NEW", "Workflow": {"Status": if failed { "NEW" } else { "RESOLVED" }}, "RecordState": "ACTIVE",
        "FindingProviderFields": {"Severity": {"Label": if failed { "HIGH" } else { "INFORMATIONAL" }, "Original": "HIGH"},
            "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"]},
    })
}

/// Gives a list in pages, at least one, each but the last with a token.
fn pages(items: &[Value], field: &str, operation: &str, each: &mut dyn FnMut(&str, Value, u32, String)) {
    let mut pages = items.chunks(PAGE as usize).peekable();
    let mut number = 0;
    loop {
        let page = pages.next().unwrap_or_default();
        let more = pages.peek().is_some();
        let mut body = json!({ field: page });
        if more {
            body["NextToken"] = json!(format!("token-{number}"));
        }
        let request = if number == 0 { json!({}) } else { json!({"NextToken": format!("token-{}", number - 1)}) };
        each(operation, request, number, body.to_string());
        if !more {
            return;
        }
        number += 1;
    }
}

/// A file of lines in as many parts as the format's limit asks for.
struct Lines<'a> {
    staging: &'a Staging,
    stem: String,
    path: String,
    part: u32,
    file: Option<StagedWriter>,
}

impl<'a> Lines<'a> {
    fn new(staging: &'a Staging, stem: &str, numbered: bool) -> Self {
        let path = if numbered { format!("{stem}.000.ndjson") } else { format!("{stem}.ndjson") };
        let file = Some(staging.writer(&path).unwrap());
        Self { staging, stem: stem.to_owned(), path, part: 0, file }
    }

    fn line(&mut self, line: &[u8]) {
        let full = self.file.as_ref().is_some_and(|f| f.remaining() <= line.len() as u64 && f.lines() > 0);
        if full {
            self.file.take().unwrap().finish().unwrap();
            self.part += 1;
            self.path = format!("{}.{:03}.ndjson", self.stem, self.part);
            self.file = Some(self.staging.writer(&self.path).unwrap());
        }
        let file = self.file.as_mut().unwrap();
        file.write_all(line).unwrap();
        file.write_all(b"\n").unwrap();
    }

    fn finish(self) {
        self.file.unwrap().finish().unwrap();
    }
}
