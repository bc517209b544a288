//! How fast images come that only a rule wants: as fast as it says, until somebody waits for them.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::cache::{self, Supply};
use crate::config::PrefetchRule;
use crate::domain::ImageId;
use crate::stream::{Blob, ByteRange, Pace, paced};

/// The bandwidth of each rule that has a limit, and the images that come so slowly now.
#[derive(Debug)]
pub(super) struct Restraint {
    paces: HashMap<String, Arc<Pace>>,
    running: Mutex<HashMap<ImageId, CancellationToken>>,
}

impl Restraint {
    pub(super) fn new(rules: &[PrefetchRule]) -> Self {
        let paces = rules.iter().filter_map(|rule| {
            let pace = Pace::new(rule.bandwidth?.get());
            Some((rule.name.clone(), Arc::new(pace)))
        });
        Self {
            paces: paces.collect(),
            running: Mutex::default(),
        }
    }

    /// From now on the image comes as fast as the rule says, as long as what is returned is kept. None where it
    /// says nothing. It begins before anybody can wait for the image, or the first of them would not lift it.
    pub(super) fn begin(&self, id: ImageId, rule: &str) -> Option<Restrained<'_>> {
        let line = Line {
            pace: Arc::clone(self.paces.get(rule)?),
            lifted: CancellationToken::new(),
        };
        self.running().insert(id, line.lifted.clone());
        Some(Restrained { of: self, id, line })
    }

    /// Somebody waits for the image: from now on it comes as fast as it can.
    pub(super) fn lift(&self, id: ImageId) {
        if let Some(lifted) = self.running().get(&id) {
            lifted.cancel();
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ImageId, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An image that comes slowly.
pub(in crate::ops) struct Restrained<'r> {
    of: &'r Restraint,
    id: ImageId,
    line: Line,
}

impl Restrained<'_> {
    /// The same data at this pace.
    pub(in crate::ops) fn hold(&self, supply: Supply) -> Supply {
        let slow = |source| -> Arc<dyn cache::Source> {
            let line = self.line.clone();
            Arc::new(Slow { source, line })
        };
        Supply {
            need: supply.need,
            store: supply.store,
            first: supply.first.map(|blob| self.line.slow(blob)),
            source: supply.source.map(slow),
        }
    }
}

impl Drop for Restrained<'_> {
    fn drop(&mut self) {
        self.of.running().remove(&self.id);
    }
}

#[derive(Clone)]
struct Line {
    pace: Arc<Pace>,
    lifted: CancellationToken,
}

impl Line {
    fn slow(&self, blob: Blob) -> Blob {
        Blob {
            size: blob.size,
            bytes: paced(blob.bytes, Arc::clone(&self.pace), self.lifted.clone()),
        }
    }
}

struct Slow {
    source: Arc<dyn cache::Source>,
    line: Line,
}

#[async_trait]
impl cache::Source for Slow {
    async fn open(&self, range: Option<ByteRange>) -> io::Result<Blob> {
        Ok(self.line.slow(self.source.open(range).await?))
    }
}
