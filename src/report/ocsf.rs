//! OCSF 1.3 Compliance Finding (class 2003): our own findings, one JSON object a line.
//!
//! What was not assessed is `Warning`, what does not apply `Unknown`; neither is ever `Pass`.

use serde_json::{Value, json};

use super::{
    ReportError, ReportFile, Source,
    exported::{self, Exported, SEVERITIES, cut},
};
use crate::model::Status;

/// Writes `ocsf.ndjson`.
pub fn render(source: &Source<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let mut bytes = Vec::new();
    for e in exported::all(source) {
        serde_json::to_writer(&mut bytes, &finding(source, &e))
            .map_err(|e| ReportError::Write { format: "ocsf", why: e.to_string() })?;
        bytes.push(b'\n');
    }
    Ok(vec![("ocsf.ndjson".to_owned(), bytes)])
}

fn finding(source: &Source<'_>, e: &Exported<'_>) -> Value {
    let (account, region) = exported::home(source);
    let header = &source.assessment.header;
    let (status, status_id) = match e.status {
        Status::Satisfied => ("Pass", 1),
        Status::NotAssessed => ("Warning", 2),
        Status::NotSatisfied => ("Fail", 3),
        Status::NotApplicable => ("Unknown", 0),
    };
    let name = SEVERITIES.get(e.severity).copied().unwrap_or("medium");
    let severity: String =
        name.chars().enumerate().map(|(n, c)| if n == 0 { c.to_ascii_uppercase() } else { c }).collect();
    let (product, version) = source.view.provenance.tool.split_once(' ').unwrap_or((&source.view.provenance.tool, "–"));
    let time = header.closed.as_millisecond();
    let framework = e.framework.unwrap_or("orgproof-coverage");
    json!({
        "class_uid": 2003, "class_name": "Compliance Finding",
        "category_uid": 2, "category_name": "Findings",
        "activity_id": 1, "activity_name": "Create",
        "type_uid": 200_301, "type_name": "Compliance Finding: Create",
        "time": time,
        "severity_id": e.severity + 1, "severity": severity,
        "status_id": 1, "status": "New",
        "message": cut(&e.description, 4096),
        "metadata": {
            "version": "1.3.0",
            "profiles": ["cloud"],
            "product": { "name": product, "vendor_name": "orgproof", "version": version },
        },
        "cloud": { "provider": "AWS", "region": region, "account": { "uid": account, "type": "AWS Account", "type_id": 10 } },
        "finding_info": {
            "uid": cut(&e.id, 4096),
            "title": cut(&e.title, 4096),
            "desc": cut(&e.description, 4096),
            "created_time": time,
            "types": ["Compliance"],
        },
        "compliance": {
            "standards": [cut(framework, 4096)],
            "requirements": [cut(e.generator, 4096)],
            "control": cut(e.generator, 4096),
            "status": status,
            "status_id": status_id,
            "status_detail": e.status.as_str(),
        },
        "remediation": { "desc": cut(&e.remedy, 8192) },
        "resources": resources(e, account),
        "unmapped": {
            "period": cut(&header.period.label, 4096),
            "run": cut(&header.run, 4096),
            "catalog_sha256": header.catalog.to_string(),
            "seal_sha256": header.evidence.last().map(ToString::to_string),
        },
    })
}

fn resources(e: &Exported<'_>, account: &str) -> Vec<Value> {
    let whole = |id: &str| json!({ "uid": id, "type": "AWS::::Account" });
    if !e.accounts.is_empty() {
        return e.accounts.iter().map(|a| whole(a)).collect();
    }
    if e.resources.is_empty() {
        return vec![whole(account)];
    }
    let one = |r: &&crate::model::ResultLine| {
        json!({
            "uid": cut(&r.resource.id, 4096),
            "type": cut(&r.resource.kind, 4096),
            "region": r.region.as_str(),
            "labels": [
                format!("account:{}", r.account),
                format!("check:{}", cut(&r.check, 1024)),
                format!("answer:{}", super::tables::name_of(r.status)),
            ],
        })
    };
    e.resources.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn only_the_satisfied_pass_and_a_gap_is_a_warning() {
        let assessment = sample::assessment();
        let files = crate::report::render("ocsf", &assessment, &sample::provenance()).unwrap();
        let lines: Vec<Value> =
            std::str::from_utf8(&files[0].1).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let with = |id: u64| lines.iter().filter(|f| f["compliance"]["status_id"] == id).count();
        let of = |s| assessment.findings.iter().filter(|f| f.status == s).count();
        let gaps = lines.len() - assessment.findings.len();
        assert_eq!(with(1), of(Status::Satisfied));
        assert_eq!(with(3), of(Status::NotSatisfied));
        assert_eq!(with(2), of(Status::NotAssessed) + gaps);
        assert_eq!(with(0), of(Status::NotApplicable));
    }
}
