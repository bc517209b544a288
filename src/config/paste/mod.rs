//! The request pipeline: `[paste_deploy]`, the shipped flavors and a site's paste file.
//!
//! A pipeline is read for what it says: which filters a request meets, and their options. Filters
//! are known by the Python names of the original; one that is unknown is refused where the chosen
//! pipeline uses it, for nobody knows what a request would miss without it.

mod file;
mod filters;
mod walk;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf, absolute};

use file::PasteFile;
pub(super) use walk::Walk;

use super::error::Error;
use super::sources::Found;

/// What a request passes on its way, in the order of the paste file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// The name of the flavor, empty for the default one.
    pub flavor: String,
    pub filters: Vec<Filter>,
    /// `/healthcheck`, where the paste file mounts one (the shipped one does).
    pub healthcheck: Option<HealthcheckConfig>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    Cors(CorsConfig),
    HttpProxyToWsgi,
    VersionNegotiation,
    Osprofiler,
    Gzip,
    /// Every caller is the administrator.
    UnauthenticatedContext,
    /// Tokens are checked with Keystone.
    AuthToken,
    /// Identity comes from headers: those that `AuthToken` wrote, or a trusted proxy in front.
    Context,
    Cache,
    CacheManage,
}

impl std::fmt::Display for Filter {
    /// The name that the shipped paste file gives it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cors(_) => "cors",
            Self::HttpProxyToWsgi => "http_proxy_to_wsgi",
            Self::VersionNegotiation => "versionnegotiation",
            Self::Osprofiler => "osprofiler",
            Self::Gzip => "gzip",
            Self::UnauthenticatedContext => "unauthenticated-context",
            Self::AuthToken => "authtoken",
            Self::Context => "context",
            Self::Cache => "cache",
            Self::CacheManage => "cachemanage",
        })
    }
}

/// `[cors]` and the filter section's own options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsConfig {
    pub allowed_origin: Vec<String>,
    pub allow_credentials: bool,
    pub expose_headers: Vec<String>,
    pub max_age: Option<u64>,
    pub allow_methods: Vec<String>,
    pub allow_headers: Vec<String>,
}

/// `[healthcheck]` and the application section's own options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthcheckConfig {
    pub detailed: bool,
    pub disable_by_file: Option<PathBuf>,
    /// `(port, file)` pairs of `disable_by_file_paths`.
    pub disable_by_file_ports: Vec<(u16, PathBuf)>,
    pub enable_by_files: Vec<PathBuf>,
}

impl Pipeline {
    /// Follows the chosen flavor through the site's paste file, or the shipped one.
    pub(super) fn from(found: &Found) -> Result<Walk, Error> {
        let flavor = found.settings.section("paste_deploy").string("flavor")?;
        let file = match site_file(found)? {
            Some(path) => PasteFile::read(&path)?,
            None => PasteFile::shipped()?,
        };
        let searched = || found.searched();
        Walk::through(&file, &flavor, &found.settings, &searched)
    }

    /// Whether identity is taken from request headers.
    pub fn has_context(&self) -> bool {
        self.filters.contains(&Filter::Context)
    }

    /// Whether tokens are checked with Keystone.
    pub fn has_authtoken(&self) -> bool {
        self.filters.contains(&Filter::AuthToken)
    }

    /// Whether downloads go through this node's cache.
    pub fn caches(&self) -> bool {
        self.filters.contains(&Filter::Cache)
    }

    /// Whether the older calls that manage the cache are served.
    pub fn manages_cache(&self) -> bool {
        self.filters.contains(&Filter::CacheManage)
    }

    /// The rules for browsers on other sites.
    pub fn cors(&self) -> Option<&CorsConfig> {
        self.filters.iter().find_map(|filter| match filter {
            Filter::Cors(cors) => Some(cors),
            _ => None,
        })
    }
}

/// The paste file of a site: `config_file`, else the one named after the configuration file.
fn site_file(found: &Found) -> Result<Option<PathBuf>, Error> {
    let section = found.settings.section("paste_deploy");
    if let Some(path) = section.path("config_file")? {
        let here = absolute(&path).unwrap_or_else(|_| path.clone());
        let beside = || found.find_file(&path.to_string_lossy());
        let file = Some(here).filter(|here| here.is_file()).or_else(beside);
        let missing = || section.refuse("config_file", "a paste file that is there");
        return file.ok_or_else(missing).map(Some);
    }
    let name = found.main_file().and_then(Path::file_name);
    let name = name.map(|name| name.to_string_lossy().replace(".conf", "-paste.ini"));
    Ok(name
        .and_then(|name| found.find_file(&name))
        .filter(|file| file.is_file()))
}
