//! A check's question: its kinds, and their identifiers against AWS's published lists.

use super::{
    Ask, Conditional, ProductAsk, facts,
    raw::{At, UnvalidatedAsk},
    suggest::did_you_mean,
    validate::{Identifiers, SEVERITIES, Validator},
};
use crate::model::Question;

const CONDITIONAL: &[(&str, Conditional)] = &[("accept", Conditional::Accept), ("question", Conditional::Question)];

/// Validates one question.
pub(super) fn ask(v: &mut Validator<'_>, raw: &UnvalidatedAsk, identifiers: Identifiers) -> Option<Ask> {
    Some(match raw {
        UnvalidatedAsk::ConfigRule(identifier) => {
            if identifiers == Identifiers::Checked {
                config_rule(v, identifier);
            }
            Ask::ConfigRule { identifier: identifier.value.clone() }
        }
        UnvalidatedAsk::SecurityHub(control) => {
            if identifiers == Identifiers::Checked {
                security_hub(v, control);
            }
            Ask::SecurityHub { control: control.value.clone() }
        }
        UnvalidatedAsk::GuardedActions { line, actions, conditional } => {
            if actions.is_empty() {
                v.fault("empty-list", *line, "guarded-actions lists no action".to_owned());
            }
            for action in actions.iter().filter(|action| !is_action(&action.value)) {
                let what = format!("{:?} is not an IAM action such as s3:PutBucketPolicy", action.value);
                v.fault("malformed-action", action.line, what);
            }
            let conditional = conditional.as_ref().and_then(|word| v.word(word, CONDITIONAL))?;
            Ask::GuardedActions { actions: actions.iter().map(|action| action.value.clone()).collect(), conditional }
        }
        UnvalidatedAsk::State { state, of } => {
            if identifiers == Identifiers::Checked {
                known_state(v, state, of.as_ref());
            }
            Ask::State { state: state.value.clone(), of: of.as_ref().map(|of| of.value.clone()) }
        }
        UnvalidatedAsk::ConformancePack(name) => Ask::ConformancePack { name: name.value.clone() },
        UnvalidatedAsk::Product { product, min_severity, max_age_days, enabled_by } => {
            let enabled_by = self::enabled_by(v, enabled_by, identifiers);
            let days = max_age_days.as_ref().and_then(|days| days_of(v, days));
            let severity = min_severity.as_ref().and_then(|word| v.word(word, SEVERITIES));
            Ask::Product(ProductAsk {
                product: product.value.clone(),
                min_severity: severity?,
                max_age_days: days?,
                enabled_by,
            })
        }
    })
}

fn days_of(v: &mut Validator<'_>, days: &At<i64>) -> Option<u16> {
    let within = u16::try_from(days.value).ok().filter(|days| *days <= 366);
    if within.is_none() {
        v.fault("invalid-value", days.line, format!("{} is not between 0 and 366 days", days.value));
    }
    within
}

/// Reads the answers that say whether a product is on, written as shipped checks are called: `securityhub/…` or `config/…`.
fn enabled_by(
    v: &mut Validator<'_>,
    (line, answers): &(usize, Vec<At<String>>),
    identifiers: Identifiers,
) -> Vec<Question> {
    if answers.is_empty() {
        v.fault("empty-list", *line, "enabled-by names nothing that says whether the product is on".to_owned());
    }
    let mut questions = Vec::new();
    for At { value, line } in answers {
        let named = |name: &str| At { value: name.to_owned(), line: *line };
        if let Some(control) = value.strip_prefix("securityhub/") {
            if identifiers == Identifiers::Checked {
                security_hub(v, &named(control));
            }
            questions.push(Question::SecurityHub(control.to_owned()));
        } else if let Some(rule) = value.strip_prefix("config/") {
            if identifiers == Identifiers::Checked {
                config_rule(v, &named(rule));
            }
            questions.push(Question::ConfigRule(rule.to_owned()));
        } else {
            v.fault("invalid-value", *line, format!("{value:?} is neither securityhub/<control> nor config/<rule>"));
        }
    }
    questions
}

fn config_rule(v: &mut Validator<'_>, identifier: &At<String>) {
    if identifier.value.starts_with("custom:") || facts::CONFIG_RULES.contains_key(&identifier.value) {
        return;
    }
    let what = format!("AWS Config has no managed rule {:?}", identifier.value);
    let help = did_you_mean(&identifier.value, facts::CONFIG_RULES.keys().map(String::as_str))
        .unwrap_or_else(|| "write custom:<rule name> for a rule of your own".to_owned());
    v.faults.push("unknown-config-rule", (v.file, identifier.line), what, Some(help));
}

fn security_hub(v: &mut Validator<'_>, control: &At<String>) {
    match facts::CONTROLS.get(&control.value).map(String::as_str) {
        Some("current") => {}
        Some(_) => {
            let what = format!("Security Hub control {:?} was retired or renamed by AWS", control.value);
            v.fault("retired-control", control.line, what);
        }
        None => {
            let what = format!("Security Hub has no control {:?}", control.value);
            let help = did_you_mean(&control.value, facts::CONTROLS.keys().map(String::as_str));
            v.faults.push("unknown-control", (v.file, control.line), what, help);
        }
    }
}

fn known_state(v: &mut Validator<'_>, state: &At<String>, of: Option<&At<String>>) {
    let Some((_, needs)) = facts::STATES.iter().find(|(name, _)| *name == state.value) else {
        let names = facts::STATES.iter().map(|(name, _)| *name);
        let help = did_you_mean(&state.value, names.clone())
            .unwrap_or_else(|| format!("the states are {}", names.collect::<Vec<_>>().join(", ")));
        let what = format!("there is no state {:?}", state.value);
        v.faults.push("unknown-state", (v.file, state.line), what, Some(help));
        return;
    };
    match of {
        None if *needs => v.fault("state-subject", state.line, format!("state {:?} needs `of`", state.value)),
        Some(of) if !needs => v.fault("state-subject", of.line, format!("state {:?} takes no `of`", state.value)),
        Some(of) if state.value.starts_with("remediation-") => config_rule(v, of),
        _ => {}
    }
}

/// Returns whether `text` is `service:Action`, wildcards allowed in the action.
fn is_action(text: &str) -> bool {
    let Some((service, action)) = text.split_once(':') else { return false };
    let service_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let action_ok = |c: char| c.is_ascii_alphanumeric() || c == '*' || c == '?';
    !service.is_empty() && service.chars().all(service_ok) && !action.is_empty() && action.chars().all(action_ok)
}
