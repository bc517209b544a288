//! What images may be: limits, formats and what of them is shown.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::filtering;
use super::ini::{Section, Settings};
use super::sources::Found;
use crate::domain::checksum::HashAlgorithm;
use crate::domain::schema::{SiteProperties, documents};
use crate::domain::uri_filter::UriFilter;

#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the operator"
)]
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
    /// `[image_format] gpt_safety_checks_nonfatal`: dangers of partitioned disks that are only logged.
    pub gpt_nonfatal: Vec<String>,
    /// `[image_format] vmdk_allowed_types`: what may be converted. Uploads are held to the types that keep a
    /// disk in a single file, whatever stands here.
    pub vmdk_types: Vec<String>,
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
    /// `do_secure_hash`: the data of a new location is read once for its digests.
    pub hash_locations: bool,
    /// `http_retries`: how often that is tried again.
    pub hash_retries: u32,
    /// `[import_filtering_opts]`: what clients may have us fetch from.
    pub filter: UriFilter,
    /// `[task] task_time_to_live`: how long the record of a task is kept after its end.
    pub task_lifetime: Duration,
    /// What a `schema-image.json` beside the configuration says of custom properties.
    pub site: SiteProperties,
}

impl ImageConfig {
    pub(super) fn from(found: &Found) -> Result<Self, Error> {
        let settings = &found.settings;
        let default = settings.section("DEFAULT");
        let format = settings.section("image_format");
        Ok(Self {
            size_cap: default.number("image_size_cap")?,
            page_default: default.number("limit_param_default")?,
            page_max: default.number("api_limit_max")?,
            property_quota: default.number("image_property_quota")?,
            tag_quota: default.number("image_tag_quota")?,
            member_quota: default.number("image_member_quota")?,
            location_quota: default.number("image_location_quota")?,
            user_storage_quota: default.size("user_storage_quota")?,
            hash: hash(&default)?,
            disk_formats: format.list("disk_formats")?,
            container_formats: format.list("container_formats")?,
            require_format_match: format.flag("require_image_format_match")?,
            gpt_nonfatal: format.list("gpt_safety_checks_nonfatal")?,
            vmdk_types: format.list("vmdk_allowed_types")?,
            show_direct_url: default.flag("show_image_direct_url")?,
            show_locations: default.flag("show_multiple_locations")?,
            import_methods: default.bracketed("enabled_import_methods")?,
            staging_dir: staging_dir(settings)?,
            delayed_delete: default.flag("delayed_delete")?,
            hash_locations: default.flag("do_secure_hash")?,
            hash_retries: at_least_none(default.number("http_retries")?),
            filter: filtering::filter(settings)?,
            task_lifetime: hours(settings.section("task").number("task_time_to_live")?),
            site: site(found)?,
        })
    }
}

/// `schema-image.json`, beside the configuration or where files of it are searched.
fn site(found: &Found) -> Result<SiteProperties, Error> {
    let Some(file) = found.find_file("schema-image.json") else {
        return Ok(SiteProperties::default());
    };
    let text = std::fs::read_to_string(&file).map_err(Error::read(&file))?;
    let wrong = |problem| Error::Schema {
        file: file.clone(),
        problem,
    };
    let site = SiteProperties::parse(&text).map_err(wrong)?;
    let taken = site.conflicts(&documents::image(&[], &[]));
    if !taken.is_empty() {
        let taken = taken.join(", ");
        return Err(wrong(format!("images have {taken} already, as attributes")));
    }
    Ok(site)
}

fn hours(hours: i64) -> Duration {
    Duration::from_secs(u64::from(at_least_none(hours)) * 3600)
}

/// The original takes any number.
fn at_least_none(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// `hashing_algorithm`, by its name in Python's hashlib.
fn hash(default: &Section<'_>) -> Result<HashAlgorithm, Error> {
    let known = |name: &str| match name {
        "md5" => Ok(HashAlgorithm::Md5),
        "sha1" => Ok(HashAlgorithm::Sha1),
        "sha224" => Ok(HashAlgorithm::Sha224),
        "sha256" => Ok(HashAlgorithm::Sha256),
        "sha384" => Ok(HashAlgorithm::Sha384),
        "sha512" => Ok(HashAlgorithm::Sha512),
        "sha3_224" => Ok(HashAlgorithm::Sha3_224),
        "sha3_256" => Ok(HashAlgorithm::Sha3_256),
        "sha3_384" => Ok(HashAlgorithm::Sha3_384),
        "sha3_512" => Ok(HashAlgorithm::Sha3_512),
        "blake2b" => Ok(HashAlgorithm::Blake2b),
        "blake2s" => Ok(HashAlgorithm::Blake2s),
        _ => Err(
            "one of md5, sha1, sha224, sha256, sha384, sha512, sha3_224, sha3_256, sha3_384, \
                  sha3_512, blake2b, blake2s"
                .to_owned(),
        ),
    };
    let option = "hashing_algorithm";
    default
        .read(option, known)?
        .ok_or_else(|| default.refuse(option, "the name of a hash, such as sha512"))
}

/// Where imports are staged: a store of its own beside named stores, else `node_staging_uri`.
fn staging_dir(settings: &Settings) -> Result<PathBuf, Error> {
    let default = settings.section("DEFAULT");
    if !default.dict("enabled_backends")?.is_empty() {
        let store = settings.section("os_glance_staging_store");
        let dir = store.path("filesystem_store_datadir")?;
        return Ok(dir.unwrap_or_else(|| "/var/lib/glance/os_glance_staging_store".into()));
    }
    let directory = |uri: &str| {
        uri.strip_prefix("file://")
            .map(PathBuf::from)
            .ok_or_else(|| "a file:// URI of a directory".to_owned())
    };
    Ok(default
        .read("node_staging_uri", directory)?
        .unwrap_or_default())
}
