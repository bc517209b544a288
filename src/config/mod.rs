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
    pub log: LogConfig,
}

/// What the companion tools of the cache need of it.
#[derive(Debug, Clone)]
pub struct ToolConfig {
    /// Where the API of this node listens.
    pub api: ApiConfig,
    /// None where no cache directory is set.
    pub cache: Option<CacheConfig>,
    pub database: DatabaseConfig,
    pub keystone: KeystoneConfig,
    pub stores: StoresConfig,
    pub log: LogConfig,
}

/// Whose configuration it is: this decides which files are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Api,
    Cache,
}

/// Where the configuration is looked for.
#[derive(Debug, Clone)]
pub struct Sources {
    pub program: Program,
    pub files: Vec<std::path::PathBuf>,
    pub dirs: Vec<std::path::PathBuf>,
    /// Options of `[DEFAULT]` that were flags, over all else.
    pub flags: Vec<(&'static str, String)>,
}

impl Sources {
    pub fn new(program: Program) -> Self {
        Self {
            program,
            files: Vec::new(),
            dirs: Vec::new(),
            flags: Vec::new(),
        }
    }
}

/// A configuration, and how it came about.
#[derive(Debug)]
pub struct Loaded<T> {
    pub config: T,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

#[expect(unused_variables, reason = "outline")]
impl ToolConfig {
    pub fn load(sources: &Sources, program: &str) -> Result<Loaded<Self>, Error> {
        todo!()
    }
}
