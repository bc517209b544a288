//! Configuration: plain data, read once.

pub mod api;
pub mod cache;
pub mod database;
pub mod image;
pub mod log;
pub mod paste;
pub mod policy;
pub mod schedule;
pub mod sources;
pub mod stores;

pub use api::ApiConfig;
pub use cache::CacheConfig;
pub use database::DatabaseConfig;
pub use image::ImageConfig;
pub use log::LogConfig;
pub use paste::Pipeline;
pub use policy::PolicyConfig;
pub use schedule::Schedule;
pub use sources::Sources;
pub use stores::StoresConfig;

use std::path::PathBuf;

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
    pub log: LogConfig,
    /// Where all state is, where glance was started without any configuration.
    pub state_dir: Option<PathBuf>,
}

/// A configuration, and how it came about.
#[derive(Debug)]
pub struct Loaded<T> {
    pub config: T,
    pub warnings: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[error("a wrong option")]
pub struct Error;

#[expect(unused_variables, reason = "outline")]
impl Config {
    /// Reads the configuration of the service.
    pub fn load(sources: &Sources) -> Result<Loaded<Self>, Error> {
        todo!()
    }
}
