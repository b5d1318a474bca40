//! Laws of the OSCAL form.

use super::*;
use crate::report::sample;

fn collect(value: &Value, wanted: &dyn Fn(&str) -> bool, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            into.extend(value.as_str().filter(|_| wanted(key)).map(str::to_owned));
            collect(value, wanted, into);
        }),
        Value::Array(values) => values.iter().for_each(|v| collect(v, wanted, into)),
        _ => {}
    }
}

fn document() -> Value {
    let files = crate::report::render("oscal", &sample::assessment(), &sample::provenance()).unwrap();
    serde_json::from_slice(&files[0].1).unwrap()
}

#[test]
fn every_reference_leads_to_something_and_no_id_occurs_twice() {
    let document = document();
    let (mut ids, mut references) = (Vec::new(), Vec::new());
    collect(&document, &|key| key == "uuid", &mut ids);
    collect(&document, &|key| key.ends_with("-uuid"), &mut references);
    let mut links = Vec::new();
    collect(&document, &|key| key == "href", &mut links);
    references.extend(links.iter().filter_map(|l| l.strip_prefix('#')).map(str::to_owned));
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
    assert!(references.len() > 100);
    assert!(references.iter().all(|r| unique.contains(r)));
}

#[test]
fn a_requirement_that_was_not_assessed_is_never_satisfied() {
    let document = document();
    let findings = document["assessment-results"]["results"][0]["findings"].as_array().unwrap();
    let mut seen = BTreeMap::new();
    for (finding, ours) in findings.iter().zip(&sample::assessment().findings) {
        let target = &finding["target"];
        assert_eq!(target["props"][0]["value"], ours.status.as_str());
        let shown = (target["status"]["state"].as_str().unwrap(), target["status"]["reason"].as_str().unwrap());
        seen.insert(ours.status, (shown.0.to_owned(), shown.1.to_owned()));
    }
    let shown = |status| seen.get(&status).map(|(state, reason)| (state.as_str(), reason.as_str()));
    assert_eq!(shown(Status::Satisfied), Some(("satisfied", "pass")));
    assert_eq!(shown(Status::NotSatisfied), Some(("not-satisfied", "fail")));
    assert_eq!(shown(Status::NotAssessed), Some(("not-satisfied", "other")));
    assert_eq!(shown(Status::NotApplicable), Some(("satisfied", "other")));
}
