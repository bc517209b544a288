//! The configured stores, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::warn;

use super::absent::Absent;
use super::file::{self, FileStore};
use super::{Error, Result, Store};
use crate::config::StoresConfig;
use crate::config::stores::DriverConfig;
use crate::domain::{Image, ImageId, Location};
use crate::stream::{Blob, ByteRange};

/// Every store of this node; one store is a registry of one.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Stores>);

#[derive(Debug)]
struct Stores {
    default: (String, Arc<dyn Store>),
    by_name: BTreeMap<String, Arc<dyn Store>>,
    /// Those that keep files, in the order of the configuration: a location may not name its store.
    files: Vec<Arc<FileStore>>,
}

impl Registry {
    /// Opens every store of the configuration.
    pub async fn open(config: &StoresConfig) -> Result<Self> {
        let mut by_name = BTreeMap::new();
        let mut files = Vec::new();
        for store in &config.stores {
            let opened: Arc<dyn Store> = match &store.driver {
                DriverConfig::File(driver) => {
                    let name = config.multi.then(|| store.id.clone());
                    let opened = Arc::new(FileStore::open(driver, name).await?);
                    files.push(Arc::clone(&opened));
                    opened
                }
                DriverConfig::Http(_) => Arc::new(Absent::ReadOnly),
                DriverConfig::Absent { driver } => Arc::new(Absent::Driver(driver.clone())),
            };
            by_name.insert(store.id.clone(), opened);
        }
        Self::assemble(&config.default, by_name, files)
    }

    /// A registry of one store that is made elsewhere, for what runs the service inside its own process.
    pub fn of_one(name: &str, store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Stores {
            default: (name.to_owned(), Arc::clone(&store)),
            by_name: BTreeMap::from([(name.to_owned(), store)]),
            files: Vec::new(),
        }))
    }

    fn assemble(
        default: &str,
        by_name: BTreeMap<String, Arc<dyn Store>>,
        files: Vec<Arc<FileStore>>,
    ) -> Result<Self> {
        // `default_store` is a scheme, and this driver has two.
        let default = if default == "filesystem" && !by_name.contains_key(default) {
            "file"
        } else {
            default
        };
        let store = by_name.get(default).cloned().ok_or_else(|| {
            Error::Unavailable(format!("the default store {default:?} is not configured"))
        })?;
        Ok(Self(Arc::new(Stores {
            default: (default.to_owned(), store),
            by_name,
            files,
        })))
    }

    /// The store that new data goes to, and its name.
    pub fn default_store(&self) -> (&str, Arc<dyn Store>) {
        let (name, store) = &self.0.default;
        (name, Arc::clone(store))
    }

    /// Images whose data was coming in when the process that took it died. Nothing of it is left.
    pub fn interrupted(&self) -> Vec<ImageId> {
        let stores = self.0.files.iter();
        stores
            .flat_map(|store| store.interrupted())
            .copied()
            .collect()
    }

    /// The store of this name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Store>> {
        self.0.by_name.get(name).cloned()
    }

    /// The store that keeps what is at `location`: the one it names, else one that its URL fits.
    pub fn of(&self, location: &Location) -> Result<Arc<dyn Store>> {
        if let Some(store) = location.store().and_then(|name| self.get(name)) {
            return Ok(store);
        }
        let stores = &self.0;
        if file::SCHEMES.contains(&location.scheme()) {
            let holder = stores.files.iter().find(|store| store.holds(location));
            if let Some(store) = holder.or(stores.files.first()) {
                return Ok(Arc::clone(store) as Arc<dyn Store>);
            }
        }
        match stores.by_name.values().next() {
            // A single store judges for itself.
            Some(only) if stores.by_name.len() == 1 => Ok(Arc::clone(only)),
            _ => Err(Error::UnknownScheme(location.scheme().to_owned())),
        }
    }

    /// Opens an image's data at the first of its locations that can be opened. Where that is none of them,
    /// the last refusal counts.
    pub async fn read(&self, image: &Image, range: Option<ByteRange>) -> Result<Blob> {
        let mut refusal = Error::NotFound;
        for location in &image.locations {
            let opened = match self.of(location) {
                Ok(store) => store.get(location, range).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(blob) => return Ok(blob),
                Err(error) => {
                    warn!(image.id = %image.id, location = ?location, %error,
                        "cannot read image {} at one of its locations: {error}", image.id);
                    refusal = error;
                }
            }
        }
        Err(refusal)
    }
}
