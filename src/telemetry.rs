//! Logs, set up the same way in every binary.

use crate::config::LogConfig;

/// Why logs cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write logs")]
pub struct Error;

/// What can still be done with logs that are set up.
#[derive(Debug, Clone)]
pub struct Handle;

#[expect(unused_variables, reason = "outline")]
impl Handle {
    /// Opens the log file anew, for after it was moved away. Where that fails the old one stays.
    pub fn reopen(&self) -> Result<(), Error> {
        todo!()
    }

    /// Takes over the levels of a configuration that was read again.
    pub fn apply(&self, config: &LogConfig) -> Result<(), Error> {
        todo!()
    }
}
