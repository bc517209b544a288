//! What this process has counted, and what the cache directory holds.

use super::{Glance, Result};
use crate::cache;
use crate::domain::Caller;
use crate::policy::Target;
use crate::telemetry::counters::Holdings;

impl Glance {
    /// All numbers, as Prometheus reads them, and those of so many copies that have the most hits. What a directory
    /// holds that cannot be read is missing.
    pub async fn metrics(&self, images: usize) -> String {
        let survey = match &self.cache {
            Some(cache) => cache.survey().await.ok(),
            None => None,
        };
        let hot = match &self.cache {
            Some(cache) if images > 0 => {
                let entries = cache.entries().await.unwrap_or_default();
                cache::hot(&entries, images)
            }
            _ => Vec::new(),
        };
        let holdings = survey.map(|survey| Holdings {
            limit: survey.limit,
            used: survey.used,
            pinned: survey.pinned,
            parts: survey.parts,
            free: survey.free,
            copies: survey.copies,
            growing: survey.growing.len() as u64,
            min_free: survey.kept_free,
            queued: survey.queued,
            waiting: survey.waiting,
            hot,
        });
        self.counters.text(holdings.as_ref())
    }

    /// The same, for who may list the cache.
    pub async fn metrics_for(&self, caller: &Caller, images: usize) -> Result<String> {
        self.permit_plainly(caller, "cache_list", &Target::new())
            .await?;
        Ok(self.metrics(images).await)
    }
}
