//! The services: which operation a request names, and who answers it.

mod account;
mod config;
mod organizations;
pub(crate) mod s3;
mod securityhub;
pub(crate) mod sts;

use serde_json::{Value, json};

use crate::{
    call::Call,
    wire::{Answer, Protocol, Request, form, percent_decode},
};

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub operation: String,
    pub params: Value,
}

/// Returns how a service speaks; `None` for services that are not emulated at all.
pub(crate) fn protocol(service: &str) -> Protocol {
    match service {
        "organizations" | "config" => Protocol::Json,
        "sts" => Protocol::Query,
        "s3" => Protocol::Xml,
        _ => Protocol::Rest,
    }
}

/// Reads operation and parameters out of a request.
pub(crate) fn asked(service: &str, request: &Request) -> Asked {
    match protocol(service) {
        Protocol::Json => {
            let target = request.header("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            Asked { operation, params: serde_json::from_slice(&request.body).unwrap_or_else(|_| json!({})) }
        }
        Protocol::Query => {
            let pairs = form(&String::from_utf8_lossy(&request.body));
            let params: Value = pairs.into_iter().map(|(k, v)| (k, json!(v))).collect::<serde_json::Map<_, _>>().into();
            Asked { operation: params["Action"].as_str().unwrap_or_default().to_owned(), params }
        }
        Protocol::Rest => rest(service, request),
        Protocol::Xml => Asked { operation: s3::asked(request, jiff::Timestamp::UNIX_EPOCH).0, params: json!({}) },
    }
}

/// Method, path (a trailing `{name}` takes the rest), operation.
type Route = (&'static str, &'static str, &'static str);

fn rest(service: &str, request: &Request) -> Asked {
    let routes: &[Route] = match service {
        "account" => &account::ROUTES,
        "securityhub" => &securityhub::ROUTES,
        _ => &[],
    };
    let path = percent_decode(&request.path, false);
    let mut params: Value = serde_json::from_slice(&request.body).unwrap_or_else(|_| json!({}));
    if !params.is_object() {
        params = json!({});
    }
    for (name, value) in form(&request.query) {
        params[name] = json!(value);
    }
    for (method, pattern, operation) in routes {
        if *method != request.method {
            continue;
        }
        if *pattern == path {
            return Asked { operation: (*operation).to_owned(), params };
        }
        if let Some((head, label)) = pattern.split_once('{')
            && let Some(rest) = path.strip_prefix(head).filter(|r| !r.is_empty())
        {
            params[label.trim_end_matches('}')] = json!(rest);
            return Asked { operation: (*operation).to_owned(), params };
        }
    }
    Asked { operation: format!("{} {path}", request.method), params }
}

/// Returns the IAM action that allows an operation.
pub(crate) fn action(service: &str, operation: &str) -> String {
    let name = match (service, operation) {
        ("securityhub", "BatchGetSecurityControls" | "ListStandardsControlAssociations") => "DescribeStandardsControls",
        _ => operation,
    };
    format!("{service}:{name}")
}

/// Answers a call; `None` where the operation is not served.
pub(crate) fn answer(call: &Call<'_>) -> Option<Answer> {
    match call.service {
        "organizations" => organizations::answer(call),
        "config" => config::answer(call),
        "securityhub" => securityhub::answer(call),
        "account" => account::answer(call),
        _ => None,
    }
}
