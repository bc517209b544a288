//! The cache of this node: `[DEFAULT] image_cache_*` and our own `[image_cache]`.

use std::path::PathBuf;
use std::time::Duration;

use cron::Schedule;

#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// `image_cache_dir`
    pub dir: PathBuf,
    /// `image_cache_max_size`, bytes: a limit that holds. 0 admits nothing.
    pub max_size: u64,
    /// `image_cache_stall_time`: an unlocked partial or invalid file this old belongs to nobody.
    pub stall_time: Duration,
    /// `image_cache_driver`: all three names use our index; `centralized_db` also publishes.
    pub driver: CacheDriver,
    /// `image_cache_sqlite_db`, relative to `dir`.
    pub index_file: PathBuf,
    /// `[image_cache] min_free_space`, bytes of the disk that the cache leaves free.
    pub min_free_space: u64,
    /// `[image_cache] prefetch_workers`
    pub prefetch_workers: usize,
    /// `[image_cache] queue_settle`: how long a queued image rests before it is fetched.
    pub queue_settle: Duration,
    /// `[image_cache] api_url`: where this node's API is, for the tools that ask it.
    pub api_url: Option<String>,
    /// `[image_cache] prune_schedule`; empty turns it off.
    pub prune_schedule: Option<Schedule>,
    /// `[image_cache] clean_schedule`; empty turns it off.
    pub clean_schedule: Option<Schedule>,
}

/// The index that the original would use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheDriver {
    Sqlite,
    Xattr,
    CentralizedDb,
}
