//! Configuration: plain data, read once.
//!
//! [`Sources`] says where it stands, [`Config::load`] reads, checks and types it. What glance can
//! start in spite of is a [`Warning`], everything else an [`Error`] that names the place.

pub mod api;
mod authtoken;
pub mod cache;
pub mod database;
pub mod image;
pub mod keystone;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod paste;
pub mod policy;
pub mod prefetch;
pub mod schedule;
pub mod stores;

mod changes;
mod check;
mod error;
mod filtering;
mod ini;
mod memcached;
mod obstacles;
mod options;
mod report;
mod secrecy;
mod sources;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use api::ApiConfig;
pub use authtoken::AuthTokenConfig;
pub use cache::{CacheConfig, Eviction, FillOnRange, PeersConfig, Verify};
pub use changes::Written;
pub use check::Warning;
pub use database::{DatabaseConfig, Server, Target, Url};
pub use error::{Error, Origin, Place};
pub use image::ImageConfig;
pub use ini::values::size as parse_size;
pub use keystone::KeystoneConfig;
pub use limits::{Allowance, LimitsConfig, RequestLimitsConfig};
pub use log::LogConfig;
pub use memcached::{MemcachedConfig, MemcachedServer, Protection};
pub use metrics::MetricsConfig;
pub use paste::Pipeline;
pub use policy::PolicyConfig;
pub use prefetch::PrefetchRule;
pub use report::{Summary, print, summary};
pub use schedule::Schedule;
pub use secrecy::hide_passwords;
pub use sources::{Program, Sources};
pub use stores::StoresConfig;

use error::Problems;
use ini::Settings;
use sources::Found;

/// Everything that an operator can set.
#[derive(Debug, Clone)]
pub struct Config {
    pub api: ApiConfig,
    pub image: ImageConfig,
    /// None where no cache directory is set.
    pub cache: Option<CacheConfig>,
    pub database: DatabaseConfig,
    pub stores: StoresConfig,
    pub policy: PolicyConfig,
    pub pipeline: Pipeline,
    /// How tokens are checked, where the pipeline wants that.
    pub authtoken: Option<AuthTokenConfig>,
    /// How Keystone is asked what projects may have, where it sets that.
    pub limits: Option<LimitsConfig>,
    pub request_limits: RequestLimitsConfig,
    pub log: LogConfig,
    pub metrics: MetricsConfig,
    /// Where all state is, where glance was started without any configuration.
    pub state_dir: Option<PathBuf>,
}

/// What the companion tools of the cache need of it.
#[derive(Debug, Clone)]
pub struct ToolConfig {
    /// Where the API of this node listens.
    pub api: ApiConfig,
    /// `[image_cache] api_url`: where the API of this node is, if not where it listens.
    pub api_url: Option<String>,
    /// None where no cache directory is set.
    pub cache: Option<CacheConfig>,
    /// None where no database is named, or none that this build can ask: most tools need none.
    pub database: Option<DatabaseConfig>,
    pub keystone: KeystoneConfig,
    pub stores: StoresConfig,
    pub log: LogConfig,
}

/// What the tool that looks after database and policy needs of it.
#[derive(Debug)]
pub struct ManageConfig {
    pub database: DatabaseConfig,
    /// Or why there is none: who looks after the database need not have the files of the service.
    pub policy: Result<PolicyConfig, Error>,
    pub log: LogConfig,
}

/// A configuration, and how it came about.
#[derive(Debug)]
pub struct Loaded<T> {
    pub config: T,
    pub warnings: Vec<Warning>,
    /// The files that were read, in their order.
    pub files: Vec<PathBuf>,
    settings: Settings,
}

impl Config {
    /// Reads the configuration of the service.
    pub fn load(sources: &Sources) -> Result<Loaded<Self>, Error> {
        let found = sources.read()?;
        let mut problems = Problems::default();
        let mut warnings = check::check(&found.settings, &mut problems);
        let config = Self::from(&found, &mut warnings, problems)?;
        config.judge(&found.settings, &mut warnings)?;
        Ok(Loaded {
            config,
            warnings,
            files: found.files,
            settings: found.settings,
        })
    }

    /// Every section is read before the first error counts: an operator mends them all at once.
    fn from(
        found: &Found,
        warnings: &mut Vec<Warning>,
        mut problems: Problems,
    ) -> Result<Self, Error> {
        let settings = &found.settings;
        let walk = problems.note(Pipeline::from(found));
        let api = problems.note(ApiConfig::from(settings));
        let image = problems.note(ImageConfig::from(found));
        let cache = problems.note(CacheConfig::from(settings));
        let database = problems.note(DatabaseConfig::from(settings));
        let stores = problems.note(StoresConfig::from(settings));
        let policy = problems.note(PolicyConfig::from(found));
        let log = problems.note(LogConfig::from(settings, "glance-api"));
        let pasted = walk
            .as_ref()
            .map_or_else(Vec::new, |walk| walk.authtoken.clone());
        let authtoken = AuthTokenConfig::with(settings, pasted, warnings, &mut problems);
        let metrics = problems.note(MetricsConfig::from(settings));
        let limits = problems.note(LimitsConfig::from(settings));
        let request_limits = problems.note(RequestLimitsConfig::from(settings));
        let read = (
            walk,
            api,
            image,
            cache,
            database,
            stores,
            policy,
            log,
            authtoken,
            limits,
            request_limits,
            metrics,
        );
        let (
            Some(walk),
            Some(mut api),
            Some(image),
            Some(cache),
            Some(database),
            Some(stores),
            Some(policy),
            Some(log),
            Some(authtoken),
            Some(limits),
            Some(request_limits),
            Some(metrics),
        ) = read
        else {
            return Err(problems.told());
        };
        problems.none()?;
        let checks = walk.pipeline.has_authtoken();
        warnings.extend(walk.warnings);
        api.proxy_headers = walk.proxy_headers.unwrap_or(api.proxy_headers);
        Ok(Self {
            api,
            image,
            cache,
            database,
            stores,
            policy,
            pipeline: walk.pipeline,
            authtoken: checks.then_some(authtoken),
            limits,
            request_limits,
            log,
            metrics,
            state_dir: found.state_dir.clone(),
        })
    }

    /// What no single option is to blame for.
    fn judge(&self, settings: &Settings, warnings: &mut Vec<Warning>) -> Result<(), Error> {
        let place = |section, option| {
            let entry = settings.entry(section, option);
            entry.map_or(String::new(), |entry| format!("{}: ", entry.place()))
        };
        let unknown = self.image.site.unknown_keywords();
        warnings.extend(unknown.into_iter().map(Warning::SchemaKeyword));
        if self.pipeline.has_context() && !self.pipeline.has_authtoken() {
            warnings.push(Warning::TrustedHeaders);
        }
        let lacks = self.limits.as_ref().and_then(LimitsConfig::lacks);
        warnings.extend(lacks.map(Warning::UnknownLimits));
        if let (Some(name), None) = (
            self.cache
                .as_ref()
                .and_then(|cache| cache.node_name.clone()),
            &self.api.self_reference_url,
        ) {
            warnings.push(Warning::UnnamedNode(name));
        }
        let is_silent = |cache: &CacheConfig| cache.peers.is_some() && cache.node_name.is_none();
        if self.cache.as_ref().is_some_and(is_silent) {
            warnings.push(Warning::SilentPeers);
        }
        let asked = self.cache.as_ref().filter(|cache| cache.peers.is_some());
        if let Some(name) = asked.and_then(|cache| cache.node_name.as_ref())
            && !["http://", "https://"]
                .iter()
                .any(|scheme| name.starts_with(scheme))
        {
            warnings.push(Warning::UnaskedNode(name.clone()));
        }
        // To write the default down is not to ask for a file.
        let default_policy = options::find("oslo_policy", "policy_file").map(|known| known.default);
        if let (Some(entry), Some(file)) = (
            settings.entry("oslo_policy", "policy_file"),
            &self.policy.file,
        ) && Some(entry.text.as_str()) != default_policy
            && !file.exists()
        {
            warnings.push(Warning::NoPolicyFile {
                place: entry.place(),
                file: file.clone(),
            });
        }
        if self.state_dir.is_some() && !self.api.bind_host.is_loopback() {
            return Err(Error::Unserved(format!(
                "{}without a configuration every caller is an administrator, so glance does not \
                 listen on {} for others: write a configuration file first",
                place("DEFAULT", "bind_host"),
                self.api.bind_host
            )));
        }
        Ok(())
    }
}

impl ManageConfig {
    /// Reads what the tool needs; `program` names its log file.
    pub fn load(sources: &Sources, program: &str) -> Result<Loaded<Self>, Error> {
        let found = sources.read()?;
        let settings = &found.settings;
        let mut problems = Problems::default();
        let warnings = check::check(settings, &mut problems);
        let database = problems.note(DatabaseConfig::from(settings));
        let log = problems.note(LogConfig::from(settings, program));
        let (Some(database), Some(log)) = (database, log) else {
            return Err(problems.told());
        };
        problems.none()?;
        let config = Self {
            database,
            policy: PolicyConfig::from(&found),
            log,
        };
        Ok(Loaded {
            config,
            warnings,
            files: found.files,
            settings: found.settings,
        })
    }
}

impl ToolConfig {
    /// Reads what a companion tool needs; `program` names its log file.
    pub fn load(sources: &Sources, program: &str) -> Result<Loaded<Self>, Error> {
        let found = sources.read()?;
        let settings = &found.settings;
        let mut problems = Problems::default();
        let warnings = check::check(settings, &mut problems);
        let api = problems.note(ApiConfig::from(settings));
        let api_url = problems.note(settings.section("image_cache").text("api_url"));
        let cache = problems.note(CacheConfig::from(settings));
        let keystone = problems.note(KeystoneConfig::from(settings));
        let stores = problems.note(StoresConfig::from(settings));
        let log = problems.note(LogConfig::from(settings, program));
        let read = (api, api_url, cache, keystone, stores, log);
        let (Some(api), Some(api_url), Some(cache), Some(keystone), Some(stores), Some(log)) = read
        else {
            return Err(problems.told());
        };
        problems.none()?;
        let config = Self {
            api,
            api_url,
            cache,
            database: DatabaseConfig::from(settings).ok(),
            keystone,
            stores,
            log,
        };
        Ok(Loaded {
            config,
            warnings,
            files: found.files,
            settings: found.settings,
        })
    }
}
