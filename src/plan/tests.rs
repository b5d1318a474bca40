use std::collections::BTreeMap;

use super::*;
use crate::model::{OrganizationalUnit, Root};

fn config(change: impl Fn(String) -> String) -> Config {
    Config::parse(change(crate::config::TEMPLATE.to_owned()).into_bytes(), "orgproof.toml").unwrap()
}

fn organization(states: &[AccountState]) -> Organization {
    let accounts = states
        .iter()
        .enumerate()
        .map(|(n, state)| Account {
            id: format!("{:012}", n + 1).parse().unwrap(),
            name: format!("a{n}"),
            state: *state,
            parent: Some(if n % 2 == 0 { "ou-1".into() } else { "r-1".into() }),
            tags: BTreeMap::from([("env".to_owned(), if n == 1 { "dev".into() } else { "prod".to_owned() })]),
            evidence: None,
        })
        .collect();
    Organization {
        id: "o-1".into(),
        management_account: "000000000001".parse().unwrap(),
        feature_set: "ALL".into(),
        roots: vec![Root { id: "r-1".into(), policy_types: Vec::new() }],
        units: vec![OrganizationalUnit { id: "ou-1".into(), name: "u".into(), parent: "r-1".into() }],
        accounts,
        policies: Vec::new(),
        services: Vec::new(),
    }
}

const AUDIT: &str = "000000000001";

#[test]
fn every_account_has_every_task_whatever_its_state() {
    use AccountState::{Active, Closed, PendingActivation, PendingClosure, Suspended, Unknown};
    let states = [Active, PendingActivation, Suspended, PendingClosure, Closed, Unknown];
    let plan = build(&config(|t| t), &organization(&states), &AUDIT.parse().unwrap(), &[]);
    for n in 1..=states.len() {
        let account: AccountId = format!("{n:012}").parse().unwrap();
        for collector in Collector::ALL.into_iter().filter(|c| c.scope() == Scope::Target) {
            let tasks: Vec<_> =
                plan.tasks.iter().filter(|t| t.account == account && t.collector == collector).collect();
            assert_eq!(tasks.len(), 2, "one a Region");
            assert!(tasks.iter().all(|t| t.out_of_scope.is_none() == matches!(states[n - 1], Active | Unknown)));
        }
    }
    let mut sorted = plan.tasks.iter().map(|t| t.task.clone()).collect::<Vec<_>>();
    sorted.sort();
    sorted.dedup();
    assert!(sorted.iter().eq(plan.tasks.iter().map(|t| &t.task)), "sorted, each once");
}

#[test]
fn exclusions_keep_the_account_in_the_plan_with_person_and_reason() {
    for (rule, excluded) in [
        ("account = \"000000000003\"", vec![3]),
        ("ou = \"ou-1\"", vec![1, 3]),
        ("tag = \"env=dev\"", vec![2]),
        ("ou = \"ou-unknown\"", vec![]),
    ] {
        let entry = format!("= [{{ {rule}, by = \"sec@example.com\", why = \"sandbox\" }}] #");
        let config = config(|t| t.replace("= []                          #", &entry));
        let plan = build(
            &config,
            &organization(&[AccountState::Active, AccountState::Active, AccountState::Active]),
            &AUDIT.parse().unwrap(),
            &[],
        );
        let mut found: Vec<u64> = plan
            .tasks
            .iter()
            .filter(|t| matches!(&t.out_of_scope, Some(ScopeReason::Excluded { by, why, .. }) if by == "sec@example.com" && why == "sandbox"))
            .map(|t| t.account.as_str().parse().unwrap())
            .collect();
        found.dedup();
        assert_eq!(found, excluded, "{rule}");
    }
}

#[test]
fn with_all_regions_only_the_home_region_counts_as_named() {
    let config = config(|t| t.replace("[\"us-east-1\", \"eu-west-1\"]", "[\"all\"]"));
    let known: Vec<Region> = ["af-south-1", "us-east-1"].map(|r| r.parse().unwrap()).to_vec();
    let plan = build(&config, &organization(&[AccountState::Active]), &AUDIT.parse().unwrap(), &known);
    for task in &plan.tasks {
        assert_eq!(task.region_named, task.region.as_str() == "us-east-1", "{}", task.task);
    }
    assert!(plan.tasks.iter().any(|t| t.region.as_str() == "af-south-1"));
}

#[test]
fn large_estates_are_read_inside_the_accounts_small_ones_from_the_aggregated_view() {
    let mode = |accounts: usize, reading: &str| {
        let config = config(|t| t.replace("compliance   = \"auto\"", &format!("compliance = \"{reading}\"")));
        let plan = build(&config, &organization(&vec![AccountState::Active; accounts]), &AUDIT.parse().unwrap(), &[]);
        plan.tasks.iter().find(|t| t.collector == Collector::ConfigCompliance).unwrap().mode
    };
    assert_eq!(mode(12, "auto"), Mode::Central);
    assert_eq!(mode(2000, "auto"), Mode::FanOut);
    assert_eq!(mode(12, "fan-out"), Mode::FanOut);
    assert_eq!(mode(2000, "central"), Mode::Central);
}

#[test]
fn out_of_scope_accounts_cost_no_calls_beyond_being_listed() {
    let cost = |states: &[AccountState]| {
        let plan = build(&config(|t| t), &organization(states), &AUDIT.parse().unwrap(), &[]);
        plan.budget.services.iter().find(|s| s.service == "config").unwrap().calls
    };
    assert_eq!(cost(&[AccountState::Active]), cost(&[AccountState::Active, AccountState::Suspended]));
    assert!(cost(&[AccountState::Active; 2]) > cost(&[AccountState::Active]));
}
