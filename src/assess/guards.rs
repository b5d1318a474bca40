//! Guarded actions: what service control policies deny in each account.
//!
//! The management account is exempt from SCPs: it is listed with the reason and never counts as a pass.

use super::{
    lines::Asker,
    verdict::{Line, Standing},
};
use crate::{
    catalog::{Check, Conditional},
    model::{AccountId, Collector, EvidenceRef, ObservationStatus, ResultLine},
    observe::rank,
    policy::{Guard, Responsible},
};

struct Answer {
    status: ObservationStatus,
    why: String,
    by: Vec<Responsible>,
    exempt: bool,
}

/// Asks each account in scope; one line per account, the worst of the actions.
pub(super) fn lines(asker: &Asker<'_>, check: &Check, actions: &[String], conditional: Conditional) -> Vec<Line> {
    let Some((_, home)) = &asker.population.home else { return Vec::new() };
    let mut lines: Vec<Line> = asker.run_gap(check, Collector::Organization).into_iter().collect();
    for account in asker.population.accounts.keys() {
        let answer = answer(asker, account, actions, conditional);
        let line = asker.line(check, (account, home), answer.status, answer.why);
        let evidence = evidence(asker, account, &answer.by);
        let standing = if answer.exempt { Standing::Outside } else { Standing::Counted };
        lines.push(Line { line: ResultLine { evidence, ..line }, standing });
    }
    lines
}

fn answer(asker: &Asker<'_>, account: &AccountId, actions: &[String], conditional: Conditional) -> Answer {
    let Some(policies) = &asker.policies else {
        let why = "the organisation could not be read".to_owned();
        return Answer { status: ObservationStatus::NotAssessed, why, by: Vec::new(), exempt: false };
    };
    let answers = actions.iter().map(|action| judge(action, policies.guard(account, action), conditional));
    let nothing = Answer {
        status: ObservationStatus::NotAssessed,
        why: "no action is named".to_owned(),
        by: Vec::new(),
        exempt: false,
    };
    answers.min_by_key(|a| rank(a.status)).unwrap_or(nothing)
}

fn judge(action: &str, guard: Guard, conditional: Conditional) -> Answer {
    let whose = |by: &[Responsible]| by.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let answer = |status, why, by| Answer { status, why, by, exempt: false };
    // A Deny for the root user or for one bucket is conditional too: only one that spares named principals guards the action.
    let guarded = guard.spares_only_named() && conditional == Conditional::Accept;
    match guard {
        Guard::Denied { by } => answer(ObservationStatus::Pass, format!("{action} is denied by {}", whose(&by)), by),
        Guard::DeniedConditionally { by, conditions } => {
            let status = if guarded { ObservationStatus::Pass } else { ObservationStatus::NotAssessed };
            let why = format!("{action} is denied conditionally by {}: {}", whose(&by), conditions.join("; "));
            answer(status, why, by)
        }
        Guard::NotDenied => answer(ObservationStatus::Fail, format!("{action} is not denied"), Vec::new()),
        Guard::Unknown { why } => answer(ObservationStatus::NotAssessed, format!("{action}: {why}"), Vec::new()),
        Guard::Exempt { why } => Answer { status: ObservationStatus::NotApplicable, why, by: Vec::new(), exempt: true },
    }
}

/// Points at the policy that answers for it, else at the account's own record.
fn evidence(asker: &Asker<'_>, account: &AccountId, by: &[Responsible]) -> Option<EvidenceRef> {
    let organization = asker.observed.organization.as_ref()?;
    let policy = by.iter().find_map(|r| r.policy.as_deref());
    let of_policy = organization.policies.iter().find(|p| Some(p.id.as_str()) == policy);
    of_policy
        .and_then(|p| p.evidence.clone())
        .or_else(|| organization.accounts.iter().find(|a| a.id == *account).and_then(|a| a.evidence.clone()))
}
