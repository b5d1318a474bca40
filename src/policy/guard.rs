//! What the chain above an account denies of one action, and which statements answer for it.

use std::{
    fmt,
    sync::{MutexGuard, PoisonError},
};

use serde::Serialize;

use super::{
    budget::{Budget, TooComplex},
    chain::{Analysis, Answers, Attached, Chain, Node, TypeState},
    condition::{Condition, Shown},
    decide::{Verdict, decide, is_action},
    extent::{Extent, exempts_only_named},
    language::{Effect, Kind, Patterns, Sense, Statement},
    pattern::Pattern,
};
use crate::model::{AccountId, Sha256Digest};

/// Steps that one question may cost (well under a second), and what one statement or node may take of them.
const STEPS: u64 = 4_000_000;
const STEPS_OF_A_PART: u64 = 500_000;

/// Services whose resources AWS applies resource control policies to, as announced by 2026-01. It adds services from time to time.
const RESOURCE_CONTROLLED: [&str; 10] =
    ["aoss", "cognito-identity", "cognito-idp", "ecr", "kms", "logs", "s3", "secretsmanager", "sqs", "sts"];

/// What organisation policies deny of an action (or action pattern) in an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "guard")]
pub enum Guard {
    /// Denied for every action that the query matches, every resource and every request.
    Denied {
        /// Each cause that suffices by itself; where none does, all those that suffice together.
        by: Vec<Responsible>,
    },
    /// Denied for some actions, resources or requests, and not for others.
    DeniedConditionally {
        /// Every cause.
        by: Vec<Responsible>,
        /// What each cause, in the order of `by`, is limited to; shown, never resolved.
        conditions: Vec<String>,
    },
    /// No policy in the chain denies any of it. Says nothing of what identity or resource policies grant.
    NotDenied,
    /// The chain has no effect on the account.
    Exempt {
        /// Why.
        why: String,
    },
    /// The evidence does not say.
    Unknown {
        /// Every reason.
        why: String,
    },
}

/// How a cause denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A Deny statement.
    ExplicitDeny,
    /// The node has no Allow for it.
    NoAllow,
    /// The node has an Allow for it, but a limited one: beyond its limits nothing is allowed.
    LimitedAllow,
}

/// A cause of a denial.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Responsible {
    /// Root, OU or account id.
    pub node: String,
    /// How it denies.
    pub cause: Cause,
    /// How far it denies by itself.
    pub extent: Extent,
    /// Policy id; `None` for [`Cause::NoAllow`], which no policy causes.
    pub policy: Option<String>,
    /// Policy name (may hold anything).
    pub name: Option<String>,
    /// Place of the statement in the document, from 0.
    pub statement: Option<usize>,
    /// Its Sid.
    pub sid: Option<String>,
    /// SHA-256 of the document.
    pub sha256: Option<Sha256Digest>,
}

impl fmt::Display for Responsible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(policy), Some(statement)) = (&self.policy, self.statement) else {
            return write!(f, "no Allow at {}", Shown(&self.node));
        };
        let effect = if self.cause == Cause::ExplicitDeny { "Deny" } else { "limited Allow" };
        write!(
            f,
            "{effect} in {} ({}), statement {statement}",
            Shown(policy),
            Shown(self.name.as_deref().unwrap_or(""))
        )?;
        if let Some(sid) = &self.sid {
            write!(f, " {}", Shown(sid))?;
        }
        write!(f, ", at {}", Shown(&self.node))
    }
}

/// One part of the chain, judged by itself: a Deny statement, or a node's Allow statements.
struct Piece<'a> {
    verdict: Result<Verdict, TooComplex>,
    node: &'a Node<'a>,
    deny: Option<(&'a Attached<'a>, &'a Statement)>,
}

impl<'a> Analysis<'a> {
    /// Says what service control policies deny of `action` to the principals of `account`.
    ///
    /// `action` is `service:name`, also with wildcards (`s3:*`, `*`): then "denied" means that every action it matches is.
    pub fn guard(&self, account: &AccountId, action: &str) -> Guard {
        self.ask(account, action, Kind::ServiceControl)
    }

    /// Says what resource control policies deny of `action` on the resources of `account`, to whomever.
    ///
    /// AWS applies them to the resources of some services only: a denial for any other service is [`Guard::Unknown`].
    pub fn guard_resources(&self, account: &AccountId, action: &str) -> Guard {
        let service = action.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let answer = self.ask(account, action, Kind::ResourceControl);
        match answer {
            Guard::Denied { by } | Guard::DeniedConditionally { by, .. }
                if !RESOURCE_CONTROLLED.contains(&service.as_str()) =>
            {
                let by = list(by.iter().map(ToString::to_string));
                let why = format!(
                    "{by} would deny it, but it is not known that AWS applies resource control policies to {service:?}"
                );
                Guard::Unknown { why }
            }
            other => other,
        }
    }

    fn ask(&self, account: &AccountId, action: &str, kind: Kind) -> Guard {
        let query = Pattern::action(action);
        if !is_action(action) && !query.is_any() {
            return Guard::Unknown { why: format!("{action:?} is not an action (service:name, or *)") };
        }
        if let Some(why) = self.exempt(account) {
            return Guard::Exempt { why };
        }
        let Some(place) = self.place(account, kind) else {
            return self.answer(account, &query, kind);
        };
        let question = (place, action.to_ascii_lowercase());
        if let Some((other, answer)) = self.answers().get(&question) {
            return answer.clone().renamed(other.as_str(), account.as_str());
        }
        let answer = self.answer(account, &query, kind);
        if !matches!(answer, Guard::Unknown { .. }) {
            self.answers().insert(question, (account.clone(), answer.clone()));
        }
        answer
    }

    fn answer(&self, account: &AccountId, query: &Pattern, kind: Kind) -> Guard {
        let chain = self.resolve(account, kind);
        if !chain.problems.is_empty() {
            return Guard::Unknown { why: chain.problems.join("; ") };
        }
        if chain.state == TypeState::Disabled {
            return Guard::NotDenied;
        }
        judge(&chain, query)
    }

    /// Answers given so far. One that panicked while it held them left them whole: each is inserted at once.
    fn answers(&self) -> MutexGuard<'_, Answers<'a>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard {
    /// True where the query is denied to all but principals that one statement names as exempt, such as a break-glass role, or to all.
    ///
    /// This, and not every [`Guard::DeniedConditionally`], is what a guardrail with an intended exemption looks like: a Deny for the root
    /// user, for foreign Regions or for one bucket is conditional too. Whether the exemption is the intended one stays for a person to judge.
    pub fn spares_only_named(&self) -> bool {
        match self {
            Self::Denied { .. } => true,
            Self::DeniedConditionally { by, .. } => by.iter().any(|r| r.extent == Extent::AllButNamed),
            Self::NotDenied | Self::Exempt { .. } | Self::Unknown { .. } => false,
        }
    }

    /// The answer for another account in the same place: only the account's own node has another name.
    fn renamed(mut self, from: &str, to: &str) -> Self {
        if let Self::Denied { by } | Self::DeniedConditionally { by, .. } = &mut self {
            by.iter_mut().filter(|r| r.node == from).for_each(|r| r.node = to.to_owned());
        }
        self
    }
}

fn judge(chain: &Chain<'_>, query: &Pattern) -> Guard {
    let mut budget = Budget::of(STEPS);
    let pieces = pieces(chain, query, &mut budget);
    let denied: Vec<&Piece<'_>> = pieces.iter().filter(|p| p.verdict == Ok(Verdict::Denied)).collect();
    if !denied.is_empty() {
        return Guard::Denied { by: explained(&denied, query, &mut budget).into_iter().map(|(by, _)| by).collect() };
    }
    let rest: Vec<&Piece<'_>> = pieces.iter().filter(|p| p.verdict != Ok(Verdict::NotDenied)).collect();
    let whole = match rest.as_slice() {
        [] => return Guard::NotDenied,
        [one] => one.verdict,
        _ => {
            let denies: Vec<&Statement> = rest.iter().filter_map(|p| p.deny.map(|(_, s)| s)).collect();
            let allows: Vec<Vec<&Statement>> =
                rest.iter().filter(|p| p.deny.is_none()).map(|p| allows(p.node)).collect();
            decide(query, &allows, &denies, &mut budget)
        }
    };
    let (by, conditions): (Vec<_>, Vec<_>) = explained(&rest, query, &mut budget).into_iter().unzip();
    match whole {
        Ok(Verdict::Denied) => Guard::Denied { by },
        Ok(Verdict::Partly) => Guard::DeniedConditionally { by, conditions },
        Ok(Verdict::NotDenied) => Guard::NotDenied,
        Err(TooComplex) => Guard::Unknown {
            why: format!(
                "the patterns of {} are too entangled to be decided exactly",
                list(by.iter().map(ToString::to_string))
            ),
        },
    }
}

fn allows<'a>(node: &Node<'a>) -> Vec<&'a Statement> {
    node.statements(Effect::Allow).map(|(_, s)| s).collect()
}

fn pieces<'a>(chain: &'a Chain<'a>, query: &Pattern, budget: &mut Budget) -> Vec<Piece<'a>> {
    let mut judge = |allows: &[Vec<&Statement>], denies: &[&Statement]| {
        budget.part(STEPS_OF_A_PART, |budget| decide(query, allows, denies, budget))
    };
    let mut pieces = Vec::new();
    for node in &chain.nodes {
        pieces.push(Piece { verdict: judge(&[allows(node)], &[]), node, deny: None });
        for (attached, statement) in node.statements(Effect::Deny) {
            let verdict = judge(&[], &[statement]);
            pieces.push(Piece { verdict, node, deny: Some((attached, statement)) });
        }
    }
    pieces
}

/// Names each piece's cause and says what it is limited to; without repetitions, in the order of the chain.
fn explained(pieces: &[&Piece<'_>], query: &Pattern, budget: &mut Budget) -> Vec<(Responsible, String)> {
    let mut out: Vec<(Responsible, String)> = Vec::new();
    let mut part = |allows: &[Vec<&Statement>], denies: &[&Statement]| {
        budget.part(STEPS_OF_A_PART, |budget| decide(query, allows, denies, budget))
    };
    for piece in pieces {
        let whole = if piece.verdict == Ok(Verdict::Denied) { Extent::Everything } else { Extent::Part };
        let mut add = |cause, extent, source: Option<(&Attached<'_>, &Statement)>, limits: String| {
            let entry = (responsible(piece.node, (cause, extent), source), limits);
            if !out.contains(&entry) {
                out.push(entry);
            }
        };
        if let Some((attached, statement)) = piece.deny {
            // Without its condition it would deny everything: so the condition is all that limits it.
            let bare = Statement { condition: Condition::default(), ..statement.clone() };
            let named = exempts_only_named(statement) && part(&[], &[&bare]) == Ok(Verdict::Denied);
            let extent = if whole == Extent::Part && named { Extent::AllButNamed } else { whole };
            add(
                Cause::ExplicitDeny,
                extent,
                Some((attached, statement)),
                format!("denied {}", limits(statement, query)),
            );
            continue;
        }
        let mut speaks = |s: &Statement| part(&[vec![s]], &[]) != Ok(Verdict::Denied);
        let limited: Vec<_> = piece.node.statements(Effect::Allow).filter(|(_, s)| speaks(s)).collect();
        if limited.is_empty() {
            add(Cause::NoAllow, whole, None, "no Allow here".to_owned());
        }
        for (attached, statement) in limited {
            let limits = format!("an Allow here only {}", limits(statement, query));
            add(Cause::LimitedAllow, whole, Some((attached, statement)), limits);
        }
    }
    out
}

fn responsible(
    node: &Node<'_>,
    (cause, extent): (Cause, Extent),
    source: Option<(&Attached<'_>, &Statement)>,
) -> Responsible {
    Responsible {
        node: node.id.to_owned(),
        cause,
        extent,
        policy: source.map(|(a, _)| a.policy.id.clone()),
        name: source.map(|(a, _)| a.policy.name.clone()),
        statement: source.map(|(_, s)| s.index),
        sid: source.and_then(|(_, s)| s.sid.clone()),
        sha256: source.and_then(|(a, _)| a.parsed.as_ref().ok().map(|(_, digest)| *digest)),
    }
}

/// Says in words what a statement is limited to within the query.
fn limits(statement: &Statement, query: &Pattern) -> String {
    let mut parts = Vec::new();
    if !query.is_literal() && !statement.actions.list.iter().any(Pattern::is_any) {
        parts.push(format!("for {}", spell(&statement.actions, "action")));
    }
    if statement.resources.sense == Sense::Others || !statement.resources.list.iter().any(Pattern::is_any) {
        parts.push(format!("on {}", spell(&statement.resources, "resource")));
    }
    if let Some(principals) = statement.principals.as_ref().filter(|p| !p.is_everyone()) {
        let who = list(principals.list.iter().map(|(kind, value)| format!("{kind} {value:?}")));
        parts.push(if principals.sense == Sense::Listed { format!("to {who}") } else { format!("to all but {who}") });
    }
    if !statement.condition.is_empty() {
        parts.push(format!("where {}", statement.condition));
    }
    if parts.is_empty() { "always".to_owned() } else { parts.join(", ") }
}

fn spell(patterns: &Patterns, noun: &str) -> String {
    let names = list(patterns.list.iter().map(|p| Shown(p.as_str()).to_string()));
    match patterns.sense {
        _ if patterns.list.is_empty() && patterns.sense == Sense::Listed => format!("no {noun}"),
        Sense::Listed => format!("{noun} {names}"),
        Sense::Others => format!("every {noun} but {names}"),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
