//! The truth tables, and the sentences that go with them. Nothing here knows what is being judged.

use crate::model::{Counts, ObservationStatus, ResultLine, Status};

/// Whether a line decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It speaks for the population.
    Counted,
    /// It is about what lies outside: out-of-scope accounts, the management account under SCPs. Shown, never decides.
    Outside,
    /// A failure that an exception covers. Shown as a failure, never decides.
    Excepted,
}

/// A line and whether it decides.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub line: ResultLine,
    pub standing: Standing,
}

/// What a check's lines come to, line by line, in their order.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// All answers, whether they decide or not.
    pub all: Counts,
    counted: Counts,
    outside: u64,
    excepted: u64,
    first_failure: Option<String>,
    first_hole: Option<String>,
}

impl Tally {
    /// Counts one more line.
    pub(super) fn add(&mut self, Line { line, standing }: &Line) {
        self.all.add(line.status);
        match standing {
            Standing::Outside => self.outside += 1,
            Standing::Excepted => self.excepted += 1,
            Standing::Counted => {
                self.counted.add(line.status);
                let first = match line.status {
                    ObservationStatus::Fail => &mut self.first_failure,
                    ObservationStatus::NotAssessed => &mut self.first_hole,
                    _ => return,
                };
                first.get_or_insert_with(|| place(line));
            }
        }
    }

    /// Returns the verdict on the check: any failure, else any hole, else at least one pass, else proof of nothing to ask.
    pub(super) fn status(&self) -> Status {
        match self.counted {
            Counts { fail: 1.., .. } => Status::NotSatisfied,
            Counts { not_assessed: 1.., .. } => Status::NotAssessed,
            Counts { pass: 1.., .. } => Status::Satisfied,
            Counts { not_applicable: 1.., .. } => Status::NotApplicable,
            _ => Status::NotAssessed,
        }
    }

    /// Says why.
    pub(super) fn why(&self) -> String {
        let Counts { pass, fail, not_applicable, not_assessed: missing } = self.counted;
        let total = pass + fail + not_applicable + missing;
        let first = |first: &Option<String>| first.clone().unwrap_or_default();
        let mut text = match self.status() {
            Status::NotSatisfied => {
                let also = if missing > 0 { format!("; {missing} more could not be assessed") } else { String::new() };
                format!("{fail} of {total} answers fail{also}; the first: {}", first(&self.first_failure))
            }
            Status::NotAssessed if total == 0 => {
                "No answer counts: the population is empty, or all of it is excepted".to_owned()
            }
            Status::NotAssessed => {
                format!("{missing} of {total} answers are missing, none fails; the first: {}", first(&self.first_hole))
            }
            Status::Satisfied => match not_applicable {
                0 => format!("All {total} answers pass"),
                none => format!("All {} answers pass; in {none} places there is nothing to ask", total - none),
            },
            Status::NotApplicable => format!("In all {total} places it was seen that there is nothing to ask"),
        };
        if self.excepted > 0 {
            text.push_str(&format!(" ({} failures excepted, listed and not counted)", self.excepted));
        }
        if self.outside > 0 {
            text.push_str(&format!(" ({} outside the population, listed and not counted)", self.outside));
        }
        sentence(text)
    }
}

/// Returns the verdict on a whole from the verdicts on its parts, all of which must hold; a whole without parts is not assessed.
pub(super) fn of_parts(parts: impl IntoIterator<Item = Status>) -> Status {
    let mut whole = None;
    for part in parts {
        whole = Some(match (whole, part) {
            (Some(Status::NotSatisfied), _) | (_, Status::NotSatisfied) => Status::NotSatisfied,
            (Some(Status::NotAssessed), _) | (_, Status::NotAssessed) => Status::NotAssessed,
            (Some(Status::Satisfied), _) | (_, Status::Satisfied) => Status::Satisfied,
            (_, Status::NotApplicable) => Status::NotApplicable,
        });
    }
    whole.unwrap_or(Status::NotAssessed)
}

fn place(line: &ResultLine) -> String {
    let ResultLine { account, region, resource, why, .. } = line;
    if resource.kind == "AWS::::Account" {
        format!("{account} in {region}: {why}")
    } else {
        format!("{} in {account}, {region}: {why}", resource.id)
    }
}

/// Ends a sentence.
pub(super) fn sentence(mut text: String) -> String {
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// Says why a whole got its verdict: the first part that has the same one explains it.
pub(super) fn why_of_parts<'a>(status: Status, parts: &[(&'a str, Status, &'a str)]) -> String {
    let Some((name, _, why)) = parts.iter().find(|(_, s, _)| *s == status) else {
        return "Nothing confirms it.".to_owned();
    };
    let same = parts.iter().filter(|(_, s, _)| *s == status).count();
    if parts.len() == 1 { (*why).to_owned() } else { format!("{same} of {} ({name} first): {why}", parts.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{NotApplicable, NotAssessed, NotSatisfied, Satisfied};

    #[test]
    fn the_truth_table_of_a_whole() {
        let table = [
            (vec![], NotAssessed),
            (vec![Satisfied], Satisfied),
            (vec![NotApplicable], NotApplicable),
            (vec![NotApplicable, Satisfied], Satisfied),
            (vec![Satisfied, NotAssessed], NotAssessed),
            (vec![NotApplicable, NotAssessed], NotAssessed),
            (vec![Satisfied, NotAssessed, NotSatisfied], NotSatisfied),
            (vec![NotApplicable, NotSatisfied], NotSatisfied),
        ];
        for (parts, whole) in table {
            assert_eq!(of_parts(parts.clone()), whole, "{parts:?}");
            assert_eq!(of_parts(parts.iter().rev().copied()), whole, "{parts:?} reversed");
        }
    }
}
