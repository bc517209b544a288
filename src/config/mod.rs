//! Configuration: plain data, read once.

pub mod api;
pub mod cache;
pub mod database;
pub mod image;
pub mod log;
pub mod paste;
pub mod policy;
pub mod schedule;
pub mod stores;

pub use api::ApiConfig;
pub use cache::CacheConfig;
pub use database::DatabaseConfig;
pub use image::ImageConfig;
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
    pub log: LogConfig,
}
