//! Audit periods: half-open intervals of time with a label.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An audit period, `from` inclusive to `to` exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// What people call it: `2026Q4`, `2026-11`, `2026H2`, `2026`, or `2026-10-01..2026-12-31`.
    pub label: String,
    /// First instant of the period.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
}

impl Period {
    /// Returns whether `at` lies in the period.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}
