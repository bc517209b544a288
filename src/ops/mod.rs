//! Everything one can ask of the service, without HTTP.

mod access;
mod actions;
mod add_location;
mod afterwards;
pub mod cached;
mod deleted;
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
mod let_go;
mod limits;
mod lives;
mod location_import;
mod locations;
mod measured;
mod members;
mod metadefs;
mod metrics;
mod outside;
pub mod peers;
pub mod prefetch;
mod proven;
mod publish;
mod quota;
pub mod range;
pub mod resource;
mod resume;
mod room;
pub mod rules;
pub mod source;
mod stage;
pub mod state;
mod sweep;
mod tags;
pub mod task_list;
mod tasks;
pub mod upload;

use std::sync::{Arc, PoisonError, RwLock};

use crate::auth::Keystone;
use crate::cache::Cache;
use crate::client::Limits;
use crate::clock::Clock;
use crate::config::{Config, ImageConfig};
use crate::db::Db;
use crate::domain::schema::{Schema, documents};
use crate::policy::Policy;
use crate::store::Registry;
use crate::telemetry::counters::Counters;

use afterwards::Afterwards;
use lives::Refused;
use peers::Peers;
use rules::Rules;
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
    /// What a location is like that comes by a call of its own.
    location_schema: Schema,
    staging: Staging,
    afterwards: Afterwards,
    rules: Rules,
    refused_lives: Refused,
    /// What images may be. It changes while the service runs.
    image_rules: RwLock<Arc<ImageConfig>>,
}

/// What the service is made of.
#[derive(Debug)]
pub struct Parts {
    pub config: Config,
    pub db: Db,
    pub stores: Registry,
    pub cache: Option<Cache>,
    pub policy: Policy,
    /// Who checks tokens, where the pipeline wants them checked.
    pub keystone: Option<Keystone>,
    /// Who says what projects may have, where that is Keystone.
    pub limits: Option<Limits>,
    /// Who is asked for copies before a store is read, where anybody is.
    pub peers: Option<Peers>,
    pub clock: Clock,
    pub counters: Counters,
}

impl Glance {
    pub fn new(parts: Parts) -> Self {
        let image = &parts.config.image;
        let image_schema =
            documents::image_at_site(&image.disk_formats, &image.container_formats, &image.site);
        let staging = Staging::new(image.staging_dir.clone());
        let rules = Rules::new(parts.config.cache.as_ref());
        Self(Arc::new(Inner {
            image_rules: RwLock::new(Arc::new(parts.config.image.clone())),
            parts,
            image_schema,
            location_schema: documents::location(),
            staging,
            afterwards: Afterwards::default(),
            rules,
            refused_lives: Refused::default(),
        }))
    }

    /// What images are like at this site.
    pub fn image_schema(&self) -> &Schema {
        &self.0.image_schema
    }

    /// What a location is like that comes by a call of its own.
    fn location_schema(&self) -> &Schema {
        &self.0.location_schema
    }

    /// Where data waits for its import.
    fn staging(&self) -> &Staging {
        &self.0.staging
    }

    /// What rules of prefetching have come to.
    fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// Times to live that are none.
    fn refused_lives(&self) -> &Refused {
        &self.0.refused_lives
    }

    /// What images may be, as configured last.
    pub fn image_rules(&self) -> Arc<ImageConfig> {
        let rules = self.0.image_rules.read();
        Arc::clone(&rules.unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes by what can change in a configuration that was read again: the limits of images and of the cache.
    pub fn reconfigure(&self, config: &Config) {
        let rules = Arc::new(config.image.clone());
        let mut current = (self.0.image_rules.write()).unwrap_or_else(PoisonError::into_inner);
        *current = rules;
        drop(current);
        if let (Some(cache), Some(config)) = (&self.cache, &config.cache) {
            cache.limit(config);
        }
    }
}

impl std::ops::Deref for Glance {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}
