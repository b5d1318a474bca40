//! The only clock and the only source of randomness: everything else is handed them.

use jiff::{SignedDuration, Timestamp};

/// Environment variable that sets the clock, for rehearsals and tests; a run under it says so in its seals.
pub const OVERRIDE: &str = "ORGPROOF_CLOCK";

/// A clock that runs at the machine's pace, from now or from the time that [`OVERRIDE`] names.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    offset: SignedDuration,
    overridden: bool,
}

/// The value of [`OVERRIDE`] is no time.
#[derive(Debug, thiserror::Error)]
#[error("{OVERRIDE}={0:?} is no time: write it as 2026-12-31T06:00:00Z, or unset it")]
pub struct InvalidClock(String);

impl Clock {
    /// Reads the environment.
    ///
    /// # Errors
    /// The override is set but is no RFC 3339 time.
    pub fn from_environment() -> Result<Self, InvalidClock> {
        match std::env::var(OVERRIDE) {
            Err(_) => Ok(Self { offset: SignedDuration::ZERO, overridden: false }),
            Ok(text) => {
                let at: Timestamp = text.parse().map_err(|_| InvalidClock(text))?;
                Ok(Self { offset: at.duration_since(Timestamp::now()), overridden: true })
            }
        }
    }

    /// Returns the time, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now().checked_add(self.offset).unwrap_or(Timestamp::MAX);
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Returns what a seal must say about this clock, if anything.
    pub fn overrides(&self) -> Option<String> {
        self.overridden.then(|| format!("clock ({OVERRIDE})"))
    }
}

/// Fills 32 bytes from the operating system's random source.
///
/// # Errors
/// The operating system has none.
pub fn random32() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
