//! The cache directory without a running service.

use super::{Entry, Pruned, Result};
use crate::config::CacheConfig;
use crate::domain::ImageId;

/// The cache directory, for a process that works on it and ends.
#[derive(Debug)]
pub struct Directory {}

#[expect(unused_variables, reason = "outline")]
impl Directory {
    pub fn open(config: &CacheConfig) -> Result<Self> {
        todo!()
    }

    pub fn entries(&self) -> Result<Vec<Entry>> {
        todo!()
    }

    pub fn queued(&self) -> Result<Vec<ImageId>> {
        todo!()
    }

    pub fn queue(&self, id: ImageId) -> Result<bool> {
        todo!()
    }

    pub fn unqueue(&self, id: ImageId) -> Result<bool> {
        todo!()
    }

    pub fn unqueue_all(&self) -> Result<u64> {
        todo!()
    }

    pub fn evict(&self, id: ImageId) -> Result<bool> {
        todo!()
    }

    pub fn clear(&self) -> Result<u64> {
        todo!()
    }

    pub fn prune(&self, dry_run: bool) -> Result<Pruned> {
        todo!()
    }

    pub fn clean(&self, dry_run: bool) -> Result<u64> {
        todo!()
    }
}
