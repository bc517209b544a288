//! `[keystone_authtoken]`: the service's own account.

use std::fmt;
use std::path::PathBuf;

use super::error::Error;
use super::ini::Settings;

/// The service's own account at Keystone, as far as it is set.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeystoneConfig {
    /// `auth_url`
    pub auth_url: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub user_domain_id: Option<String>,
    pub user_domain_name: Option<String>,
    pub project_id: Option<String>,
    pub project_name: Option<String>,
    pub project_domain_id: Option<String>,
    pub project_domain_name: Option<String>,
    pub application_credential_id: Option<String>,
    pub application_credential_secret: Option<String>,
    /// `cafile`: a bundle in PEM in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// `insecure`: believe any certificate.
    pub insecure: bool,
}

impl KeystoneConfig {
    pub(super) fn from(settings: &Settings) -> Result<Self, Error> {
        let account = settings.section("keystone_authtoken");
        Ok(Self {
            auth_url: account.text("auth_url")?,
            username: account.text("username")?,
            password: account.text("password")?,
            user_domain_id: account.text("user_domain_id")?,
            user_domain_name: account.text("user_domain_name")?,
            project_id: account.text("project_id")?,
            project_name: account.text("project_name")?,
            project_domain_id: account.text("project_domain_id")?,
            project_domain_name: account.text("project_domain_name")?,
            application_credential_id: account.text("application_credential_id")?,
            application_credential_secret: account.text("application_credential_secret")?,
            ca_file: account.path("cafile")?,
            insecure: account.flag("insecure")?,
        })
    }
}

impl fmt::Debug for KeystoneConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeystoneConfig")
            .field("auth_url", &self.auth_url)
            .field("username", &self.username)
            .field("project_name", &self.project_name)
            .finish_non_exhaustive()
    }
}
