//! What is here of images that other nodes have deleted.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Glance, Result};
use crate::cache::Cache;

/// How long after a start one looks first.
const FIRST: Duration = Duration::from_secs(5);
/// How often one looks.
const LOOK: Duration = Duration::from_mins(5);
/// How long to leave a database alone that is away.
const RETRY: Duration = Duration::from_secs(30);

impl Glance {
    /// Lets go of copies and pins of deleted images again and again, until `stop` is cancelled. What the database
    /// has never known stays: another database may know it.
    pub async fn forget_deleted(&self, stop: CancellationToken) {
        let Some(cache) = &self.cache else {
            return;
        };
        let looks = async {
            let (mut rest, mut is_told) = (FIRST, false);
            loop {
                sleep(rest).await;
                rest = match self.forget_deleted_once(cache).await {
                    Ok(()) => {
                        is_told = false;
                        LOOK
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut is_told, true) {
                            warn!(
                                "copies of deleted images stay, nobody says which those are: {error}"
                            );
                        }
                        RETRY
                    }
                };
            }
        };
        stop.run_until_cancelled(looks).await;
    }

    async fn forget_deleted_once(&self, cache: &Cache) -> Result<()> {
        let here = cache.images().await?;
        for (id, data) in self.db.data_of(&here).await? {
            if data.is_none() {
                cache.forget(id).await?;
            }
        }
        Ok(())
    }
}
