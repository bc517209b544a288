//! `[oslo_policy]`, property protections, and the built-in policy of a start without configuration.

use std::path::PathBuf;
use std::time::Duration;

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
    /// `remote_*`
    pub remote: RemoteConfig,
}

/// How other servers are asked that have a say in rules.
#[derive(Debug, Clone, Default)]
pub struct RemoteConfig {
    /// `remote_content_type`: JSON in place of a form.
    pub json: bool,
    /// `remote_timeout`: how long an answer may take. One that is silent for two minutes has failed anyway.
    pub timeout: Duration,
    /// `remote_ssl_verify_server_crt`: otherwise any certificate is believed.
    pub verify: bool,
    /// `remote_ssl_ca_crt_file`: a bundle in PEM in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// `remote_ssl_client_crt_file` and `remote_ssl_client_key_file`: what the service shows of itself.
    pub own: Option<(PathBuf, PathBuf)>,
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
            remote: RemoteConfig::from(found)?,
        })
    }
}

impl RemoteConfig {
    fn from(found: &Found) -> Result<Self, Error> {
        let policy = found.settings.section("oslo_policy");
        let certificate = policy.path("remote_ssl_client_crt_file")?;
        let key = policy.path("remote_ssl_client_key_file")?;
        Ok(Self {
            json: policy.string("remote_content_type")? == "application/json",
            timeout: policy.seconds("remote_timeout")?,
            verify: policy.flag("remote_ssl_verify_server_crt")?,
            ca_file: policy.path("remote_ssl_ca_crt_file")?,
            // The key may stand in the file of the certificate.
            own: certificate.map(|own| (own.clone(), key.unwrap_or(own))),
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
