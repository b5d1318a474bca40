//! What every form shows, counted once: so the numbers of all forms agree.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    Provenance, SealedArchive,
    gaps::{self, Gap},
    map::{self, Map},
    text::Anchors,
    texts::Texts,
};
use crate::model::{
    Account, AccountId, Assessment, AssessmentHeader, CheckResult, Counts, Discrepancy, Finding, ItemMode,
    Organization, ScopeReason, Status,
};

/// How many verdicts of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tally {
    /// Satisfied.
    pub satisfied: u64,
    /// Not satisfied.
    pub not_satisfied: u64,
    /// Not assessed.
    pub not_assessed: u64,
    /// Not applicable.
    pub not_applicable: u64,
}

impl Tally {
    /// Counts verdicts.
    pub fn of(verdicts: impl Iterator<Item = Status>) -> Self {
        let mut tally = Self::default();
        for verdict in verdicts {
            *match verdict {
                Status::Satisfied => &mut tally.satisfied,
                Status::NotSatisfied => &mut tally.not_satisfied,
                Status::NotAssessed => &mut tally.not_assessed,
                Status::NotApplicable => &mut tally.not_applicable,
            } += 1;
        }
        tally
    }
}

/// The numbers that every form states.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Totals {
    /// Requirements.
    pub requirements: u64,
    /// Their verdicts.
    pub verdicts: Tally,
    /// Checks.
    pub checks: u64,
    /// Their verdicts.
    pub check_verdicts: Tally,
    /// Result lines.
    pub results: u64,
    /// Their answers.
    pub answers: Counts,
    /// Planned tasks (lines of the ledger).
    pub tasks: u64,
    /// Those that are gaps.
    pub gaps: u64,
    /// Tasks by state.
    pub states: BTreeMap<&'static str, u64>,
    /// Accounts of the organisation or of the ledger.
    pub accounts: u64,
    /// Those with a gap.
    pub accounts_with_gaps: u64,
    /// Those that were not asked.
    pub accounts_out_of_scope: u64,
    /// Discrepancies.
    pub discrepancies: u64,
}

/// A framework and its requirements.
#[derive(Debug, Serialize)]
pub struct FrameworkView<'a> {
    /// Id.
    pub id: &'a str,
    /// Title with version.
    pub title: &'a str,
    /// HTML id.
    pub anchor: String,
    /// Verdicts.
    pub tally: Tally,
    /// Requirements in catalogue order.
    pub requirements: Vec<RequirementView<'a>>,
}

/// A requirement.
#[derive(Debug, Serialize)]
pub struct RequirementView<'a> {
    /// The verdict as stored.
    #[serde(flatten)]
    pub finding: &'a Finding,
    /// HTML id.
    pub anchor: String,
    /// How it is confirmed: the modes of its items, each once.
    pub modes: BTreeSet<ItemMode>,
}

/// A check.
#[derive(Debug, Serialize)]
pub struct CheckView<'a> {
    /// The verdict as stored.
    #[serde(flatten)]
    pub result: &'a CheckResult,
    /// HTML id.
    pub anchor: String,
    /// Position among the checks.
    pub index: usize,
    /// Requirements that use it: text and HTML id.
    pub used_by: Vec<(String, String)>,
}

/// An account.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView<'a> {
    /// Id.
    pub id: &'a str,
    /// Name; empty where Organizations does not know the account.
    pub name: &'a str,
    /// Life-cycle state as reported; `unknown to Organizations` where it does not know the account.
    pub state: String,
    /// Names of the units that hold it, from the root down.
    pub path: String,
    /// Why it was not asked.
    pub out_of_scope: Option<Exclusion>,
    /// Tasks of the ledger.
    pub tasks: u64,
    /// Gaps among them.
    pub gaps: u64,
}

/// Why an account was not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// `account-state`, `excluded` or `unstated`.
    pub kind: &'static str,
    /// The state, or what matched.
    pub rule: String,
    /// Who decided.
    pub by: String,
    /// The stated reason.
    pub why: String,
}

/// Everything that a report shows, with every count and every link worked out.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    /// What the assessment rests on.
    pub header: &'a AssessmentHeader,
    /// The organisation's id.
    pub organization: &'a str,
    /// Tool, key, and archives in the header's order.
    pub provenance: Provenance,
    /// The numbers.
    pub totals: Totals,
    /// Frameworks in the order of the findings.
    pub frameworks: Vec<FrameworkView<'a>>,
    /// Checks by id.
    pub checks: BTreeMap<&'a str, CheckView<'a>>,
    /// Accounts by id.
    pub accounts: Vec<AccountView<'a>>,
    /// Account x Region.
    pub map: Map,
    /// Gaps by cause.
    pub gaps: Vec<Gap>,
    /// Disagreements.
    pub discrepancies: &'a [Discrepancy],
}

impl<'a> View<'a> {
    /// Works out everything that the forms share.
    pub fn new(assessment: &'a Assessment, provenance: &Provenance, texts: &Texts) -> Self {
        let mut anchors = Anchors::default();
        let names: BTreeMap<_, _> = assessment.organization.accounts.iter().map(|a| (&a.id, a.name.as_str())).collect();
        let frameworks = frameworks(assessment, &mut anchors);
        let accounts = accounts(assessment);
        Self {
            header: &assessment.header,
            organization: &assessment.organization.id,
            provenance: complete(provenance, &assessment.header),
            totals: totals(assessment, &accounts),
            checks: checks(assessment, &frameworks, &mut anchors),
            map: map::build(assessment, &accounts),
            gaps: gaps::by_cause(&assessment.coverage, &names, texts),
            discrepancies: &assessment.discrepancies,
            frameworks,
            accounts,
        }
    }
}

/// Lists every seal that the assessment rests on, in its order, by name where the name is known; then any others.
fn complete(provenance: &Provenance, header: &AssessmentHeader) -> Provenance {
    let named = |seal| provenance.archives.iter().find(|a| a.seal == seal).cloned();
    let mut archives: Vec<_> = header
        .evidence
        .iter()
        .map(|seal| named(*seal).unwrap_or(SealedArchive { name: None, seal: *seal, closed: None }))
        .collect();
    archives.extend(provenance.archives.iter().filter(|a| !header.evidence.contains(&a.seal)).cloned());
    Provenance { archives, ..provenance.clone() }
}

fn totals(assessment: &Assessment, accounts: &[AccountView<'_>]) -> Totals {
    let mut answers = Counts::default();
    assessment.results.iter().for_each(|r| answers.add(r.status));
    let mut states = BTreeMap::new();
    for line in &assessment.coverage {
        *states.entry(line.state.as_str()).or_default() += 1;
    }
    Totals {
        requirements: assessment.findings.len() as u64,
        verdicts: Tally::of(assessment.findings.iter().map(|f| f.status)),
        checks: assessment.checks.len() as u64,
        check_verdicts: Tally::of(assessment.checks.values().map(|c| c.status)),
        results: assessment.results.len() as u64,
        answers,
        tasks: assessment.coverage.len() as u64,
        gaps: assessment.coverage.iter().filter(|c| gaps::is_gap(c)).count() as u64,
        states,
        accounts: accounts.len() as u64,
        accounts_with_gaps: accounts.iter().filter(|a| a.gaps > 0).count() as u64,
        accounts_out_of_scope: accounts.iter().filter(|a| a.out_of_scope.is_some()).count() as u64,
        discrepancies: assessment.discrepancies.len() as u64,
    }
}

fn frameworks<'a>(assessment: &'a Assessment, anchors: &mut Anchors) -> Vec<FrameworkView<'a>> {
    let mut order: Vec<&str> = Vec::new();
    for id in assessment.findings.iter().map(|f| &f.framework).chain(assessment.header.frameworks.keys()) {
        if !order.contains(&id.as_str()) {
            order.push(id);
        }
    }
    order
        .into_iter()
        .map(|id| {
            let requirements: Vec<_> = assessment
                .findings
                .iter()
                .filter(|f| f.framework == id)
                .map(|finding| RequirementView {
                    finding,
                    anchor: anchors.make(&format!("r-{id}-{}", finding.requirement)),
                    modes: finding.items.iter().map(|i| i.mode).collect(),
                })
                .collect();
            FrameworkView {
                id,
                title: assessment.header.frameworks.get(id).map_or(id, String::as_str),
                anchor: anchors.make(&format!("f-{id}")),
                tally: Tally::of(requirements.iter().map(|r| r.finding.status)),
                requirements,
            }
        })
        .collect()
}

fn checks<'a>(
    assessment: &'a Assessment,
    frameworks: &[FrameworkView<'a>],
    anchors: &mut Anchors,
) -> BTreeMap<&'a str, CheckView<'a>> {
    let mut checks: BTreeMap<&str, CheckView<'_>> = assessment
        .checks
        .iter()
        .enumerate()
        .map(|(index, (id, result))| {
            let anchor = anchors.make(&format!("c-{id}"));
            (id.as_str(), CheckView { result, anchor, index, used_by: Vec::new() })
        })
        .collect();
    for requirement in frameworks.iter().flat_map(|f| &f.requirements) {
        let used: BTreeSet<_> = requirement.finding.items.iter().flat_map(|i| &i.checks).collect();
        for check in used {
            if let Some(view) = checks.get_mut(check.as_str()) {
                let text = format!("{} {}", requirement.finding.framework, requirement.finding.requirement);
                view.used_by.push((text, requirement.anchor.clone()));
            }
        }
    }
    checks
}

/// Every account that Organizations or the ledger or the plan's exclusions name: none goes missing.
fn accounts(assessment: &Assessment) -> Vec<AccountView<'_>> {
    let known: BTreeMap<&AccountId, &Account> = assessment.organization.accounts.iter().map(|a| (&a.id, a)).collect();
    let mut ledger: BTreeMap<&AccountId, (u64, u64, bool)> = BTreeMap::new();
    for line in &assessment.coverage {
        let (tasks, gaps, only_out_of_scope) = ledger.entry(&line.account).or_insert((0, 0, true));
        *tasks += 1;
        *gaps += u64::from(gaps::is_gap(line));
        *only_out_of_scope &= line.state == crate::model::CoverageState::OutOfScope;
    }
    let ids: BTreeSet<_> =
        known.keys().copied().chain(ledger.keys().copied()).chain(assessment.out_of_scope.keys()).collect();
    ids.into_iter()
        .map(|id| {
            let account = known.get(id).copied();
            let (tasks, gaps, only_out_of_scope) = ledger.get(id).copied().unwrap_or((0, 0, false));
            AccountView {
                id: id.as_str(),
                name: account.map_or("", |a| &a.name),
                state: account.map_or_else(|| "unknown to Organizations".to_owned(), state_name),
                path: path_names(&assessment.organization, id),
                out_of_scope: exclusion(assessment.out_of_scope.get(id), only_out_of_scope),
                tasks,
                gaps,
            }
        })
        .collect()
}

fn exclusion(reason: Option<&ScopeReason>, only_out_of_scope: bool) -> Option<Exclusion> {
    match reason {
        Some(ScopeReason::AccountState { state }) => {
            Some(Exclusion { kind: "account-state", rule: state.clone(), ..Exclusion::default() })
        }
        Some(ScopeReason::Excluded { rule, by, why }) => {
            Some(Exclusion { kind: "excluded", rule: rule.clone(), by: by.clone(), why: why.clone() })
        }
        None if only_out_of_scope => Some(Exclusion { kind: "unstated", ..Exclusion::default() }),
        None => None,
    }
}

fn state_name(account: &Account) -> String {
    serde_json::to_value(account.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn path_names(organization: &Organization, account: &AccountId) -> String {
    let path = organization.path_to(account.as_str());
    let names: Vec<_> = path
        .iter()
        .take(path.len().saturating_sub(1))
        .map(|id| organization.units.iter().find(|u| u.id == *id).map_or(*id, |u| u.name.as_str()))
        .collect();
    names.join(" / ")
}
