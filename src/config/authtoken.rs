//! `[keystone_authtoken]`: how callers' tokens are checked.

use std::time::Duration;

use super::check::{Warning, check};
use super::error::{Error, Problems};
use super::ini::{Entry, Settings};
use super::keystone::KeystoneConfig;
use super::memcached::MemcachedConfig;

/// How callers' tokens are checked, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthTokenConfig {
    /// The account that asks Keystone.
    pub account: KeystoneConfig,
    /// Where a client without a token is sent: `www_authenticate_uri`, else `auth_url`.
    pub www_authenticate_uri: String,
    /// Callers without a valid token are left to `context`, which may let them in as anonymous.
    pub delay_auth_decision: bool,
    /// `token_cache_time`: so long what Keystone said is believed. Zero asks every time.
    pub cache_time: Duration,
    /// `memcached_servers`: where services share what Keystone said.
    pub memcached: Option<MemcachedConfig>,
    /// Roles of services that may pass on requests whose token has expired meanwhile.
    pub service_token_roles: Vec<String>,
    /// Without one of them a service token is no service token.
    pub service_token_roles_required: bool,
    /// `enforce_token_bind`
    pub bind: String,
    /// Tokens are asked for with the catalogue.
    pub include_service_catalog: bool,
    /// What access rules of application credentials call this service.
    pub service_type: Option<String>,
}

impl AuthTokenConfig {
    /// What the section of the paste file sets counts more than the configuration.
    pub(super) fn with(
        settings: &Settings,
        pasted: Vec<Entry>,
        warnings: &mut Vec<Warning>,
        problems: &mut Problems,
    ) -> Option<Self> {
        if pasted.is_empty() {
            return problems.note(Self::from(settings));
        }
        let mut alone = Settings::default();
        alone.push(pasted.clone());
        warnings.extend(check(&alone, problems));
        let mut all = settings.clone();
        all.push(pasted);
        problems.note(Self::from(&all))
    }

    fn from(settings: &Settings) -> Result<Self, Error> {
        let section = settings.section("keystone_authtoken");
        let account = KeystoneConfig::from(settings)?;
        let uri = section.text("www_authenticate_uri")?;
        let cache_time: i64 = section.number("token_cache_time")?;
        Ok(Self {
            www_authenticate_uri: uri.or(account.auth_url.clone()).unwrap_or_default(),
            account,
            delay_auth_decision: section.flag("delay_auth_decision")?,
            cache_time: Duration::from_secs(u64::try_from(cache_time).unwrap_or_default()),
            memcached: MemcachedConfig::from(settings)?,
            service_token_roles: section.list("service_token_roles")?,
            service_token_roles_required: section.flag("service_token_roles_required")?,
            bind: section.string("enforce_token_bind")?,
            include_service_catalog: section.flag("include_service_catalog")?,
            service_type: section.text("service_type")?,
        })
    }
}
