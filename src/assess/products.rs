//! What products have found: open findings against a threshold of severity and age.
//!
//! Silence is a pass only of a product that is known to be on and to report to Security Hub; what a person suppressed or marked as
//! resolved is never one.

use std::io;

use super::{
    lines::{Asker, Silence, observed},
    silence::unknown,
    verdict::Line,
};
use crate::{
    catalog::{Check, ProductAsk, Severity},
    model::{
        AccountId, Collector, Observation,
        ObservationStatus::{Fail, NotAssessed, Pass},
        Question, Region,
    },
    observe::Reading,
};

/// Without a hole in these, what a Config rule says is as fresh as the run.
const OF_RULES: [Collector; 3] = [Collector::ConfigRecorder, Collector::ConfigRules, Collector::ConfigCompliance];
const NEEDS: [Collector; 2] = [Collector::SecurityhubHub, Collector::SecurityhubFindings];

/// A product, asked of one account after the other.
pub(super) struct Asked<'a, 'p> {
    asker: &'a Asker<'p>,
    check: &'a Check,
    ask: &'a ProductAsk,
    /// Its findings, one reading for each severity and state.
    findings: Vec<Reading>,
    enabled: Vec<(&'a Question, Reading)>,
}

impl<'a, 'p> Asked<'a, 'p> {
    pub(super) fn new(asker: &'a Asker<'p>, check: &'a Check, ask: &'a ProductAsk) -> io::Result<Self> {
        let observations = &asker.observed.observations;
        let ours = |question: &Question| match question {
            Question::Product(name) => name.strip_prefix(&ask.product).is_some_and(|rest| rest.starts_with(':')),
            _ => false,
        };
        let questions = observations.questions()?;
        let findings = questions.iter().filter(|q| ours(q)).map(|q| observations.of(q)).collect::<io::Result<_>>()?;
        let enabled = ask.enabled_by.iter().map(|q| Ok((q, observations.of(q)?))).collect::<io::Result<_>>()?;
        Ok(Self { asker, check, ask, findings, enabled })
    }

    /// Returns the answers of an account, which are asked for in ascending order: one line for each resource, severity and state, and
    /// for each Region one that says why there is none.
    pub(super) fn lines(&mut self, account: &AccountId) -> io::Result<Vec<Line>> {
        let (asker, check, ask) = (self.asker, self.check, self.ask);
        let mut found = Vec::new();
        for findings in &mut self.findings {
            found.extend(findings.account(account)?.into_iter().filter_map(|finding| judge(check, ask, finding)));
        }
        let mut enabled = Vec::new();
        for (question, answers) in &mut self.enabled {
            enabled.push((*question, answers.account(account)?));
        }
        let mut lines = Vec::new();
        for region in &asker.population.accounts[account] {
            let target = (account, region);
            let silent = !found.iter().any(|line: &Line| line.line.region == *region);
            if let Some(gap) = asker.first_gap(account, region, &NEEDS, false) {
                lines.push(asker.gap(check, target, gap));
                continue;
            }
            match on(asker, ask, &enabled, target) {
                Ok(silence) if silent => lines.push(asker.silent(check, target, silence)),
                Ok(_) => {}
                Err(silence) => lines.push(asker.silent(check, target, silence)),
            }
        }
        lines.append(&mut found);
        Ok(lines)
    }
}

/// Judges one finding; `None` where its severity is below what is asked for.
fn judge(check: &Check, ask: &ProductAsk, finding: Observation) -> Option<Line> {
    let Question::Product(name) = finding.question.clone() else { return None };
    let (rest, state) = name.rsplit_once(':')?;
    let (_, severity) = rest.rsplit_once(':')?;
    // A severity that we do not know may be the worst.
    if rank(severity).is_some_and(|known| known < ask.min_severity) {
        return None;
    }
    let days = finding.since.map(|since| finding.observed.duration_since(since).as_secs().max(0) / 86_400);
    let mut line = observed(check, finding);
    let title = std::mem::take(&mut line.line.why);
    let allowed = ask.max_age_days;
    let (status, why) = match (state, days) {
        ("open", None) => (Fail, "open, and it is not known since when".to_owned()),
        ("open", Some(days)) if days > i64::from(allowed) || allowed == 0 => {
            (Fail, format!("open for {days} days, {allowed} allowed"))
        }
        ("open", Some(days)) => (Pass, format!("open for {days} days, within the {allowed} allowed")),
        (state, _) => (NotAssessed, state.to_owned()),
    };
    line.line.status = status;
    line.line.why = format!("{severity}, {why}: {title}");
    Some(line)
}

fn rank(severity: &str) -> Option<Severity> {
    Some(match severity {
        "informational" => Severity::Informational,
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        "critical" => Severity::Critical,
        _ => return None,
    })
}

/// Returns the pass that silence means where the product is on, or else why silence means nothing.
fn on(
    asker: &Asker<'_>,
    ask: &ProductAsk,
    enabled: &[(&Question, Vec<Observation>)],
    (account, region): (&AccountId, &Region),
) -> Result<Silence, Silence> {
    let product = &ask.product;
    let state = asker.observed.targets.get(&(account.clone(), region.clone()));
    let hub = state.and_then(|s| s.hub.as_ref()).ok_or_else(|| unknown("Security Hub was not described"))?;
    if let Some(doubt) = hub.doubt() {
        return Err(unknown(format!("what {product} finds may not have reached Security Hub: {doubt}")));
    }
    match &hub.products {
        None => return Err(unknown("which products report to Security Hub was not read")),
        Some(products) if !products.contains(product) => {
            return Err(unknown(format!("{product} does not report to Security Hub here")));
        }
        Some(_) => {}
    }
    let mut pass = None;
    for (question, answers) in enabled {
        let stale =
            matches!(question, Question::ConfigRule(_)) && asker.first_gap(account, region, &OF_RULES, false).is_some();
        let here = answers.iter().filter(|o| o.region == *region);
        for answer in here {
            let evidence = Some(answer.evidence.clone());
            match answer.status {
                Fail => {
                    let said = answer.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                    let why = format!("{product} is off or not all on, says {question}{said}");
                    return Err(Silence { evidence, ..unknown(why) });
                }
                Pass if !stale => {
                    let why = format!(
                        "{product} is on ({question} says so), and no finding of severity {} or worse is open",
                        super::severity(ask.min_severity)
                    );
                    pass.get_or_insert(Silence { status: Pass, why, evidence });
                }
                _ => {}
            }
        }
    }
    pass.ok_or_else(|| {
        let asked: Vec<_> = ask.enabled_by.iter().map(ToString::to_string).collect();
        unknown(format!("it is not known whether {product} is on: no answer of {} says so", asked.join(" or ")))
    })
}
