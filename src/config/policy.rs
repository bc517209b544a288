//! `[oslo_policy]`, property protections, and the built-in policy of a start without configuration.

use std::path::PathBuf;

use super::error::Error;
use super::sources::Found;

#[derive(Debug, Clone, Default)]
pub struct PolicyConfig {
    /// `policy_file` as an absolute path. It need not exist.
    pub file: Option<PathBuf>,
    /// `policy_dirs`
    pub dirs: Vec<PathBuf>,
    /// `policy_default_rule`: what judges an action without a rule of its own.
    pub default_rule: Option<String>,
    /// `enforce_new_defaults = false`: the older built-in rules let in as well, and owners are asked for.
    pub older_defaults: bool,
    /// Everything is allowed: only where no configuration file was found.
    pub allow_all: bool,
    /// `property_protection_file`, where there is one.
    pub protections: Option<ProtectionsConfig>,
}

/// Who may touch which custom properties of images.
#[derive(Debug, Clone)]
pub struct ProtectionsConfig {
    /// `property_protection_file`
    pub file: PathBuf,
    /// `property_protection_rule_format`
    pub format: ProtectionFormat,
}

/// What stands in a protection file beside its actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectionFormat {
    Roles,
    Policies,
}

impl PolicyConfig {
    pub(super) fn from(found: &Found) -> Result<Self, Error> {
        if found.state_dir.is_some() {
            return Ok(Self {
                allow_all: true,
                ..Self::default()
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
            default_rule: policy.text("policy_default_rule")?,
            older_defaults: !policy.flag("enforce_new_defaults")?,
            allow_all: false,
            protections: ProtectionsConfig::from(found)?,
        })
    }
}

impl ProtectionsConfig {
    /// A file that is named must be there: without it everything would be open.
    fn from(found: &Found) -> Result<Option<Self>, Error> {
        let default = found.settings.section("DEFAULT");
        let Some(name) = default.text("property_protection_file")? else {
            return Ok(None);
        };
        let format = match default.string("property_protection_rule_format")?.as_str() {
            "policies" => ProtectionFormat::Policies,
            _ => ProtectionFormat::Roles,
        };
        let missing = || default.refuse("property_protection_file", "a file that is there");
        let file = found.find_file(&name).ok_or_else(missing)?;
        Ok(Some(Self { file, format }))
    }
}
