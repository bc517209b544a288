//! `[oslo_policy]` and the built-in policy of a start without configuration.

use std::path::PathBuf;

#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// `policy_file` as an absolute path. It need not exist.
    pub file: Option<PathBuf>,
    /// `policy_dirs`
    pub dirs: Vec<PathBuf>,
    /// Everything is allowed: only where no configuration file was found.
    pub allow_all: bool,
}
