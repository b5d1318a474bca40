//! How long a store keeps what it was given, against everybody.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// The longest that S3 Object Lock takes: 100 years.
const MOST_YEARS: u16 = 100;

/// A time for which an object can be neither deleted nor overwritten: `7y` (calendar years) or `2555d` (days of 24 hours).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    count: u16,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Days,
    Years,
}

/// A text that is no retention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no retention: write years or days, \"7y\" or \"2555d\", from 1d to 100y")]
pub struct InvalidRetention(String);

impl FromStr for Retention {
    type Err = InvalidRetention;
    fn from_str(text: &str) -> Result<Self, InvalidRetention> {
        let error = || InvalidRetention(text.to_owned());
        let (digits, unit, most) = match (text.strip_suffix('y'), text.strip_suffix('d')) {
            (Some(digits), _) => (digits, Unit::Years, MOST_YEARS),
            (_, Some(digits)) => (digits, Unit::Days, MOST_YEARS * 365),
            _ => return Err(error()),
        };
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let count = digits.parse().ok().filter(|n| plain && (1..=most).contains(n)).ok_or_else(error)?;
        Ok(Self { count, unit })
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, if self.unit == Unit::Years { 'y' } else { 'd' })
    }
}

impl Retention {
    /// Returns the end of the retention of what is written at `from`, in whole seconds, never early.
    pub fn until(self, from: Timestamp) -> Timestamp {
        let from = TimeZone::UTC.to_datetime(from);
        let end = match self.unit {
            Unit::Years => from.checked_add(i32::from(self.count).years()),
            Unit::Days => from.checked_add(i32::from(self.count).days()),
        };
        let seconds = end.and_then(|end| TimeZone::UTC.to_timestamp(end)).unwrap_or(Timestamp::MAX).as_second();
        Timestamp::from_second(seconds.saturating_add(1)).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_calendar_years_and_nothing_ends_early() {
        let from: Timestamp = "2028-02-29T12:00:00.5Z".parse().unwrap();
        let until = |text: &str| text.parse::<Retention>().unwrap().until(from).to_string();
        assert_eq!(until("1y"), "2029-02-28T12:00:01Z");
        assert_eq!(until("4y"), "2032-02-29T12:00:01Z");
        assert_eq!(until("1d"), "2028-03-01T12:00:01Z");
        assert_eq!("2555d".parse::<Retention>().unwrap().to_string(), "2555d");
        for bad in ["", "y", "7", "0y", "101y", "36501d", "-1d", "+1d", "1.5y", "7 y", "7Y", "99999999999d"] {
            assert!(bad.parse::<Retention>().is_err(), "{bad}");
        }
    }
}
