//! The table and the laws.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::model::{AccountId, Because, Ended, Held, ObservationStatus, Region, Resource};

const DAY: i64 = 24 * 3600;

fn t(hours: i64) -> Timestamp {
    "2026-10-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

fn span(hours: i64) -> Span {
    Span { from: t(0), until: t(hours), every: 30 * 3600 }
}

/// What one run sees of one place.
#[derive(Debug, Clone)]
enum Sees {
    Hole,
    Nothing,
    Out,
    /// By resource: absent, or its status.
    Resources(Vec<Option<ObservationStatus>>),
}

#[derive(Debug, Clone)]
struct Day {
    at: i64,
    aborted: bool,
    sees: Sees,
}

fn account() -> AccountId {
    "111111111111".parse().unwrap()
}

fn bucket(n: usize) -> Resource {
    Resource { kind: "AWS::S3::Bucket".to_owned(), id: format!("b{n}") }
}

fn answer(resource: Option<Resource>, status: ObservationStatus, observed: Option<Timestamp>) -> Answer {
    let region: Region = "eu-west-1".parse().unwrap();
    let why = (status == ObservationStatus::NotAssessed).then(|| "denied".to_owned());
    let question = "config-rule/S3".to_owned();
    Answer { question, account: account(), region, resource, status, why, observed, since: None, silent: None }
}

fn answers(day: &Day) -> Vec<Answer> {
    let read = Some(t(day.at));
    match &day.sees {
        Sees::Hole => vec![answer(None, ObservationStatus::NotAssessed, None)],
        Sees::Nothing => vec![answer(None, ObservationStatus::NotApplicable, None)],
        Sees::Out => Vec::new(),
        Sees::Resources(all) if all.iter().all(Option::is_none) => {
            vec![answer(None, ObservationStatus::NotApplicable, None)]
        }
        Sees::Resources(all) => {
            let named = all.iter().enumerate().filter_map(|(n, s)| Some((n, (*s)?)));
            named.map(|(n, status)| answer(Some(bucket(n)), status, read)).collect()
        }
    }
}

fn fold(days: &[Day]) -> Vec<Track> {
    let mut tracks = Vec::new();
    for day in days {
        let standing = |_: &AccountId| match day.sees {
            Sees::Out => Standing::Outside("excluded".to_owned()),
            _ => Standing::Asked,
        };
        let run = Run { opened: t(day.at), closed: t(day.at), aborted: day.aborted, standing: &standing };
        let mut after = Vec::new();
        let today = answers(day).into_iter().map(Ok::<_, std::convert::Infallible>);
        carry(tracks.into_iter().map(Ok), today, &run, |track| {
            after.push(track);
            Ok(())
        })
        .unwrap();
        tracks = after;
    }
    tracks
}

fn of(tracks: &[Track], resource: Option<Resource>) -> &[Stretch] {
    tracks.iter().find(|track| track.resource == resource).map_or(&[], |track| &track.stretches)
}

fn total(shape: &Shape, held: Held) -> i64 {
    shape.intervals.iter().filter(|i| i.state == held).map(|i| i.to.duration_since(i.from).as_secs()).sum()
}

fn seen(status: ObservationStatus) -> Sees {
    Sees::Resources(vec![Some(status)])
}

fn day(at: i64, sees: Sees) -> Day {
    Day { at, aborted: false, sees }
}

use ObservationStatus::{Fail, NotApplicable, NotAssessed, Pass};

fn states(days: &[Day], until: i64) -> Vec<(Held, i64, i64, Option<Because>)> {
    let hours = |at: Timestamp| at.duration_since(t(0)).as_secs() / 3600;
    let shape = shape(of(&fold(days), Some(bucket(0))), span(until));
    shape.intervals.iter().map(|i| (i.state, hours(i.from), hours(i.to), i.because)).collect()
}

#[test]
fn what_holds_between_two_sights() {
    use Because::{Changed, NoAnswer, PeriodEdge, TooFarApart};
    use Held::{Compliant, NonCompliant, Unobserved};
    let gone = || Sees::Resources(vec![None, Some(Pass)]);
    let edge = |from, to| (Unobserved, from, to, Some(PeriodEdge));
    // Near, and equal.
    assert_eq!(
        states(&[day(6, seen(Pass)), day(30, seen(Pass))], 48),
        [edge(0, 6), (Compliant, 6, 30, None), edge(30, 48)]
    );
    // A day was missed.
    assert_eq!(
        states(&[day(6, seen(Pass)), day(54, seen(Pass))], 60),
        [edge(0, 6), (Unobserved, 6, 54, Some(TooFarApart)), edge(54, 60)]
    );
    // A run got no answer: neither does the time before and after it count.
    assert_eq!(
        states(&[day(6, seen(Pass)), day(12, Sees::Hole), day(18, seen(Pass))], 20),
        [edge(0, 6), (Unobserved, 6, 18, Some(NoAnswer)), edge(18, 20)]
    );
    // It failed and was mended: what lies between is either.
    assert_eq!(
        states(&[day(0, seen(Pass)), day(24, seen(Fail)), day(48, seen(Fail)), day(72, seen(Pass))], 72),
        [(Unobserved, 0, 24, Some(Changed)), (NonCompliant, 24, 48, None), (Unobserved, 48, 72, Some(Changed)),]
    );
    // It came and went: time before and after is nobody's.
    assert_eq!(
        states(&[day(0, gone()), day(24, seen(Pass)), day(48, seen(Pass)), day(72, gone())], 96),
        [(Compliant, 24, 48, None)]
    );
    // The end is far.
    assert_eq!(
        states(&[day(0, seen(Pass)), day(24, seen(Pass))], 240),
        [(Compliant, 0, 24, None), (Unobserved, 24, 240, Some(TooFarApart))]
    );
}

#[test]
fn a_deleted_failing_resource_is_gone_and_not_remedied() {
    let days = [day(0, seen(Fail)), day(24, seen(Fail)), day(48, Sees::Nothing), day(72, Sees::Nothing)];
    let shape = shape(of(&fold(&days), Some(bucket(0))), span(96));
    assert_eq!(total(&shape, Held::Compliant), 0);
    let [failure] = shape.failures.as_slice() else { panic!("{shape:?}") };
    let ended = failure.ended.unwrap();
    assert_eq!((ended.how, ended.window.after, ended.window.by), (Ended::Gone, Some(t(24)), t(48)));
    assert_eq!((failure.at_least, failure.at_most), (DAY, 2 * DAY));
    assert_eq!(failure.began.after, None, "nothing of the period saw it before");
}

#[test]
fn a_rule_that_is_taken_away_leaves_its_resources_unobserved() {
    let days = [day(0, seen(Fail)), day(24, Sees::Hole), day(48, Sees::Hole)];
    let shape = shape(of(&fold(&days), Some(bucket(0))), span(72));
    assert_eq!(shape.failures.len(), 1);
    assert!(shape.failures[0].ended.is_none(), "nobody saw it end");
    assert_eq!(total(&shape, Held::Unobserved), 3 * DAY);
}

#[test]
fn the_sources_own_time_narrows_the_window_and_says_so() {
    let with = |sight, at, since| Stretch::answer(sight, t(at), since);
    let stretches = [
        with(Sight::Pass, 0, None),
        with(Sight::Fail, 24, Some(t(20))),
        with(Sight::Pass, 48, Some(t(25))),
        // The source says that it failed before we saw it pass: it cannot have been later than our pass.
        with(Sight::Fail, 72, Some(t(1))),
    ];
    let shape = shape(&stretches, span(72));
    let [first, second] = shape.failures.as_slice() else { panic!("{shape:?}") };
    assert_eq!((first.began.after, first.began.by, first.began.narrowed), (Some(t(0)), t(20), true));
    let ended = first.ended.unwrap();
    assert_eq!((ended.window.after, ended.window.by, ended.window.narrowed), (Some(t(24)), t(25), true));
    assert_eq!((second.began.after, second.began.by), (Some(t(48)), t(48)));
    assert_eq!(total(&shape, Held::Compliant), 23 * 3600, "from the source's time of the remedy to our pass");
    assert!(
        shape.intervals.iter().filter(|i| i.state == Held::Compliant).all(|i| i.because == Some(Because::SourceTime))
    );
}

#[test]
fn no_pass_is_claimed_on_the_sources_word_across_missed_runs_but_a_failure_is() {
    let old = Some(t(-500));
    let passes = [Stretch::answer(Sight::Pass, t(0), old), Stretch::answer(Sight::Pass, t(96), old)];
    assert_eq!(total(&shape(&passes, span(96)), Held::Compliant), 0);
    let fails = [Stretch::answer(Sight::Fail, t(0), old), Stretch::answer(Sight::Fail, t(96), old)];
    assert_eq!(total(&shape(&fails, span(96)), Held::NonCompliant), 4 * DAY);
}

#[test]
fn a_place_that_was_never_read_and_one_out_of_scope_have_lines_of_their_own() {
    let tracks = fold(&[day(0, Sees::Hole), day(24, Sees::Hole), day(48, Sees::Out), day(72, Sees::Out)]);
    let shape = shape_of_place(of(&tracks, None), span(96));
    assert_eq!(total(&shape, Held::Unobserved), 3 * DAY);
    assert_eq!(total(&shape, Held::NotApplicable), DAY);
    assert_eq!(total(&shape, Held::Compliant), 0);
}

#[test]
fn a_silent_control_means_nothing_to_ask_only_where_its_types_are_recorded() {
    let region: Region = "eu-west-1".parse().unwrap();
    let standing = |_: &AccountId| Standing::Asked;
    let fold_silent = |recorded: &str| {
        let base = fold(&[day(0, seen(Fail))]);
        let silent = Answer { silent: Some(recorded.to_owned()), ..answer(None, NotAssessed, None) };
        assert_eq!(silent.region, region);
        let run = Run { opened: t(24), closed: t(24), aborted: false, standing: &standing };
        let mut after = Vec::new();
        let today = [Ok::<_, std::convert::Infallible>(silent)].into_iter();
        carry(base.into_iter().map(Ok), today, &run, |track| {
            after.push(track);
            Ok(())
        })
        .unwrap();
        of(&after, Some(bucket(0))).last().unwrap().sight
    };
    assert_eq!(fold_silent("all"), Sight::Gone);
    assert_eq!(fold_silent("only AWS::EC2::Instance"), Sight::Unseen);
    assert_eq!(fold_silent("but AWS::S3::Bucket"), Sight::Unseen);
}

#[test]
fn an_exception_cuts_out_its_own_time_only() {
    let stretches = [Stretch::answer(Sight::Fail, t(0), None), Stretch::answer(Sight::Fail, t(24), None)];
    let shape = shape(&stretches, span(24));
    let cut = except(shape.intervals, &[(t(6), t(12)), (t(12), t(18)), (t(100), t(200))]);
    let states: Vec<_> = cut.iter().map(|i| (i.state, i.to.duration_since(i.from).as_hours())).collect();
    assert_eq!(states, [(Held::NonCompliant, 6), (Held::Excepted, 12), (Held::NonCompliant, 6)]);
}

fn sees() -> impl Strategy<Value = Sees> {
    let status = prop_oneof![4 => Just(Some(Pass)), 3 => Just(Some(Fail)), 1 => Just(Some(NotApplicable)),
        1 => Just(Some(NotAssessed)), 2 => Just(None)];
    prop_oneof![
        6 => proptest::collection::vec(status, 3).prop_map(Sees::Resources),
        2 => Just(Sees::Hole),
        1 => Just(Sees::Nothing),
        1 => Just(Sees::Out),
    ]
}

fn days() -> impl Strategy<Value = Vec<Day>> {
    let day = (1_i64..60, proptest::bool::weighted(0.15), sees());
    proptest::collection::vec(day, 1..12).prop_map(|days| {
        let mut at = 0;
        let step = |(after, aborted, sees): (i64, bool, Sees)| {
            at += after;
            Day { at, aborted, sees }
        };
        days.into_iter().map(step).collect()
    })
}

/// What a plain reading of the table gives: two passes in closed runs one after the other, near.
fn plainly_compliant(days: &[Day], n: usize, every: i64) -> i64 {
    let status = |day: &Day| match &day.sees {
        Sees::Resources(all) => all[n],
        _ => None,
    };
    let whole = |day: &Day| matches!(day.sees, Sees::Resources(_) | Sees::Nothing);
    let counts = |day: &&Day| !day.aborted || (whole(day) && matches!(status(day), Some(Pass | Fail | NotApplicable)));
    let days: Vec<&Day> = days.iter().filter(counts).collect();
    let pair = |pair: &[&Day]| {
        let apart = (pair[1].at - pair[0].at) * 3600;
        let both = status(pair[0]) == Some(Pass) && status(pair[1]) == Some(Pass);
        if both && apart <= every { apart } else { 0 }
    };
    days.windows(2).map(pair).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn compliant_time_is_what_two_near_passes_vouch_for_and_no_more(days in days(), every in 26_i64..70) {
        let tracks = fold(&days);
        let until = days.last().unwrap().at + 10;
        for n in 0..3 {
            let shape = shape(of(&tracks, Some(bucket(n))), Span { every: every * 3600, ..span(until) });
            prop_assert_eq!(total(&shape, Held::Compliant), plainly_compliant(&days, n, every * 3600));
            prop_assert!(shape.intervals.windows(2).all(|p| p[0].to <= p[1].from), "{:?}", shape.intervals);
            prop_assert!(shape.intervals.iter().all(|i| t(0) <= i.from && i.from < i.to && i.to <= t(until)));
            for failure in &shape.failures {
                prop_assert!(failure.at_least <= failure.at_most, "{:?}", failure);
            }
        }
    }

    #[test]
    fn a_run_that_saw_nothing_adds_no_compliant_time_and_an_aborted_one_changes_nothing(days in days(), place in any::<prop::sample::Index>(), aborted: bool) {
        let mut more = days.clone();
        let before = place.index(days.len());
        let at = days[before].at - 1;
        more.insert(before, Day { at, aborted, sees: Sees::Hole });
        let (without, with) = (fold(&days), fold(&more));
        for n in 0..3 {
            let of = |tracks| shape(of(tracks, Some(bucket(n))), span(800));
            let (a, b) = (of(&without), of(&with));
            if aborted {
                prop_assert_eq!(a, b);
            } else {
                prop_assert!(total(&b, Held::Compliant) <= total(&a, Held::Compliant));
                prop_assert!(total(&b, Held::NotApplicable) <= total(&a, Held::NotApplicable));
            }
        }
    }

    #[test]
    fn after_a_failure_nothing_is_compliant_until_a_pass_was_seen(days in days()) {
        let tracks = fold(&days);
        for n in 0..3 {
            let shape = shape(of(&tracks, Some(bucket(n))), span(800));
            for failure in &shape.failures {
                let ended = failure.ended.filter(|e| e.how == Ended::Remedied).map(|e| e.window.by);
                let next = shape.failures.iter().map(|f| f.began.by).find(|by| *by > failure.began.by);
                let good = |i: &&crate::model::Interval| i.state == Held::Compliant && i.from >= failure.began.by;
                for interval in shape.intervals.iter().filter(good) {
                    let after_remedy = ended.is_some_and(|by| interval.from >= by);
                    let came_again = failure.ended.is_some() && interval.from >= failure.ended.unwrap().window.by;
                    prop_assert!(after_remedy || came_again || next.is_some_and(|n| interval.from >= n));
                }
            }
        }
    }

    #[test]
    fn what_is_carried_reads_back_as_written(days in days()) {
        for track in fold(&days) {
            let text = serde_json::to_string(&track).unwrap();
            prop_assert_eq!(serde_json::from_str::<Track>(&text).unwrap(), track);
        }
    }
}
