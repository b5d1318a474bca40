use super::*;
use crate::policy::condition::Quantifier;

fn parse(statement: &str) -> Result<Document, Malformed> {
    Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#), Kind::ServiceControl)
}

const GOOD: &str = r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#;

#[test]
fn a_statement_may_stand_alone_or_in_an_array_and_so_may_each_value() {
    assert_eq!(parse(GOOD).unwrap().statements, parse(&format!("[{GOOD}]")).unwrap().statements);
    let listed = GOOD.replace(r#""s3:*""#, r#"["s3:*"]"#).replace(r#""*""#, r#"["*"]"#);
    assert_eq!(parse(GOOD), parse(&listed));
    assert!(parse("[]").unwrap().statements.is_empty());
}

#[test]
fn the_grammar_is_kept() {
    for (bad, part) in [
        (r#"{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}"#, "twice"),
        (r#"{"Effect":"Deny","effect":"Allow","Action":"*","Resource":"*"}"#, "twice"),
        (r#"{"effect":"Deny","Action":"*","Resource":"*"}"#, "unknown element"),
        (r#"{"Effect":"deny","Action":"*","Resource":"*"}"#, "Effect"),
        (r#"{"Action":"*","Resource":"*"}"#, "Effect is missing"),
        (r#"{"Effect":"Deny","Resource":"*"}"#, "Action or NotAction is missing"),
        (r#"{"Effect":"Deny","Action":"*"}"#, "Resource or NotResource is missing"),
        (r#"{"Effect":"Deny","Action":"*","NotAction":"*","Resource":"*"}"#, "opposite"),
        (r#"{"Effect":"Deny","Action":"*","Resource":"*","NotResource":"*"}"#, "opposite"),
        (r#"{"Effect":"Deny","Action":"s3","Resource":"*"}"#, "not an action"),
        (r#"{"Effect":"Deny","Action":7,"Resource":"*"}"#, "must be a string"),
        (r#"{"Effect":"Deny","Action":["*",null],"Resource":"*"}"#, "must be a string"),
        (r#"{"Effect":"Deny","Action":"*","Resource":""}"#, "empty"),
        (r#"{"Effect":"Deny","Action":"*","Resource":"a${aws:x"}"#, "does not end"),
        (r#"{"Effect":"Deny","Action":"*","Resource":"*","Principal":"*"}"#, "Principal"),
        (r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":[]}"#, "Condition must be an object"),
        (
            r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringSame":{"a":"b"}}}"#,
            "unknown condition operator",
        ),
        (
            r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NullIfExists":{"a":"b"}}}"#,
            "unknown condition operator",
        ),
        (r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{}}}"#, "names no condition key"),
        (r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"a":{}}}}"#, "must be a string"),
        (r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"a":"b","A":"c"}}}"#, "twice"),
        (r#"{"Effect":"Deny","NotAction":[],"Resource":"*"}"#, "no documented meaning"),
        (r#"{"Effect":"Deny","Action":"*","NotResource":[]}"#, "no documented meaning"),
        (r#"[{"Effect":"Deny","Action":"*","Resource":"*"},7]"#, "statement 1"),
        ("null", "must be an object"),
    ] {
        let error = parse(bad).expect_err(bad).to_string();
        assert!(error.contains(part), "{bad}: {error}");
    }
    for bad in ["", "[]", "null", "{}", r#"{"Version":"2012-10-17"}"#, r#"{"Statement":[],"Version":"2024-01-01"}"#] {
        assert!(Document::parse(bad, Kind::ServiceControl).is_err(), "{bad}");
    }
    assert!(parse(&format!("{GOOD}}} ,")).is_err());
}

#[test]
fn without_a_version_it_is_the_older_one() {
    let text = format!(r#"{{"Statement":{GOOD}}}"#);
    assert_eq!(Document::parse(&text, Kind::ServiceControl).unwrap().version, Version::V2008);
}

#[test]
fn resource_control_policies_name_principals() {
    let with = |principal: &str| {
        let text = format!(r#"{{"Statement":{{"Effect":"Deny",{principal}"Action":"s3:*","Resource":"*"}}}}"#);
        Document::parse(&text, Kind::ResourceControl).map(|d| d.statements[0].principals.clone().unwrap())
    };
    assert!(with("").is_err());
    assert!(with(r#""Principal":"*","#).unwrap().is_everyone());
    assert!(with(r#""Principal":{"AWS":["*"]},"#).unwrap().is_everyone());
    assert!(!with(r#""Principal":{"Service":"*"},"#).unwrap().is_everyone());
    assert!(!with(r#""NotPrincipal":"*","#).unwrap().is_everyone());
    assert!(with(r#""Principal":"me","#).is_err());
    assert!(with(r#""Principal":{"Me":"*"},"#).is_err());
}

#[test]
fn every_operator_is_read_with_its_quantifier_and_suffix_and_shown() {
    let operators = "StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike StringNotLike \
        NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals \
        DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals \
        Bool BinaryEquals IpAddress NotIpAddress ArnEquals ArnLike ArnNotEquals ArnNotLike";
    let read = |name: &str, value: &str| {
        let text =
            format!(r#"{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"{name}":{{"aws:k":{value}}}}}}}"#);
        parse(&text).unwrap().statements[0].condition.clone()
    };
    for operator in operators.split_whitespace() {
        for (prefix, quantifier) in [
            ("", Quantifier::One),
            ("ForAllValues:", Quantifier::ForAllValues),
            ("ForAnyValue:", Quantifier::ForAnyValue),
        ] {
            for suffix in ["", "IfExists"] {
                let condition = read(&format!("{prefix}{operator}{suffix}"), r#"["b",1,true]"#);
                let [test] = condition.tests.as_slice() else { panic!("one test") };
                assert_eq!(
                    (test.quantifier, test.operator, test.if_exists),
                    (quantifier, operator, suffix == "IfExists")
                );
                assert_eq!(test.values, ["1", "b", "true"]);
                assert!(condition.to_string().contains(operator));
            }
        }
    }
    assert_eq!(read("Null", "\"true\"").to_string(), "aws:k is absent: \"true\" (Null)");
    assert_eq!(
        read("ForAnyValue:StringLike", "[\"a*\"]").to_string(),
        "some value of aws:k is like \"a*\" (StringLike)"
    );
    assert_eq!(read("StringEquals", "[]").to_string(), "aws:k is (no value) (StringEquals)");
    assert_eq!(read("StringEquals", "\"a\\u001b[1m\"").to_string(), "aws:k is \"a\\u{1b}[1m\" (StringEquals)");
}
