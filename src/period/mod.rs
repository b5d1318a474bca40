//! Observations of many runs -> what held when. Pure: no clock, no network. Nothing on the route calls this yet.
//!
//! 1. [`carry()`] folds one run into the timeline: for each question, account, Region and resource a [`Track`] of what runs saw there,
//!    independent of the catalogue. Two sorted streams in, one out; the cost of a run does not grow with the days before it.
//! 2. [`shape()`] says what held when at one key, by the table below. A catalogue edited in mid-period is judged here, at the close.
//!
//! # What a run sees of a resource
//!
//! | the run says | sight |
//! |---|---|
//! | it complies, does not comply, does not apply | pass, fail, not applicable |
//! | no answer of it (insufficient data, suppressed), or a pass beside a gap of its place (recorder off, denied, stale, …) | no answer |
//! | nothing of it, and its place has a gap, the rule is not deployed, the type is not recorded, or the run did not ask there | no answer |
//! | nothing of it, and its place was answered as a whole | gone |
//! | its account is out of scope, closed, or no longer in the organization | out of scope |
//! | a run that was aborted | what its ledger calls complete; nothing else, neither gone nor no answer |
//!
//! A fail counts beside a gap: the source says so, and nobody says otherwise.
//!
//! # What holds between two sights
//!
//! *Near* means no further apart than the sampling interval that the catalogue sets, with no run in between that got no answer.
//! *Source* is the source's own time since when the later answer holds, where it lies between the two.
//!
//! | earlier | later | near | not near |
//! |---|---|---|---|
//! | pass | pass | compliant | unobserved |
//! | not applicable | not applicable | not applicable | unobserved |
//! | fail | fail | non-compliant | unobserved up to the source's time, then non-compliant |
//! | anything else | fail | unobserved up to the source's time, then non-compliant | the same |
//! | fail, not applicable | pass | unobserved up to the source's time, then compliant | unobserved |
//! | fail, pass | not applicable | unobserved up to the source's time, then not applicable | unobserved |
//! | an answer | gone, out of scope | nobody's time | unobserved |
//! | gone, out of scope | pass, not applicable | nobody's time | unobserved |
//! | the period's begin | the first answer | unobserved (edge) up to the source's time of a fail | unobserved, likewise |
//! | the last answer | the end | unobserved (edge) | unobserved |
//!
//! A failure begins in the window from the last sight that was no fail to the first fail, and ends in that from the last fail to the first
//! sight that is none; the source's time narrows either, and says so. What lies unobserved between two fails does not end it; nor
//! does a resource that went: that failure ended as *gone*, and nothing was remedied. Two failures are a recurrence.
//!
//! Laws (property-tested): a run that saw nothing never adds compliant time; the order in which runs are given never matters; a failing
//! resource that is deleted never becomes a pass; a rule that is renamed or an account that moves keeps its history, for questions
//! are keyed by identifier and accounts by number; folding in one run at a time gives what folding in all gives.

mod carry;
pub mod environment;
mod shape;
#[cfg(test)]
mod tests;
mod track;

pub use carry::{Answer, Run, Standing, carry};
pub use shape::{Shape, Span, except, shape, shape_of_place};
pub use track::{Place, Sight, Stretch, Track};

use crate::observe::Recorded;

/// Returns whether a recorder that records `what` (as [`Recorded`] writes it) records `resource_type`.
fn recorded(what: &str, resource_type: &str) -> bool {
    what.parse::<Recorded>().is_ok_and(|recorded| recorded.includes(resource_type))
}
