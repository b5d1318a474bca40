//! `orgproof diff`: two runs, or two assessments.

use std::{fmt::Write as _, path::Path};

use serde_json::json;

use super::super::{Exit, Failure, Output};
use crate::audit::diff::{self, Change, Diff, Kind, Side};

/// Lines of each part that a person is shown; `--json` has them all.
const SHOWN: usize = 60;

pub(super) fn run(a: &Path, b: Option<&Path>, output: &Output) -> Result<Exit, Failure> {
    let (a, b) = match b {
        Some(b) => (a.to_owned(), b.to_owned()),
        None => diff::newest_runs(a).map_err(Failure::usage)?,
    };
    let (before, after) = diff::open(&a, &b).map_err(Failure::usage)?;
    let found = diff::diff(&before, &after);
    let document = json!({ "before": side(&before), "after": side(&after), "diff": found });
    output.result(&document, || human(&before, &after, &found))?;
    Ok(Exit::Done)
}

fn side(side: &Side) -> serde_json::Value {
    json!({ "archive": side.archive, "seal": side.seal, "sequence": side.sequence, "closed": side.closed, "label": side.label })
}

fn human(before: &Side, after: &Side, found: &Diff) -> String {
    let mut text = String::new();
    for (word, side) in [("before", before), ("after ", after)] {
        let _ = writeln!(text, "{word}  {}  {} (sealed {})", side.archive, side.label, side.closed);
    }
    for note in &found.notes {
        let _ = writeln!(text, "note: {note}");
    }
    part(&mut text, "Accounts", &found.accounts);
    part(&mut text, "Coverage", &found.coverage);
    part(&mut text, "Guardrails", &found.guardrails);
    if let Some(requirements) = &found.requirements {
        part(&mut text, "Requirements", requirements);
    }
    if let Some(resources) = &found.resources {
        part(&mut text, "Resources", resources);
    }
    text
}

fn part(text: &mut String, title: &str, changes: &[Change]) {
    if changes.is_empty() {
        let _ = writeln!(text, "\n{title}: no difference");
        return;
    }
    let unobserved = changes.iter().filter(|c| matches!(c.kind, Kind::NotObserved | Kind::NotObservedBefore)).count();
    let _ =
        writeln!(text, "\n{title}: {} differ, {unobserved} were not observed on one side", changes.len() - unobserved);
    // Changes first: what was not observed is no change, and must not push one out of sight.
    let observed = |c: &&Change| !matches!(c.kind, Kind::NotObserved | Kind::NotObservedBefore);
    let ordered = changes.iter().filter(observed).chain(changes.iter().filter(|c| !observed(c)));
    for change in ordered.take(SHOWN) {
        let _ = writeln!(text, "  {:<19} {}  {}", change.kind.as_str(), change.subject, sentence(change));
    }
    if let Some(more) = changes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "  … and {more} more: --json");
    }
}

fn sentence(change: &Change) -> String {
    let short = |value: &String| {
        let hash = value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit());
        if hash { format!("{}…", &value[..12]) } else { value.clone() }
    };
    let values = match (&change.before, &change.after) {
        (Some(a), Some(b)) => format!("{}: {} -> {}", change.what, short(a), short(b)),
        (Some(a), None) => format!("{}, was {}", change.what, short(a)),
        (None, Some(b)) => format!("{}, is {}", change.what, short(b)),
        (None, None) => change.what.to_owned(),
    };
    change.note.as_ref().map_or(values.clone(), |note| format!("{values} ({note})"))
}
