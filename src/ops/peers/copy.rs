//! What this node gives to others: its copies, and what it reads from a store at the moment.

use std::sync::Arc;

use super::Peers;
use crate::cache::Lookup;
use crate::domain::{Caller, Image, ImageId};
use crate::ops::download::{Download, RequestedRange, expected};
use crate::ops::measured::{Answer, measured};
use crate::ops::{Error, Glance, Result};
use crate::telemetry::counters::Asked;

impl Glance {
    /// Opens a copy that this node has, whole or in the making, and reads no store for it: [`Error::NotCached`] where
    /// there is none.
    pub async fn download_copy(
        &self,
        caller: &Caller,
        id: ImageId,
        range: Option<RequestedRange>,
    ) -> Result<Download> {
        let image = self.readable(caller, id).await?;
        let range = match (range, image.size) {
            (Some(range), Some(size)) => Some(range.resolve(size)?),
            _ => None,
        };
        let cache = self.caching().ok_or(Error::NotCached(id))?;
        let (answer, mut blob) = match cache.peek(id, &expected(&image)).await {
            Lookup::Cached(copy) => {
                let copy = copy.repaired_from(Arc::new(self.source(&image)));
                (Answer::Hit, copy.read(range))
            }
            Lookup::Growing(fill) if self.gives_along(&image).await => {
                (Answer::Follow, fill.read(range))
            }
            _ => return Err(Error::NotCached(id)),
        };
        blob.size = range.map(|range| range.len()).or(image.size).or(blob.size);
        let asked = range.map_or(Asked::Whole, |_| Asked::Range);
        let blob = measured(&self.counters, answer, asked, blob);
        Ok(Download {
            image,
            range,
            source: answer.source(),
            blob: Some(blob),
        })
    }

    /// Whether other nodes may read along with a copy in the making.
    async fn gives_along(&self, image: &Image) -> bool {
        match self.peers_for(image) {
            Some(Peers(inner)) => {
                // Who asks waits for the beginning of an answer no longer than that.
                let patience = inner.timeout.mul_f32(0.75);
                inner.feeds.is_from_store(image.id, patience).await
            }
            None => false,
        }
    }
}
