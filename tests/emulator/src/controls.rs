//! The Security Hub controls of CIS AWS Foundations Benchmark 3.0, and the managed Config rules that the emulator knows.

/// A Security Hub control.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Control {
    pub id: &'static str,
    pub severity: &'static str,
    pub title: &'static str,
    /// Source identifier of the Config rule behind it; empty where Security Hub checks by itself.
    pub identifier: &'static str,
    /// Resource type as Config spells it.
    pub kind: &'static str,
    /// Requirement numbers in CIS 3.0.
    pub requirement: &'static str,
}

const fn control(
    id: &'static str,
    severity: &'static str,
    identifier: &'static str,
    kind: &'static str,
    requirement: &'static str,
    title: &'static str,
) -> Control {
    Control { id, severity, title, identifier, kind, requirement }
}

/// An account as a whole.
pub(crate) const ACCOUNT: &str = "AWS::::Account";

/// Controls of the standard `cis-aws-foundations-benchmark/v/3.0.0`, by id.
pub(crate) const CONTROLS: [Control; 37] = [
    control(
        "Account.1",
        "MEDIUM",
        "SECURITY_ACCOUNT_INFORMATION_PROVIDED",
        ACCOUNT,
        "1.2",
        "A security contact is set for the account",
    ),
    control(
        "CloudTrail.1",
        "HIGH",
        "MULTI_REGION_CLOUD_TRAIL_ENABLED",
        ACCOUNT,
        "3.1",
        "A multi-Region trail records management events",
    ),
    control(
        "CloudTrail.2",
        "MEDIUM",
        "CLOUD_TRAIL_ENCRYPTION_ENABLED",
        "AWS::CloudTrail::Trail",
        "3.5",
        "Trails are encrypted with a KMS key",
    ),
    control(
        "CloudTrail.4",
        "LOW",
        "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED",
        "AWS::CloudTrail::Trail",
        "3.2",
        "Trails validate their log files",
    ),
    control("CloudTrail.7", "LOW", "", "AWS::S3::Bucket", "3.4", "The trail's bucket logs access to itself"),
    control("Config.1", "CRITICAL", "", ACCOUNT, "3.3", "Config is on and records what is needed"),
    control(
        "EC2.2",
        "HIGH",
        "VPC_DEFAULT_SECURITY_GROUP_CLOSED",
        "AWS::EC2::SecurityGroup",
        "5.4",
        "Default security groups let nothing through",
    ),
    control(
        "EC2.21",
        "MEDIUM",
        "NACL_NO_UNRESTRICTED_SSH_RDP",
        "AWS::EC2::NetworkAcl",
        "5.1",
        "Network ACLs do not open ports 22 and 3389 to the world",
    ),
    control(
        "EC2.53",
        "HIGH",
        "VPC_SG_PORT_RESTRICTION_CHECK",
        "AWS::EC2::SecurityGroup",
        "5.2",
        "No administration port is open to 0.0.0.0/0",
    ),
    control(
        "EC2.54",
        "HIGH",
        "VPC_SG_PORT_RESTRICTION_CHECK",
        "AWS::EC2::SecurityGroup",
        "5.3",
        "No administration port is open to ::/0",
    ),
    control("EC2.6", "MEDIUM", "VPC_FLOW_LOGS_ENABLED", "AWS::EC2::VPC", "3.7", "VPCs write flow logs"),
    control(
        "EC2.7",
        "MEDIUM",
        "EC2_EBS_ENCRYPTION_BY_DEFAULT",
        ACCOUNT,
        "2.2.1",
        "New EBS volumes are encrypted by default",
    ),
    control("EC2.8", "HIGH", "EC2_IMDSV2_CHECK", "AWS::EC2::Instance", "5.6", "Instances ask for IMDSv2"),
    control(
        "EFS.1",
        "MEDIUM",
        "EFS_ENCRYPTED_CHECK",
        "AWS::EFS::FileSystem",
        "2.4.1",
        "File systems are encrypted with a KMS key",
    ),
    control("IAM.15", "MEDIUM", "IAM_PASSWORD_POLICY", ACCOUNT, "1.8", "Passwords have at least 14 characters"),
    control("IAM.16", "LOW", "IAM_PASSWORD_POLICY", ACCOUNT, "1.9", "Old passwords can't be used again"),
    control("IAM.18", "LOW", "IAM_POLICY_IN_USE", ACCOUNT, "1.17", "There is a role for dealing with AWS Support"),
    control(
        "IAM.2",
        "LOW",
        "IAM_USER_NO_POLICIES_CHECK",
        "AWS::IAM::User",
        "1.15",
        "Users hold no policies of their own",
    ),
    control(
        "IAM.22",
        "MEDIUM",
        "IAM_USER_UNUSED_CREDENTIALS_CHECK",
        "AWS::IAM::User",
        "1.12",
        "Credentials unused for 45 days are removed",
    ),
    control(
        "IAM.26",
        "MEDIUM",
        "IAM_SERVER_CERTIFICATE_EXPIRATION_CHECK",
        "AWS::IAM::ServerCertificate",
        "1.19",
        "Expired certificates are removed from IAM",
    ),
    control(
        "IAM.27",
        "MEDIUM",
        "IAM_POLICY_BLACKLISTED_CHECK",
        "AWS::IAM::Role",
        "1.22",
        "Nobody holds AWSCloudShellFullAccess",
    ),
    control(
        "IAM.28",
        "HIGH",
        "IAM_EXTERNAL_ACCESS_ANALYZER_ENABLED",
        ACCOUNT,
        "1.20",
        "An external access analyzer is on",
    ),
    control(
        "IAM.3",
        "MEDIUM",
        "ACCESS_KEYS_ROTATED",
        "AWS::IAM::User",
        "1.14",
        "Access keys are renewed every 90 days",
    ),
    control("IAM.4", "CRITICAL", "IAM_ROOT_ACCESS_KEY_CHECK", ACCOUNT, "1.4", "The root user has no access key"),
    control(
        "IAM.5",
        "MEDIUM",
        "MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS",
        "AWS::IAM::User",
        "1.10",
        "Users with a password have MFA",
    ),
    control("IAM.6", "CRITICAL", "ROOT_ACCOUNT_HARDWARE_MFA_ENABLED", ACCOUNT, "1.6", "The root user has hardware MFA"),
    control("IAM.9", "CRITICAL", "ROOT_ACCOUNT_MFA_ENABLED", ACCOUNT, "1.5", "The root user has MFA"),
    control("KMS.4", "MEDIUM", "CMK_BACKING_KEY_ROTATION_ENABLED", "AWS::KMS::Key", "3.6", "KMS keys rotate"),
    control(
        "RDS.13",
        "HIGH",
        "RDS_AUTOMATIC_MINOR_VERSION_UPGRADE_ENABLED",
        "AWS::RDS::DBInstance",
        "2.3.2",
        "Databases take minor upgrades by themselves",
    ),
    control(
        "RDS.2",
        "CRITICAL",
        "RDS_INSTANCE_PUBLIC_ACCESS_CHECK",
        "AWS::RDS::DBInstance",
        "2.3.3",
        "Databases are not reachable from the internet",
    ),
    control(
        "RDS.3",
        "MEDIUM",
        "RDS_STORAGE_ENCRYPTED",
        "AWS::RDS::DBInstance",
        "2.3.1",
        "Databases are encrypted at rest",
    ),
    control(
        "S3.1",
        "MEDIUM",
        "S3_ACCOUNT_LEVEL_PUBLIC_ACCESS_BLOCKS_PERIODIC",
        ACCOUNT,
        "2.1.4.1",
        "Block Public Access is on for the account",
    ),
    control(
        "S3.20",
        "LOW",
        "S3_BUCKET_MFA_DELETE_ENABLED",
        "AWS::S3::Bucket",
        "2.1.2",
        "Buckets ask for MFA on delete",
    ),
    control(
        "S3.22",
        "MEDIUM",
        "CLOUDTRAIL_ALL_WRITE_S3_DATA_EVENT_CHECK",
        ACCOUNT,
        "3.8",
        "Object writes are recorded",
    ),
    control("S3.23", "MEDIUM", "CLOUDTRAIL_ALL_READ_S3_DATA_EVENT_CHECK", ACCOUNT, "3.9", "Object reads are recorded"),
    control("S3.5", "MEDIUM", "S3_BUCKET_SSL_REQUESTS_ONLY", "AWS::S3::Bucket", "2.1.1", "Buckets refuse plain HTTP"),
    control(
        "S3.8",
        "HIGH",
        "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED",
        "AWS::S3::Bucket",
        "2.1.4.2",
        "Block Public Access is on for each bucket",
    ),
];

/// Managed rules beside those of the controls: identifier, resource type.
const RULES: [(&str, &str); 22] = [
    ("S3_BUCKET_PUBLIC_READ_PROHIBITED", "AWS::S3::Bucket"),
    ("S3_BUCKET_PUBLIC_WRITE_PROHIBITED", "AWS::S3::Bucket"),
    ("S3_BUCKET_POLICY_GRANTEE_CHECK", "AWS::S3::Bucket"),
    ("S3_BUCKET_POLICY_NOT_MORE_PERMISSIVE", "AWS::S3::Bucket"),
    ("S3_BUCKET_ACL_PROHIBITED", "AWS::S3::Bucket"),
    ("S3_BUCKET_LOGGING_ENABLED", "AWS::S3::Bucket"),
    ("S3_BUCKET_VERSIONING_ENABLED", "AWS::S3::Bucket"),
    ("S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED", "AWS::S3::Bucket"),
    ("S3_ACCOUNT_LEVEL_PUBLIC_ACCESS_BLOCKS", ACCOUNT),
    ("CLOUD_TRAIL_ENABLED", ACCOUNT),
    ("CLOUDTRAIL_S3_DATAEVENTS_ENABLED", ACCOUNT),
    ("INCOMING_SSH_DISABLED", "AWS::EC2::SecurityGroup"),
    ("RESTRICTED_INCOMING_TRAFFIC", "AWS::EC2::SecurityGroup"),
    ("ENCRYPTED_VOLUMES", "AWS::EC2::Volume"),
    ("EC2_INSTANCE_PROFILE_ATTACHED", "AWS::EC2::Instance"),
    ("IAM_USER_MFA_ENABLED", "AWS::IAM::User"),
    ("IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS", "AWS::IAM::Policy"),
    ("MACIE_STATUS_CHECK", ACCOUNT),
    ("SECURITYHUB_ENABLED", ACCOUNT),
    ("GUARDDUTY_ENABLED_CENTRALIZED", ACCOUNT),
    ("CLOUDWATCH_ALARM_ACTION_CHECK", "AWS::CloudWatch::Alarm"),
    ("CMK_BACKING_KEY_ROTATION_ENABLED", "AWS::KMS::Key"),
];

/// Returns the resource type that a managed rule evaluates, where it is known.
pub(crate) fn rule_kind(identifier: &str) -> Option<&'static str> {
    let by_control = CONTROLS.iter().find(|c| c.identifier == identifier).map(|c| c.kind);
    by_control.or_else(|| RULES.iter().find(|(i, _)| *i == identifier).map(|(_, kind)| *kind))
}

/// Returns whether the rule or control looks at something that exists once an account, so that one Region evaluates it.
pub(crate) fn is_global(identifier: &str, kind: &str) -> bool {
    kind.starts_with("AWS::IAM::")
        || identifier.starts_with("IAM_")
        || [
            "ROOT_ACCOUNT_MFA_ENABLED",
            "ROOT_ACCOUNT_HARDWARE_MFA_ENABLED",
            "ACCESS_KEYS_ROTATED",
            "MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS",
        ]
        .contains(&identifier)
}

/// Returns whether a rule runs on a schedule rather than on changes.
pub(crate) fn is_periodic(identifier: &str, kind: &str) -> bool {
    kind == ACCOUNT || is_global(identifier, kind) || identifier.ends_with("_PERIODIC")
}

/// Returns the type as Security Hub spells it in findings.
pub(crate) fn finding_kind(kind: &str) -> String {
    let mut out: Vec<String> = kind.split("::").map(str::to_owned).collect();
    if let [first, middle, last] = &mut out[..] {
        "Aws".clone_into(first);
        let casing = [("EC2", "Ec2"), ("IAM", "Iam"), ("KMS", "Kms"), ("RDS", "Rds"), ("EFS", "Efs"), ("S3", "S3")];
        if let Some((_, new)) = casing.iter().find(|(old, _)| *old == middle.as_str()) {
            (*new).clone_into(middle);
        }
        if last == "DBInstance" {
            "DbInstance".clone_into(last);
        } else if last == "VPC" {
            "Vpc".clone_into(last);
        }
    }
    out.concat()
}
