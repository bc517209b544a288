//! What images may be: limits, formats and what of them is shown.

use std::path::PathBuf;

use crate::domain::checksum::HashAlgorithm;

#[derive(Debug, Clone)]
pub struct ImageConfig {
    /// `image_size_cap`, bytes.
    pub size_cap: u64,
    /// `limit_param_default`
    pub page_default: u32,
    /// `api_limit_max`
    pub page_max: u32,
    /// `image_property_quota`; -1 is none at all.
    pub property_quota: i64,
    pub tag_quota: i64,
    pub member_quota: i64,
    pub location_quota: i64,
    /// `user_storage_quota` in bytes; 0 is none at all.
    pub user_storage_quota: u64,
    /// `hashing_algorithm`
    pub hash: HashAlgorithm,
    /// `[image_format] disk_formats`
    pub disk_formats: Vec<String>,
    /// `[image_format] container_formats`
    pub container_formats: Vec<String>,
    /// `[image_format] require_image_format_match`
    pub require_format_match: bool,
    /// `show_image_direct_url`
    pub show_direct_url: bool,
    /// `show_multiple_locations`
    pub show_locations: bool,
    /// `enabled_import_methods`
    pub import_methods: Vec<String>,
    /// `node_staging_uri` as a directory.
    pub staging_dir: PathBuf,
    /// `delayed_delete`
    pub delayed_delete: bool,
}
