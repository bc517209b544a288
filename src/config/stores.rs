//! The configured stores: `[glance_store]`, or `enabled_backends` and a section each.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::filtering;
use super::ini::{self, Section, Settings};
use crate::domain::uri_filter::UriFilter;

#[derive(Debug, Clone)]
pub struct StoresConfig {
    /// `enabled_backends` is set: clients may choose stores by name.
    pub multi: bool,
    /// `default_backend`, or the scheme of `default_store`.
    pub default: String,
    pub stores: Vec<StoreConfig>,
    /// Where there are several, those that the service keeps for itself, by name.
    pub reserved: Vec<(String, FileStoreConfig)>,
    /// `[server] store_timeout`: how long a store may send nothing before it counts as broken.
    pub patience: Duration,
}

fn patience(settings: &Settings) -> Result<Duration, Error> {
    settings.section("server").seconds("store_timeout")
}

/// The stores that the service keeps for itself.
const RESERVED: [&str; 2] = ["os_glance_staging_store", "os_glance_tasks_store"];

#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The backend's name; in the single-store form that of the driver.
    pub id: String,
    /// `store_description`
    pub description: Option<String>,
    /// `weight`: heavier ones come first.
    pub weight: i64,
    pub driver: DriverConfig,
}

#[derive(Debug, Clone)]
pub enum DriverConfig {
    File(FileStoreConfig),
    /// Read-only.
    Http(HttpStoreConfig),
    /// A driver that glance knows and this build has not got: named in errors, never used.
    Absent {
        driver: String,
    },
}

#[derive(Debug, Clone)]
pub struct FileStoreConfig {
    /// `filesystem_store_datadir`, or `filesystem_store_datadirs` as `(directory, priority)`.
    pub dirs: Vec<(PathBuf, u32)>,
    /// `filesystem_store_file_perm`; 0 leaves it to the umask.
    pub file_perm: u32,
    /// `filesystem_store_chunk_size`, bytes.
    pub chunk_size: usize,
    /// `filesystem_thin_provisioning`: runs of zeros become holes.
    pub thin_provisioning: bool,
    /// `filesystem_store_metadata_file`
    pub metadata_file: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct HttpStoreConfig {
    /// `https_ca_certificates_file`
    pub ca_file: Option<PathBuf>,
    /// `https_insecure`
    pub insecure: bool,
    /// `http_proxy_information`, by scheme.
    pub proxies: Vec<(String, String)>,
    /// `[import_filtering_opts]`: where a server may send us on to.
    pub filter: UriFilter,
}

/// The drivers of the original, by the names that they have in `stores` and `enabled_backends`.
const DRIVERS: [(&str, &str); 7] = [
    ("cinder", "glance.store.cinder.Store"),
    ("file", "glance.store.filesystem.Store"),
    ("http", "glance.store.http.Store"),
    ("rbd", "glance.store.rbd.Store"),
    ("s3", "glance.store.s3.Store"),
    ("swift", "glance.store.swift.Store"),
    ("vmware", "glance.store.vmware_datastore.Store"),
];

impl StoresConfig {
    pub(super) fn from(settings: &Settings) -> Result<Self, Error> {
        let named = settings.section("DEFAULT").dict("enabled_backends")?;
        let mut config = if named.is_empty() {
            Self::single(settings)?
        } else {
            Self::named(settings)?
        };
        for store in &mut config.stores {
            if let DriverConfig::Http(driver) = &mut store.driver {
                driver.filter = filtering::filter(settings)?;
            }
        }
        Ok(config)
    }

    /// The older form: a store per driver, all in `[glance_store]`.
    fn single(settings: &Settings) -> Result<Self, Error> {
        let section = settings.section("glance_store");
        let mut stores: Vec<StoreConfig> = Vec::new();
        for name in section.list("stores")? {
            let driver = driver(&name).ok_or_else(|| section.refuse("stores", one_of_drivers()))?;
            if stores.iter().all(|store| store.id != driver) {
                stores.push(StoreConfig::from(driver.to_owned(), driver, &section)?);
            }
        }
        let default = match section.string("default_store")?.as_str() {
            "filesystem" => "file".to_owned(),
            "https" => "http".to_owned(),
            "vsphere" => "vmware".to_owned(),
            scheme if scheme.starts_with("swift+") => "swift".to_owned(),
            scheme => scheme.to_owned(),
        };
        if stores.iter().all(|store| store.id != default) {
            let ids: Vec<_> = stores.iter().map(|store| store.id.as_str()).collect();
            let ids = ids.join(", ");
            // Where nobody wrote the default store down, the list of stores is what an operator can mend.
            return Err(if section.is_set("default_store") {
                let must = format!("one of the configured stores: {ids}");
                section.refuse("default_store", must)
            } else {
                let must = format!(
                    "a list with {default} in it, the default store, unless default_store = {ids} \
                     names another"
                );
                section.refuse("stores", must)
            });
        }
        Ok(Self {
            multi: false,
            default,
            stores,
            reserved: Vec::new(),
            patience: patience(settings)?,
        })
    }

    /// `enabled_backends`: stores by name, and a section for each.
    fn named(settings: &Settings) -> Result<Self, Error> {
        let section = settings.section("DEFAULT");
        let refuse = |must: String| section.refuse("enabled_backends", must);
        let mut stores = Vec::new();
        for (id, name) in section.dict("enabled_backends")? {
            if id.starts_with("os_glance_") {
                return Err(refuse(
                    "names without os_glance_, which the service keeps".to_owned(),
                ));
            }
            let driver = driver(&name).ok_or_else(|| refuse(one_of_drivers()))?;
            let name = ini::normal(&id);
            let options = settings.section(&name);
            stores.push(StoreConfig::from(id, driver, &options)?);
        }
        let section = settings.section("glance_store");
        let default = section.text("default_backend")?.ok_or(Error::Missing {
            section: "glance_store".to_owned(),
            option: "default_backend",
            must: "the name of one of enabled_backends, where new images go",
        })?;
        if stores.iter().all(|store| store.id != default) {
            return Err(section.refuse("default_backend", "the name of one of enabled_backends"));
        }
        let reserved = RESERVED.into_iter().map(|name| {
            let config = FileStoreConfig::from(&settings.section(name))?;
            Ok((name.to_owned(), config))
        });
        Ok(Self {
            multi: true,
            default,
            stores,
            reserved: reserved.collect::<Result<_, _>>()?,
            patience: patience(settings)?,
        })
    }
}

impl StoreConfig {
    fn from(id: String, driver: &str, options: &Section<'_>) -> Result<Self, Error> {
        let driver = match driver {
            "file" => DriverConfig::File(FileStoreConfig::from(options)?),
            "http" => DriverConfig::Http(HttpStoreConfig::from(options)?),
            driver => DriverConfig::Absent {
                driver: driver.to_owned(),
            },
        };
        Ok(Self {
            id,
            description: options.text("store_description")?,
            weight: options.number("weight")?,
            driver,
        })
    }
}

impl FileStoreConfig {
    fn from(options: &Section<'_>) -> Result<Self, Error> {
        let several = options.multi("filesystem_store_datadirs")?;
        if !several.is_empty() && options.is_set("filesystem_store_datadir") {
            let must = "left out where filesystem_store_datadirs is set";
            return Err(options.refuse("filesystem_store_datadir", must));
        }
        let dirs = if several.is_empty() {
            let dir = options.path("filesystem_store_datadir")?;
            dir.into_iter().map(|dir| (dir, 0)).collect()
        } else {
            let wrong = || options.refuse("filesystem_store_datadirs", "DIRECTORY:PRIORITY");
            let dirs = several.iter().map(|text| directory(text).ok_or_else(wrong));
            dirs.collect::<Result<_, _>>()?
        };
        let permissions = |text: &str| {
            // A decimal number by its type, yet its digits are those of chmod.
            let mode = u32::from_str_radix(text.trim(), 8).ok();
            mode.filter(|&mode| mode == 0 || (mode & 0o400 != 0 && mode <= 0o7777))
                .ok_or_else(|| "permissions as chmod has them, readable by the owner".to_owned())
        };
        Ok(Self {
            dirs,
            file_perm: options
                .read("filesystem_store_file_perm", permissions)?
                .unwrap_or_default(),
            chunk_size: options.number("filesystem_store_chunk_size")?,
            thin_provisioning: options.flag("filesystem_thin_provisioning")?,
            metadata_file: options.path("filesystem_store_metadata_file")?,
        })
    }
}

impl HttpStoreConfig {
    fn from(options: &Section<'_>) -> Result<Self, Error> {
        Ok(Self {
            ca_file: options.path("https_ca_certificates_file")?,
            insecure: options.flag("https_insecure")?,
            proxies: options.dict("http_proxy_information")?,
            filter: UriFilter::default(),
        })
    }
}

/// The driver of that name, short or long.
fn driver(name: &str) -> Option<&'static str> {
    let known = |&&(short, long): &&(&str, &str)| name == short || name == long;
    DRIVERS.iter().find(known).map(|&(short, _)| short)
}

fn one_of_drivers() -> String {
    format!(
        "of these drivers: {}",
        DRIVERS.map(|(short, _)| short).join(", ")
    )
}

/// `DIRECTORY:PRIORITY`, where the priority may be left out.
fn directory(text: &str) -> Option<(PathBuf, u32)> {
    let (dir, priority) = match text.split_once(':') {
        Some((dir, priority)) => (dir.trim(), priority.trim().parse().ok()?),
        None => (text.trim(), 0),
    };
    (!dir.is_empty()).then(|| (PathBuf::from(dir), priority))
}
