//! One run folded into the timeline: two sorted streams in, one sorted stream out.
//!
//! Nothing is held but the place at hand: its track, what the run says of it, and one resource of each stream.

use std::iter::Peekable;

use jiff::Timestamp;

use super::track::{Place, Sight, Stretch, Track};
use crate::model::{AccountId, ObservationStatus, Region, Resource};

/// What one run says of a question at a place or a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The question, as text.
    pub question: String,
    /// Account.
    pub account: AccountId,
    /// Region.
    pub region: Region,
    /// The resource; `None` where it is about the place as a whole.
    pub resource: Option<Resource>,
    /// The answer.
    pub status: ObservationStatus,
    /// Why there is none.
    pub why: Option<String>,
    /// When it was read; `None` where it follows from what was not said.
    pub observed: Option<Timestamp>,
    /// Since when, by the source's own times.
    pub since: Option<Timestamp>,
    /// What the recorder records, where a place is silent and only the check's resource types can say what that means.
    pub silent: Option<String>,
}

impl Answer {
    /// Returns what answers are ordered by; equal to [`Track::key`].
    pub fn key(&self) -> (Place<'_>, Option<&Resource>) {
        ((&self.question, &self.account, &self.region), self.resource.as_ref())
    }
}

/// Where an account stands in a run's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was to be asked.
    Asked,
    /// It was not, and why: excluded, closed, or no longer in the organisation.
    Outside(String),
}

/// A run as the fold sees it.
pub struct Run<'a> {
    /// When it was opened.
    pub opened: Timestamp,
    /// When it ended.
    pub closed: Timestamp,
    /// True where it did not end well: then only answers of places that it answered in full count.
    pub aborted: bool,
    /// Where an account stands.
    pub standing: &'a dyn Fn(&AccountId) -> Standing,
}

/// Folds a run into the timeline: `before` and `today` are sorted by key; so is what `out` gets.
///
/// Several answers about one key may come: the first that is no pass counts. Keys appear once in `before`.
///
/// # Errors
/// As a stream or `out` fails.
pub fn carry<E>(
    before: impl Iterator<Item = Result<Track, E>>,
    today: impl Iterator<Item = Result<Answer, E>>,
    run: &Run<'_>,
    mut out: impl FnMut(Track) -> Result<(), E>,
) -> Result<(), E> {
    let (mut before, mut today) = (before.peekable(), today.peekable());
    while let Some((question, account, region)) = next_place(&mut before, &mut today)? {
        let place = (question.as_str(), &account, &region);
        let track = next_if(&mut before, |t| t.place() == place && t.resource.is_none())?;
        let mut about = Vec::new();
        while let Some(answer) = next_if(&mut today, |a| a.key() == (place, None))? {
            about.push(answer);
        }
        let asked = peek(&mut today)?.is_some_and(|a| a.key().0 == place);
        let look = Look::new(run, &account, &about, asked);
        let mut track = track.unwrap_or_else(|| new_track(place, None));
        // A resource that appears now was not there when the place was last looked at as a whole.
        let looked = track.stretches.clone();
        look.of_place(run).into_iter().for_each(|sight| track.push(sight));
        if !track.stretches.is_empty() {
            out(track)?;
        }
        loop {
            let known = peek(&mut before)?.filter(|t| t.place() == place).and_then(|t| t.resource.clone());
            let named = peek(&mut today)?.filter(|a| a.key().0 == place).and_then(|a| a.resource.clone());
            let Some(resource) = [&known, &named].into_iter().flatten().min().cloned() else { break };
            let here = Some(&resource);
            let mut track = match next_if(&mut before, |t| t.key() == (place, here))? {
                Some(track) => track,
                None => newcomer(place, resource.clone(), &looked),
            };
            let mut seen = None;
            while let Some(answer) = next_if(&mut today, |a| a.key() == (place, here))? {
                let sight = look.of_answer(run, answer);
                seen = worse(seen, sight);
            }
            let seen = if named.as_ref() == here { seen } else { look.of_absence(run, &resource) };
            seen.into_iter().for_each(|sight| track.push(sight));
            if track.stretches.iter().any(|s| s.sight.is_answer() || s.sight == Sight::Unseen) {
                out(track)?;
            }
        }
    }
    Ok(())
}

fn peek<'a, T, E: 'a, I: Iterator<Item = Result<T, E>>>(stream: &'a mut Peekable<I>) -> Result<Option<&'a T>, E> {
    if let Some(Err(error)) = stream.next_if(Result::is_err) {
        return Err(error);
    }
    Ok(stream.peek().and_then(|item| item.as_ref().ok()))
}

fn next_if<T, E, I: Iterator<Item = Result<T, E>>>(
    stream: &mut Peekable<I>,
    wanted: impl Fn(&T) -> bool,
) -> Result<Option<T>, E> {
    if let Some(Err(error)) = stream.next_if(Result::is_err) {
        return Err(error);
    }
    stream.next_if(|item| item.as_ref().is_ok_and(&wanted)).transpose()
}

fn next_place<E, A, B>(
    before: &mut Peekable<A>,
    today: &mut Peekable<B>,
) -> Result<Option<(String, AccountId, Region)>, E>
where
    A: Iterator<Item = Result<Track, E>>,
    B: Iterator<Item = Result<Answer, E>>,
{
    let (known, named) = (peek(before)?.map(Track::place), peek(today)?.map(|a| a.key().0));
    let owned = |(question, account, region): Place<'_>| (question.to_owned(), account.clone(), region.clone());
    Ok([known, named].into_iter().flatten().min().map(owned))
}

fn new_track((question, account, region): Place<'_>, resource: Option<Resource>) -> Track {
    let stretches = Vec::new();
    Track { question: question.to_owned(), account: account.clone(), region: region.clone(), resource, stretches }
}

/// Begins a resource's track: absent when its place was last looked at as a whole, unseen by the runs since.
fn newcomer(place: Place<'_>, resource: Resource, looked: &[Stretch]) -> Track {
    let mut track = new_track(place, Some(resource));
    let whole = |s: &Stretch| matches!(s.sight, Sight::Whole | Sight::NotApplicable | Sight::Out);
    let since = looked.iter().rposition(whole);
    track.stretches.extend(since.map(|at| Stretch { sight: Sight::Gone, ..looked[at].clone() }));
    let unseen = looked[since.map_or(0, |at| at + 1)..].iter();
    track.stretches.extend(unseen.map(|s| Stretch { sight: Sight::Unseen, ..s.clone() }));
    track
}

fn worse(a: Option<Stretch>, b: Option<Stretch>) -> Option<Stretch> {
    let rank = |s: &Stretch| match s.sight {
        Sight::Fail => 0,
        Sight::Unseen => 1,
        Sight::Pass => 2,
        _ => 3,
    };
    [a, b].into_iter().flatten().min_by_key(rank)
}

/// What a run saw of a place as a whole.
enum Look {
    /// Everything was answered, by resources.
    Whole,
    /// Everything was answered: there is nothing to ask.
    Nothing(Option<String>),
    /// Everything was answered, by nobody; what that means depends on the recorder and on the check.
    Silent(String),
    /// Not everything was answered.
    Hole(Option<String>),
    /// Out of scope.
    Out(String),
}

impl Look {
    fn new(run: &Run<'_>, account: &AccountId, about: &[Answer], resources: bool) -> Self {
        if let Standing::Outside(why) = (run.standing)(account) {
            return Self::Out(why);
        }
        let missing = |a: &&Answer| a.status == ObservationStatus::NotAssessed && a.silent.is_none();
        if let Some(hole) = about.iter().find(missing) {
            return Self::Hole(hole.why.clone());
        }
        if let Some(silent) = about.iter().find_map(|a| a.silent.clone()) {
            return Self::Silent(silent);
        }
        match about.first() {
            _ if resources => Self::Whole,
            Some(nothing) => Self::Nothing(nothing.why.clone()),
            None => Self::Hole(Some("the run did not ask there".to_owned())),
        }
    }

    fn of_place(&self, run: &Run<'_>) -> Option<Stretch> {
        let (sight, why) = match self {
            Self::Whole => (Sight::Whole, None),
            Self::Nothing(why) => (Sight::NotApplicable, why.clone()),
            Self::Silent(recorded) => (Sight::Silent, Some(recorded.clone())),
            Self::Hole(why) => (Sight::Unseen, why.clone()),
            Self::Out(why) => (Sight::Out, Some(why.clone())),
        };
        let positive = matches!(self, Self::Whole | Self::Nothing(_));
        (positive || !run.aborted).then(|| Stretch::other(sight, (run.opened, run.closed), why))
    }

    fn of_answer(&self, run: &Run<'_>, answer: Answer) -> Option<Stretch> {
        let at = answer.observed.unwrap_or(run.opened);
        let hole = match self {
            Self::Hole(why) => Some(why.clone()),
            Self::Out(why) => return Some(Stretch::other(Sight::Out, (run.opened, run.closed), Some(why.clone()))),
            _ => None,
        };
        if run.aborted && (hole.is_some() || answer.status == ObservationStatus::NotAssessed) {
            return None;
        }
        let sight = match (answer.status, &hole) {
            (ObservationStatus::Fail, _) => Sight::Fail,
            (ObservationStatus::Pass, None) => Sight::Pass,
            (ObservationStatus::NotApplicable, None) => Sight::NotApplicable,
            // A pass beside a hole may be an old one: a recorder that is off still has its last answer.
            _ => {
                let why = if answer.status == ObservationStatus::NotAssessed { answer.why } else { None };
                return Some(Stretch::other(Sight::Unseen, (run.opened, run.closed), why.or(hole.flatten())));
            }
        };
        Some(Stretch::answer(sight, at, answer.since))
    }

    fn of_absence(&self, run: &Run<'_>, resource: &Resource) -> Option<Stretch> {
        if run.aborted {
            return None;
        }
        let (sight, why) = match self {
            Self::Whole | Self::Nothing(_) => (Sight::Gone, None),
            Self::Silent(recorded) if super::recorded(recorded, &resource.kind) => (Sight::Gone, None),
            Self::Silent(_) => (Sight::Unseen, Some(format!("the recorder does not record {}", resource.kind))),
            Self::Hole(why) => (Sight::Unseen, why.clone()),
            Self::Out(why) => (Sight::Out, Some(why.clone())),
        };
        Some(Stretch::other(sight, (run.opened, run.closed), why))
    }
}
