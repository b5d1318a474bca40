//! Another interval between runs is sealed before the first run under it: a promise cannot be lengthened in silence.
//!
//! The interval of a seal is the time from its close to the next run's latest beginning. A `schedule-change` moves no promise that was
//! given: a run that was missed before it stays missed.

use super::{Chain, ChainError, Facts, Link};
use crate::{
    archive::seal::{IntervalChange, Kind, Seal, Subject},
    model::Sha256Digest,
};

/// A run that promised another interval than the last one, with no `schedule-change` between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unannounced {
    /// Sequence number of the seal with the new promise.
    pub sequence: u64,
    /// Seconds, as announced.
    pub announced: i64,
    /// Seconds, as promised now; absent where no next run is promised any more.
    pub promised: Option<i64>,
}

fn interval(seal: &Seal) -> Option<i64> {
    seal.next_run_expected_by.map(|by| by.duration_since(seal.closed).as_secs())
}

/// Returns the interval that holds after `seal`, where it states one.
fn stated(seal: &Seal) -> Option<i64> {
    match (seal.kind, seal.interval) {
        (Kind::ScheduleChange, Some(change)) => Some(change.to),
        _ => interval(seal),
    }
}

/// Returns every change of the interval that was not announced.
pub fn unannounced(links: &[Link]) -> Vec<Unannounced> {
    let (mut announced, mut found) = (None, Vec::new());
    for seal in links.iter().map(Link::seal) {
        if let Some(announced) = announced {
            let promised = stated(seal);
            let wrong = match seal.kind {
                Kind::ScheduleChange => seal.interval.is_none_or(|change| change.from != announced),
                // The end of a run that crashed promises nothing.
                Kind::RunClose => promised != Some(announced),
                _ => promised.is_some_and(|p| p != announced),
            };
            if wrong {
                found.push(Unannounced { sequence: seal.sequence, announced, promised });
            }
        }
        announced = stated(seal).or(announced);
    }
    found
}

impl Chain {
    /// Seals `schedule-change` where the interval that `facts` promises is another than the last one.
    pub(super) fn announce(&mut self, facts: &Facts) -> Result<(), ChainError> {
        let last = self.links.iter().rev().find_map(|link| stated(link.seal()));
        let next = facts.next_run_expected_by.map(|by| by.duration_since(facts.closed).as_secs());
        let (Some(from), Some(to)) = (last, next) else { return Ok(()) };
        if from == to {
            return Ok(());
        }
        let seal = Seal {
            interval: Some(IntervalChange { from, to }),
            next_run_expected_by: None,
            ..self.seal(Kind::ScheduleChange, facts)
        };
        let configuration = facts.configuration.unwrap_or_else(|| Sha256Digest::of(""));
        self.append_bare(Kind::ScheduleChange, vec![Subject::new("configuration", configuration)], seal).map(drop)
    }
}
