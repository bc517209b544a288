//! Logging options, as oslo.log has them.

use std::path::PathBuf;

#[derive(Debug, Clone, Default)]
pub struct LogConfig {
    pub debug: bool,
    /// `log_file`, under `log_dir` where that is set. None logs to standard error.
    pub file: Option<PathBuf>,
    /// `use_stderr`: also where there is a file.
    pub use_stderr: bool,
    /// `use_json`
    pub json: bool,
    /// `default_log_levels`, as `(logger, level)`.
    pub levels: Vec<(String, String)>,
}
