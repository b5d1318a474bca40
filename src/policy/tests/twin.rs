//! A second reading of the rules, slow and obvious: every action, resource and outcome of the conditions of a small world is tried
//! one by one, with a matcher that follows the definition. Generated trees and policies must get the same answer from both.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Chains compared in one run of the test; `PROPTEST_CASES` raises it.
const CASES: u32 = 600;

#[derive(Debug, Clone)]
struct Rule {
    allow: bool,
    not_actions: bool,
    actions: Vec<String>,
    not_resources: bool,
    resources: Vec<String>,
    condition: Option<u8>,
}

/// Policies of each node, root first; each policy is a list of statements.
type Tree = Vec<Vec<Vec<Rule>>>;

fn matches(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|n| matches(rest, &text[n..])),
        Some(('?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
        Some((c, rest)) => text.first() == Some(c) && matches(rest, &text[1..]),
    }
}

fn any_matches(patterns: &[String], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    patterns.iter().any(|p| matches(&p.chars().collect::<Vec<_>>(), &text))
}

/// All strings over `letters` with up to `longest` of them, but not the empty one.
fn strings(letters: &str, longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..longest {
        let to = all.len();
        for i in from..to {
            all.extend(letters.chars().map(|c| format!("{}{c}", all[i])).collect::<Vec<_>>());
        }
        from = to;
    }
    all.split_off(1)
}

fn world() -> (Vec<String>, Vec<String>) {
    // z, u and ww are named by no pattern: what only "everything else" covers.
    let names = strings("abz", 3);
    let actions =
        ["s", "t", "u", "ww"].iter().flat_map(|service| names.iter().map(move |name| format!("{service}:{name}")));
    (actions.collect(), strings("abz", 5))
}

/// What is denied of the query: (something, everything).
fn slow(tree: &Tree, query: &str, world: &(Vec<String>, Vec<String>)) -> (bool, bool) {
    let query = vec![query.to_lowercase()];
    let rules: Vec<(usize, &Rule)> =
        tree.iter().enumerate().flat_map(|(n, policies)| policies.iter().flatten().map(move |r| (n, r))).collect();
    let by_resource: Vec<Vec<bool>> = world
        .1
        .iter()
        .map(|text| rules.iter().map(|(_, r)| any_matches(&r.resources, text) != r.not_resources).collect())
        .collect();
    let (mut some, mut all) = (false, true);
    for action in world.0.iter().filter(|a| any_matches(&query, a)) {
        let lower = |list: &[String]| list.iter().map(|p| p.to_lowercase()).collect::<Vec<_>>();
        let speaks: Vec<bool> =
            rules.iter().map(|(_, r)| any_matches(&lower(&r.actions), action) != r.not_actions).collect();
        for resources in &by_resource {
            for holding in 0..8u8 {
                let mut allowed_at = vec![false; tree.len()];
                let mut denied = false;
                for (i, (node, rule)) in rules.iter().enumerate() {
                    let holds = rule.condition.is_none_or(|c| holding & (1 << c) != 0);
                    if speaks[i] && resources[i] && holds {
                        if rule.allow {
                            allowed_at[*node] = true;
                        } else {
                            denied = true;
                        }
                    }
                }
                denied |= allowed_at.contains(&false);
                some |= denied;
                all &= denied;
                if some && !all {
                    return (some, all);
                }
            }
        }
    }
    (some, all)
}

fn document(rules: &[Rule]) -> String {
    let statements: Vec<serde_json::Value> = rules
        .iter()
        .map(|r| {
            let mut object = BTreeMap::from([
                ("Effect", serde_json::json!(if r.allow { "Allow" } else { "Deny" })),
                (if r.not_actions { "NotAction" } else { "Action" }, serde_json::json!(r.actions)),
                (if r.not_resources { "NotResource" } else { "Resource" }, serde_json::json!(r.resources)),
            ]);
            if let Some(c) = r.condition {
                object.insert("Condition", serde_json::json!({"StringLike": {format!("k:{c}"): "v"}}));
            }
            serde_json::json!(object)
        })
        .collect();
    serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn organization_of(tree: &Tree) -> Organization {
    let nodes = ["r-1", "ou-1", "ou-2", MEMBER];
    let mut made = organization(Vec::new());
    made.policies.clear();
    made.units.retain(|u| tree.len() > 2 && (tree.len() > 3 || u.id == "ou-1"));
    made.accounts[1].parent = Some(nodes[tree.len() - 2].to_owned());
    for (n, policies) in tree.iter().enumerate() {
        let node = if n + 1 == tree.len() { MEMBER } else { nodes[n] };
        for (p, rules) in policies.iter().enumerate() {
            made.policies.push(policy(&format!("{n}-{p}"), SCP, &document(rules), &[node]));
        }
    }
    made
}

fn action_pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("*".to_owned()),
        1 => Just("s:*".to_owned()),
        1 => Just("T:*".to_owned()),
        4 => ("[sSt?*]", "[abAB?*]{1,2}").prop_map(|(service, name)| format!("{service}:{name}")),
    ]
}

fn resource_pattern() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just("*".to_owned()), 3 => "[ab?*]{1,3}"]
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        any::<bool>(),
        prop::bool::weighted(0.3),
        prop::collection::vec(action_pattern(), 1..3),
        prop::bool::weighted(0.3),
        prop::collection::vec(resource_pattern(), 1..3),
        prop::option::weighted(0.3, 0..3u8),
    )
        .prop_map(|(allow, not_actions, actions, not_resources, resources, condition)| Rule {
            allow,
            not_actions,
            actions,
            not_resources,
            resources,
            condition,
        })
}

/// Statements of a policy: often full access, as in life, or every answer would be "denied".
fn policy_of_rules() -> impl Strategy<Value = Vec<Rule>> {
    let full = Rule {
        allow: true,
        not_actions: false,
        actions: vec!["*".to_owned()],
        not_resources: false,
        resources: vec!["*".to_owned()],
        condition: None,
    };
    prop_oneof![2 => Just(vec![full]), 3 => prop::collection::vec(rule(), 1..3)]
}

fn tree() -> impl Strategy<Value = Tree> {
    prop::collection::vec(prop::collection::vec(policy_of_rules(), 1..3), 2..5)
}

#[test]
fn the_analysis_agrees_with_its_slow_twin() {
    let world = world();
    let cases = CASES.max(ProptestConfig::default().cases);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let answers = std::cell::RefCell::new([0u32; 3]);
    let query = prop_oneof![2 => "[sStT]:[abAB]{1,2}", 2 => action_pattern()];
    runner
        .run(&(tree(), query), |(tree, query)| {
            let organization = organization_of(&tree);
            let quick = ask(&organization, &query);
            let expected = slow(&tree, &query, &world);
            let (place, got) = match &quick {
                Guard::Denied { by } => {
                    prop_assert!(!by.is_empty());
                    (0, (true, true))
                }
                Guard::DeniedConditionally { by, conditions } => {
                    prop_assert!(!by.is_empty() && by.len() == conditions.len());
                    (1, (true, false))
                }
                Guard::NotDenied => (2, (false, false)),
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            };
            answers.borrow_mut()[place] += 1;
            prop_assert_eq!(got, expected, "{:?}", quick);
            Ok(())
        })
        .unwrap();
    let answers = answers.into_inner();
    assert!(answers.iter().all(|n| *n >= cases / 20), "each answer must be well represented: {answers:?}");
}

/// Puts a variable into some resources.
fn with_variables(mut tree: Tree, chosen: u16) -> Tree {
    let rules = tree.iter_mut().flatten().flatten();
    for (i, resource) in rules.flat_map(|r| r.resources.iter_mut()).enumerate() {
        if chosen & (1 << (i % 16)) != 0 {
            resource.push_str("${aws:v}");
        }
    }
    tree
}

/// A variable's value is not known: what is claimed must hold for each.
#[test]
fn whatever_a_variable_stands_for_nothing_false_is_claimed() {
    let world = world();
    let cases = (CASES / 3).max(ProptestConfig::default().cases);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&(tree(), any::<u16>(), "[st]:[ab]"), |(tree, chosen, query)| {
            let tree = with_variables(tree, chosen);
            let answer = ask(&organization_of(&tree), &query);
            for value in ["", "a", "bb", "z"] {
                let mut given = tree.clone();
                for resource in given.iter_mut().flatten().flatten().flat_map(|r| r.resources.iter_mut()) {
                    *resource = resource.replace("${aws:v}", value);
                }
                let (some, all) = slow(&given, &query, &world);
                match &answer {
                    Guard::Denied { .. } => prop_assert!(all),
                    Guard::NotDenied => prop_assert!(!some),
                    Guard::DeniedConditionally { .. } => {}
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                }
            }
            Ok(())
        })
        .unwrap();
}

proptest! {
    /// The matcher agrees with the definition on longer texts than the small world has.
    #[test]
    fn the_matcher_agrees_with_the_definition(pattern in "[ab?*]{0,8}", text in "[ab]{0,12}") {
        let expected = any_matches(std::slice::from_ref(&pattern), &text);
        prop_assert_eq!(Pattern::resource(&pattern, Version::V2012).matches(&text), expected);
        prop_assert_eq!(Pattern::action(&pattern).matches(&text), expected);
    }
}
