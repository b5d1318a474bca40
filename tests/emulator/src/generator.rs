//! Makes large organisations from a seed. Only accounts and units are stored; resources and results are computed when asked.

use crate::{
    Organization, hash,
    organization::{Account, Delegate, Policy, Population, Rule, Scope, Unit},
};

/// What to make.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Accounts, the management and the audit account included.
    pub accounts: u32,
    /// Regions that are used.
    pub regions: Vec<String>,
    /// Config rules of the organisation, beside those of Security Hub.
    pub rules: u32,
    /// Buckets in each target; every bucket is judged by several rules.
    pub buckets: u32,
    /// Failing results, in a thousandth.
    pub failing_permille: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            accounts: 100,
            regions: vec!["us-east-1".into(), "eu-west-1".into()],
            rules: 6,
            buckets: 5,
            failing_permille: 30,
        }
    }
}

/// Rules in the order in which a shape takes them.
const RULES: [&str; 12] = [
    "S3_BUCKET_PUBLIC_READ_PROHIBITED",
    "S3_BUCKET_PUBLIC_WRITE_PROHIBITED",
    "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED",
    "S3_ACCOUNT_LEVEL_PUBLIC_ACCESS_BLOCKS_PERIODIC",
    "CLOUD_TRAIL_ENABLED",
    "INCOMING_SSH_DISABLED",
    "S3_BUCKET_LOGGING_ENABLED",
    "S3_BUCKET_VERSIONING_ENABLED",
    "S3_BUCKET_ACL_PROHIBITED",
    "ENCRYPTED_VOLUMES",
    "EC2_EBS_ENCRYPTION_BY_DEFAULT",
    "VPC_FLOW_LOGS_ENABLED",
];

/// What every target holds one of.
const KINDS: [(&str, &str); 12] = [
    ("AWS::IAM::User", "user-{n}"),
    ("AWS::IAM::Role", "role-{n}"),
    ("AWS::IAM::ServerCertificate", "certificate-{n}"),
    ("AWS::CloudTrail::Trail", "organization-trail"),
    ("AWS::EC2::SecurityGroup", "default"),
    ("AWS::EC2::NetworkAcl", "default"),
    ("AWS::EC2::VPC", "vpc-{n}"),
    ("AWS::EC2::Instance", "host-{n}"),
    ("AWS::EC2::Volume", "volume-{n}"),
    ("AWS::EFS::FileSystem", "files-{n}"),
    ("AWS::KMS::Key", "key-{n}"),
    ("AWS::RDS::DBInstance", "db-{n}"),
];

/// Makes an organisation; the same seed and shape make the same one.
pub fn organization(seed: u64, shape: &Shape) -> Organization {
    let seed = seed.to_string();
    let id = |n: u32| format!("{:012}", 100_000_000_000 + u64::from(n) * 1_000_003 % 800_000_000_000);
    let units: Vec<Unit> = (0..(shape.accounts / 50).max(1))
        .map(|n| Unit { name: format!("unit-{n}"), parent: (n >= 8).then(|| format!("unit-{}", n % 8)) })
        .collect();
    let accounts = (0..shape.accounts.max(2)).map(|n| {
        let unit = hash::number(&["unit of", &seed, &n.to_string()]) % units.len() as u64;
        let name = match n {
            0 => "management".to_owned(),
            1 => "audit".to_owned(),
            _ => format!("account-{n:05}"),
        };
        Account {
            id: id(n),
            name,
            unit: (n > 0).then(|| format!("unit-{unit}")),
            state: "ACTIVE".into(),
            tags: [("stage".to_owned(), if n % 3 == 0 { "prod" } else { "dev" }.to_owned())].into(),
            role: true,
            trusts: None,
            opted_out: Vec::new(),
        }
    });
    let mut populations: Vec<_> = KINDS.iter().map(|(kind, name)| population(kind, name, 1)).collect();
    populations.push(population("AWS::S3::Bucket", "data-{account}-{region}-{n}", shape.buckets));
    let rule = |identifier: &&str| Rule {
        identifier: (*identifier).to_owned(),
        name: None,
        pack: None,
        resource_type: None,
        parameters: None,
        remediation: None,
    };
    Organization {
        id: format!("o-{}", hash::hex(&["organization", &seed], 10)),
        partition: "aws".into(),
        management: id(0),
        audit: id(1),
        home_region: shape.regions.first().cloned().unwrap_or_else(|| "us-east-1".into()),
        regions: shape.regions.clone(),
        feature_set: "ALL".into(),
        policy_types: vec!["SERVICE_CONTROL_POLICY".into(), "RESOURCE_CONTROL_POLICY".into()],
        account_state_field: crate::StateField::State,
        trusted_services: services(),
        delegates: vec![Delegate { account: id(1), services: services() }],
        auditor: crate::Auditor::default(),
        units: units.clone(),
        accounts: accounts.collect(),
        policies: policies(),
        config: crate::Config {
            rules: RULES.iter().take(shape.rules as usize).map(rule).collect(),
            ..crate::Config::default()
        },
        securityhub: crate::SecurityHub::default(),
        populations,
        failing_permille: shape.failing_permille,
        seed,
        results: Vec::new(),
        targets: Vec::new(),
        findings: Vec::new(),
        faults: Vec::new(),
        changes: Vec::new(),
        buckets: Vec::new(),
    }
}

fn services() -> Vec<String> {
    ["config.amazonaws.com", "config-multiaccountsetup.amazonaws.com", "securityhub.amazonaws.com"]
        .map(str::to_owned)
        .to_vec()
}

fn population(kind: &str, name: &str, count: u32) -> Population {
    Population { kind: kind.into(), count, name: name.into(), scope: Scope::default() }
}

fn policies() -> Vec<Policy> {
    let policy = |id: &str, name: &str, kind: &str, document: &str| Policy {
        id: id.into(),
        name: name.into(),
        description: String::new(),
        kind: kind.into(),
        aws_managed: true,
        document: document.into(),
        targets: vec!["*".into()],
    };
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let allow_resources =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
    vec![
        policy("p-FullAWSAccess", "FullAWSAccess", "SERVICE_CONTROL_POLICY", allow),
        policy("p-RCPFullAWSAccess", "RCPFullAWSAccess", "RESOURCE_CONTROL_POLICY", allow_resources),
    ]
}
