//! Reading all copies of this node from time to time, for bits that a disk has lost while nobody looked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Glance;
use super::download::expected;
use crate::cache::Cache;
use crate::config::{CacheConfig, Verify};
use crate::domain::ImageId;

/// The least that lies between two rounds.
const REST: Duration = Duration::from_mins(1);

impl Glance {
    /// Goes over all copies again and again, until `stop` is cancelled.
    pub async fn sweep(&self, stop: CancellationToken) {
        let (Some(cache), Some(config)) = (&self.cache, &self.config.cache) else {
            return;
        };
        if config.verify == Verify::Off || config.sweep_rate == 0 {
            return;
        }
        let rounds = async {
            loop {
                let next = Instant::now() + config.sweep_period.max(REST);
                sleep(REST).await;
                self.sweep_once(cache, config).await;
                sleep_until(next).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn sweep_once(&self, cache: &Cache, config: &CacheConfig) {
        let copies = match cache.entries().await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!("the copies are not swept: {error}");
                return;
            }
        };
        let (mut swept, mut bad) = (0_u64, 0);
        for copy in copies {
            match self.sweep_copy(cache, config, copy.id).await {
                Ok(found) => bad += found,
                Err(why) => {
                    tracing::warn!(image.id = %copy.id, "the copy of image {} is not swept: {why}", copy.id);
                }
            }
            swept += 1;
        }
        tracing::info!(copies = swept, bad_spans = bad, "swept {swept} copies");
    }

    /// Says how many spans of it were bad.
    async fn sweep_copy(
        &self,
        cache: &Cache,
        config: &CacheConfig,
        id: ImageId,
    ) -> Result<u64, String> {
        let image = self.db.image(id).await.map_err(|error| error.to_string())?;
        let Some(image) = image else {
            return Ok(0);
        };
        let source = Arc::new(self.source(&image));
        let rate = config.sweep_rate;
        let swept = cache.sweep(id, &expected(&image), source, rate).await;
        swept.map_err(|error| error.to_string())
    }
}
