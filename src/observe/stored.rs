//! A run's observations and what its targets say of single rules and controls, sorted, in bounded memory.

use std::io;

use jiff::Timestamp;

use super::{ControlState, RuleState};
use crate::{
    model::{AccountId, EvidenceRef, Observation, ObservationStatus, Question, Region, Resource, Sha256Digest},
    sorted::{
        Merge, Scratch, Sorted, Sorter,
        key::{self, Pieces},
    },
};

/// Observations in ascending order of question, account, Region and resource: one for each.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    sorted: Sorted,
    seal: Option<Sha256Digest>,
}

impl Observations {
    /// Reads all of them, in order.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn all(&self) -> io::Result<Reading> {
        self.beginning_with(Vec::new())
    }

    /// Reads the answers to one question, in order.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn of(&self, question: &Question) -> io::Result<Reading> {
        self.beginning_with(question_key(question))
    }

    /// Returns the questions that have an answer, each once; reads no more than one record of each.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn questions(&self) -> io::Result<Vec<Question>> {
        let (mut found, mut from) = (Vec::new(), Vec::new());
        loop {
            let mut merge = self.sorted.from(&from)?;
            let Some((key, _)) = merge.next()? else { return Ok(found) };
            let question = read_question(&mut Pieces(key))?;
            from = question_key(&question);
            // No key between the end of one question and the begin of the next.
            if let Some(last) = from.last_mut() {
                *last += 1;
            }
            found.push(question);
        }
    }

    fn beginning_with(&self, prefix: Vec<u8>) -> io::Result<Reading> {
        Ok(Reading { merge: self.sorted.from(&prefix)?, prefix, seal: self.seal, ahead: None })
    }
}

/// Reads observations in order.
#[derive(Debug)]
pub struct Reading {
    merge: Merge,
    prefix: Vec<u8>,
    seal: Option<Sha256Digest>,
    ahead: Option<Observation>,
}

impl Reading {
    /// Returns what is said of `account`, and passes over the accounts before it. For answers to one question.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn account(&mut self, account: &AccountId) -> io::Result<Vec<Observation>> {
        let mut found = Vec::new();
        while let Some(observation) = self.next().transpose()? {
            match observation.account.cmp(account) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => found.push(observation),
                std::cmp::Ordering::Greater => {
                    self.ahead = Some(observation);
                    break;
                }
            }
        }
        Ok(found)
    }

    fn read(&mut self) -> io::Result<Option<Observation>> {
        match self.merge.next()? {
            Some((key, value)) if key.starts_with(&self.prefix) => decode(key, value, self.seal).map(Some),
            _ => Ok(None),
        }
    }
}

impl Iterator for Reading {
    type Item = io::Result<Observation>;
    fn next(&mut self) -> Option<Self::Item> {
        match self.ahead.take() {
            Some(observation) => Some(Ok(observation)),
            None => self.read().transpose(),
        }
    }
}

/// What a target says of one rule or control; the question names which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A Config rule that is deployed there.
    Rule(RuleState),
    /// A Security Hub control that one of its standards has.
    Control(ControlState),
}

/// Standings in ascending order of question, account and Region.
#[derive(Debug, Clone, Default)]
pub struct Standings {
    sorted: Sorted,
    seal: Option<Sha256Digest>,
}

impl Standings {
    /// Reads how one rule or control stands in each target, in order.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn of(&self, question: &Question) -> io::Result<StandingReading> {
        let prefix = question_key(question);
        Ok(StandingReading { merge: self.sorted.from(&prefix)?, prefix, seal: self.seal, ahead: None })
    }

    /// Gives every standing with its question and target, in order.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn each(&self, mut each: impl FnMut(Question, AccountId, Region, Standing)) -> io::Result<()> {
        let mut merge = self.sorted.from(&[])?;
        while let Some((key, value)) = merge.next()? {
            let mut key = Pieces(key);
            let question = read_question(&mut key)?;
            let (account, region) = target(&mut key)?;
            let standing = decode_standing(value, &account, &region, self.seal)?;
            each(question, account, region, standing);
        }
        Ok(())
    }
}

/// Reads standings in order.
#[derive(Debug)]
pub struct StandingReading {
    merge: Merge,
    prefix: Vec<u8>,
    seal: Option<Sha256Digest>,
    ahead: Option<(AccountId, Region, Standing)>,
}

impl StandingReading {
    /// Returns how it stands in a target; targets are asked for in ascending order.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn at(&mut self, account: &AccountId, region: &Region) -> io::Result<Option<Standing>> {
        loop {
            if self.ahead.is_none() {
                self.ahead = match self.merge.next()? {
                    Some((key, value)) if key.starts_with(&self.prefix) => {
                        let mut key = Pieces(key);
                        key.take(self.prefix.len())?;
                        let (account, region) = target(&mut key)?;
                        let standing = decode_standing(value, &account, &region, self.seal)?;
                        Some((account, region, standing))
                    }
                    _ => return Ok(None),
                };
            }
            let Some((a, r, _)) = &self.ahead else { return Ok(None) };
            match (a, r).cmp(&(account, region)) {
                std::cmp::Ordering::Less => self.ahead = None,
                std::cmp::Ordering::Equal => return Ok(self.ahead.take().map(|(_, _, standing)| standing)),
                std::cmp::Ordering::Greater => return Ok(None),
            }
        }
    }
}

/// Takes observations and standings in any order.
#[derive(Debug)]
pub(super) struct Store {
    observations: Sorter,
    standings: Sorter,
    seal: Option<Sha256Digest>,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Store {
    pub(super) fn new(scratch: &Scratch) -> Self {
        let (observations, standings) = (Sorter::new(scratch), Sorter::new(scratch));
        Self { observations, standings, seal: None, key: Vec::new(), value: Vec::new() }
    }

    pub(super) fn observe(&mut self, observation: &Observation) -> io::Result<()> {
        let seal = *self.seal.get_or_insert(observation.evidence.seal);
        self.key.clear();
        self.value.clear();
        encode(observation, seal, &mut self.key, &mut self.value);
        self.observations.push(&self.key, &self.value)
    }

    pub(super) fn stand(
        &mut self,
        question: &Question,
        account: &AccountId,
        region: &Region,
        standing: &Standing,
    ) -> io::Result<()> {
        let evidence = match standing {
            Standing::Rule(rule) => &rule.evidence,
            Standing::Control(control) => &control.evidence,
        };
        let seal = *self.seal.get_or_insert(evidence.seal);
        self.key.clear();
        self.value.clear();
        push_question(&mut self.key, question);
        push_target(&mut self.key, account, region);
        let value = &mut self.value;
        match standing {
            Standing::Rule(rule) => {
                value.push(0);
                texts(value, &rule.doubts);
                texts(value, &rule.resource_types);
            }
            Standing::Control(control) => {
                value.push(if control.enabled { 2 } else { 1 });
                optional(value, control.why.as_deref());
            }
        }
        push_evidence(value, evidence, (account, region), seal);
        self.standings.push(&self.key, &self.value)
    }

    /// Unites what several stores took. All of it comes from one archive.
    pub(super) fn unite(stores: Vec<Self>) -> io::Result<(Observations, Standings)> {
        let seal = stores.iter().find_map(|store| store.seal);
        if stores.iter().any(|store| store.seal.is_some() && store.seal != seal) {
            return Err(io::Error::other("evidence of several archives was mixed"));
        }
        let (observations, standings): (Vec<_>, Vec<_>) =
            stores.into_iter().map(|store| (store.observations, store.standings)).unzip();
        let observations = Observations { sorted: Sorted::of(observations)?, seal };
        Ok((observations, Standings { sorted: Sorted::of(standings)?, seal }))
    }
}

// Keys order as the derived order of [`Question`], [`AccountId`], [`Region`] and [`Resource`] does: a test holds them together.

fn question_key(question: &Question) -> Vec<u8> {
    let mut key = Vec::new();
    push_question(&mut key, question);
    key
}

fn push_question(key: &mut Vec<u8>, question: &Question) {
    let (kind, name) = match question {
        Question::ConfigRule(name) => (0, name),
        Question::SecurityHub(name) => (1, name),
        Question::GuardedAction(name) => (2, name),
        Question::State(name) => (3, name),
        Question::Product(name) => (4, name),
        Question::Manual(name) => (5, name),
    };
    key.push(kind);
    key::text(key, name);
}

fn read_question(key: &mut Pieces<'_>) -> io::Result<Question> {
    let kind = key.byte()?;
    let name = key.text()?;
    Ok(match kind {
        0 => Question::ConfigRule(name),
        1 => Question::SecurityHub(name),
        2 => Question::GuardedAction(name),
        3 => Question::State(name),
        4 => Question::Product(name),
        5 => Question::Manual(name),
        _ => return Err(damaged()),
    })
}

fn push_target(key: &mut Vec<u8>, account: &AccountId, region: &Region) {
    key::text(key, account.as_str());
    key::text(key, region.as_str());
}

fn target(key: &mut Pieces<'_>) -> io::Result<(AccountId, Region)> {
    let account = key.text()?.parse().map_err(|_| damaged())?;
    Ok((account, key.text()?.parse().map_err(|_| damaged())?))
}

fn encode(observation: &Observation, seal: Sha256Digest, key: &mut Vec<u8>, value: &mut Vec<u8>) {
    let Observation { question, account, region, resource, status, why, observed, since, evidence } = observation;
    push_question(key, question);
    push_target(key, account, region);
    key::text(key, &resource.kind);
    key::text(key, &resource.id);
    value.push(match status {
        ObservationStatus::Pass => 0,
        ObservationStatus::Fail => 1,
        ObservationStatus::NotApplicable => 2,
        ObservationStatus::NotAssessed => 3,
    });
    optional(value, why.as_deref());
    time(value, Some(*observed));
    time(value, *since);
    push_evidence(value, evidence, (account, region), seal);
}

fn decode(key: &[u8], value: &[u8], seal: Option<Sha256Digest>) -> io::Result<Observation> {
    let (mut key, mut value) = (Pieces(key), Pieces(value));
    let question = read_question(&mut key)?;
    let (account, region) = target(&mut key)?;
    let resource = Resource { kind: key.text()?, id: key.text()? };
    let status = match value.byte()? {
        0 => ObservationStatus::Pass,
        1 => ObservationStatus::Fail,
        2 => ObservationStatus::NotApplicable,
        3 => ObservationStatus::NotAssessed,
        _ => return Err(damaged()),
    };
    let why = read_optional(&mut value)?;
    let observed = read_time(&mut value)?.ok_or_else(damaged)?;
    let since = read_time(&mut value)?;
    let evidence = read_evidence(&mut value, (&account, &region), seal)?;
    Ok(Observation { question, account, region, resource, status, why, observed, since, evidence })
}

fn decode_standing(
    value: &[u8],
    account: &AccountId,
    region: &Region,
    seal: Option<Sha256Digest>,
) -> io::Result<Standing> {
    let mut value = Pieces(value);
    let kind = value.byte()?;
    Ok(if kind == 0 {
        let (doubts, resource_types) = (read_texts(&mut value)?, read_texts(&mut value)?);
        Standing::Rule(RuleState {
            doubts,
            resource_types,
            evidence: read_evidence(&mut value, (account, region), seal)?,
        })
    } else {
        let why = read_optional(&mut value)?;
        let evidence = read_evidence(&mut value, (account, region), seal)?;
        Standing::Control(ControlState { enabled: kind == 2, why, evidence })
    })
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a temporary file was damaged")
}

fn optional(value: &mut Vec<u8>, text: Option<&str>) {
    value.push(u8::from(text.is_some()));
    if let Some(text) = text {
        key::bytes(value, text.as_bytes());
    }
}

fn read_optional(value: &mut Pieces<'_>) -> io::Result<Option<String>> {
    (value.byte()? != 0).then(|| value.words().map(str::to_owned)).transpose()
}

fn texts(value: &mut Vec<u8>, texts: &[String]) {
    key::number(value, texts.len() as u64);
    texts.iter().for_each(|text| key::bytes(value, text.as_bytes()));
}

fn read_texts(value: &mut Pieces<'_>) -> io::Result<Vec<String>> {
    (0..value.number()?).map(|_| value.words().map(str::to_owned)).collect()
}

fn time(value: &mut Vec<u8>, at: Option<Timestamp>) {
    value.push(u8::from(at.is_some()));
    if let Some(at) = at {
        value.extend_from_slice(&at.as_nanosecond().to_be_bytes());
    }
}

fn read_time(value: &mut Pieces<'_>) -> io::Result<Option<Timestamp>> {
    if value.byte()? == 0 {
        return Ok(None);
    }
    let bytes = value.take(16)?.try_into().map_err(|_| damaged())?;
    Timestamp::from_nanosecond(i128::from_be_bytes(bytes)).map(Some).map_err(|_| damaged())
}

/// Most records lie in their target's own file and in the archive that all are from: those parts are left out.
fn push_evidence(
    value: &mut Vec<u8>,
    evidence: &EvidenceRef,
    (account, region): (&AccountId, &Region),
    seal: Sha256Digest,
) {
    let own = evidence.seal == seal;
    let short = evidence
        .path
        .strip_prefix("data/bodies/")
        .and_then(|p| p.strip_prefix(account.as_str())?.strip_prefix('/')?.strip_prefix(region.as_str()));
    value.push(u8::from(own) | u8::from(short.is_some()) << 1);
    if !own {
        value.extend_from_slice(&evidence.seal.0);
    }
    key::bytes(value, short.unwrap_or(&evidence.path).as_bytes());
    key::number(value, evidence.line);
}

fn read_evidence(
    value: &mut Pieces<'_>,
    (account, region): (&AccountId, &Region),
    seal: Option<Sha256Digest>,
) -> io::Result<EvidenceRef> {
    let flags = value.byte()?;
    let seal = if flags & 1 == 1 {
        seal.ok_or_else(damaged)?
    } else {
        Sha256Digest(value.take(32)?.try_into().map_err(|_| damaged())?)
    };
    let path = value.words()?;
    let path = if flags & 2 == 2 { format!("data/bodies/{account}/{region}{path}") } else { path.to_owned() };
    Ok(EvidenceRef { seal, path, line: value.number()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn observations() -> impl Strategy<Value = Observation> {
        let name = prop_oneof![Just("a".to_owned()), Just("a\0".to_owned()), any::<String>()];
        let question = (0..6_u8, name.clone()).prop_map(|(kind, name)| match kind {
            0 => Question::ConfigRule(name),
            1 => Question::SecurityHub(name),
            2 => Question::GuardedAction(name),
            3 => Question::State(name),
            4 => Question::Product(name),
            _ => Question::Manual(name),
        });
        let target = ("11111111111[0-3]", "(us|eu)-(east|west)-[1-3]");
        let time = (-1_000_000_000_000_i64..4_000_000_000_000).prop_map(|t| Timestamp::from_millisecond(t).unwrap());
        let path = prop_oneof![Just("data/bodies/111111111111/us-east-1.000.ndjson".to_owned()), any::<String>()];
        let words = (proptest::option::of(any::<String>()), proptest::option::of(time.clone()), path);
        (question, target, (name.clone(), name), 0..4_u8, time, words, any::<(bool, u64)>()).prop_map(
            |(question, (account, region), (kind, id), status, observed, (why, since, path), (own, line))| {
                Observation {
                    question,
                    account: account.parse().unwrap(),
                    region: region.parse().unwrap(),
                    resource: Resource { kind, id },
                    status: [
                        ObservationStatus::Pass,
                        ObservationStatus::Fail,
                        ObservationStatus::NotApplicable,
                        ObservationStatus::NotAssessed,
                    ][usize::from(status)],
                    why,
                    observed,
                    since,
                    evidence: EvidenceRef { seal: Sha256Digest::of([u8::from(own)]), path, line },
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_stored_comes_back_in_the_order_of_the_words_themselves(
            all in proptest::collection::vec(observations(), 0..40),
            buffer in prop_oneof![Just(200_usize), Just(1 << 20)],
        ) {
            let key = |o: &Observation| (o.question.clone(), o.account.clone(), o.region.clone(), o.resource.clone());
            let mut expected = all.clone();
            expected.sort_by_key(key);
            expected.dedup_by_key(|o| key(o));
            let mut store = Store::new(&Scratch::default().holding(buffer));
            for observation in expected.iter().rev() {
                store.observe(observation).unwrap();
            }
            let (stored, _) = Store::unite(vec![store]).unwrap();
            let read: Vec<_> = stored.all().unwrap().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&read, &expected);
            if let Some(one) = all.first() {
                let asked: Vec<_> = stored.of(&one.question).unwrap().collect::<Result<_, _>>().unwrap();
                let expected: Vec<_> = expected.into_iter().filter(|o| o.question == one.question).collect();
                prop_assert_eq!(asked, expected);
                let mut reading = stored.of(&one.question).unwrap();
                let of_account = reading.account(&one.account).unwrap();
                prop_assert!(of_account.iter().all(|o| o.account == one.account) && !of_account.is_empty());
            }
        }
    }
}
