//! What a set of statements denies, over every action of a query, every resource and every request at once.
//!
//! | of all (action, resource, request) … | verdict |
//! |---|---|
//! | each is denied | `Denied` |
//! | none is denied | `NotDenied` |
//! | some are, some are not | `Partly` |
//!
//! Actions are all strings `service:name`, resources all strings but the empty one: no list of real ones is assumed. Conditions are not
//! resolved: each distinct Condition block (with its principals, where a resource control policy names some) may hold or not, independently of
//! the others; a `${variable}` in a resource may or may not match. One request is denied if a Deny applies to it, or if some node has
//! no Allow that does.

use std::ops::ControlFlow;

use super::{
    automaton::{Universe, classes},
    language::{Patterns, Principals, Sense, Statement},
    pattern::{Pattern, Token},
};

pub(super) use super::automaton::TooComplex;

/// What is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything.
    Denied,
    /// Some.
    Partly,
    /// Nothing.
    NotDenied,
}

/// Collects the verdicts over classes of requests into one.
#[derive(Default)]
struct Tally(Option<Verdict>);

impl Tally {
    /// Adds a class; breaks once nothing can change the verdict any more.
    fn add(&mut self, verdict: Verdict) -> ControlFlow<()> {
        let both = match self.0 {
            Some(before) if before != verdict => Verdict::Partly,
            _ => verdict,
        };
        self.0 = Some(both);
        if both == Verdict::Partly { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Decides what of `query` (an action, or an action pattern) is denied: by `denies`, or for want of an Allow at one of the nodes, whose
/// Allow statements `allows` holds.
pub(super) fn decide(
    query: &Pattern,
    allows: &[Vec<&Statement>],
    denies: &[&Statement],
) -> Result<Verdict, TooComplex> {
    let rules = Rules { allows, denies };
    let statements: Vec<&Statement> = rules.all().collect();
    let lists: Vec<Vec<&Pattern>> = statements.iter().map(|s| s.actions.list.iter().collect()).collect();
    let (lists, place) = distinct(lists);
    let mut tally = Tally::default();
    let mut failed = None;
    let mut class = |answer: &[bool]| {
        let applies: Vec<bool> =
            statements.iter().zip(&place).map(|(s, p)| answer[*p] == (s.actions.sense == Sense::Listed)).collect();
        match rules.over_resources(&statements, &applies, &mut tally) {
            Ok(()) if tally.0 == Some(Verdict::Partly) => ControlFlow::Break(()),
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                failed = Some(e);
                ControlFlow::Break(())
            }
        }
    };
    let answer = |text: &str| lists.iter().map(|l| l.iter().any(|p| p.matches(text))).collect::<Vec<_>>();
    if query.is_literal() {
        let _ = class(&answer(&query.as_str().to_ascii_lowercase()));
    } else {
        // A few likely actions first: they mostly show at once that the answer is "partly", which spares the walk.
        let likely = lists.iter().flatten().copied().chain([query]).flat_map(samples);
        let mut flow = ControlFlow::Continue(());
        for text in likely.filter(|t| is_action(t) && query.matches(t)) {
            flow = class(&answer(&text));
            if flow.is_break() {
                break;
            }
        }
        if flow.is_continue() {
            classes(Universe::Actions(query), &lists, &mut class)?;
        }
    }
    match (failed, tally.0) {
        (None, Some(verdict)) => Ok(verdict),
        _ => Err(TooComplex),
    }
}

/// True for `service:name`.
pub(super) fn is_action(text: &str) -> bool {
    text.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty() && !name.contains(':'))
}

/// Strings that the pattern matches: with nothing, and with something unlikely, in place of each star.
fn samples(pattern: &Pattern) -> [String; 3] {
    let fill = |any: &str| {
        let mut text = String::new();
        for token in pattern.tokens() {
            match token {
                Token::Literal(c) => text.push(*c),
                Token::One => text.push('\u{1}'),
                Token::Any => text.push_str(any),
            }
        }
        text
    };
    [fill(""), fill("\u{1}"), fill("\u{1}:\u{1}")]
}

/// Returns each list once, and for each of `lists` its place among those.
fn distinct(lists: Vec<Vec<&Pattern>>) -> (Vec<Vec<&Pattern>>, Vec<usize>) {
    let mut once: Vec<Vec<&Pattern>> = Vec::new();
    let mut place = Vec::with_capacity(lists.len());
    for list in lists {
        let at = once.iter().position(|other| *other == list).unwrap_or_else(|| {
            once.push(list);
            once.len() - 1
        });
        place.push(at);
    }
    (once, place)
}

/// What a request must fulfil for a statement to apply, beside action and resource.
type Proviso<'a> = (Option<&'a Principals>, &'a super::condition::Condition);

fn proviso(statement: &Statement) -> Option<Proviso<'_>> {
    let principals = statement.principals.as_ref().filter(|p| !p.is_everyone());
    (principals.is_some() || !statement.condition.is_empty()).then_some((principals, &statement.condition))
}

struct Rules<'a> {
    allows: &'a [Vec<&'a Statement>],
    denies: &'a [&'a Statement],
}

/// Whether a statement's resources match: surely, and possibly (they differ where a variable stands in them).
#[derive(Clone, Copy)]
struct Reach {
    certain: bool,
    possible: bool,
}

const NOWHERE: Reach = Reach { certain: false, possible: false };

impl<'a> Rules<'a> {
    /// Every statement: the denies, then the allows node by node.
    fn all(&self) -> impl Iterator<Item = &'a Statement> {
        self.denies.iter().chain(self.allows.iter().flatten()).copied()
    }

    /// Adds to `tally` what is denied of one class of actions, to which the statements that `applies` marks speak.
    fn over_resources(
        &self,
        statements: &[&'a Statement],
        applies: &[bool],
        tally: &mut Tally,
    ) -> Result<(), TooComplex> {
        let mut lists = Vec::new();
        for (statement, _) in statements.iter().zip(applies).filter(|(_, a)| **a) {
            let patterns = &statement.resources.list;
            lists.push(patterns.iter().filter(|p| !p.has_variable()).collect());
            lists.push(patterns.iter().collect());
        }
        let (lists, place) = distinct(lists);
        let mut class = |answer: &[bool]| {
            let mut next = place.chunks_exact(2).map(|pair| (answer[pair[0]], answer[pair[1]]));
            let reaches: Vec<Reach> = statements
                .iter()
                .zip(applies)
                .map(|(s, a)| if *a { next.next().map_or(NOWHERE, |n| reach(&s.resources, n)) } else { NOWHERE })
                .collect();
            tally.add(self.judge(&reaches))
        };
        let likely = lists.iter().flatten().flat_map(|p| samples(p)).filter(|text| !text.is_empty());
        for text in likely {
            let answer: Vec<bool> = lists.iter().map(|l| l.iter().any(|p| p.matches(&text))).collect();
            if class(&answer).is_break() {
                return Ok(());
            }
        }
        classes(Universe::Resources, &lists, class)
    }

    /// Judges one class of requests, over every outcome of the conditions.
    fn judge(&self, reaches: &[Reach]) -> Verdict {
        let (denied, left) = reaches.split_at(self.denies.len());
        let mut somewhere = false;
        // For a request to escape, the provisos of the denies that reach it must fail; every other may hold.
        let mut failing: Vec<Proviso<'_>> = Vec::new();
        for (statement, reach) in self.denies.iter().zip(denied).filter(|(_, r)| r.possible) {
            match proviso(statement) {
                None if reach.certain => return Verdict::Denied,
                Some(proviso) if reach.certain => failing.push(proviso),
                _ => {}
            }
            somewhere = true;
        }
        let mut rest = left.iter();
        for node in self.allows {
            let (mut always, mut sometimes) = (false, false);
            for (statement, reach) in node.iter().zip(rest.by_ref().take(node.len())).filter(|(_, r)| r.possible) {
                let proviso = proviso(statement);
                always |= reach.certain && proviso.is_none();
                sometimes |= proviso.is_none_or(|p| !failing.contains(&p));
            }
            if !sometimes {
                return Verdict::Denied;
            }
            somewhere |= !always;
        }
        if somewhere { Verdict::Partly } else { Verdict::NotDenied }
    }
}

fn reach(resources: &Patterns, (certain, possible): (bool, bool)) -> Reach {
    match resources.sense {
        Sense::Listed => Reach { certain, possible },
        Sense::Others => Reach { certain: !possible, possible: !certain },
    }
}
