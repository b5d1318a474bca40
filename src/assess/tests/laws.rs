//! Properties over generated evidence.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    model::{Collector, Mode},
    observe::fixture::{self, ASKED, REGIONS, World, task},
};

const KINDS: [&str; 5] = ["COMPLIANT", "COMPLIANT", "NON_COMPLIANT", "INSUFFICIENT_DATA", "NOT_APPLICABLE"];
const FINDINGS: [(&str, &str); 5] =
    [("PASSED", "NEW"), ("PASSED", "RESOLVED"), ("FAILED", "NEW"), ("FAILED", "SUPPRESSED"), ("WARNING", "NEW")];

/// For each of the six targets: rows as (bucket, kind), findings, and the state in which compliance ended.
type Shape = Vec<(Vec<(u8, usize)>, Vec<usize>, usize)>;

fn shapes() -> impl Strategy<Value = Shape> {
    let rows = proptest::collection::vec((0..3_u8, 0..KINDS.len()), 0..4);
    let findings = proptest::collection::vec(0..FINDINGS.len(), 0..3);
    proptest::collection::vec((rows, findings, prop_oneof![9 => Just(0_usize), 1 => 0..14_usize]), 6)
}

fn world(shape: &Shape) -> World {
    let mut world = World::new(Mode::FanOut);
    let targets = ASKED.iter().flat_map(|a| REGIONS.map(|r| (*a, r)));
    for ((account, region), (rows, findings, state)) in targets.zip(shape) {
        let items: Vec<_> = rows
            .iter()
            .map(|(bucket, kind)| fixture::item(account, region, &format!("b{bucket}"), &[("our-s3", KINDS[*kind])]))
            .collect();
        let compliance = task(account, region, Collector::ConfigCompliance);
        world.set(&compliance, "SelectResourceConfig", &json!({"Results": items}));
        world.close(&compliance, crate::model::CoverageState::ALL[*state]);
        let findings: Vec<_> =
            findings.iter().map(|f| fixture::finding(account, region, FINDINGS[*f].0, FINDINGS[*f].1)).collect();
        let id = task(account, region, Collector::SecurityhubFindings);
        world.set(&id, "GetFindings", &json!({"Findings": findings}));
    }
    world
}

/// How good a verdict is.
fn goodness(status: Status) -> u8 {
    match status {
        Status::NotSatisfied => 0,
        Status::NotAssessed => 1,
        Status::NotApplicable => 2,
        Status::Satisfied => 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn satisfied_means_that_every_answer_was_there_and_right(shape in shapes()) {
        let assessment = assessed(&world(&shape));
        let gap = shape.iter().any(|(_, _, state)| !matches!(state, 0 | 1 | 9));
        // (9 is region-disabled, unnamed: outside the population.)
        let kinds = || shape.iter().flat_map(|(rows, _, _)| rows.iter().map(|(_, kind)| KINDS[*kind]));
        let (rule, _) = verdict(&assessment, RULE);
        if rule == Status::Satisfied {
            prop_assert!(!gap);
            prop_assert!(kinds().all(|k| k == "COMPLIANT" || k == "NOT_APPLICABLE"));
            prop_assert!(kinds().any(|k| k == "COMPLIANT"));
        }
        if kinds().any(|k| k == "NON_COMPLIANT") {
            prop_assert_eq!(rule, Status::NotSatisfied);
        }
        let findings = || shape.iter().flat_map(|(_, findings, _)| findings.iter().map(|f| FINDINGS[*f]));
        if verdict(&assessment, CONTROL).0 == Status::Satisfied {
            prop_assert!(findings().all(|(compliance, _)| compliance == "PASSED"));
            prop_assert!(findings().next().is_some());
        }
    }

    #[test]
    fn a_further_failure_never_improves_a_verdict(shape in shapes(), target in 0..6_usize) {
        let before = assessed(&world(&shape));
        let mut worse = shape;
        worse[target].0.push((9, 2));
        worse[target].1.push(2);
        let after = assessed(&world(&worse));
        for (one, other) in before.findings.iter().zip(&after.findings) {
            prop_assert!(goodness(other.status) <= goodness(one.status), "{}: {} -> {}", one.requirement, one.why, other.why);
        }
        prop_assert_eq!(verdict(&after, RULE).0, Status::NotSatisfied);
    }

    #[test]
    fn the_order_of_tasks_changes_no_byte(
        (shape, order) in shapes().prop_flat_map(|shape| {
            let tasks = world(&shape).attempts.len();
            (Just(shape), Just((0..tasks).collect::<Vec<_>>()).prop_shuffle())
        })
    ) {
        let world = world(&shape);
        let one = results_files(&judge(&world, &world.observe())).unwrap();
        let other = results_files(&judge(&world, &world.observe_in(&order))).unwrap();
        prop_assert_eq!(&one, &other);
        let in_memory = results_files(&judge(&world, &world.observe_holding(&order, 1 << 30))).unwrap();
        prop_assert_eq!(one, in_memory, "whether it fits into memory changes no byte either");
    }

    #[test]
    fn answers_twice_recorded_count_once(shape in shapes()) {
        let world = world(&shape);
        let mut twice = world.clone();
        for attempts in twice.attempts.values_mut() {
            // Every page again after a throttled attempt: the repeat is what a retry leaves behind.
            let mut throttled = attempts[0].clone();
            throttled.error = Some("ThrottlingException");
            attempts.push(throttled);
            attempts.extend(attempts.clone());
        }
        let status = |world: &World| assessed(world).findings.into_iter().map(|f| (f.requirement, f.status, f.counts)).collect::<Vec<_>>();
        prop_assert_eq!(status(&world), status(&twice));
    }

    #[test]
    fn an_answer_cut_short_anywhere_satisfies_nothing_that_needs_it(
        task in any::<prop::sample::Index>(),
        attempt in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        central in any::<bool>(),
    ) {
        let mut world = World::new(if central { Mode::Central } else { Mode::FanOut });
        let ids: Vec<_> = world.attempts.keys().filter(|t| t.collector.scope() == crate::model::Scope::Target).cloned().collect();
        let id = task.get(&ids);
        let attempts = world.attempts.get_mut(id).unwrap();
        let attempt = attempt.index(attempts.len());
        let body = &mut attempts[attempt].body;
        body.truncate(cut.index(body.len()));
        let check = match id.collector {
            Collector::SecurityhubHub | Collector::SecurityhubFindings => CONTROL,
            _ => RULE,
        };
        let (status, why) = verdict(&assessed(&world), check);
        prop_assert_eq!(status, Status::NotAssessed, "{}", why);
    }
}
