//! Everything one can ask of the service, without HTTP.

mod access;
mod actions;
pub mod cached;
mod discovery;
pub mod download;
mod edit;
pub mod error;
pub mod format;
mod hashing;
pub mod images;
mod import;
mod intake;
mod interrupted;
mod members;
mod metadefs;
pub mod prefetch;
mod quota;
pub mod range;
mod resume;
mod stage;
mod storage;
mod tags;
pub mod task_list;
pub mod upload;

use std::sync::Arc;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::domain::schema::{Schema, documents};
use crate::policy::Policy;
use crate::store::Registry;

use stage::Staging;

pub use error::{Error, Result};

/// The service: what every operation needs, in one handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Glance(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    /// What images are like at this site.
    image_schema: Schema,
    staging: Staging,
}

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
        let image = &parts.config.image;
        let image_schema =
            documents::image_at_site(&image.disk_formats, &image.container_formats, &image.site);
        let staging = Staging::new(image.staging_dir.clone());
        Self(Arc::new(Inner {
            parts,
            image_schema,
            staging,
        }))
    }

    /// What images are like at this site.
    pub fn image_schema(&self) -> &Schema {
        &self.0.image_schema
    }

    /// Where data waits for its import.
    fn staging(&self) -> &Staging {
        &self.0.staging
    }
}

impl std::ops::Deref for Glance {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}
