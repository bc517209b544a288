//! The configured stores, by name.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;
use tracing::warn;

use super::absent::Absent;
use super::file::{self, FileStore};
use super::http::{self, HttpStore};
use super::suspects::Suspects;
use super::{Error, Result, Store};
use crate::config::StoresConfig;
use crate::config::stores::{DriverConfig, FileStoreConfig};
use crate::domain::{Image, Location};
use crate::stream::{Blob, ByteRange};

/// Every store of this node; one store is a registry of one.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Stores>);

#[derive(Debug)]
struct Stores {
    default: (String, Arc<dyn Store>),
    by_name: BTreeMap<String, Arc<dyn Store>>,
    /// Those that keep files, in the order of the configuration: a location may not name its store.
    files: Vec<(String, Arc<FileStore>)>,
    /// The first that reads from web servers.
    web: Option<(String, Arc<dyn Store>)>,
    /// There are names to choose among, each with its weight. None where there is only one way.
    weights: Option<BTreeMap<String, i64>>,
    /// What the service keeps for itself. It is opened when it is needed.
    reserved: BTreeMap<String, Reserved>,
    suspects: Suspects,
}

#[derive(Debug)]
struct Reserved {
    config: FileStoreConfig,
    store: OnceCell<Arc<FileStore>>,
}

impl Registry {
    /// Opens every store of the configuration.
    pub async fn open(config: &StoresConfig) -> Result<Self> {
        let mut by_name: BTreeMap<String, Arc<dyn Store>> = BTreeMap::new();
        let mut files = Vec::new();
        let mut web = None;
        for store in &config.stores {
            let opened: Arc<dyn Store> = match &store.driver {
                DriverConfig::File(driver) => {
                    let name = config.multi.then(|| store.id.clone());
                    let opened = Arc::new(FileStore::open(driver, name).await?);
                    files.push((store.id.clone(), Arc::clone(&opened)));
                    opened
                }
                DriverConfig::Http(driver) => {
                    let opened: Arc<dyn Store> = Arc::new(HttpStore::open(driver).await?);
                    web.get_or_insert_with(|| (store.id.clone(), Arc::clone(&opened)));
                    opened
                }
                DriverConfig::Absent { driver } => Arc::new(Absent(driver.clone())),
            };
            by_name.insert(store.id.clone(), opened);
        }
        let default = by_name.get(&config.default).cloned().ok_or_else(|| {
            let default = &config.default;
            Error::Unavailable(format!("the default store {default:?} is not configured"))
        })?;
        let weights = { &config.stores }.iter();
        let weights = weights.map(|store| (store.id.clone(), store.weight));
        let reserved = config.reserved.iter().map(|(name, config)| {
            let store = OnceCell::new();
            let config = config.clone();
            (name.clone(), Reserved { config, store })
        });
        Ok(Self(Arc::new(Stores {
            default: (config.default.clone(), default),
            by_name,
            files,
            web,
            weights: config.multi.then(|| weights.collect()),
            reserved: reserved.collect(),
            suspects: Suspects::default(),
        })))
    }

    /// A registry of one store that is made elsewhere, for what runs the service inside its own process.
    pub fn of_one(name: &str, store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Stores {
            default: (name.to_owned(), Arc::clone(&store)),
            by_name: BTreeMap::from([(name.to_owned(), store)]),
            files: Vec::new(),
            web: None,
            weights: None,
            reserved: BTreeMap::new(),
            suspects: Suspects::default(),
        }))
    }

    /// The images whose data was wrong at a location.
    pub fn suspects(&self) -> &Suspects {
        &self.0.suspects
    }

    /// The store that new data goes to, and its name.
    pub fn default_store(&self) -> (&str, Arc<dyn Store>) {
        let (name, store) = &self.0.default;
        (name, Arc::clone(store))
    }

    /// Where this node keeps files.
    pub fn directories(&self) -> Vec<PathBuf> {
        let files = self
            .0
            .files
            .iter()
            .flat_map(|(_, store)| store.directories());
        let reserved = self.0.reserved.values();
        let reserved = reserved.flat_map(|store| store.config.dirs.iter().map(|(dir, _)| dir));
        files.chain(reserved).cloned().collect()
    }

    /// The store of this name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Store>> {
        self.0.by_name.get(name).cloned()
    }

    /// The store of this name that data can be sent to, those of the service itself among them.
    pub async fn get_or_reserved(&self, name: &str) -> Result<Option<Arc<dyn Store>>> {
        if let Some(store) = self.get(name) {
            return Ok(Some(store));
        }
        let Some(reserved) = self.0.reserved.get(name) else {
            return Ok(None);
        };
        let open = async || {
            let opened = FileStore::open(&reserved.config, Some(name.to_owned())).await;
            opened.map(Arc::new)
        };
        let store = reserved.store.get_or_try_init(open).await?;
        Ok(Some(Arc::clone(store) as Arc<dyn Store>))
    }

    /// Whether this node knows a store of that name, where stores have names.
    pub fn has(&self, name: &str) -> bool {
        self.0.by_name.contains_key(name)
    }

    /// Whether a client may speak of a store of that name: those of the service itself are known, too.
    pub fn knows(&self, name: &str) -> bool {
        self.has(name) || self.0.weights.is_some() && self.0.reserved.contains_key(name)
    }

    /// The store that keeps what is at `location`: the one it names, else one that its URL fits.
    pub fn of(&self, location: &Location) -> Result<Arc<dyn Store>> {
        if let Some(store) = location.store().and_then(|name| self.get(name)) {
            return Ok(store);
        }
        let stores = &self.0;
        if file::SCHEMES.contains(&location.scheme()) {
            let mut files = stores.files.iter();
            let holder = files.find(|(_, store)| store.holds(location));
            if let Some((_, store)) = holder.or(stores.files.first()) {
                return Ok(Arc::clone(store) as Arc<dyn Store>);
            }
        }
        if http::SCHEMES.contains(&location.scheme())
            && let Some((_, store)) = &stores.web
        {
            return Ok(Arc::clone(store));
        }
        match stores.by_name.values().next() {
            // A single store judges for itself.
            Some(only) if stores.by_name.len() == 1 => Ok(Arc::clone(only)),
            _ => Err(Error::UnknownScheme(location.scheme().to_owned())),
        }
    }

    /// The name of the store that the URL of a location fits, where stores have names.
    pub fn name_for(&self, location: &Location) -> Option<&str> {
        self.0.weights.as_ref()?;
        let scheme = location.scheme();
        if file::SCHEMES.contains(&scheme) {
            let mut files = self.0.files.iter();
            let (name, _) = files.find(|(_, store)| store.holds(location))?;
            return Some(name);
        }
        let web = self.0.web.as_ref();
        let (name, _) = web.filter(|_| http::SCHEMES.contains(&scheme))?;
        Some(name)
    }

    /// Puts the locations of the heaviest store first.
    pub fn sort(&self, locations: &mut [Location]) {
        if let Some(weights) = &self.0.weights {
            let weight = |location: &Location| weights.get(location.store()?).copied();
            locations.sort_by_key(|location| Reverse(weight(location).unwrap_or(0)));
        }
    }

    /// Opens an image's data at the first of its locations that can be opened, and says which one that is. The
    /// one at `first` is tried first, and those before it last. Where it is none of them, the last refusal counts.
    /// A client does not get a part from every store.
    pub async fn read(
        &self,
        image: &Image,
        range: Option<ByteRange>,
        reader: Reader,
        first: usize,
    ) -> Result<(usize, Blob)> {
        let mut refusal = Error::NotFound;
        let count = image.locations.len();
        for tried in 0..count {
            let at = (first + tried) % count;
            let location = &image.locations[at];
            let opened = match (self.of(location), range) {
                (Ok(store), Some(range)) if reader == Reader::Client && !store.offers_parts() => {
                    Err(Error::NoParts(range))
                }
                (Ok(store), range) => store.get(location, range).await,
                (Err(error), _) => Err(error),
            };
            match opened {
                Ok(blob) => return Ok((at, blob)),
                Err(error) => {
                    // The last one is for the caller to tell.
                    if tried + 1 < count {
                        warn!(image.id = %image.id, scheme = location.scheme(), store = location.store(),
                            "cannot read image {} here, trying its next location: {error}", image.id);
                    }
                    refusal = error;
                }
            }
        }
        Err(refusal)
    }
}

/// For whom data is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Client,
    /// The service itself, which can read on to a part.
    Service,
}
