//! Findings: computed from the estate's results, filtered and paged as GetFindings does.

use serde_json::{Value, json};

use super::hub::requirements;
use crate::{
    call::{Call, iso, last_run, listed},
    controls::{ACCOUNT, Control, STANDARDS, finding_kind},
    estate::{Estate, Resource},
    hash,
    organization::{ProductFinding, ResultRule},
    wire::{Answer, AwsError},
};

pub(super) fn get(call: &Call<'_>) -> Answer {
    let size = call.page_size("MaxResults", 10, 100)?;
    let filters = filters(call)?;
    let targets = visible(call, &filters);
    let (items, token) = call.page_through(targets.len(), size, |n| {
        let Some((account, region)) = targets.get(n) else { return Vec::new() };
        let estate = Estate::of(call.world, account, region);
        let mut all = findings(call, &estate);
        all.retain(|finding| filters.iter().all(|f| f.holds(finding)));
        all
    })?;
    Ok(listed("Findings", items, token))
}

/// Which targets' findings the caller sees: its own; as administrator its members'; in the home Region those of linked Regions.
fn visible<'a>(call: &Call<'a>, filters: &[Filter]) -> Vec<(&'a str, &'a str)> {
    let world = call.world;
    let administrator = call.account() == world.org.audit;
    let home = administrator && call.region == world.org.home_region;
    let may = |name: &str, value: &str| filters.iter().filter(|f| f.name == name).all(|f| f.texts_hold(&[value]));
    let mut targets = Vec::new();
    for account in world.active_accounts() {
        if (account.id != call.account() && !administrator) || !may("AwsAccountId", &account.id) {
            continue;
        }
        for region in world.regions_of(&account.id) {
            let state = world.target(&account.id, region);
            let seen = home || region == call.region;
            if seen && state.hub && (state.member || account.id == call.account()) && may("Region", region) {
                targets.push((account.id.as_str(), region));
            }
        }
    }
    targets
}

/// One filter attribute with its alternatives.
#[derive(Debug)]
struct Filter {
    name: String,
    values: Vec<(String, String)>,
}

/// Where each supported attribute lies in a finding.
const ATTRIBUTES: [(&str, &str); 14] = [
    ("AwsAccountId", "/AwsAccountId"),
    ("Region", "/Region"),
    ("RecordState", "/RecordState"),
    ("ProductName", "/ProductName"),
    ("ProductArn", "/ProductArn"),
    ("GeneratorId", "/GeneratorId"),
    ("Id", "/Id"),
    ("Type", "/Types/0"),
    ("SeverityLabel", "/Severity/Label"),
    ("WorkflowStatus", "/Workflow/Status"),
    ("ComplianceStatus", "/Compliance/Status"),
    ("ComplianceSecurityControlId", "/Compliance/SecurityControlId"),
    ("ResourceId", "/Resources/0/Id"),
    ("ResourceType", "/Resources/0/Type"),
];

/// Attributes that hold times.
const TIMES: [&str; 4] = ["CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt"];

fn filters(call: &Call<'_>) -> Result<Vec<Filter>, AwsError> {
    let Some(given) = call.params.get("Filters").and_then(Value::as_object) else { return Ok(Vec::new()) };
    if given.len() > 10 {
        return Err(call.invalid("at most 10 filter attributes"));
    }
    let mut out = Vec::new();
    for (name, values) in given {
        let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
        if values.len() > 20 {
            return Err(call.invalid(&format!("{name}: at most 20 values")));
        }
        if !ATTRIBUTES.iter().any(|(n, _)| n == name) && !TIMES.contains(&name.as_str()) {
            return Err(call.invalid(&format!("the emulator does not know the filter {name}")));
        }
        let text = |v: &Value, member: &str| v[member].as_str().unwrap_or_default().to_owned();
        let values = values.iter().map(|v| {
            if TIMES.contains(&name.as_str()) {
                (text(v, "Start"), text(v, "End"))
            } else {
                (text(v, "Value"), text(v, "Comparison"))
            }
        });
        out.push(Filter { name: name.clone(), values: values.collect() });
    }
    Ok(out)
}

impl Filter {
    fn holds(&self, finding: &Value) -> bool {
        if TIMES.contains(&self.name.as_str()) {
            let have = finding[&self.name].as_str().unwrap_or_default();
            return self
                .values
                .iter()
                .any(|(start, end)| have >= start.as_str() && (end.is_empty() || have <= end.as_str()));
        }
        let pointer = ATTRIBUTES.iter().find(|(n, _)| *n == self.name).map_or("", |(_, p)| *p);
        let have: Vec<_> = finding.pointer(pointer).and_then(Value::as_str).into_iter().collect();
        self.texts_hold(&have)
    }

    /// Positive comparisons are joined by OR, negative ones by AND.
    fn texts_hold(&self, have: &[&str]) -> bool {
        let one = |(value, comparison): &(String, String)| {
            have.iter().any(|h| match comparison.trim_start_matches("NOT_") {
                "PREFIX" | "PREFIX_NOT_EQUALS" => h.starts_with(value.as_str()),
                "CONTAINS" => h.contains(value.as_str()),
                _ => h == value,
            })
        };
        let negative = |(_, comparison): &&(String, String)| comparison.contains("NOT_");
        let mut positives = self.values.iter().filter(|v| !negative(v)).peekable();
        let positive = positives.peek().is_none() || positives.any(one);
        positive && !self.values.iter().filter(negative).any(one)
    }
}

/// Returns every finding of a target, in a fixed order.
fn findings(call: &Call<'_>, estate: &Estate<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    for control in estate.controls() {
        for (resource, judgement) in judgements(estate, control) {
            if call.world.org.securityhub.finding_generator == "SECURITY_CONTROL" {
                let id = format!("security-control/{}", control.id);
                let all: Vec<_> = control.standards().filter_map(|(n, _)| Some(STANDARDS.get(n)?.0)).collect();
                out.push(of_control(call, estate, control, resource, &judgement, (&id, &id, &all)));
                continue;
            }
            for (standard, _) in control.standards().filter_map(|(n, _)| STANDARDS.get(n)) {
                let prefix = format!("subscription/{standard}/{}", control.id);
                let generator = format!("{standard}/{}", control.id);
                out.push(of_control(call, estate, control, resource, &judgement, (&prefix, &generator, &[standard])));
            }
        }
    }
    let own = call.world.org.findings.iter().filter(|f| f.account == estate.account && f.region == estate.region);
    out.extend(own.map(|f| of_product(call, estate, f)));
    out
}

/// What a control says of a resource.
struct Judgement<'a> {
    status: &'a str,
    reason: Option<&'a str>,
    rule: Option<&'a ResultRule>,
}

/// Without a recorder there is one finding a control, on the account, that says so; Config.1 fails for that very reason.
fn judgements<'a>(estate: &'a Estate<'a>, control: &Control) -> Vec<(&'a Resource, Judgement<'a>)> {
    let off = Some("CONFIG_RECORDER_DISABLED");
    let on_account = |status, reason| {
        let account = estate.resources.iter().filter(|r| r.kind == ACCOUNT);
        account.map(|r| (r, Judgement { status, reason, rule: None })).collect()
    };
    match (control.id, estate.evaluates()) {
        ("Config.1", true) => return on_account("PASSED", None),
        ("Config.1", false) => return on_account("FAILED", off),
        (_, false) => return on_account("WARNING", off),
        _ => {}
    }
    let resources = estate.resources.iter().filter(|r| r.kind == control.kind);
    let judged = resources.map(|resource| {
        let verdict = estate.judge(&[control.identifier, control.id], resource);
        let rule = verdict.rule;
        let status = rule.and_then(|r| r.status.as_deref()).unwrap_or(match verdict.compliance.as_str() {
            "COMPLIANT" => "PASSED",
            "NON_COMPLIANT" => "FAILED",
            _ => "NOT_AVAILABLE",
        });
        let unknown = matches!(status, "WARNING" | "NOT_AVAILABLE");
        let reason = rule.and_then(|r| r.reason.as_deref()).or(unknown.then_some("CONFIG_EVALUATIONS_EMPTY"));
        (resource, Judgement { status, reason, rule })
    });
    judged.collect()
}

fn arn(estate: &Estate<'_>, rest: &str) -> String {
    format!("arn:{}:securityhub:{}:{}:{rest}", estate.world.partition(), estate.region, estate.account)
}

fn resource_value(estate: &Estate<'_>, resource: &Resource) -> Value {
    let (kind, id) = if resource.kind == ACCOUNT {
        ("AwsAccount".to_owned(), format!("AWS::::Account:{}", estate.account))
    } else {
        (finding_kind(&resource.kind), resource.arn.clone())
    };
    json!({"Type": kind, "Id": id, "Partition": estate.world.partition(), "Region": estate.region})
}

/// `naming` holds the id's prefix, the generator, and the standards that the finding speaks for.
fn of_control(
    call: &Call<'_>,
    estate: &Estate<'_>,
    control: &Control,
    resource: &Resource,
    judgement: &Judgement<'_>,
    naming: (&str, &str, &[&str]),
) -> Value {
    let (prefix, generator, standards) = naming;
    let Judgement { status, reason, rule } = *judgement;
    let id = hash::uuid(&["finding", prefix, estate.account, estate.region, &resource.arn]);
    let passed = status == "PASSED";
    let workflow = rule.and_then(|r| r.workflow.as_deref()).unwrap_or(if passed { "RESOLVED" } else { "NEW" });
    let seen = iso(last_run(call.now));
    let severity = if passed { "INFORMATIONAL" } else { control.severity };
    let associated: Vec<_> = standards.iter().map(|s| json!({"StandardsId": format!("standards/{s}")})).collect();
    let mut compliance = json!({
        "Status": status, "SecurityControlId": control.id, "RelatedRequirements": requirements(control),
        "AssociatedStandards": associated,
    });
    if let Some(code) = reason {
        compliance["StatusReasons"] =
            json!([{"ReasonCode": code, "Description": "Security Hub could not evaluate the control."}]);
    }
    let mut finding = common(estate, &arn(estate, &format!("{prefix}/finding/{id}")), "securityhub", "Security Hub");
    let own = json!({
        "GeneratorId": generator, "Title": control.title, "Description": format!("{}.", control.title),
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "FirstObservedAt": iso(call.world.founded), "LastObservedAt": seen, "CreatedAt": iso(call.world.founded),
        "UpdatedAt": seen, "ProcessedAt": seen,
        "Severity": {"Label": severity, "Original": severity, "Normalized": normalized(severity)},
        "Compliance": compliance, "Workflow": {"Status": workflow}, "WorkflowState": "NEW",
        "RecordState": rule.and_then(|r| r.record.as_deref()).unwrap_or("ACTIVE"),
        "Resources": [resource_value(estate, resource)],
        "Remediation": {"Recommendation": {
            "Text": "For information on how to correct this issue, consult the Security Hub controls documentation.",
            "Url": format!("https://docs.aws.amazon.com/console/securityhub/{}/remediation", control.id),
        }},
    });
    merge(&mut finding, own);
    if !control.identifier.is_empty() {
        finding["ProductFields"]["RelatedAWSResources:0/name"] = json!(estate.service_linked_rule(control));
        finding["ProductFields"]["RelatedAWSResources:0/type"] = json!("AWS::Config::ConfigRule");
    }
    if let Some((rule, note)) = rule.and_then(|r| Some((r, r.note.as_ref()?))) {
        let by = rule.note_by.clone().unwrap_or_else(|| "security-engineer".into());
        finding["Note"] = json!({"Text": note, "UpdatedBy": by, "UpdatedAt": seen});
    }
    finding
}

fn of_product(call: &Call<'_>, estate: &Estate<'_>, declared: &ProductFinding) -> Value {
    let slug = declared.product.to_lowercase().replace(' ', "-");
    let id =
        hash::uuid(&["product", &declared.product, &declared.title, estate.account, estate.region, &declared.resource]);
    let id = format!("arn:{}:{slug}:{}:{}:finding/{id}", estate.world.partition(), estate.region, estate.account);
    let seen = iso(last_run(call.now));
    let mut finding = common(estate, &id, &slug, &declared.product);
    let own = json!({
        "GeneratorId": format!("aws/{slug}"), "Title": declared.title, "Description": declared.title,
        "Types": [declared.kind], "FirstObservedAt": iso(call.world.founded), "LastObservedAt": seen,
        "CreatedAt": iso(call.world.founded), "UpdatedAt": seen,
        "Severity": {"Label": declared.severity, "Normalized": normalized(&declared.severity)},
        "Workflow": {"Status": declared.workflow}, "WorkflowState": "NEW", "RecordState": declared.record,
        "Resources": [{
            "Type": declared.resource_type, "Id": declared.resource, "Partition": estate.world.partition(), "Region": estate.region,
        }],
    });
    merge(&mut finding, own);
    finding
}

fn common(estate: &Estate<'_>, id: &str, slug: &str, product: &str) -> Value {
    let product_arn = format!("arn:{}:securityhub:{}::product/aws/{slug}", estate.world.partition(), estate.region);
    let name = estate.world.account(estate.account).map_or("", |a| a.name.as_str());
    json!({
        "SchemaVersion": "2018-10-08", "Id": id, "ProductArn": product_arn, "ProductName": product, "CompanyName": "AWS",
        "Region": estate.region, "AwsAccountId": estate.account, "AwsAccountName": name,
        "ProductFields": {
            "aws/securityhub/ProductName": product, "aws/securityhub/CompanyName": "AWS",
            "aws/securityhub/FindingId": format!("{product_arn}/{id}"),
        },
    })
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

fn normalized(label: &str) -> u32 {
    match label {
        "CRITICAL" => 90,
        "HIGH" => 70,
        "MEDIUM" => 40,
        "LOW" => 1,
        _ => 0,
    }
}
