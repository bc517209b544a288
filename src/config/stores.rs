//! The configured stores: `[glance_store]`, or `enabled_backends` and a section each.

use std::path::PathBuf;

#[derive(Debug, Clone)]
pub struct StoresConfig {
    /// `enabled_backends` is set: clients may choose stores by name.
    pub multi: bool,
    /// `default_backend`, or the scheme of `default_store`.
    pub default: String,
    pub stores: Vec<StoreConfig>,
}

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
}
