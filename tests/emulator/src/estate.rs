//! Resources, rules and results of one account-Region: computed when asked, never stored.

use crate::{
    controls::{self, ACCOUNT, CONTROLS, Control},
    hash,
    organization::{ResultRule, Rule},
    world::{TargetState, World},
};

/// An account-Region with what exists in it.
#[derive(Debug)]
pub(crate) struct Estate<'a> {
    pub world: &'a World,
    pub account: &'a str,
    pub region: &'a str,
    pub state: TargetState,
    pub resources: Vec<Resource>,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    pub kind: String,
    /// Id as Config records it.
    pub id: String,
    /// Name, or the id where there is none.
    pub name: String,
    pub arn: String,
}

/// A rule as it stands in one target.
#[derive(Debug, Clone)]
pub(crate) struct DeployedRule<'a> {
    pub name: String,
    pub identifier: String,
    pub kind: String,
    pub created_by: Option<&'static str>,
    pub declared: Option<&'a Rule>,
    pub control: Option<&'static Control>,
}

/// How a resource fared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict<'a> {
    pub compliance: String,
    pub rule: Option<&'a ResultRule>,
}

impl<'a> Estate<'a> {
    /// Computes the target's resources.
    pub fn of(world: &'a World, account: &'a str, region: &'a str) -> Self {
        let state = world.target(account, region);
        let mut resources = vec![Resource {
            kind: ACCOUNT.to_owned(),
            id: account.to_owned(),
            name: account.to_owned(),
            arn: format!("AWS::::Account:{account}"),
        }];
        if world.in_use(account, region) {
            for population in world.org.populations.iter().filter(|p| p.scope.covers(account, region)) {
                if population.kind.starts_with("AWS::IAM::") && region != world.org.home_region {
                    continue;
                }
                for n in 1..=population.count {
                    let name = population
                        .name
                        .replace("{account}", account)
                        .replace("{region}", region)
                        .replace("{n}", &n.to_string());
                    resources.push(resource(world.partition(), account, region, &population.kind, name));
                }
            }
        }
        Self { world, account, region, state, resources }
    }

    /// Returns the rules that stand here: the organisation's and Security Hub's own, sorted by name.
    pub fn rules(&self) -> Vec<DeployedRule<'a>> {
        if !self.world.in_use(self.account, self.region) || self.state.recorder == "absent" {
            return Vec::new();
        }
        let mut rules: Vec<_> = self.world.org.config.rules.iter().filter_map(|rule| self.declared(rule)).collect();
        rules.extend(self.controls().filter(|c| !c.identifier.is_empty()).map(|control| DeployedRule {
            name: self.service_linked_rule(control),
            identifier: control.identifier.to_owned(),
            kind: control.kind.to_owned(),
            created_by: Some("securityhub.amazonaws.com"),
            declared: None,
            control: Some(control),
        }));
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        rules
    }

    /// Returns the name of the rule that Security Hub keeps for a control.
    pub fn service_linked_rule(&self, control: &Control) -> String {
        let stem = control.identifier.to_lowercase().replace('_', "-");
        format!("securityhub-{stem}-{}", hash::hex(&["service-linked", control.id, self.account, self.region], 8))
    }

    fn declared(&self, rule: &'a Rule) -> Option<DeployedRule<'a>> {
        let kind = rule.resource_type.clone().or_else(|| controls::rule_kind(&rule.identifier).map(str::to_owned))?;
        if controls::is_global(&rule.identifier, &kind) && self.region != self.world.org.home_region {
            return None;
        }
        let stem = rule.name.clone().unwrap_or_else(|| rule.identifier.to_lowercase().replace('_', "-"));
        let (name, created_by) = match &rule.pack {
            Some(pack) => {
                let suffix = hash::hex(&["pack", pack, self.account, self.region], 8);
                (format!("{stem}-conformance-pack-{suffix}"), Some("config-conforms.amazonaws.com"))
            }
            None => (stem, None),
        };
        Some(DeployedRule {
            name,
            identifier: rule.identifier.clone(),
            kind,
            created_by,
            declared: Some(rule),
            control: None,
        })
    }

    /// Returns the standard's controls that are enabled here.
    pub fn controls(&self) -> impl Iterator<Item = &'static Control> + '_ {
        CONTROLS.iter().filter(|c| self.state.hub && self.control_enabled(c))
    }

    /// Returns whether a control is enabled: those on global resources only in the home Region, as central configuration has it.
    pub fn control_enabled(&self, control: &Control) -> bool {
        !self.world.org.securityhub.disabled_controls.iter().any(|d| d == control.id)
            && (self.region == self.world.org.home_region || !control.is_global())
    }

    /// Returns whether Config evaluates here at all.
    pub fn evaluates(&self) -> bool {
        self.state.recorder == "on"
    }

    /// Judges one resource by the checks' names (identifier, rule name, control id): the last declared result wins.
    pub fn judge(&self, checks: &[&str], resource: &Resource) -> Verdict<'a> {
        let matches = |r: &&ResultRule| {
            r.scope.covers(self.account, self.region)
                && r.checks.iter().any(|c| checks.contains(&c.as_str()))
                && r.resource.as_deref().is_none_or(|pattern| wildcard(pattern, &resource.name))
        };
        if let Some(rule) = self.world.org.results.iter().rev().find(matches) {
            return Verdict {
                compliance: rule.compliance.clone().unwrap_or_else(|| "COMPLIANT".into()),
                rule: Some(rule),
            };
        }
        let permille = self.world.org.failing_permille;
        let check = checks.iter().copied().find(|c| !c.is_empty()).unwrap_or_default();
        let seed = [self.world.org.seed.as_str(), check, &resource.arn];
        let fails = permille > 0 && hash::number(&seed) % 1000 < permille;
        Verdict { compliance: if fails { "NON_COMPLIANT" } else { "COMPLIANT" }.to_owned(), rule: None }
    }

    /// Judges a rule on all its resources; empty where Config does not evaluate.
    pub fn evaluate<'b>(&'b self, rule: &DeployedRule<'_>) -> Vec<(&'b Resource, Verdict<'a>)> {
        if !self.evaluates() {
            return Vec::new();
        }
        let checks = rule.checks();
        let names: Vec<&str> = checks.iter().map(String::as_str).collect();
        self.resources.iter().filter(|r| r.kind == rule.kind).map(|r| (r, self.judge(&names, r))).collect()
    }
}

impl DeployedRule<'_> {
    /// Returns the names by which results may speak of this rule.
    pub fn checks(&self) -> Vec<String> {
        let mut names = vec![self.identifier.clone(), self.name.clone()];
        names.extend(self.declared.and_then(|d| d.name.clone()));
        names.extend(self.control.map(|c| c.id.to_owned()));
        names
    }

    /// Returns `config-rule-xxxxxx`.
    pub fn id(&self, account: &str, region: &str) -> String {
        format!("config-rule-{}", hash::hex(&["rule", &self.name, account, region], 6))
    }

    /// Returns the rule's ARN; service-linked rules live below `aws-service-rule`.
    pub fn arn(&self, partition: &str, account: &str, region: &str) -> String {
        let path = match self.created_by {
            Some(service) => format!("aws-service-rule/{service}/{}", self.id(account, region)),
            None => self.id(account, region),
        };
        format!("arn:{partition}:config:{region}:{account}:config-rule/{path}")
    }
}

/// Matches `*` (any text) in a pattern.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).any(|i| text.is_char_boundary(i) && wildcard(rest, &text[i..]))
}

fn resource(partition: &str, account: &str, region: &str, kind: &str, name: String) -> Resource {
    let digits = hash::hex(&["resource", account, region, kind, &name], 17);
    let (id, arn) = match kind {
        "AWS::S3::Bucket" => (name.clone(), format!("arn:{partition}:s3:::{name}")),
        "AWS::IAM::User" | "AWS::IAM::Role" | "AWS::IAM::Policy" | "AWS::IAM::ServerCertificate" => {
            let (prefix, path) = match kind {
                "AWS::IAM::User" => ("AIDA", "user"),
                "AWS::IAM::Role" => ("AROA", "role"),
                "AWS::IAM::Policy" => ("ANPA", "policy"),
                _ => ("ASCA", "server-certificate"),
            };
            (format!("{prefix}{}", digits.to_uppercase()), format!("arn:{partition}:iam::{account}:{path}/{name}"))
        }
        "AWS::CloudTrail::Trail" => {
            let arn = format!("arn:{partition}:cloudtrail:{region}:{account}:trail/{name}");
            (arn.clone(), arn)
        }
        "AWS::KMS::Key" => {
            let id = hash::uuid(&["key", account, region, &name]);
            (id.clone(), format!("arn:{partition}:kms:{region}:{account}:key/{id}"))
        }
        "AWS::RDS::DBInstance" => {
            (format!("db-{}", digits.to_uppercase()), format!("arn:{partition}:rds:{region}:{account}:db:{name}"))
        }
        "AWS::EFS::FileSystem" => {
            let id = format!("fs-{digits}");
            (id.clone(), format!("arn:{partition}:elasticfilesystem:{region}:{account}:file-system/{id}"))
        }
        _ => {
            let (prefix, path) = match kind {
                "AWS::EC2::SecurityGroup" => ("sg", "security-group"),
                "AWS::EC2::Instance" => ("i", "instance"),
                "AWS::EC2::VPC" => ("vpc", "vpc"),
                "AWS::EC2::NetworkAcl" => ("acl", "network-acl"),
                "AWS::EC2::Volume" => ("vol", "volume"),
                _ => ("res", "resource"),
            };
            let id = format!("{prefix}-{digits}");
            (id.clone(), format!("arn:{partition}:ec2:{region}:{account}:{path}/{id}"))
        }
    };
    Resource { kind: kind.to_owned(), id, name, arn }
}
