//! The only clock and the only source of randomness: everything else is handed them.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};

/// Environment variable that sets the clock, for rehearsals and tests; a run under it says so in its seals.
pub const OVERRIDE: &str = "ORGPROOF_CLOCK";

/// How far the override lies from the machine's clock; set once, when the program starts.
static OFFSET: OnceLock<SignedDuration> = OnceLock::new();

/// The value of [`OVERRIDE`] is no time.
#[derive(Debug, thiserror::Error)]
#[error("{OVERRIDE}={0:?} is no time: write it as 2026-12-31T06:00:00Z, or unset it")]
pub struct InvalidClock(String);

/// Reads the override from the environment; to be called once, before any other function of this module.
///
/// # Errors
/// The override is set but is no RFC 3339 time.
pub fn set_from_environment() -> Result<(), InvalidClock> {
    if let Ok(text) = std::env::var(OVERRIDE) {
        let at: Timestamp = text.parse().map_err(|_| InvalidClock(text))?;
        OFFSET.get_or_init(|| at.duration_since(Timestamp::now()));
    }
    Ok(())
}

/// Returns the time in whole milliseconds: the machine's, or one that runs at its pace from the override on.
pub fn now() -> Timestamp {
    let offset = OFFSET.get().copied().unwrap_or(SignedDuration::ZERO);
    let now = Timestamp::now().checked_add(offset).unwrap_or(Timestamp::MAX);
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Returns what a seal must say about this clock, if anything.
pub fn overrides() -> Option<String> {
    OFFSET.get().map(|_| format!("clock ({OVERRIDE})"))
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
