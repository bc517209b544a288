//! What this process has counted, and what the cache directory holds.

use super::{Glance, Result};
use crate::domain::Caller;
use crate::policy::Target;
use crate::telemetry::counters::Holdings;

impl Glance {
    /// All numbers, as Prometheus reads them. Those of a directory that cannot be read are missing.
    pub async fn metrics(&self) -> String {
        let survey = match &self.cache {
            Some(cache) => cache.survey().await.ok(),
            None => None,
        };
        let holdings = survey.map(|survey| Holdings {
            limit: survey.limit,
            used: survey.used,
            free: survey.free,
            copies: survey.copies,
            growing: survey.growing.len() as u64,
            min_free: survey.kept_free,
            queued: survey.queued,
            waiting: survey.waiting,
        });
        self.counters.text(holdings.as_ref())
    }

    /// The same, for who may list the cache.
    pub async fn metrics_for(&self, caller: &Caller) -> Result<String> {
        self.permit_plainly(caller, "cache_list", &Target::new())
            .await?;
        Ok(self.metrics().await)
    }
}
