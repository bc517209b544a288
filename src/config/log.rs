//! Logging options, as oslo.log has them.

use std::path::PathBuf;

use tracing::level_filters::LevelFilter;

use super::error::Error;
use super::ini::Settings;

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
    pub levels: Vec<(String, LevelFilter)>,
}

impl LogConfig {
    pub(super) fn from(settings: &Settings, program: &str) -> Result<Self, Error> {
        let default = settings.section("DEFAULT");
        let file = match (default.path("log_dir")?, default.path("log_file")?) {
            (Some(dir), Some(file)) => Some(dir.join(file)),
            (Some(dir), None) => Some(dir.join(format!("{program}.log"))),
            (None, file) => file,
        };
        let level = |pair: String| {
            let (logger, level) = pair.split_once('=')?;
            Some((logger.trim().to_owned(), self::level(level.trim())?))
        };
        let wrong = || default.refuse("default_log_levels", "pairs such as sqlalchemy=WARNING");
        let levels = default.list("default_log_levels")?;
        Ok(Self {
            debug: default.flag("debug")?,
            file,
            use_stderr: default.flag("use_stderr")?,
            json: default.flag("use_json")?,
            levels: levels
                .into_iter()
                .map(level)
                .collect::<Option<_>>()
                .ok_or_else(wrong)?,
        })
    }
}

/// A level by its name in Python's logging.
fn level(name: &str) -> Option<LevelFilter> {
    Some(match name.to_uppercase().as_str() {
        "NOTSET" | "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" | "WARNING" => LevelFilter::WARN,
        "ERROR" | "CRITICAL" | "FATAL" => LevelFilter::ERROR,
        _ => return None,
    })
}
