//! A cache directory without a service: for tools that work on it when no API answers, or beside one.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::{Entry, Pruned, Result};
use crate::clock::Clock;
use crate::config::CacheConfig;
use crate::domain::ImageId;

/// A cache directory.
#[derive(Debug)]
pub struct Directory {}

/// An image that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queued {
    pub since: DateTime<Utc>,
    pub id: ImageId,
}

/// A whole copy, as its file shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub id: ImageId,
    pub size: u64,
    pub modified: DateTime<Utc>,
    pub accessed: DateTime<Utc>,
}

/// A file that should go, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waste {
    pub path: PathBuf,
    pub bytes: u64,
}

#[expect(unused_variables, reason = "outline")]
impl Directory {
    pub fn open(config: &CacheConfig, clock: Clock) -> Result<Self> {
        todo!()
    }

    pub fn entries(&self) -> Result<Vec<Entry>> {
        todo!()
    }

    pub fn queued(&self) -> Result<Vec<Queued>> {
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

    pub fn plan_prune(&self) -> Result<Vec<Placed>> {
        todo!()
    }

    pub fn prune(&self) -> Result<Pruned> {
        todo!()
    }

    pub fn plan_clean(&self) -> Result<Vec<Waste>> {
        todo!()
    }

    pub fn clean(&self) -> Result<u64> {
        todo!()
    }
}
