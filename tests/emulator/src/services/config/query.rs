//! Advanced queries: the subset of SQL that asks for compliance, on one target or over the aggregator.

use serde_json::{Map, Value, json};

use super::{aggregate, rules};
use crate::{
    call::{Call, iso},
    estate::Estate,
    wire::{Answer, AwsError},
};

const COMPLIANCE: &str = "AWS::Config::ResourceCompliance";

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
struct Query {
    columns: Vec<String>,
    conditions: Vec<Condition>,
}

/// `column = 'value'`, `column <> 'value'` or `column IN ('a', 'b')`.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    column: String,
    values: Vec<String>,
    negated: bool,
}

pub(super) fn local(call: &Call<'_>) -> Answer {
    let size = call.page_size("Limit", 25, 100)?;
    let query = parse(call.required("Expression")?)?;
    let estate = rules::estate(call);
    let items = rows(call, &query, &estate);
    let (items, token) = call.page(items, size)?;
    Ok(answer(&query, items, token))
}

pub(super) fn aggregate(call: &Call<'_>) -> Answer {
    let limit = if call.params.get("MaxResults").is_some() { "MaxResults" } else { "Limit" };
    let size = call.page_size(limit, 25, 100)?;
    let query = parse(call.required("Expression")?)?;
    aggregate::named(call)?;
    let mut targets: Vec<_> = call.world.sources().iter().collect();
    targets.retain(|(account, region, source)| {
        source != "FAILED" && query.may_hold("accountId", account) && query.may_hold("awsRegion", region)
    });
    let (items, token) = call.page_through(targets.len(), size, |n| {
        targets
            .get(n)
            .map(|(account, region, _)| rows(call, &query, &Estate::of(call.world, account, region)))
            .unwrap_or_default()
    })?;
    Ok(answer(&query, items, token))
}

fn answer(query: &Query, items: Vec<Value>, token: Option<String>) -> Value {
    let results: Vec<_> = items.iter().map(|i| json!(i.to_string())).collect();
    let fields: Vec<_> = query.columns.iter().map(|c| json!({"Name": c})).collect();
    let mut answer = json!({"Results": results, "QueryInfo": {"SelectFields": fields}});
    if let Some(token) = token {
        answer["NextToken"] = json!(token);
    }
    answer
}

/// Returns the rows of one target that the query selects, cut to its columns.
fn rows(call: &Call<'_>, query: &Query, estate: &Estate<'_>) -> Vec<Value> {
    let items = if query.may_hold("resourceType", COMPLIANCE) {
        compliance_items(call, estate)
    } else {
        resource_items(call, estate)
    };
    items.iter().filter(|item| query.selects(item)).map(|item| query.cut(item)).collect()
}

fn common(call: &Call<'_>, estate: &Estate<'_>, kind: &str, id: &str, at: jiff::Timestamp) -> Value {
    json!({
        "accountId": estate.account, "awsRegion": estate.region, "resourceType": kind, "resourceId": id,
        "configurationItemCaptureTime": iso(at), "configurationItemStatus": "OK", "version": "1.3",
        "resourceCreationTime": iso(call.world.founded),
    })
}

/// One item a resource, with all its rules; nothing where the recorder is off or leaves the type out.
fn compliance_items(call: &Call<'_>, estate: &Estate<'_>) -> Vec<Value> {
    if estate.state.not_recorded.iter().any(|k| k == COMPLIANCE) {
        return Vec::new();
    }
    let rules = estate.rules();
    let (partition, account, region) = (call.world.partition(), estate.account, estate.region);
    let mut lists: Vec<Vec<Value>> = vec![Vec::new(); estate.resources.len()];
    for rule in &rules {
        for (resource, verdict) in estate.evaluate(rule) {
            let at = estate.resources.iter().position(|r| std::ptr::eq(r, resource));
            let Some(list) = at.and_then(|n| lists.get_mut(n)) else { continue };
            if verdict.compliance == "COMPLIANT" || verdict.compliance == "NON_COMPLIANT" {
                list.push(json!({
                    "configRuleName": rule.name, "configRuleArn": rule.arn(partition, account, region),
                    "configRuleId": rule.id(account, region), "complianceType": verdict.compliance,
                }));
            }
        }
    }
    let items = estate.resources.iter().zip(lists).filter(|(_, list)| !list.is_empty()).map(|(resource, list)| {
        let bad = list.iter().any(|r| r["complianceType"] == "NON_COMPLIANT");
        let at = rules::since(call, "item", &resource.arn);
        let mut item = common(call, estate, COMPLIANCE, &format!("{}/{}", resource.kind, resource.id), at);
        item["configuration"] = json!({
            "targetResourceId": resource.id, "targetResourceType": resource.kind,
            "complianceType": if bad { "NON_COMPLIANT" } else { "COMPLIANT" }, "configRuleList": list,
        });
        item
    });
    items.collect()
}

fn resource_items(call: &Call<'_>, estate: &Estate<'_>) -> Vec<Value> {
    if !estate.evaluates() {
        return Vec::new();
    }
    let recorded = estate
        .resources
        .iter()
        .filter(|r| r.kind != crate::controls::ACCOUNT && !estate.state.not_recorded.contains(&r.kind));
    let items = recorded.map(|resource| {
        let mut item = common(call, estate, &resource.kind, &resource.id, rules::since(call, "item", &resource.arn));
        item["resourceName"] = json!(resource.name);
        item["arn"] = json!(resource.arn);
        item
    });
    items.collect()
}

impl Query {
    /// Returns whether an equality on the column leaves the value in.
    fn may_hold(&self, column: &str, value: &str) -> bool {
        let on = self.conditions.iter().filter(|c| c.column.eq_ignore_ascii_case(column));
        on.into_iter().all(|c| c.values.iter().any(|v| v == value) != c.negated)
    }

    fn selects(&self, item: &Value) -> bool {
        self.conditions.iter().all(|c| {
            let have = values_at(item, &c.column);
            have.iter().any(|h| c.values.iter().any(|v| v == h)) != c.negated
        })
    }

    fn cut(&self, item: &Value) -> Value {
        let mut out = json!({});
        for column in &self.columns {
            if column == "*" {
                let scalars = item.as_object().into_iter().flatten().filter(|(_, v)| !v.is_object() && !v.is_array());
                for (name, value) in scalars {
                    out[name] = value.clone();
                }
            } else {
                copy(item, &mut out, &column.split('.').collect::<Vec<_>>());
            }
        }
        out
    }
}

/// Copies one column, through objects and arrays alike.
fn copy(from: &Value, to: &mut Value, path: &[&str]) {
    let [first, rest @ ..] = path else { return };
    let Some(source) = from.get(first) else { return };
    if rest.is_empty() {
        to[*first] = source.clone();
        return;
    }
    if let Some(list) = source.as_array() {
        if !to[*first].is_array() {
            to[*first] = vec![Value::Object(Map::new()); list.len()].into();
        }
        if let Some(targets) = to[*first].as_array_mut() {
            list.iter().zip(targets).for_each(|(s, t)| copy(s, t, rest));
        }
    } else {
        if !to[*first].is_object() {
            to[*first] = json!({});
        }
        copy(source, &mut to[*first], rest);
    }
}

fn values_at(item: &Value, column: &str) -> Vec<String> {
    let mut at = vec![item];
    for part in column.split('.') {
        at = at
            .into_iter()
            .flat_map(|v| v.as_array().map_or_else(|| vec![v], |l| l.iter().collect()))
            .filter_map(|v| v.get(part))
            .collect();
    }
    at.into_iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

fn bad(expression: &str) -> AwsError {
    AwsError::new("InvalidExpressionException", format!("Unable to parse the expression: {expression}"))
}

/// Splits into words, quoted texts and punctuation.
fn tokens(expression: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => rest[1..].find(first)? + 2,
            ',' | '(' | ')' | '=' | '*' => 1,
            '<' | '!' => 2,
            _ => rest.find(|c: char| c.is_whitespace() || ",()=<!'\"".contains(c)).unwrap_or(rest.len()),
        };
        out.push(rest.get(..length)?.to_owned());
        rest = rest[length..].trim_start();
    }
    Some(out)
}

fn parse(expression: &str) -> Result<Query, AwsError> {
    if expression.len() > 4096 {
        return Err(bad("longer than 4096 characters"));
    }
    tokens(expression).and_then(|words| parse_words(&words)).ok_or_else(|| bad(expression))
}

fn parse_words(words: &[String]) -> Option<Query> {
    let mut words = words.iter().map(String::as_str).peekable();
    let is = |word: &str, keyword: &str| word.eq_ignore_ascii_case(keyword);
    words.next().filter(|w| is(w, "SELECT"))?;
    let mut columns = Vec::new();
    loop {
        columns.push(words.next()?.to_owned());
        match words.next() {
            Some(",") => {}
            Some(word) if is(word, "WHERE") => break,
            None => return Some(Query { columns, conditions: Vec::new() }),
            _ => return None,
        }
    }
    let mut conditions = Vec::new();
    loop {
        let column = words.next()?.to_owned();
        let (values, negated) = match words.next()? {
            "=" => (vec![literal(words.next()?)?], false),
            "<>" | "!=" => (vec![literal(words.next()?)?], true),
            word if is(word, "IN") => (list(&mut words)?, false),
            _ => return None,
        };
        conditions.push(Condition { column, values, negated });
        match words.next() {
            Some(word) if is(word, "AND") => {}
            Some(word) if is(word, "ORDER") => break,
            None => break,
            _ => return None,
        }
    }
    Some(Query { columns, conditions })
}

fn list<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    words.next().filter(|w| *w == "(")?;
    let mut values = Vec::new();
    loop {
        values.push(literal(words.next()?)?);
        match words.next()? {
            "," => {}
            ")" => return Some(values),
            _ => return None,
        }
    }
}

fn literal(word: &str) -> Option<String> {
    let inner = word.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auditors_query_is_understood_and_what_is_no_query_is_refused() {
        let query = parse(
            "SELECT accountId, configuration.configRuleList.configRuleName WHERE resourceType = 'AWS::Config::ResourceCompliance' \
             AND accountId='123456789012' AND awsRegion IN ('eu-west-1', 'us-east-1')",
        )
        .unwrap();
        assert_eq!(query.columns.len(), 2);
        assert!(query.may_hold("accountId", "123456789012") && !query.may_hold("accountId", "999999999999"));
        assert!(query.may_hold("awsRegion", "eu-west-1") && !query.may_hold("awsRegion", "eu-west-2"));
        for wrong in [
            "SELECT",
            "SELECT a WHERE",
            "SELECT a WHERE b = c",
            "DELETE x",
            "SELECT a FROM b",
            "SELECT a WHERE b IN ('x'",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn columns_below_lists_keep_their_elements_together() {
        let item = json!({"configuration": {"list": [{"a": 1, "b": 2}, {"a": 3, "b": 4}], "c": 5}, "d": 6});
        let cut = |columns: &[&str]| {
            Query { columns: columns.iter().map(|c| (*c).to_owned()).collect(), conditions: vec![] }.cut(&item)
        };
        assert_eq!(
            cut(&["configuration.list.a", "configuration.list.b"]),
            json!({"configuration": {"list": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}})
        );
        assert_eq!(cut(&["*"]), json!({"d": 6}));
    }
}
