//! The Security Hub controls and the managed Config rules that the emulator knows.
//!
//! Controls: those of CIS AWS Foundations Benchmark 3.0, the alarms of 1.4, and what else orgproof's catalogue asks for.

/// A standard, as its ARN ends, and how findings name it.
pub(crate) const STANDARDS: [(&str, &str); 3] = [
    ("cis-aws-foundations-benchmark/v/3.0.0", "CIS AWS Foundations Benchmark v3.0.0"),
    ("cis-aws-foundations-benchmark/v/1.4.0", "CIS AWS Foundations Benchmark v1.4.0"),
    ("aws-foundational-security-best-practices/v/1.0.0", "AWS Foundational Security Best Practices v1.0.0"),
];

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
    /// Requirement number in each of [`STANDARDS`]; empty where the control is not part of it.
    requirements: [&'static str; 3],
}

const fn control(
    id: &'static str,
    severity: &'static str,
    identifier: &'static str,
    kind: &'static str,
    requirements: [&'static str; 3],
    title: &'static str,
) -> Control {
    Control { id, severity, title, identifier, kind, requirements }
}

impl Control {
    /// Returns the standards that hold the control: position in [`STANDARDS`] and requirement number.
    pub fn standards(&self) -> impl Iterator<Item = (usize, &'static str)> {
        self.requirements.into_iter().enumerate().filter(|(_, number)| !number.is_empty())
    }

    /// Returns whether one Region evaluates it for the whole account.
    pub fn is_global(&self) -> bool {
        self.id.starts_with("CloudWatch.") || is_global(self.identifier, self.kind)
    }
}

/// An account as a whole.
pub(crate) const ACCOUNT: &str = "AWS::::Account";

/// Every control, by id.
#[rustfmt::skip]
pub(crate) const CONTROLS: [Control; 53] = [
    control("Account.1", "MEDIUM", "SECURITY_ACCOUNT_INFORMATION_PROVIDED", ACCOUNT, ["1.2", "", "Account.1"], "A security contact is set for the account"),
    control("CloudTrail.1", "HIGH", "MULTI_REGION_CLOUD_TRAIL_ENABLED", ACCOUNT, ["3.1", "3.1", "CloudTrail.1"], "A multi-Region trail records management events"),
    control("CloudTrail.2", "MEDIUM", "CLOUD_TRAIL_ENCRYPTION_ENABLED", "AWS::CloudTrail::Trail", ["3.5", "3.7", "CloudTrail.2"], "Trails are encrypted with a KMS key"),
    control("CloudTrail.4", "LOW", "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED", "AWS::CloudTrail::Trail", ["3.2", "3.2", "CloudTrail.4"], "Trails validate their log files"),
    control("CloudTrail.7", "LOW", "", "AWS::S3::Bucket", ["3.4", "3.6", ""], "The trail's bucket logs access to itself"),
    control("CloudWatch.1", "LOW", "", ACCOUNT, ["", "4.3", ""], "An alarm watches for use of the root user"),
    control("CloudWatch.10", "LOW", "", ACCOUNT, ["", "4.10", ""], "An alarm watches for changes of security groups"),
    control("CloudWatch.11", "LOW", "", ACCOUNT, ["", "4.11", ""], "An alarm watches for changes of network ACLs"),
    control("CloudWatch.12", "LOW", "", ACCOUNT, ["", "4.12", ""], "An alarm watches for changes of gateways"),
    control("CloudWatch.13", "LOW", "", ACCOUNT, ["", "4.13", ""], "An alarm watches for changes of route tables"),
    control("CloudWatch.14", "LOW", "", ACCOUNT, ["", "4.14", ""], "An alarm watches for changes of VPCs"),
    control("CloudWatch.2", "LOW", "", ACCOUNT, ["", "", ""], "An alarm watches for unauthorised API calls"),
    control("CloudWatch.3", "LOW", "", ACCOUNT, ["", "", ""], "An alarm watches for sign-in without MFA"),
    control("CloudWatch.4", "LOW", "", ACCOUNT, ["", "4.4", ""], "An alarm watches for changes of IAM policies"),
    control("CloudWatch.5", "LOW", "", ACCOUNT, ["", "4.5", ""], "An alarm watches for changes of CloudTrail"),
    control("CloudWatch.6", "LOW", "", ACCOUNT, ["", "4.6", ""], "An alarm watches for failed sign-ins"),
    control("CloudWatch.7", "LOW", "", ACCOUNT, ["", "4.7", ""], "An alarm watches for deletion of customer managed keys"),
    control("CloudWatch.8", "LOW", "", ACCOUNT, ["", "4.8", ""], "An alarm watches for changes of bucket policies"),
    control("CloudWatch.9", "LOW", "", ACCOUNT, ["", "4.9", ""], "An alarm watches for changes of AWS Config"),
    control("Config.1", "CRITICAL", "", ACCOUNT, ["3.3", "3.5", "Config.1"], "Config is on and records what is needed"),
    control("EC2.2", "HIGH", "VPC_DEFAULT_SECURITY_GROUP_CLOSED", "AWS::EC2::SecurityGroup", ["5.4", "5.3", "EC2.2"], "Default security groups let nothing through"),
    control("EC2.21", "MEDIUM", "NACL_NO_UNRESTRICTED_SSH_RDP", "AWS::EC2::NetworkAcl", ["5.1", "5.1", "EC2.21"], "Network ACLs do not open ports 22 and 3389 to the world"),
    control("EC2.53", "HIGH", "VPC_SG_PORT_RESTRICTION_CHECK", "AWS::EC2::SecurityGroup", ["5.2", "", ""], "No administration port is open to 0.0.0.0/0"),
    control("EC2.54", "HIGH", "VPC_SG_PORT_RESTRICTION_CHECK", "AWS::EC2::SecurityGroup", ["5.3", "", ""], "No administration port is open to ::/0"),
    control("EC2.6", "MEDIUM", "VPC_FLOW_LOGS_ENABLED", "AWS::EC2::VPC", ["3.7", "3.9", "EC2.6"], "VPCs write flow logs"),
    control("EC2.7", "MEDIUM", "EC2_EBS_ENCRYPTION_BY_DEFAULT", ACCOUNT, ["2.2.1", "2.2.1", "EC2.7"], "New EBS volumes are encrypted by default"),
    control("EC2.8", "HIGH", "EC2_IMDSV2_CHECK", "AWS::EC2::Instance", ["5.6", "", "EC2.8"], "Instances ask for IMDSv2"),
    control("EFS.1", "MEDIUM", "EFS_ENCRYPTED_CHECK", "AWS::EFS::FileSystem", ["2.4.1", "", "EFS.1"], "File systems are encrypted with a KMS key"),
    control("IAM.15", "MEDIUM", "IAM_PASSWORD_POLICY", ACCOUNT, ["1.8", "1.8", ""], "Passwords have at least 14 characters"),
    control("IAM.16", "LOW", "IAM_PASSWORD_POLICY", ACCOUNT, ["1.9", "1.9", ""], "Old passwords can't be used again"),
    control("IAM.18", "LOW", "IAM_POLICY_IN_USE", ACCOUNT, ["1.17", "1.17", ""], "There is a role for dealing with AWS Support"),
    control("IAM.2", "LOW", "IAM_USER_NO_POLICIES_CHECK", "AWS::IAM::User", ["1.15", "", "IAM.2"], "Users hold no policies of their own"),
    control("IAM.22", "MEDIUM", "IAM_USER_UNUSED_CREDENTIALS_CHECK", "AWS::IAM::User", ["1.12", "1.12", ""], "Credentials unused for 45 days are removed"),
    control("IAM.26", "MEDIUM", "IAM_SERVER_CERTIFICATE_EXPIRATION_CHECK", "AWS::IAM::ServerCertificate", ["1.19", "", ""], "Expired certificates are removed from IAM"),
    control("IAM.27", "MEDIUM", "IAM_POLICY_BLACKLISTED_CHECK", "AWS::IAM::Role", ["1.22", "", ""], "Nobody holds AWSCloudShellFullAccess"),
    control("IAM.28", "HIGH", "IAM_EXTERNAL_ACCESS_ANALYZER_ENABLED", ACCOUNT, ["1.20", "", ""], "An external access analyzer is on"),
    control("IAM.3", "MEDIUM", "ACCESS_KEYS_ROTATED", "AWS::IAM::User", ["1.14", "1.14", "IAM.3"], "Access keys are renewed every 90 days"),
    control("IAM.4", "CRITICAL", "IAM_ROOT_ACCESS_KEY_CHECK", ACCOUNT, ["1.4", "1.4", "IAM.4"], "The root user has no access key"),
    control("IAM.5", "MEDIUM", "MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS", "AWS::IAM::User", ["1.10", "1.10", "IAM.5"], "Users with a password have MFA"),
    control("IAM.6", "CRITICAL", "ROOT_ACCOUNT_HARDWARE_MFA_ENABLED", ACCOUNT, ["1.6", "1.6", "IAM.6"], "The root user has hardware MFA"),
    control("IAM.9", "CRITICAL", "ROOT_ACCOUNT_MFA_ENABLED", ACCOUNT, ["1.5", "1.5", ""], "The root user has MFA"),
    control("KMS.4", "MEDIUM", "CMK_BACKING_KEY_ROTATION_ENABLED", "AWS::KMS::Key", ["3.6", "3.8", ""], "KMS keys rotate"),
    control("RDS.13", "HIGH", "RDS_AUTOMATIC_MINOR_VERSION_UPGRADE_ENABLED", "AWS::RDS::DBInstance", ["2.3.2", "", "RDS.13"], "Databases take minor upgrades by themselves"),
    control("RDS.2", "CRITICAL", "RDS_INSTANCE_PUBLIC_ACCESS_CHECK", "AWS::RDS::DBInstance", ["2.3.3", "", "RDS.2"], "Databases are not reachable from the internet"),
    control("RDS.3", "MEDIUM", "RDS_STORAGE_ENCRYPTED", "AWS::RDS::DBInstance", ["2.3.1", "2.3.1", "RDS.3"], "Databases are encrypted at rest"),
    control("S3.1", "MEDIUM", "S3_ACCOUNT_LEVEL_PUBLIC_ACCESS_BLOCKS_PERIODIC", ACCOUNT, ["2.1.4.1", "2.1.5", "S3.1"], "Block Public Access is on for the account"),
    control("S3.2", "CRITICAL", "S3_BUCKET_PUBLIC_READ_PROHIBITED", "AWS::S3::Bucket", ["", "", "S3.2"], "Buckets are not open to public reading"),
    control("S3.20", "LOW", "S3_BUCKET_MFA_DELETE_ENABLED", "AWS::S3::Bucket", ["2.1.2", "2.1.3", ""], "Buckets ask for MFA on delete"),
    control("S3.22", "MEDIUM", "CLOUDTRAIL_ALL_WRITE_S3_DATA_EVENT_CHECK", ACCOUNT, ["3.8", "", ""], "Object writes are recorded"),
    control("S3.23", "MEDIUM", "CLOUDTRAIL_ALL_READ_S3_DATA_EVENT_CHECK", ACCOUNT, ["3.9", "", ""], "Object reads are recorded"),
    control("S3.3", "CRITICAL", "S3_BUCKET_PUBLIC_WRITE_PROHIBITED", "AWS::S3::Bucket", ["", "", "S3.3"], "Buckets are not open to public writing"),
    control("S3.5", "MEDIUM", "S3_BUCKET_SSL_REQUESTS_ONLY", "AWS::S3::Bucket", ["2.1.1", "2.1.2", "S3.5"], "Buckets refuse plain HTTP"),
    control("S3.8", "HIGH", "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED", "AWS::S3::Bucket", ["2.1.4.2", "2.1.5", "S3.8"], "Block Public Access is on for each bucket"),
];

/// Managed rules beside those of the controls: identifier, resource type.
const RULES: [(&str, &str); 20] = [
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
