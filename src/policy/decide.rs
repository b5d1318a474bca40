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

use std::{collections::BTreeMap, ops::ControlFlow};

use super::{
    automaton::{Universe, classes},
    budget::{Budget, TooComplex},
    language::{Patterns, Principals, Sense, Statement},
    pattern::{Pattern, Token},
};

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
    budget: &mut Budget,
) -> Result<Verdict, TooComplex> {
    let rules = Rules::new(allows, denies);
    let (lists, place) = distinct(rules.statements.iter().map(|s| s.actions.list.iter().collect()).collect());
    let mut tally = Tally::default();
    let mut class = |answer: &[bool], budget: &mut Budget| {
        let listed = rules.statements.iter().map(|s| s.actions.sense == Sense::Listed);
        let applies: Vec<bool> = listed.zip(&place).map(|(listed, p)| answer[*p] == listed).collect();
        rules.over_resources(&applies, &mut tally, budget)
    };
    if query.is_literal() {
        let _ = class(&answer(&lists, &query.as_str().to_ascii_lowercase(), budget)?, budget)?;
    } else {
        // A few likely actions first: they mostly show at once that the answer is "partly", which spares the walk.
        let mut flow = ControlFlow::Continue(());
        for text in lists.iter().flatten().copied().chain([query]).flat_map(samples).filter(|t| is_action(t)) {
            if flow.is_continue() && query.matches_within(&text, budget)? {
                flow = class(&answer(&lists, &text, budget)?, budget)?;
            }
        }
        if flow.is_continue() {
            classes(Universe::Actions(query), &lists, budget, &mut class)?;
        }
    }
    // A query that matches no action at all is never asked: the caller has checked its form.
    tally.0.ok_or(TooComplex)
}

/// Which of `lists` match `text`.
fn answer(lists: &[Vec<&Pattern>], text: &str, budget: &mut Budget) -> Result<Vec<bool>, TooComplex> {
    let mut answer = Vec::with_capacity(lists.len());
    for list in lists {
        budget.spend(1)?;
        let mut any = false;
        for pattern in list {
            any = any || pattern.matches_within(text, budget)?;
        }
        answer.push(any);
    }
    Ok(answer)
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
    let (mut once, mut places) = (Vec::new(), BTreeMap::new());
    let mut place = Vec::with_capacity(lists.len());
    for list in lists {
        let next = once.len();
        let tokens: Vec<&[Token]> = list.iter().map(|p| p.tokens()).collect();
        let at = *places.entry(tokens).or_insert(next);
        if at == next {
            once.push(list);
        }
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

/// The statements that decide: the denies, then the allows node by node.
struct Rules<'a> {
    statements: Vec<&'a Statement>,
    /// Each statement's proviso, by number; equal ones share a number.
    provisos: Vec<Option<usize>>,
    /// How many denies.
    denies: usize,
    /// How many allows at each node.
    nodes: Vec<usize>,
}

/// Whether a statement's resources match: surely, and possibly (they differ where a variable stands in them).
#[derive(Clone, Copy)]
struct Reach {
    certain: bool,
    possible: bool,
}

const NOWHERE: Reach = Reach { certain: false, possible: false };

impl<'a> Rules<'a> {
    fn new(allows: &[Vec<&'a Statement>], denies: &[&'a Statement]) -> Self {
        let statements: Vec<&Statement> = denies.iter().chain(allows.iter().flatten()).copied().collect();
        let mut numbers = BTreeMap::new();
        let mut number = |proviso| {
            let next = numbers.len();
            *numbers.entry(proviso).or_insert(next)
        };
        let provisos = statements.iter().map(|s| proviso(s).map(&mut number)).collect();
        Self { statements, provisos, denies: denies.len(), nodes: allows.iter().map(Vec::len).collect() }
    }

    /// Adds to `tally` what is denied of one class of actions, to which the statements that `applies` marks speak; breaks once nothing
    /// can change it any more.
    fn over_resources(
        &self,
        applies: &[bool],
        tally: &mut Tally,
        budget: &mut Budget,
    ) -> Result<ControlFlow<()>, TooComplex> {
        let mut lists = Vec::new();
        for (statement, _) in self.statements.iter().zip(applies).filter(|(_, a)| **a) {
            let patterns = &statement.resources.list;
            lists.push(patterns.iter().filter(|p| !p.has_variable()).collect());
            lists.push(patterns.iter().collect());
        }
        let (lists, place) = distinct(lists);
        let mut flow = ControlFlow::Continue(());
        let mut class = |answer: &[bool], budget: &mut Budget| {
            budget.spend(self.statements.len())?;
            let mut next = place.chunks_exact(2).map(|pair| (answer[pair[0]], answer[pair[1]]));
            let mut reach_of = |(statement, applies): (&&Statement, &bool)| {
                if *applies { next.next().map_or(NOWHERE, |n| reach(&statement.resources, n)) } else { NOWHERE }
            };
            let reaches: Vec<Reach> = self.statements.iter().zip(applies).map(&mut reach_of).collect();
            flow = tally.add(self.judge(&reaches));
            Ok(flow)
        };
        for text in lists.iter().flatten().flat_map(|p| samples(p)).filter(|text| !text.is_empty()) {
            if class(&answer(&lists, &text, budget)?, budget)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        classes(Universe::Resources, &lists, budget, class)?;
        Ok(flow)
    }

    /// Judges one class of requests, over every outcome of the conditions.
    fn judge(&self, reaches: &[Reach]) -> Verdict {
        let mut somewhere = false;
        // For a request to escape, the provisos of the denies that reach it must fail; every other may hold.
        let mut failing = vec![false; self.statements.len()];
        for (reach, proviso) in reaches.iter().zip(&self.provisos).take(self.denies).filter(|(r, _)| r.possible) {
            match proviso {
                None if reach.certain => return Verdict::Denied,
                Some(number) if reach.certain => failing[*number] = true,
                _ => {}
            }
            somewhere = true;
        }
        let mut from = self.denies;
        for count in &self.nodes {
            let here = from..from + count;
            from = here.end;
            let (mut always, mut sometimes) = (false, false);
            for (reach, proviso) in reaches[here.clone()].iter().zip(&self.provisos[here]).filter(|(r, _)| r.possible) {
                always |= reach.certain && proviso.is_none();
                sometimes |= proviso.is_none_or(|number| !failing[number]);
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
