//! `[oslo_policy]` and the built-in policy of a start without configuration.

use std::path::PathBuf;

use super::error::Error;
use super::sources::Found;

#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// `policy_file` as an absolute path. It need not exist.
    pub file: Option<PathBuf>,
    /// `policy_dirs`
    pub dirs: Vec<PathBuf>,
    /// Everything is allowed: only where no configuration file was found.
    pub allow_all: bool,
}

impl PolicyConfig {
    pub(super) fn from(found: &Found) -> Result<Self, Error> {
        if found.state_dir.is_some() {
            return Ok(Self {
                file: None,
                dirs: Vec::new(),
                allow_all: true,
            });
        }
        let policy = found.settings.section("oslo_policy");
        let name = policy.string("policy_file")?;
        // As in oslo.policy, an old policy.json counts where nobody names a file.
        let json = || {
            found
                .find_file("policy.json")
                .filter(|_| !policy.is_set("policy_file"))
        };
        let file = found.find_file(&name).or_else(json);
        let dirs = policy.multi("policy_dirs")?;
        Ok(Self {
            file: file.or_else(|| found.expect_file(&name)),
            dirs: dirs
                .iter()
                .filter_map(|dir| found.expect_file(dir))
                .collect(),
            allow_all: false,
        })
    }
}
