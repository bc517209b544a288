//! When a job runs: crontab(5) in local time.

use chrono::{DateTime, TimeZone};

/// Five fields as crontab(5) has them, or six with seconds in front.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {}

#[expect(unused_variables, reason = "outline")]
impl Schedule {
    pub fn parse(text: &str) -> Result<Self, String> {
        todo!()
    }

    pub fn next_after<Z: TimeZone>(&self, time: &DateTime<Z>) -> Option<DateTime<Z>> {
        todo!()
    }
}
