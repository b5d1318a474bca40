//! The coverage map: account x Region, each cell in the worst state of its tasks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    gaps::{Cause, is_gap},
    view::AccountView,
};
use crate::model::{AccountId, Assessment, Coverage, CoverageState, Region};

/// Rows that a page holds; more accounts are cut to those with gaps first, and `coverage.csv` is written beside it.
pub const MAP_ROWS: usize = 500;

/// Account x Region.
#[derive(Debug, Serialize)]
pub struct Map {
    /// Columns, sorted.
    pub regions: Vec<String>,
    /// Rows: by account id; where there are more than [`MAP_ROWS`], those with gaps come first.
    pub rows: Vec<Row>,
    /// Accounts in all.
    pub total: usize,
}

/// One account.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Account id.
    pub account: String,
    /// Its name.
    pub name: String,
    /// One cell per column; `None` where nothing is planned.
    pub cells: Vec<Option<Cell>>,
}

/// One account in one Region.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// The worst state.
    pub state: &'static str,
    /// True where any task is a gap.
    pub gap: bool,
    /// Cause of the worst gap, to link to.
    pub cause: Option<&'static str>,
    /// Tasks.
    pub tasks: u64,
    /// Gaps among them.
    pub gaps: u64,
}

/// Orders states from calm to worst; a gap is always worse than none.
fn badness(line: &Coverage) -> (bool, u8) {
    let rank = match line.state {
        CoverageState::Collected => 1,
        CoverageState::Empty => 0,
        CoverageState::OutOfScope => 2,
        CoverageState::RegionDisabled => 3,
        CoverageState::Stale => 4,
        CoverageState::NotRecorded => 5,
        CoverageState::NotEnabled => 6,
        CoverageState::Withheld => 7,
        CoverageState::Partial => 8,
        CoverageState::Throttled => 9,
        CoverageState::TimedOut => 10,
        CoverageState::NotRun => 11,
        CoverageState::Denied => 12,
        CoverageState::Failed => 13,
    };
    (is_gap(line), rank)
}

/// Builds the map from the ledger; every account has a row, cut as [`MAP_ROWS`] says.
pub fn build(assessment: &Assessment, accounts: &[AccountView<'_>]) -> Map {
    let regions: Vec<&Region> =
        assessment.coverage.iter().map(|c| &c.region).collect::<BTreeSet<_>>().into_iter().collect();
    let mut lines: BTreeMap<(&str, &Region), Vec<&Coverage>> = BTreeMap::new();
    for line in &assessment.coverage {
        lines.entry((AccountId::as_str(&line.account), &line.region)).or_default().push(line);
    }
    let mut shown: Vec<&AccountView<'_>> = accounts.iter().collect();
    if shown.len() > MAP_ROWS {
        shown.sort_by_key(|a| a.gaps == 0);
        shown.truncate(MAP_ROWS);
    }
    let rows = shown
        .into_iter()
        .map(|a| Row {
            account: a.id.to_owned(),
            name: a.name.to_owned(),
            cells: regions.iter().map(|r| lines.get(&(a.id, *r)).map(|l| cell(l))).collect(),
        })
        .collect();
    Map { regions: regions.into_iter().map(ToString::to_string).collect(), rows, total: accounts.len() }
}

fn cell(lines: &[&Coverage]) -> Cell {
    let worst = lines.iter().max_by_key(|l| badness(l));
    let gaps = lines.iter().filter(|l| is_gap(l)).count() as u64;
    Cell {
        state: worst.map_or(CoverageState::NotRun, |l| l.state).as_str(),
        gap: gaps > 0,
        cause: worst.filter(|l| is_gap(l)).map(|l| Cause::of(l).as_str()),
        tasks: lines.len() as u64,
        gaps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Language, sample, texts::Texts, view::View};

    #[test]
    fn a_cell_with_one_gap_among_many_answers_shows_the_gap() {
        let mut assessment = sample::assessment();
        let texts = Texts::load(Language::English).unwrap();
        for line in &mut assessment.coverage {
            line.state = CoverageState::Collected;
            line.gap = false;
        }
        for state in CoverageState::ALL {
            assessment.coverage[0].state = state;
            assessment.coverage[0].gap = true;
            let view = View::new(&assessment, &sample::provenance(), &texts);
            let line = &assessment.coverage[0];
            let row = view.map.rows.iter().find(|r| r.account == line.account.as_str()).unwrap();
            let column = view.map.regions.iter().position(|r| *r == line.region.as_str()).unwrap();
            let cell = row.cells[column].as_ref().unwrap();
            assert!(cell.gap && cell.cause.is_some(), "{state:?}");
            assert_eq!(cell.state, state.as_str());
        }
    }

    #[test]
    fn past_the_limit_accounts_with_gaps_are_never_the_ones_left_out() {
        let mut assessment = sample::assessment();
        let texts = Texts::load(Language::English).unwrap();
        let model = assessment.coverage.iter().find(|c| !c.gap).unwrap().clone();
        for n in 0..(2 * MAP_ROWS) {
            let mut line = model.clone();
            line.account = format!("{n:012}").parse().unwrap();
            line.gap = n >= 2 * MAP_ROWS - 3;
            assessment.coverage.push(line);
        }
        let view = View::new(&assessment, &sample::provenance(), &texts);
        assert_eq!(view.map.rows.len(), MAP_ROWS);
        assert!(view.map.total > 2 * MAP_ROWS);
        let gaps = view.map.rows.iter().filter(|r| r.cells.iter().flatten().any(|c| c.gap)).count() as u64;
        assert_eq!(gaps, view.totals.accounts_with_gaps);
    }
}
