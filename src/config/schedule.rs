//! Periods by rule: month, quarter, half-year or year of a fiscal calendar, or explicit dates.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;

use super::{Schedule, raw::Check};
use crate::model::Period;

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cadence {
    /// One month.
    Month,
    /// Three months.
    #[default]
    Quarter,
    /// Six months.
    HalfYear,
    /// Twelve months.
    Year,
}

impl Cadence {
    fn months(self) -> i8 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::HalfYear => 6,
            Self::Year => 12,
        }
    }
}

/// A text that names no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no period: write 2026Q4, 2026-11, 2026H2, 2026, or dates as in 2026-10-01..2026-12-31")]
pub struct InvalidPeriod(pub String);

#[derive(Deserialize, Default)]
pub(super) struct RawSchedule {
    #[serde(default)]
    period: Cadence,
    fiscal_year_start: Option<String>,
    time_zone: Option<String>,
    next_run: Option<String>,
    grace: Option<String>,
}

impl RawSchedule {
    pub(super) fn validate(self, check: &mut Check<'_>) -> Option<Schedule> {
        let month: Option<i8> = match &self.fiscal_year_start {
            None => Some(1),
            Some(text) => check.parsed("schedule.fiscal_year_start", text),
        };
        if month.is_some_and(|m| !(1..=12).contains(&m)) {
            check.fault("invalid-value", "schedule.fiscal_year_start", "a month, \"01\" to \"12\"");
            return None;
        }
        let time_zone = match &self.time_zone {
            None => Some(TimeZone::UTC),
            Some(name) => {
                TimeZone::get(name).map_err(|e| check.fault("invalid-value", "schedule.time_zone", e.to_string())).ok()
            }
        };
        let mut duration = |key: &str, text: Option<String>, default: i64| match text {
            None => Some(SignedDuration::from_hours(default)),
            // What is not positive, or lies years away, would promise nothing: no run would ever be missed.
            Some(text) => check.parsed(key, &text).filter(|d: &SignedDuration| {
                let promises = (0..=400 * 24).contains(&d.as_hours()) && !d.is_negative();
                if !promises {
                    check.fault("invalid-value", key, "a duration of at most 400 days (9600h), as in \"24h\"");
                }
                promises
            }),
        };
        let next_run = duration("schedule.next_run", self.next_run, 24);
        let grace = duration("schedule.grace", self.grace, 6);
        Some(Schedule {
            period: self.period,
            fiscal_year_start: month?,
            time_zone: time_zone?,
            next_run: next_run?,
            grace: grace?,
        })
    }
}

impl Schedule {
    /// Returns the period that `label` names, in this schedule's fiscal calendar and time zone.
    ///
    /// A fiscal year is called after the calendar year in which it begins: with `fiscal_year_start = "04"`, `2026Q4`
    /// runs from January to March 2027.
    ///
    /// # Errors
    /// The label is none of the accepted forms.
    pub fn period(&self, label: &str) -> Result<Period, InvalidPeriod> {
        let error = || InvalidPeriod(label.to_owned());
        if let Some((from, to)) = label.split_once("..") {
            let (from, to): (Date, Date) = (from.parse().map_err(|_| error())?, to.parse().map_err(|_| error())?);
            let after = to.tomorrow().map_err(|_| error())?;
            return if from < after { self.between(label, from, after) } else { Err(error()) };
        }
        let (year, rest) = label.split_at_checked(4).ok_or_else(error)?;
        let year: i16 = if year.bytes().all(|b| b.is_ascii_digit()) { year.parse().map_err(|_| error())? } else { 0 };
        if year < 1 {
            return Err(error());
        }
        let number = |text: &str, most: i8| {
            text.parse::<i8>().ok().filter(|n| (1..=most).contains(n) && !text.starts_with('+')).ok_or_else(error)
        };
        let (first, months) = match rest.as_bytes().first() {
            None => (self.fiscal_year_start, 12),
            Some(b'Q') => (self.fiscal_year_start + (number(&rest[1..], 4)? - 1) * 3, 3),
            Some(b'H') => (self.fiscal_year_start + (number(&rest[1..], 2)? - 1) * 6, 6),
            Some(b'-') if rest.len() == 3 => (number(&rest[1..], 12)?, 1),
            Some(_) => return Err(error()),
        };
        let from = month_start(year, first).ok_or_else(error)?;
        let to = month_start(year, first + months).ok_or_else(error)?;
        self.between(label, from, to)
    }

    /// Returns the period of this schedule's cadence that contains `at`.
    ///
    /// # Errors
    /// `at` lies beyond the calendar's years.
    pub fn period_at(&self, at: Timestamp) -> Result<Period, InvalidPeriod> {
        let date = self.time_zone.to_datetime(at).date();
        let since = (date.month() - self.fiscal_year_start).rem_euclid(12);
        let year = if date.month() < self.fiscal_year_start { date.year() - 1 } else { date.year() };
        let nth = since / self.period.months() + 1;
        let label = match self.period {
            Cadence::Month => format!("{:04}-{:02}", date.year(), date.month()),
            Cadence::Quarter => format!("{year:04}Q{nth}"),
            Cadence::HalfYear => format!("{year:04}H{nth}"),
            Cadence::Year => format!("{year:04}"),
        };
        self.period(&label)
    }

    fn between(&self, label: &str, from: Date, to: Date) -> Result<Period, InvalidPeriod> {
        let start =
            |date: Date| self.time_zone.to_timestamp(date.at(0, 0, 0, 0)).map_err(|_| InvalidPeriod(label.to_owned()));
        Ok(Period { label: label.to_owned(), from: start(from)?, to: start(to)? })
    }
}

/// First day of the month that lies `month - 1` months after January of `year`.
fn month_start(year: i16, month: i8) -> Option<Date> {
    let index = month - 1;
    Date::new(year + i16::from(index.div_euclid(12)), index.rem_euclid(12) + 1, 1).ok()
}
