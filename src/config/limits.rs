//! What a project may have, and how often it may ask: `[oslo_limit]` and our own `[request_limits]`.

use std::time::Duration;

use super::error::Error;
use super::ini::Settings;
use super::keystone::KeystoneConfig;

/// How Keystone is asked for the limits of projects, where `use_keystone_limits` is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// The account that asks.
    pub account: KeystoneConfig,
    /// `endpoint_id`: the image service, as Keystone's catalogue numbers it. Without it the others find it.
    pub endpoint_id: Option<String>,
    /// `endpoint_service_type`
    pub service_type: Option<String>,
    /// `endpoint_service_name`
    pub service_name: Option<String>,
    /// `endpoint_region_name`
    pub region: Option<String>,
    /// `endpoint_interface`: `public`, `internal` or `admin`.
    pub interface: String,
    /// `[server] limits_cache_time`: so long what Keystone said is believed.
    pub cache_time: Duration,
}

impl LimitsConfig {
    pub(super) fn from(settings: &Settings) -> Result<Option<Self>, Error> {
        if !settings.section("DEFAULT").flag("use_keystone_limits")? {
            return Ok(None);
        }
        let section = settings.section("oslo_limit");
        let interface = section.string("endpoint_interface")?;
        Ok(Some(Self {
            account: KeystoneConfig::in_section(settings, "oslo_limit")?,
            endpoint_id: section.text("endpoint_id")?,
            service_type: section.text("endpoint_service_type")?,
            service_name: section.text("endpoint_service_name")?,
            region: section.text("endpoint_region_name")?,
            interface: interface.trim_end_matches("URL").to_owned(),
            cache_time: settings.section("server").seconds("limits_cache_time")?,
        }))
    }
}

impl LimitsConfig {
    /// What Keystone cannot be asked without.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let named = [&self.endpoint_id, &self.service_type, &self.service_name];
        if self.account.auth_url.is_none() {
            Some("auth_url")
        } else if named.iter().all(|name| name.is_none()) {
            Some("endpoint_id")
        } else {
            None
        }
    }
}

/// How much one address and one project may ask of a process. Zero is as much as they want.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RequestLimitsConfig {
    /// `address_rate`, `address_burst` and `address_uploads`
    pub address: Allowance,
    /// `project_rate`, `project_burst` and `project_uploads`
    pub project: Allowance,
}

/// What somebody may ask.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Allowance {
    /// Requests per second in the long run.
    pub rate: f64,
    /// Requests at once after a pause; at least one, and where it is zero as many as a second brings.
    pub burst: u32,
    /// Uploads at the same time.
    pub uploads: u32,
}

impl RequestLimitsConfig {
    pub(super) fn from(settings: &Settings) -> Result<Self, Error> {
        let section = settings.section("request_limits");
        let allowance = |rate, burst, uploads| {
            Ok(Allowance {
                rate: section.seconds(rate)?.as_secs_f64(),
                burst: section.number(burst)?,
                uploads: section.number(uploads)?,
            })
        };
        Ok(Self {
            address: allowance("address_rate", "address_burst", "address_uploads")?,
            project: allowance("project_rate", "project_burst", "project_uploads")?,
        })
    }
}
