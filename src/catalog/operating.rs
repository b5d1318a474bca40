//! By which criteria a requirement counts as having operated throughout a period, and how overlays may change them.
//!
//! A framework sets them in its table `operating`, a requirement in one of its own; what neither sets has the default of
//! [`Operating::default`]. An overlay may tighten what it builds on without a word. Where it loosens it, it has to say on whose
//! word and why, and the requirement carries that sentence from then on.

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};

use super::{
    Faults,
    raw::{At, UnvalidatedLoosening, UnvalidatedOperating},
};

/// Criteria of operating effectiveness: within them a requirement operated throughout the period, beyond them it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operating {
    /// Days of the period on which anything that the requirement counts was failing; a day counts once, however many
    /// resources fail on it. 0 to 366.
    pub max_days_failing: u16,
    /// Share of the period, weighted by resources, for which no observation vouches. 0 to 99.
    pub max_unobserved_percent: u8,
    /// Longest time between two observations of a resource for which the first still vouches; what lies beyond is unobserved.
    pub at_least_every: SignedDuration,
}

impl Default for Operating {
    /// Strict: no day failing, nothing unobserved, observed by every daily run or within its six hours of grace.
    fn default() -> Self {
        Self { max_days_failing: 0, max_unobserved_percent: 0, at_least_every: SignedDuration::from_hours(30) }
    }
}

/// A deliberate step below what an overlay builds on, and on whose word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Loosened {
    /// What is asked less, in a sentence.
    pub what: String,
    /// Who decided it: as stated in the file, not authenticated.
    pub by: String,
    /// Why.
    pub why: String,
}

/// What one file says about a requirement's criteria: of its framework as a whole, and of the requirement itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub file: &'a str,
    pub framework: Option<&'a UnvalidatedOperating>,
    pub requirement: Option<&'a UnvalidatedOperating>,
}

/// Days, percent, seconds: of each, more is looser.
type Limits = [i64; 3];

/// Works out the criteria from the layers of files, the one that builds on no other first.
pub(super) fn settle(layers: &[Layer<'_>], faults: &mut Faults) -> (Operating, Vec<Loosened>) {
    let (mut general, mut special) = (Operating::default().limits(), Operating::default().limits());
    let mut loosened = Vec::new();
    for (at, Layer { file, framework, requirement }) in layers.iter().enumerate() {
        let mut says = |table: &UnvalidatedOperating, under: Limits| match at {
            0 => table.over(under, file, faults),
            _ => table.over_base(under, file, faults),
        };
        let before = special;
        if let Some(table) = framework {
            let next = says(table, general);
            // A criterion that the requirement has for itself gives way only to a tighter one.
            special = [0, 1, 2].map(|n| if special[n] == general[n] { next[n] } else { special[n].min(next[n]) });
            general = next;
        }
        if let Some(table) = requirement {
            special = says(table, special);
        }
        let word = |table: &&UnvalidatedOperating| table.loosened.as_ref().and_then(UnvalidatedLoosening::word);
        let word = requirement.iter().find_map(word).or_else(|| framework.iter().find_map(word));
        if let (1.., Some((by, why))) = (at, word) {
            let steps = Operating::of(before).steps_to(Operating::of(special));
            loosened.extend(steps.map(|what| Loosened { what, by: by.clone(), why: why.clone() }));
        }
    }
    (Operating::of(special), loosened)
}

impl Operating {
    /// Returns [`Operating::at_least_every`] as files write it, such as `30h`.
    pub fn every(&self) -> String {
        format!("{:#}", self.at_least_every)
    }

    fn limits(self) -> Limits {
        [self.max_days_failing.into(), self.max_unobserved_percent.into(), self.at_least_every.as_secs()]
    }

    /// The limits come from [`Operating::limits`] or [`UnvalidatedOperating::over`], which keep to the fields' ranges.
    fn of([days, percent, seconds]: Limits) -> Self {
        Self {
            max_days_failing: u16::try_from(days).unwrap_or(0),
            max_unobserved_percent: u8::try_from(percent).unwrap_or(0),
            at_least_every: SignedDuration::from_secs(seconds),
        }
    }

    /// Says for each criterion what is looser in `other`.
    fn steps_to(self, other: Self) -> impl Iterator<Item = String> {
        let days = format!("{} days failing are allowed instead of {}", other.max_days_failing, self.max_days_failing);
        let (percent, was) = (other.max_unobserved_percent, self.max_unobserved_percent);
        let percent = format!("{percent} % may be unobserved instead of {was} %");
        let every = format!("an observation vouches for {} instead of {}", other.every(), self.every());
        let looser = self.limits().into_iter().zip(other.limits()).map(|(was, is)| is > was);
        looser.zip([days, percent, every]).filter_map(|(looser, step)| looser.then_some(step))
    }
}

impl UnvalidatedLoosening {
    /// Returns who decided it and why; `None` where a fault stands in the way.
    fn word(&self) -> Option<(String, String)> {
        Some((self.by.as_ref()?.value.clone(), self.why.as_ref()?.value.clone()))
    }
}

impl UnvalidatedOperating {
    /// Returns what is stated, each with its line, within its range.
    fn stated(&self, file: &str, faults: &mut Faults) -> [Option<At<i64>>; 3] {
        let mut within = |number: &Option<At<i64>>, most: i64, unit: &str| {
            let number = number.clone()?;
            if (0..=most).contains(&number.value) {
                return Some(number);
            }
            let what = format!("{} is not between 0 and {most} {unit}", number.value);
            faults.add("invalid-value", (file, number.line), what);
            None
        };
        let days = within(&self.max_days_failing, 366, "days");
        let percent = within(&self.max_unobserved_percent, 99, "percent");
        let every = self.at_least_every.as_ref().and_then(|text| {
            let seconds = duration(&text.value).map(|time| time.as_secs());
            let seconds = seconds.filter(|seconds| (1..=366 * 86_400).contains(seconds));
            if seconds.is_none() {
                let what = format!("{:?} is not a time of at most 366 days, such as 30h or 7d", text.value);
                faults.add("invalid-value", (file, text.line), what);
            }
            Some(At { value: seconds?, line: text.line })
        });
        [days, percent, every]
    }

    /// Returns `under`, with what is stated in its place.
    fn over(&self, under: Limits, file: &str, faults: &mut Faults) -> Limits {
        let mut limits = under;
        for (limit, stated) in limits.iter_mut().zip(self.stated(file, faults)) {
            *limit = stated.map_or(*limit, |stated| stated.value);
        }
        limits
    }

    /// Does the same over what an overlay builds on: looser only where it says on whose word and why.
    fn over_base(&self, under: Limits, file: &str, faults: &mut Faults) -> Limits {
        let stated = self.stated(file, faults);
        let mut limits = under;
        for (limit, stated) in limits.iter_mut().zip(stated) {
            let Some(stated) = stated else { continue };
            if stated.value > *limit && self.loosened.is_none() {
                let what = "the overlay asks less than what it builds on".to_owned();
                let help = "add loosened = { by = \"...\", why = \"...\" } beside it, or tighten it".to_owned();
                faults.push("loosened-unsaid", (file, stated.line), what, Some(help));
            } else {
                *limit = stated.value;
            }
        }
        limits
    }
}

/// Reads a time such as `30h` or `7d`; a day has 24 hours.
pub(super) fn duration(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}
