//! One target's answers, read and drawn.

use std::{collections::BTreeMap, io};

use super::{
    Run, RunReader, Target, TargetState,
    answer::{self, Answer},
    facts::{self, Heard, RunFacts, Seen, TargetFacts},
    one_per_resource,
    pages::{Listing, Listings, Page, Source},
    reconcile::DrawnTarget,
    stored::Store,
    wire::Strings,
};
use crate::{
    model::{Call, Collector, Discrepancy, Exchange, Region, Scope, TaskId},
    sorted::Scratch,
};

/// Answers by task, as far as they are judged.
#[derive(Debug, Default)]
pub(super) struct Answers {
    strings: Strings,
    tasks: BTreeMap<TaskId, TaskAnswers>,
}

#[derive(Debug, Default)]
struct TaskAnswers {
    listings: Listings<Answer>,
    malformed: Option<String>,
}

impl Answers {
    /// Reads an exchange; `None` where it answers nothing that is judged here, or cannot be read (which is noted).
    pub(super) fn read(&mut self, exchange: Exchange<'_>) -> Option<(Page<Answer>, bool)> {
        let call = exchange.call;
        if !facts::speaks_for(call.task.collector, &call.operation) {
            return None;
        }
        let read = if exchange.answered() {
            answer::read(call, exchange.body, &mut self.strings)?
        } else {
            Ok((answer::refusal(call, exchange.body)?, false))
        };
        match read {
            Ok((value, more)) => {
                let (path, line) = call.body.as_ref().map_or(("", 0), |b| (b.path.as_str(), b.line));
                let source = Source { seal: exchange.seal, path: self.strings.one(path), line };
                Some((Page { value, at: call.time, source }, more))
            }
            Err(cause) => {
                let task = self.tasks.entry(call.task.clone()).or_default();
                task.malformed
                    .get_or_insert_with(|| format!("an answer of {} cannot be read: {cause}", call.operation));
                None
            }
        }
    }

    /// Files a page that was read.
    pub(super) fn take(&mut self, call: &Call, page: Page<Answer>, more: bool) {
        self.tasks.entry(call.task.clone()).or_default().listings.push(call, page, more);
    }

    /// Gives the listings as they count, task by task, and notes what is wrong with them.
    pub(super) fn finish(self, heard: &mut Heard, mut each: impl FnMut(&TaskId, Listing<Answer>)) {
        for (task, answers) in self.tasks {
            let mut operations = Vec::new();
            if let Some(malformed) = answers.malformed {
                heard.fault(&task, malformed);
            }
            for listing in answers.listings.finish() {
                if !listing.complete {
                    heard.fault(&task, format!("the end of {} is missing", listing.operation));
                }
                operations.push(listing.operation.clone());
                each(&task, listing);
            }
            heard.answered(&task, &operations);
        }
    }
}

/// Takes what is drawn of target after target.
#[derive(Debug)]
pub struct Shelf {
    pub(super) store: Store,
    pub(super) targets: BTreeMap<Target, TargetState>,
    pub(super) discrepancies: Vec<Discrepancy>,
    pub(super) contradicted: BTreeMap<TaskId, String>,
    /// Regions that are on, by the task that listed them.
    pub(super) regions: BTreeMap<TaskId, Seen<std::collections::BTreeSet<Region>>>,
    /// Every target that was read, and the first of its collectors whose answers are not all there.
    pub(super) holes: BTreeMap<Target, Option<Collector>>,
}

impl Shelf {
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self {
            store: Store::new(scratch),
            targets: BTreeMap::new(),
            discrepancies: Vec::new(),
            contradicted: BTreeMap::new(),
            regions: BTreeMap::new(),
            holes: BTreeMap::new(),
        }
    }
}

/// Reads the exchanges of one account and Region; those of the whole run, which may lie among them, are passed over.
#[derive(Debug)]
pub struct TargetReader<'r> {
    run: &'r Run<'r>,
    target: Target,
    answers: Answers,
}

impl<'r> TargetReader<'r> {
    /// Begins with nothing read.
    pub fn new(run: &'r Run<'r>, target: Target) -> Self {
        Self { run, target, answers: Answers::default() }
    }

    /// Reads one exchange. Exchanges of one task come in the order of its calls; tasks may come in any order.
    pub fn push(&mut self, exchange: Exchange<'_>) {
        if RunReader::concerns(&exchange.call.task) {
            return;
        }
        if let Some((page, more)) = self.answers.read(exchange) {
            self.answers.take(exchange.call, page, more);
        }
    }

    /// Draws the target.
    ///
    /// # Errors
    /// A temporary file cannot be read or written.
    pub fn finish(self, shelf: &mut Shelf) -> io::Result<()> {
        let Self { run, target, answers } = self;
        let mut heard = Heard::default();
        let mut facts = TargetFacts::default();
        let mut touched = run.touched.contains(&target);
        answers.finish(&mut heard, |task, listing| {
            touched = true;
            // What a target says of the whole account is the Regions that are on in it.
            let mut of_run = RunFacts::default();
            facts::take(task, listing, &mut of_run, &mut facts);
            if let Some(seen) = of_run.regions.remove(&task.account) {
                match shelf.regions.entry(task.clone()) {
                    std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(seen)),
                    std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().value.extend(seen.value),
                }
            }
        });
        let of = |collector| TaskId { account: target.0.clone(), region: target.1.clone(), collector };
        let sound = |collector| run.ledger.sound(&of(collector), &heard);
        let regional = Collector::ALL.into_iter().filter(|c| c.scope() == Scope::Target);
        let hole = regional.into_iter().find(|collector| !sound(*collector));
        // Only what the home Region says counts, and only where it says it completely.
        if run.facts.home.as_ref() != Some(&target.1) || !sound(Collector::Regions) {
            shelf.regions.remove(&of(Collector::Regions));
        }
        let here = run.ledger.of(&target).filter(|task| !RunReader::concerns(task));
        shelf.contradicted.extend(here.filter_map(|task| run.ledger.contradicted(task, &heard)));
        if touched {
            let mut strings = Strings::default();
            let mut drawn = DrawnTarget::new(&target, facts, run, &sound, &mut strings)?;
            one_per_resource(&mut drawn.observations);
            for observation in &drawn.observations {
                shelf.store.observe(observation)?;
            }
            for (question, standing) in &drawn.standings {
                shelf.store.stand(question, &target.0, &target.1, standing)?;
            }
            shelf.discrepancies.extend(drawn.discrepancies);
            shelf.targets.insert(target.clone(), drawn.state);
        }
        if shelf.holes.contains_key(&target) {
            return Err(super::run::scattered(&target.0, &target.1));
        }
        shelf.holes.insert(target, hole);
        Ok(())
    }
}
