//! Locks of the original's that lie among the copies.
//!
//! Where no `lock_path` is configured, its drivers let all locks of the process lie in the cache directory, by their
//! names. None ever has bytes, and none is removed.

use std::ffi::OsStr;
use std::fs::Metadata;

const NAMES: [&str; 6] = [
    "image_cache_db_init",
    "glance-cache",
    "glance-cache-clean",
    "glance-cache-prune",
    "sqlite_centralized_migrate",
    "tasks",
];

/// Of what its stores and its message bus do: by volume, mount and process.
const PREFIXES: [&str; 4] = ["glance_store-", "os-brick-", "fs_mount_", "oslo_read_shm_"];

/// Whether a file at the top is such a lock.
pub fn is_originals_lock(name: &OsStr, found: &Metadata) -> bool {
    let name = name.as_encoded_bytes();
    let is_known = NAMES.iter().any(|lock| name == lock.as_bytes())
        || (PREFIXES.iter()).any(|prefix| name.starts_with(prefix.as_bytes()));
    is_known && found.is_file() && found.len() == 0
}
