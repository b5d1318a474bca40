//! From what runs saw at a key to intervals, failures and their windows: the table in the module's docs, as code.

use jiff::Timestamp;

use super::track::{Sight, Stretch};
use crate::model::{Because, Ended, Ending, Failure, Held, Interval, Window};

/// What is judged: the period so far, and how far apart two observations may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First instant of the period.
    pub from: Timestamp,
    /// First instant after what is judged.
    pub until: Timestamp,
    /// Seconds up to which two equal observations vouch for the time between them.
    pub every: i64,
}

/// A key's period.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// What held when.
    pub intervals: Vec<Interval>,
    /// Failures.
    pub failures: Vec<Failure>,
    /// Number of answers.
    pub observations: u64,
    /// The first answer.
    pub first: Option<Timestamp>,
    /// The last answer.
    pub last: Option<Timestamp>,
    /// Seconds of the longest time between two answers, one after the other.
    pub longest_gap: Option<i64>,
}

/// What lies to the left of the sight at hand.
#[derive(Clone, Copy)]
enum Left {
    /// Nothing of the period.
    Start,
    /// An answer.
    Answer { sight: Sight, at: Timestamp },
    /// It was looked for and not there, or out of scope.
    Away { at: Timestamp },
}

struct Open {
    began: Window,
    last: Timestamp,
    seen: i64,
}

struct Walk {
    span: Span,
    place: bool,
    left: Left,
    unanswered: Option<Option<String>>,
    open: Option<Open>,
    shape: Shape,
}

/// Says what held when at a resource, from what runs saw there.
pub fn shape(stretches: &[Stretch], span: Span) -> Shape {
    walk(stretches, span, false)
}

/// Says when it was not known which resources a place has, and when there was nothing to ask.
pub fn shape_of_place(stretches: &[Stretch], span: Span) -> Shape {
    walk(stretches, span, true)
}

fn walk(stretches: &[Stretch], span: Span, place: bool) -> Shape {
    let left = Left::Start;
    let mut walk = Walk { span, place, left, unanswered: None, open: None, shape: Shape::default() };
    for stretch in stretches {
        match stretch.sight {
            Sight::Pass | Sight::Fail | Sight::NotApplicable => walk.answer(stretch),
            Sight::Unseen => drop(walk.unanswered.get_or_insert_with(|| stretch.why.clone())),
            Sight::Out if place => walk.answer(stretch),
            Sight::Out => walk.away(stretch, Ended::OutOfScope),
            // Of a place: its resources speak for themselves.
            Sight::Gone | Sight::Whole | Sight::Silent => walk.away(stretch, Ended::Gone),
        }
    }
    walk.finish()
}

fn held(sight: Sight) -> Held {
    match sight {
        Sight::Pass => Held::Compliant,
        Sight::Fail => Held::NonCompliant,
        _ => Held::NotApplicable,
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}

impl Walk {
    fn near(&self, from: Timestamp, to: Timestamp) -> bool {
        seconds(from, to) <= self.span.every
    }

    fn answer(&mut self, seen: &Stretch) {
        let (begin, left) = (seen.from, self.left);
        let floor = match left {
            Left::Start => self.span.from,
            Left::Answer { at, .. } | Left::Away { at } => at,
        };
        // The source's own time, where it lies between the two observations.
        let source = seen.since.map(|since| since.max(floor)).filter(|since| *since < begin);
        let unanswered = self.unanswered.take();
        let bridged = unanswered.is_none() && self.near(floor, begin);
        let before = match left {
            Left::Answer { sight, .. } => Some(sight),
            _ => None,
        };
        let same = before == Some(seen.sight);
        // Nothing good is said on the source's word across a time that was not sampled.
        let claimed = match seen.sight {
            _ if same && bridged => floor,
            Sight::Fail => source.unwrap_or(begin),
            _ if bridged && before.is_some() => source.unwrap_or(begin),
            _ => begin,
        };
        let why = unanswered.clone().flatten();
        let because = match (&unanswered, left) {
            (Some(_), _) => Because::NoAnswer,
            (None, _) if !bridged => Because::TooFarApart,
            (None, Left::Start) => Because::PeriodEdge,
            (None, _) => Because::Changed,
        };
        // Between an absence and an answer that followed it in time, the resource came: that time is nobody's.
        if !(matches!(left, Left::Away { .. }) && bridged) {
            self.put(Held::Unobserved, floor, claimed, Some(because), why);
        }
        self.windows(seen, left, source);
        let carried = if same && bridged { None } else { Some(Because::SourceTime) };
        self.put(held(seen.sight), claimed, begin, carried, None);
        if seen.longest <= self.span.every {
            self.put(held(seen.sight), begin, seen.to, None, seen.why.clone());
        } else {
            self.put(Held::Unobserved, begin, seen.to, Some(Because::TooFarApart), None);
        }
        self.count(seen);
        self.left = Left::Answer { sight: seen.sight, at: seen.to };
    }

    /// Opens, prolongs or ends a failure.
    fn windows(&mut self, seen: &Stretch, left: Left, source: Option<Timestamp>) {
        let by = source.unwrap_or(seen.from);
        let narrowed = source.is_some();
        if seen.sight == Sight::Fail {
            let after = match left {
                Left::Start => None,
                Left::Answer { at, .. } | Left::Away { at } => Some(at),
            };
            let began = Window { after, by, narrowed };
            let open = self.open.get_or_insert(Open { began, last: seen.to, seen: 0 });
            open.last = seen.to;
        } else if let Some(open) = self.open.take() {
            let how = if seen.sight == Sight::Pass { Ended::Remedied } else { Ended::NotApplicable };
            let window = Window { after: Some(open.last), by: by.max(open.last), narrowed };
            self.fail(&open, Some(Ending { window, how }));
        }
    }

    fn fail(&mut self, open: &Open, ended: Option<Ending>) {
        let began = open.began;
        let Span { from, until, .. } = self.span;
        let clip = |at: Timestamp| at.clamp(from, until.max(from));
        // The last observation may still have seen it; what came after is not known.
        let most = ended.map_or(until, |ending| ending.window.by);
        let at_most = seconds(clip(began.after.unwrap_or(from)), clip(most));
        self.shape.failures.push(Failure { began, last: open.last, ended, at_least: open.seen, at_most });
    }

    fn away(&mut self, seen: &Stretch, how: Ended) {
        let by = seen.from;
        let floor = match self.left {
            Left::Start => self.span.from,
            Left::Answer { at, .. } | Left::Away { at } => at,
        };
        let unanswered = self.unanswered.take();
        // It was there or not, and nobody looked: but what was away on both sides is nobody's.
        let here = matches!(self.left, Left::Answer { .. });
        let matters = if unanswered.is_some() { here || self.place } else { here && !self.near(floor, by) };
        if matters {
            let because = if unanswered.is_some() { Because::NoAnswer } else { Because::TooFarApart };
            self.put(Held::Unobserved, floor, by, Some(because), unanswered.flatten());
        }
        if let Some(open) = self.open.take() {
            let window = Window { after: Some(open.last), by, narrowed: false };
            self.fail(&open, Some(Ending { window, how }));
        }
        self.left = Left::Away { at: seen.to };
    }

    fn count(&mut self, seen: &Stretch) {
        let shape = &mut self.shape;
        let apart = shape.last.map(|last| seconds(last, seen.from));
        let longest = [apart, (seen.count > 1).then_some(seen.longest)].into_iter().flatten().max();
        shape.longest_gap = shape.longest_gap.max(longest);
        shape.observations += seen.count;
        shape.first.get_or_insert(seen.from);
        shape.last = Some(seen.to);
    }

    fn put(&mut self, state: Held, from: Timestamp, to: Timestamp, because: Option<Because>, why: Option<String>) {
        let (from, to) = (from.max(self.span.from), to.min(self.span.until));
        if from >= to {
            return;
        }
        if let (Held::NonCompliant, Some(open)) = (state, &mut self.open) {
            open.seen += seconds(from, to);
        }
        match self.shape.intervals.last_mut() {
            Some(last) if (last.state, last.to, last.because) == (state, from, because) && last.why == why => {
                last.to = to;
            }
            _ => self.shape.intervals.push(Interval { state, from, to, because, why }),
        }
    }

    fn finish(mut self) -> Shape {
        let until = self.span.until;
        let unanswered = self.unanswered.take();
        let floor = match self.left {
            Left::Start => Some(self.span.from),
            Left::Answer { at, .. } => Some(at),
            Left::Away { at } => unanswered.is_some().then_some(at),
        };
        if let Some(floor) = floor {
            let because = match &unanswered {
                Some(_) => Because::NoAnswer,
                None if self.near(floor, until) => Because::PeriodEdge,
                None => Because::TooFarApart,
            };
            self.put(Held::Unobserved, floor, until, Some(because), unanswered.flatten());
        }
        if let Some(open) = self.open.take() {
            self.fail(&open, None);
        }
        self.shape
    }
}

/// Cuts non-compliant time to where no exception was in force; `spans` are disjoint or not, in any order.
pub fn except(intervals: Vec<Interval>, spans: &[(Timestamp, Timestamp)]) -> Vec<Interval> {
    let mut out = Vec::with_capacity(intervals.len());
    for interval in intervals {
        if interval.state != Held::NonCompliant || spans.is_empty() {
            out.push(interval);
            continue;
        }
        let mut cuts: Vec<Timestamp> = spans.iter().flat_map(|(a, b)| [*a, *b]).collect();
        cuts.retain(|at| interval.from < *at && *at < interval.to);
        cuts.push(interval.to);
        cuts.sort_unstable();
        cuts.dedup();
        let mut from = interval.from;
        for to in cuts {
            let excepted = spans.iter().any(|(a, b)| *a <= from && to <= *b);
            let state = if excepted { Held::Excepted } else { Held::NonCompliant };
            match out.last_mut() {
                Some(Interval { state: last, to: end, because, .. })
                    if *last == state && *end == from && *because == interval.because =>
                {
                    *end = to;
                }
                _ => out.push(Interval { state, from, to, ..interval.clone() }),
            }
            from = to;
        }
    }
    out
}
