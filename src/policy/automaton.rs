//! Which combinations of pattern lists can a string match? Decided exactly, for all strings at once, by walking the product of the
//! patterns' automata, shortest strings first.
//!
//! A pattern's automaton keeps the places reached, from its latest star on (everything an earlier place could still match, that star can
//! too), so a pattern without `?` has about as many states as characters. The product of many patterns can still be exponential, and is
//! then given up when the budget is spent.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    ops::ControlFlow,
};

use super::{
    budget::{Budget, TooComplex},
    pattern::{Pattern, Token},
};

/// The strings that are walked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Universe<'a> {
    /// Every `service:name` (one colon, neither part empty) that the pattern matches.
    Actions(&'a Pattern),
    /// Every string but the empty one.
    Resources,
}

/// Calls `visit` with each distinct answer to "which of `lists` match?" that some string of the universe gives, until it breaks.
pub(super) fn classes(
    universe: Universe<'_>,
    lists: &[Vec<&Pattern>],
    budget: &mut Budget,
    mut visit: impl FnMut(&[bool], &mut Budget) -> Result<ControlFlow<()>, TooComplex>,
) -> Result<(), TooComplex> {
    let mut product = Product::new(universe, lists);
    let mut told = HashSet::new();
    let start = product.start();
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    while let Some(state) = queue.pop_front() {
        if let Some(answer) = product.answer(&state)
            && told.insert(answer.clone())
            && visit(&answer, budget)?.is_break()
        {
            return Ok(());
        }
        for letter in 0..product.letters.len() {
            if let Some(next) = product.step(&state, letter, budget)?
                && !seen.contains(&next)
            {
                seen.insert(next.clone());
                queue.push_back(next);
            }
        }
    }
    Ok(())
}

/// A letter: a character that some pattern names, or `None` for all the others, which no pattern tells apart.
type Letter = Option<char>;

const DEAD: u32 = 0;
const FOREVER: u32 = u32::MAX;

struct Product<'a> {
    universe: Universe<'a>,
    letters: Vec<Letter>,
    machines: Vec<Machine<'a>>,
    /// Ranges of `machines` that make up the lists.
    ranges: Vec<std::ops::Range<usize>>,
}

/// State: how much of the universe's own form was read, then a state of each machine.
type State = Vec<u32>;

impl<'a> Product<'a> {
    fn new(universe: Universe<'a>, lists: &[Vec<&'a Pattern>]) -> Self {
        let mut machines = Vec::new();
        if let Universe::Actions(query) = universe {
            machines.push(Machine::new(query));
        }
        let mut ranges = Vec::new();
        for list in lists {
            let from = machines.len();
            machines.extend(list.iter().map(|pattern| Machine::new(pattern)));
            ranges.push(from..machines.len());
        }
        let mut letters = BTreeSet::from([None]);
        if matches!(universe, Universe::Actions(_)) {
            letters.insert(Some(':'));
        }
        for machine in &machines {
            letters.extend(
                machine.tokens.iter().filter_map(|t| if let Token::Literal(c) = t { Some(Some(*c)) } else { None }),
            );
        }
        Self { universe, letters: letters.into_iter().collect(), machines, ranges }
    }

    fn start(&mut self) -> State {
        let mut state = vec![0];
        state.extend(self.machines.iter_mut().map(Machine::start));
        self.settle(state)
    }

    fn step(&mut self, state: &State, letter: usize, budget: &mut Budget) -> Result<Option<State>, TooComplex> {
        let form = match (self.universe, state[0], self.letters[letter] == Some(':')) {
            (Universe::Resources, ..) => 1,
            (Universe::Actions(_), 0, true) | (Universe::Actions(_), 2.., true) => return Ok(None),
            (Universe::Actions(_), 0 | 1, false) => 1,
            (Universe::Actions(_), 1, true) => 2,
            (Universe::Actions(_), 2.., false) => 3,
        };
        budget.spend(state.len())?;
        let mut next = Vec::with_capacity(state.len());
        next.push(form);
        for (machine, at) in self.machines.iter_mut().zip(&state[1..]) {
            let (state, work) = machine.step(*at, letter, self.letters[letter]);
            budget.spend(work)?;
            next.push(state);
        }
        if matches!(self.universe, Universe::Actions(_)) && next[1] == DEAD {
            return Ok(None);
        }
        Ok(Some(self.settle(next)))
    }

    /// A list that matches whatever follows needs its other patterns no more.
    fn settle(&self, mut state: State) -> State {
        for range in &self.ranges {
            let part = &mut state[range.start + 1..range.end + 1];
            if part.contains(&FOREVER) {
                part.fill(FOREVER);
            }
        }
        state
    }

    fn answer(&self, state: &State) -> Option<Vec<bool>> {
        let inside = match self.universe {
            Universe::Resources => state[0] == 1,
            Universe::Actions(_) => state[0] == 3 && self.machines[0].accepts(state[1]),
        };
        let list = |range: &std::ops::Range<usize>| range.clone().any(|i| self.machines[i].accepts(state[i + 1]));
        inside.then(|| self.ranges.iter().map(list).collect())
    }
}

/// One pattern's deterministic automaton, made as it is walked.
struct Machine<'a> {
    tokens: &'a [Token],
    /// Sets of places in the pattern, by state; state 0 is the empty set.
    states: Vec<Vec<u32>>,
    numbers: HashMap<Vec<u32>, u32>,
    steps: HashMap<(u32, usize), u32>,
}

impl<'a> Machine<'a> {
    fn new(pattern: &'a Pattern) -> Self {
        Self {
            tokens: pattern.tokens(),
            states: vec![Vec::new()],
            numbers: HashMap::from([(Vec::new(), DEAD)]),
            steps: HashMap::new(),
        }
    }

    fn start(&mut self) -> u32 {
        self.number(vec![0])
    }

    fn accepts(&self, state: u32) -> bool {
        state == FOREVER || self.states[state as usize].last().is_some_and(|last| *last as usize == self.tokens.len())
    }

    /// Returns the next state and how many places it took to find it.
    fn step(&mut self, state: u32, letter: usize, c: Letter) -> (u32, usize) {
        if state == DEAD || state == FOREVER {
            return (state, 0);
        }
        if let Some(next) = self.steps.get(&(state, letter)) {
            return (*next, 0);
        }
        let mut places = Vec::new();
        for &place in &self.states[state as usize] {
            match self.tokens.get(place as usize) {
                Some(Token::Any) => places.push(place),
                Some(Token::One) => places.push(place + 1),
                Some(Token::Literal(l)) if c == Some(*l) => places.push(place + 1),
                _ => {}
            }
        }
        let next = self.number(places);
        self.steps.insert((state, letter), next);
        (next, self.states[state as usize].len())
    }

    /// Closes the set under "a star may match nothing", drops what the latest star covers, and numbers it.
    fn number(&mut self, mut places: Vec<u32>) -> u32 {
        let mut i = 0;
        while i < places.len() {
            if self.tokens.get(places[i] as usize) == Some(&Token::Any) {
                places.push(places[i] + 1);
            }
            i += 1;
        }
        places.sort_unstable();
        places.dedup();
        let star = places.iter().rposition(|p| self.tokens.get(*p as usize) == Some(&Token::Any));
        places.drain(..star.unwrap_or(0));
        if star.is_some() && places[0] as usize + 1 == self.tokens.len() {
            return FOREVER;
        }
        if let Some(number) = self.numbers.get(&places) {
            return *number;
        }
        let number = self.states.len() as u32;
        self.states.push(places.clone());
        self.numbers.insert(places, number);
        number
    }
}
