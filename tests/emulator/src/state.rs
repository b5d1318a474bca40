//! What changes while the emulator runs: the clock, the faults, the quotas, and the record of requests.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    fault::{ArmedFault, Fault, FaultKind},
    identity::{Keys, Mint, Principal},
    organization::Organization,
    quota::Quotas,
    services::s3::Buckets,
    world::World,
};

/// How an emulator runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Start of the scenario clock, which then stands until it is moved; without it the clock is the real one.
    pub at: Option<Timestamp>,
    /// Whether AWS's quotas throttle.
    pub quotas: bool,
    /// Whether some pages come empty, with a token.
    pub empty_pages: bool,
    /// Access key id and secret of the auditor, where another look-alike beside this one is to know them too.
    pub auditor_key: Option<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, at: None, quotas: true, empty_pages: true, auditor_key: None }
    }
}

/// One request, as the emulator saw it.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// Service named by the signature.
    pub service: String,
    /// API operation.
    pub operation: String,
    /// Account of the caller; empty where it was not known.
    pub account: String,
    /// Region named by the signature.
    pub region: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Error code of the answer.
    pub error: Option<String>,
}

/// Requests kept in full; older ones are only counted.
const KEPT: usize = 20_000;

/// Everything behind the one lock.
#[derive(Debug)]
pub(crate) struct Moving {
    pub clock: Option<Timestamp>,
    pub world: Arc<World>,
    next_change: Option<Timestamp>,
    pub faults: Vec<ArmedFault>,
    pub quotas: Quotas,
    pub ended_sessions: HashSet<String>,
    pub requests: VecDeque<RequestRecord>,
    pub counts: BTreeMap<String, u64>,
    pub unserved: Vec<String>,
    pub serial: u64,
}

/// The emulator's state.
#[derive(Debug)]
pub(crate) struct State {
    pub declared: Organization,
    pub options: Options,
    pub mint: Mint,
    /// Keys that are handed out, by name.
    pub identities: Vec<(String, Keys, Principal)>,
    /// What lies in S3.
    pub buckets: Buckets,
    moving: Mutex<Moving>,
}

impl State {
    pub fn new(declared: Organization, options: Options) -> Self {
        let now = options.at.unwrap_or_else(Timestamp::now);
        let mint = Mint::new(&format!("{} {}", declared.id, declared.seed));
        let mut identities = identities(&declared, &mint);
        if let (Some((access_key, secret)), Some((_, keys, _))) = (options.auditor_key.clone(), identities.first_mut())
        {
            *keys = Keys { access_key, secret, token: None };
        }
        let moving = Moving {
            clock: options.at,
            world: Arc::new(World::at(&declared, now)),
            next_change: World::next_change(&declared, now),
            faults: declared.faults.iter().cloned().map(ArmedFault::new).collect(),
            quotas: Quotas::default(),
            ended_sessions: HashSet::new(),
            requests: VecDeque::new(),
            counts: BTreeMap::new(),
            unserved: Vec::new(),
            serial: 0,
        };
        let buckets = Buckets::new(&declared);
        Self { declared, options, mint, identities, buckets, moving: Mutex::new(moving) }
    }

    /// Locks what moves. A panic elsewhere does not matter: every change is one assignment.
    pub fn moving(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns scenario time and the organisation at that time.
    pub fn now(&self) -> (Timestamp, Arc<World>) {
        let mut moving = self.moving();
        let now = moving.clock.unwrap_or_else(Timestamp::now);
        if moving.next_change.is_some_and(|at| at <= now) {
            moving.world = Arc::new(World::at(&self.declared, now));
            moving.next_change = World::next_change(&self.declared, now);
        }
        (now, Arc::clone(&moving.world))
    }

    /// Moves the scenario clock, in either direction.
    pub fn set_clock(&self, at: Timestamp) {
        let world = Arc::new(World::at(&self.declared, at));
        let next = World::next_change(&self.declared, at);
        let mut moving = self.moving();
        moving.clock = Some(at);
        moving.world = world;
        moving.next_change = next;
    }

    /// Returns the ARN that members' roles trust.
    pub fn auditor_arn(&self) -> &str {
        self.identities.first().map_or("", |(_, _, p)| p.principal_arn.as_str())
    }

    /// Returns the first fault that strikes this call.
    pub fn strike(&self, service: &str, operation: &str, account: &str, region: &str) -> Option<(FaultKind, u64)> {
        let mut moving = self.moving();
        let struck = moving.faults.iter_mut().find_map(|f| f.strike(service, operation, account, region).cloned());
        struck.map(|fault: Fault| (fault.kind, fault.milliseconds))
    }

    /// Records a request.
    pub fn record(&self, record: RequestRecord) {
        let mut moving = self.moving();
        *moving.counts.entry(format!("{}:{}", record.service, record.operation)).or_default() += 1;
        if moving.requests.len() == KEPT {
            moving.requests.pop_front();
        }
        moving.requests.push_back(record);
    }
}

/// The auditor first; then identities for the wrong-account cases.
fn identities(org: &Organization, mint: &Mint) -> Vec<(String, Keys, Principal)> {
    let member = org.accounts.iter().map(|a| &a.id).find(|id| **id != org.audit && **id != org.management);
    let mut list = vec![
        ("auditor", org.audit.clone(), "orgproof-central"),
        ("management", org.management.clone(), "administrator"),
    ];
    list.extend(member.map(|id| ("member", id.clone(), "developer")));
    list.push(("outsider", "999999999999".to_owned(), "stranger"));
    let make = |(name, account, user): (&str, String, &str)| {
        let arn = format!("arn:{}:iam::{account}:user/{user}", org.partition);
        let user_id = format!("AIDA{}", crate::hash::hex(&["user", &account, user], 17).to_uppercase());
        let principal = Principal { account, principal_arn: arn.clone(), arn, user_id, is_session: false };
        (name.to_owned(), mint.long_lived(name), principal)
    };
    list.into_iter().map(make).collect()
}
