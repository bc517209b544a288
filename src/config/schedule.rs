//! When a job runs.

use chrono::{DateTime, TimeZone};

/// Six fields, seconds in front.
#[derive(Debug, Clone)]
pub struct Schedule(cron::Schedule);

impl Schedule {
    /// Reads a schedule, or says what it must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| "six fields".to_owned())
    }

    /// The first time after `time`.
    pub fn next_after<Z: TimeZone>(&self, time: &DateTime<Z>) -> Option<DateTime<Z>> {
        self.0.after(time).next()
    }
}
