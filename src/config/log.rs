//! Logging options, as oslo.log has them.

use std::path::PathBuf;

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
    pub levels: Vec<(String, String)>,
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
            pair.split_once('=')
                .map(|(logger, level)| (logger.trim().to_owned(), level.trim().to_owned()))
                .ok_or_else(|| {
                    default.refuse("default_log_levels", "pairs such as sqlalchemy=WARN")
                })
        };
        let levels = default.list("default_log_levels")?;
        Ok(Self {
            debug: default.flag("debug")?,
            file,
            use_stderr: default.flag("use_stderr")?,
            json: default.flag("use_json")?,
            levels: levels.into_iter().map(level).collect::<Result<_, _>>()?,
        })
    }
}
