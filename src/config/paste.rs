//! The request pipeline: `[paste_deploy]`, the shipped flavors and a site's paste file.

use std::path::PathBuf;

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
