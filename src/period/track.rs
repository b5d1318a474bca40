//! The observations' timeline as runs carry it forward: one [`Track`] a key, each run folded in once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{AccountId, Region, Resource};

/// Observations no further apart than this are kept as one stretch; of those further apart each pair can be judged by whatever
/// sampling interval the catalogue names at the close.
const ONE_STRETCH: i64 = 26 * 3600;

/// What a run saw at a key, or at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sight {
    /// The source says that it complies.
    #[serde(rename = "p")]
    Pass,
    /// The source says that it does not.
    #[serde(rename = "f")]
    Fail,
    /// The source says that it does not apply; of a place, that there is nothing to ask.
    #[serde(rename = "n")]
    NotApplicable,
    /// A run looked and got no answer.
    #[serde(rename = "u")]
    Unseen,
    /// The place was looked at as a whole, and the resource is not there.
    #[serde(rename = "g")]
    Gone,
    /// Its account is out of scope.
    #[serde(rename = "x")]
    Out,
    /// Of a place: everything that was asked was answered, and resources answered.
    #[serde(rename = "w")]
    Whole,
    /// Of a place: everything was answered, by no resource. Whether there is nothing to ask depends on which resource types the
    /// check names; what the recorder records stands in `why`.
    #[serde(rename = "s")]
    Silent,
}

impl Sight {
    /// Returns whether this is an answer about the key itself.
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Pass | Self::Fail | Self::NotApplicable)
    }
}

/// Consecutive sights that say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// What was seen.
    #[serde(rename = "s")]
    pub sight: Sight,
    /// Number of sights.
    #[serde(rename = "n")]
    pub count: u64,
    /// The first: of an answer when it was read; of an absence the close of the run (it was gone by then).
    #[serde(rename = "a")]
    pub from: Timestamp,
    /// The last: of an answer when it was read; of an absence the opening of the run (it was not there yet then).
    #[serde(rename = "z")]
    pub to: Timestamp,
    /// Since when, by the source's own time at the first of them.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Seconds of the longest time between two of them.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub longest: i64,
    /// Why there is no answer, why it is out of scope, or what the recorder records.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// A key of the timeline and everything that runs saw there, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// The question, as text.
    #[serde(rename = "q")]
    pub question: String,
    /// Account.
    #[serde(rename = "a")]
    pub account: AccountId,
    /// Region.
    #[serde(rename = "r")]
    pub region: Region,
    /// The resource; `None` for the place as a whole.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// What was seen.
    #[serde(rename = "s")]
    pub stretches: Vec<Stretch>,
}

/// A place: question, account, Region.
pub type Place<'a> = (&'a str, &'a AccountId, &'a Region);

impl Track {
    /// Returns the place that it belongs to.
    pub fn place(&self) -> Place<'_> {
        (&self.question, &self.account, &self.region)
    }

    /// Returns what tracks are ordered by: the place's own comes before its resources'.
    pub fn key(&self) -> (Place<'_>, Option<&Resource>) {
        (self.place(), self.resource.as_ref())
    }

    /// Adds what a later run saw.
    pub fn push(&mut self, seen: Stretch) {
        let Some(last) = self.stretches.last_mut() else { return self.stretches.push(seen) };
        let apart = seen.from.duration_since(last.to).as_secs().max(0);
        let joins = match seen.sight {
            sight if sight != last.sight => false,
            Sight::Pass | Sight::Fail => apart <= ONE_STRETCH,
            Sight::NotApplicable => apart <= ONE_STRETCH && seen.why == last.why,
            _ => seen.why == last.why,
        };
        if !joins {
            return self.stretches.push(seen);
        }
        last.count += seen.count;
        last.longest = last.longest.max(apart).max(seen.longest);
        last.to = last.to.max(seen.to);
    }
}

impl Stretch {
    /// An answer of one run.
    pub fn answer(sight: Sight, at: Timestamp, since: Option<Timestamp>) -> Self {
        Self { sight, count: 1, from: at, to: at, since, longest: 0, why: None }
    }

    /// Something else that one run, opened and closed at these times, saw.
    pub fn other(sight: Sight, (opened, closed): (Timestamp, Timestamp), why: Option<String>) -> Self {
        let (from, to) = if matches!(sight, Sight::Gone | Sight::Out) { (closed, opened) } else { (opened, opened) };
        Self { sight, count: 1, from, to, since: None, longest: 0, why }
    }
}
