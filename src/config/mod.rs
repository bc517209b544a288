//! Configuration: plain data, read once.

pub mod api;
pub mod cache;
pub mod database;
pub mod image;
pub mod keystone;
pub mod log;
pub mod paste;
pub mod policy;
pub mod schedule;
pub mod stores;

pub use api::ApiConfig;
pub use cache::CacheConfig;
pub use database::DatabaseConfig;
pub use image::ImageConfig;
pub use keystone::KeystoneConfig;
pub use log::LogConfig;
pub use paste::Pipeline;
pub use policy::PolicyConfig;
pub use schedule::Schedule;
pub use stores::StoresConfig;

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
    pub keystone: KeystoneConfig,
    pub log: LogConfig,
}

/// Where the configuration is looked for.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config-file`, the last one wins.
    pub files: Vec<std::path::PathBuf>,
    /// `--config-dir`
    pub dirs: Vec<std::path::PathBuf>,
    /// Programs whose files are looked for when none is named, the last one wins.
    pub programs: &'static [&'static str],
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

#[expect(unused_variables, reason = "outline")]
impl Config {
    pub fn load(sources: &Sources) -> Result<Self, Error> {
        todo!()
    }
}
