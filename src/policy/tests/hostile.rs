//! Documents made to cost time, memory or the reader's trust.

use super::*;

/// A question's budget is counted in steps, so these end in any build; how they end matters less than that nothing is claimed.
#[test]
fn hostile_patterns_are_decided_or_given_up_within_the_budget() {
    let many: Vec<String> = (0..200).map(|i| format!("\"arn:*a{i}*b{i}?*c{i}*\"")).collect();
    let body = |effect: &str| {
        let actions = "?a*".repeat(500);
        statement(&format!(r#""Effect":"{effect}","NotAction":"s3:*{actions}b","Resource":[{}]"#, many.join(",")))
    };
    let limited = without_full(
        "ou-1",
        vec![policy("d", SCP, &body("Deny"), &["r-1"]), policy("a", SCP, &body("Allow"), &["ou-1"])],
    );
    let long = statement(&format!(
        r#""Effect":"Deny","Action":"s3:*","NotResource":["{}b","{}c","*"]"#,
        "*a".repeat(30_000),
        "?a*".repeat(20_000)
    ));
    let one =
        |i: u32| format!(r#"{{"Effect":"Deny","Action":"s3:*","Resource":["*a{i}*b{i}?*c*","*b??????????????{i}*"]}}"#);
    let statements = (0..1500).map(one).collect::<Vec<_>>().join(",");
    let crowd = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let crowded = organization(vec![policy("crowd", SCP, &crowd, &["r-1"]), policy("long", SCP, &long, &["ou-2"])]);
    for (organization, action) in
        [(&limited, "s3:GetObject"), (&limited, "*a*:*b*?c*"), (&crowded, "s3:GetObject"), (&crowded, "s3:*")]
    {
        let answer = ask(organization, action);
        assert!(matches!(answer, Guard::DeniedConditionally { .. } | Guard::Unknown { .. }), "{action}: {answer:?}");
    }
}

/// Forty patterns whose product has some 2^80 states.
fn entangled() -> String {
    (0..40).map(|i| format!("\"*a{i}x*b{i}y*\"")).collect::<Vec<_>>().join(",")
}

#[test]
fn what_is_too_entangled_to_decide_is_unknown_and_never_left_out() {
    // Every short string and every likely one matches, so that only the walk could tell, and it cannot end.
    let short: Vec<String> = (1..30).map(|n| format!("\"{}\"", "?".repeat(n))).collect();
    for sense in ["Resource", "NotResource"] {
        let deny =
            statement(&format!(r#""Effect":"Deny","Action":"s3:*","{sense}":[{},{}]"#, short.join(","), entangled()));
        let alone = organization(vec![policy("hard", SCP, &deny, &["r-1"])]);
        assert!(unknown(ask(&alone, "s3:GetObject")).contains("p-hard"), "{sense}");
        assert_eq!(ask(&alone, "ec2:RunInstances"), Guard::NotDenied, "{sense}");
        let plain = statement(r#""Effect":"Deny","Action":"s3:Get*","Resource":"*""#);
        let both = organization(vec![policy("hard", SCP, &deny, &["r-1"]), policy("plain", SCP, &plain, &["ou-2"])]);
        assert_eq!(denied_by(ask(&both, "s3:GetObject"))[0].policy.as_deref(), Some("p-plain"));
    }
}

#[test]
fn many_patterns_of_the_usual_kind_are_no_obstacle() {
    let deny = statement(&format!(r#""Effect":"Deny","Action":"s3:*","Resource":[{}]"#, entangled()));
    let rest = deny.replace("\"Resource\"", "\"NotResource\"");
    let one = organization(vec![policy("one", SCP, &deny, &["r-1"])]);
    conditions(ask(&one, "s3:GetObject"));
    conditions(ask(&one, "*"));
    let all_but_one = rest.replace("\"*a39x*b39y*\"", "\"arn:aws:s3:::spared\"");
    let both = organization(vec![policy("one", SCP, &deny, &["r-1"]), policy("rest", SCP, &all_but_one, &["ou-1"])]);
    conditions(ask(&both, "s3:GetObject"));
}

#[test]
fn documents_that_are_too_deep_or_too_long_are_malformed() {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = statement(&format!(r#""Effect":"Deny","Action":"s3:*","Resource":"{}""#, "a".repeat(300_000)));
    for bad in [nested, long] {
        assert!(Document::parse(&bad, Kind::ServiceControl).is_err());
    }
}

proptest::proptest! {
    /// Whatever the bytes, a document is read or refused, and what was refused is never concluded from.
    #[test]
    fn no_document_panics_and_no_malformed_one_is_concluded_from(text in document_like()) {
        let read = Document::parse(&text, Kind::ServiceControl);
        let answer = ask(&organization(vec![policy("any", SCP, &text, &["ou-1"])]), "s3:*");
        proptest::prop_assert_eq!(read.is_err(), matches!(answer, Guard::Unknown { .. }), "{:?}", answer);
    }
}

/// Mostly good documents with pieces replaced, some of them by nonsense.
fn document_like() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let value = prop_oneof![
        3 => "\"[as3:*?${}]{0,6}\"",
        3 => Just("\"s3:*\"".to_owned()),
        1 => Just("[]".to_owned()),
        1 => Just("[\"*\",\"a:b\"]".to_owned()),
        1 => Just("{\"Bool\":{\"a\":\"true\"}}".to_owned()),
        1 => Just("null".to_owned()),
    ];
    let key =
        prop::sample::select(vec!["Action", "NotAction", "Resource", "NotResource", "Condition", "Sid", "Principal"]);
    (prop::collection::vec((key, value), 1..4), "[ -~]{0,3}").prop_map(|(entries, tail)| {
        let entries: Vec<String> = entries.into_iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":{{\"Effect\":\"Deny\",{}}}}}{}",
            entries.join(","),
            tail.trim_start_matches(|c| c != '}')
        )
    })
}
