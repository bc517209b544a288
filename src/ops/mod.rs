//! Everything one can ask of the service, without HTTP.

mod access;
pub mod download;
pub mod error;
pub mod format;
mod hashing;
pub mod range;
mod resume;
pub mod upload;

use std::sync::Arc;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::policy::Policy;
use crate::store::Registry;

pub use error::{Error, Result};

/// The service: what every operation needs, in one handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Glance(Arc<Parts>);

/// What the service is made of.
#[derive(Debug)]
pub struct Parts {
    pub config: Config,
    pub db: Db,
    pub stores: Registry,
    pub cache: Option<Cache>,
    pub policy: Policy,
    pub clock: Clock,
}

impl Glance {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for Glance {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
