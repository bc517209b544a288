//! `[keystone_authtoken]` and sections like it: the service's own account.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::ini::{self, Section, Settings};
use super::options;

/// Without `http_connect_timeout` the original waits for ever; nobody is helped by that.
const PATIENCE: Duration = Duration::from_secs(10);
/// What keystoneauth knows as passwords, keys and tokens; everything else asks for software of its own.
const WAYS: [&str; 6] = [
    "password",
    "v3password",
    "v3applicationcredential",
    "token",
    "v3token",
    "none",
];

/// An account at Keystone, as far as it is set.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeystoneConfig {
    pub auth_type: Option<String>,
    /// `auth_url`
    pub auth_url: Option<String>,
    pub username: Option<String>,
    pub user_id: Option<String>,
    pub password: Option<String>,
    pub user_domain_id: Option<String>,
    pub user_domain_name: Option<String>,
    pub project_id: Option<String>,
    pub project_name: Option<String>,
    pub project_domain_id: Option<String>,
    pub project_domain_name: Option<String>,
    pub domain_id: Option<String>,
    pub domain_name: Option<String>,
    pub system_scope: Option<String>,
    pub trust_id: Option<String>,
    pub token: Option<String>,
    pub application_credential_id: Option<String>,
    pub application_credential_name: Option<String>,
    pub application_credential_secret: Option<String>,
    /// `cafile`: a bundle in PEM in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// `certfile`: what the service shows of itself.
    pub cert_file: Option<PathBuf>,
    /// `keyfile`, which may be the same file.
    pub key_file: Option<PathBuf>,
    /// `insecure`: believe any certificate.
    pub insecure: bool,
    /// The region whose Keystone is asked.
    pub region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub interface: String,
    /// `endpoint_override`: where Keystone is, whatever the catalogue says.
    pub endpoint: Option<String>,
    /// How long one answer may take; zero stands for a time of our own.
    pub timeout: Duration,
    /// How often a connection that failed is tried again.
    pub retries: u32,
}

impl KeystoneConfig {
    /// The account of `[keystone_authtoken]`.
    pub(super) fn from(settings: &Settings) -> Result<Self, Error> {
        Self::in_section(settings, "keystone_authtoken")
    }

    /// The account of a section, by the options that this section has, or of another one that its
    /// `auth_section` names. How Keystone is reached stands in the section itself.
    pub(super) fn in_section(settings: &Settings, section: &'static str) -> Result<Self, Error> {
        let own = Account {
            options: settings.section(section),
            section,
        };
        let elsewhere = own.text("auth_section")?.map(|name| ini::normal(&name));
        let read = Account {
            options: settings.section(elsewhere.as_deref().unwrap_or(section)),
            section,
        };
        let (timeout, retries) = if section == "keystone_authtoken" {
            ("http_connect_timeout", "http_request_max_retries")
        } else {
            ("timeout", "connect_retries")
        };
        let first = |one, other| Ok::<_, Error>(read.text(one)?.or(read.text(other)?));
        let auth_type = read.text("auth_type")?;
        if let Some(way) = &auth_type
            && !WAYS.contains(&way.as_str())
        {
            return Err(read
                .options
                .refuse("auth_type", format!("one of {}", WAYS.join(", "))));
        }
        Ok(Self {
            auth_type,
            auth_url: read.text("auth_url")?,
            username: read.text("username")?,
            user_id: read.text("user_id")?,
            password: read.text("password")?,
            user_domain_id: first("user_domain_id", "default_domain_id")?,
            user_domain_name: first("user_domain_name", "default_domain_name")?,
            project_id: first("project_id", "tenant_id")?,
            project_name: first("project_name", "tenant_name")?,
            project_domain_id: first("project_domain_id", "default_domain_id")?,
            project_domain_name: first("project_domain_name", "default_domain_name")?,
            domain_id: read.text("domain_id")?,
            domain_name: read.text("domain_name")?,
            system_scope: read.text("system_scope")?,
            trust_id: read.text("trust_id")?,
            token: read.text("token")?,
            application_credential_id: read.text("application_credential_id")?,
            application_credential_name: read.text("application_credential_name")?,
            application_credential_secret: read.text("application_credential_secret")?,
            ca_file: own.options.path("cafile")?,
            cert_file: own.options.path("certfile")?,
            key_file: own.options.path("keyfile")?,
            insecure: own.options.flag("insecure")?,
            region: own.text("region_name")?,
            interface: own.interface()?,
            endpoint: own.text("endpoint_override")?,
            timeout: own.options.seconds(timeout)?,
            retries: own.options.number(retries)?,
        })
    }

    /// The certificate that is shown, and its key; both may be in one file.
    pub fn own_certificate(&self) -> Option<(PathBuf, PathBuf)> {
        let certificate = self.cert_file.clone()?;
        let key = self.key_file.clone().unwrap_or_else(|| certificate.clone());
        Some((certificate, key))
    }

    /// How long one answer may take.
    pub fn patience(&self) -> Duration {
        if self.timeout.is_zero() {
            PATIENCE
        } else {
            self.timeout
        }
    }
}

struct Account<'a> {
    options: Section<'a>,
    section: &'static str,
}

impl Account<'_> {
    /// Nothing where the section has no such option.
    fn text(&self, option: &str) -> Result<Option<String>, Error> {
        match options::find(self.section, option) {
            Some(_) => self.options.text(option),
            None => Ok(None),
        }
    }

    /// The first that is good enough, where a section lists several.
    fn interface(&self) -> Result<String, Error> {
        if let Some(interface) = self.text("interface")? {
            return Ok(interface);
        }
        let interfaces = self.options.list("valid_interfaces")?;
        let first = interfaces.into_iter().next();
        Ok(first.unwrap_or_else(|| "public".to_owned()))
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
