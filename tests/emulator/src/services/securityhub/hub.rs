//! The hub of one account-Region: standards, controls, products.

use serde_json::{Value, json};

use crate::{
    call::{Call, iso},
    controls::{CONTROLS, Control, STANDARDS},
    estate::Estate,
    wire::{Answer, AwsError},
};

fn arn(call: &Call<'_>, rest: &str) -> String {
    format!("arn:{}:securityhub:{}:{}:{rest}", call.world.partition(), call.region, call.account())
}

/// Returns a standard's ARN.
pub(super) fn standard_arn(call: &Call<'_>, standard: &str) -> String {
    format!("arn:{}:securityhub:{}::standards/{standard}", call.world.partition(), call.region)
}

fn subscription_arn(call: &Call<'_>, standard: &str) -> String {
    arn(call, &format!("subscription/{standard}"))
}

fn url(control: &Control) -> String {
    format!("https://docs.aws.amazon.com/console/securityhub/{}/remediation", control.id)
}

fn missing(what: &str) -> AwsError {
    AwsError::with_status(
        404,
        "ResourceNotFoundException",
        format!("The request failed because {what} does not exist."),
    )
}

fn enabled(call: &Call<'_>, control: &Control) -> bool {
    Estate::of(call.world, call.principal.account.as_str(), call.region).control_enabled(control)
}

pub(super) fn describe(call: &Call<'_>) -> Answer {
    if call.text("HubArn").is_some_and(|wanted| wanted != arn(call, "hub/default")) {
        return Err(missing("the hub"));
    }
    Ok(json!({
        "HubArn": arn(call, "hub/default"), "SubscribedAt": iso(call.world.founded), "AutoEnableControls": true,
        "ControlFindingGenerator": call.world.org.securityhub.finding_generator,
    }))
}

pub(super) fn second_generation(call: &Call<'_>) -> Answer {
    let on = call.world.org.securityhub.v2 && call.world.target(call.account(), call.region).hub;
    if !on {
        return Err(missing("the Security Hub V2 resource"));
    }
    Ok(json!({"HubV2Arn": arn(call, "hubv2/default"), "SubscribedAt": iso(call.world.founded)}))
}

pub(super) fn standards(call: &Call<'_>) -> Answer {
    let size = call.page_size("MaxResults", 100, 100)?;
    let wanted = call.texts("StandardsSubscriptionArns");
    let recorder = Estate::of(call.world, call.account(), call.region).evaluates();
    let all = STANDARDS.iter().map(|(standard, _)| {
        let mut item = json!({
            "StandardsSubscriptionArn": subscription_arn(call, standard), "StandardsArn": standard_arn(call, standard),
            "StandardsInput": {}, "StandardsStatus": if recorder { "READY" } else { "INCOMPLETE" },
            "StandardsControlsUpdatable": "READY_FOR_UPDATES",
        });
        if !recorder {
            item["StandardsStatusReason"] = json!({"StatusReasonCode": "NO_AVAILABLE_CONFIGURATION_RECORDER"});
        }
        item
    });
    let asked = |item: &Value| wanted.is_empty() || wanted.iter().any(|w| item["StandardsSubscriptionArn"] == **w);
    let items: Vec<_> = all.filter(asked).collect();
    if items.len() < wanted.len() {
        return Err(call.invalid("a subscription ARN does not exist"));
    }
    call.list("StandardsSubscriptions", items, size)
}

/// Returns the requirements that a control meets, in Security Hub's words.
pub(super) fn requirements(control: &Control) -> Vec<String> {
    control.standards().filter_map(|(n, number)| Some(format!("{}/{number}", STANDARDS.get(n)?.1))).collect()
}

const ONE_REGION: &str = "Global resources are evaluated in the home Region.";

pub(super) fn standards_controls(call: &Call<'_>) -> Answer {
    let size = call.page_size("MaxResults", 100, 100)?;
    let wanted = call.required("StandardsSubscriptionArn")?;
    let Some(at) = STANDARDS.iter().position(|(standard, _)| wanted == subscription_arn(call, standard)) else {
        return Err(missing("the subscription"));
    };
    let (standard, title) = STANDARDS.get(at).copied().unwrap_or_default();
    let held = CONTROLS.iter().filter_map(|c| Some((c, c.standards().find(|(n, _)| *n == at)?.1)));
    let items = held.map(|(control, number)| {
        let on = enabled(call, control);
        let mut item = json!({
            "StandardsControlArn": arn(call, &format!("control/{standard}/{}", control.id)),
            "ControlStatus": if on { "ENABLED" } else { "DISABLED" },
            "ControlStatusUpdatedAt": iso(call.world.founded), "ControlId": control.id, "Title": control.title,
            "Description": format!("{}.", control.title), "RemediationUrl": url(control),
            "SeverityRating": control.severity, "RelatedRequirements": [format!("{title}/{number}")],
        });
        if !on {
            item["DisabledReason"] = json!(ONE_REGION);
        }
        item
    });
    call.list("Controls", items.collect(), size)
}

pub(super) fn definitions(call: &Call<'_>) -> Answer {
    let size = call.page_size("MaxResults", 100, 100)?;
    let at = match call.text("StandardsArn") {
        None => None,
        Some(wanted) => {
            let at = STANDARDS.iter().position(|(standard, _)| wanted == standard_arn(call, standard));
            Some(at.ok_or_else(|| missing("the standard"))?)
        }
    };
    let held = CONTROLS.iter().filter(|c| at.is_none_or(|at| c.standards().any(|(n, _)| n == at)));
    let items = held.map(|control| {
        json!({
            "SecurityControlId": control.id, "Title": control.title, "Description": format!("{}.", control.title),
            "RemediationUrl": url(control), "SeverityRating": control.severity, "CurrentRegionAvailability": "AVAILABLE",
        })
    });
    call.list("SecurityControlDefinitions", items.collect(), size)
}

fn control_arn(call: &Call<'_>, control: &Control) -> String {
    arn(call, &format!("security-control/{}", control.id))
}

/// Parameters in use; custom where the organisation deviates from AWS's default.
fn parameters(control: &Control) -> Value {
    let integer = |n: i64, kind: &str| json!({"ValueType": kind, "Value": {"Integer": n}});
    match control.id {
        "IAM.3" => json!({"maxAccessKeyAge": integer(90, "DEFAULT")}),
        "IAM.22" => json!({"maxCredentialUsageAge": integer(45, "DEFAULT")}),
        _ => json!({}),
    }
}

pub(super) fn controls(call: &Call<'_>) -> Answer {
    let wanted = call.texts("SecurityControlIds");
    if wanted.is_empty() || wanted.len() > 100 {
        return Err(call.invalid("SecurityControlIds must hold 1 to 100 ids"));
    }
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for id in wanted {
        // Both the id and the ARN are accepted.
        let id = id.rsplit('/').next().unwrap_or(id);
        let Some(control) = CONTROLS.iter().find(|c| c.id == id) else {
            unknown.push(
                json!({"SecurityControlId": id, "ErrorCode": "NOT_FOUND", "ErrorReason": "Security Control not found"}),
            );
            continue;
        };
        found.push(json!({
            "SecurityControlId": control.id, "SecurityControlArn": control_arn(call, control), "Title": control.title,
            "Description": format!("{}.", control.title), "RemediationUrl": url(control), "SeverityRating": control.severity,
            "SecurityControlStatus": if enabled(call, control) { "ENABLED" } else { "DISABLED" },
            "UpdateStatus": "READY", "Parameters": parameters(control),
        }));
    }
    Ok(json!({"SecurityControls": found, "UnprocessedIds": unknown}))
}

pub(super) fn associations(call: &Call<'_>) -> Answer {
    let size = call.page_size("MaxResults", 100, 100)?;
    let id = call.required("SecurityControlId")?;
    let control = CONTROLS.iter().find(|c| c.id == id).ok_or_else(|| missing("the control"))?;
    let items = control.standards().filter_map(|(n, number)| {
        let (standard, title) = STANDARDS.get(n)?;
        Some(json!({
            "StandardsArn": standard_arn(call, standard), "SecurityControlId": control.id,
            "SecurityControlArn": control_arn(call, control),
            "AssociationStatus": if enabled(call, control) { "ENABLED" } else { "DISABLED" },
            "RelatedRequirements": [format!("{title}/{number}")], "UpdatedAt": iso(call.world.founded),
            "StandardsControlTitle": control.title, "StandardsControlDescription": format!("{}.", control.title),
        }))
    });
    call.list("StandardsControlAssociationSummaries", items.collect(), size)
}

pub(super) fn products(call: &Call<'_>) -> Answer {
    let size = call.page_size("MaxResults", 100, 100)?;
    let products =
        ["guardduty", "inspector", "macie"].map(|p| json!(arn(call, &format!("product-subscription/aws/{p}"))));
    call.list("ProductSubscriptions", products.to_vec(), size)
}
