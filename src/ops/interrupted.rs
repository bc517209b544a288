//! Uploads that ended with the process that took them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Glance;
use crate::db;
use crate::domain::{ImageId, Status};

/// How long to leave a database alone that is away.
const RETRY: Duration = Duration::from_secs(5);

impl Glance {
    /// Lets images be uploaded again whose data was coming in when the process that took it died. Tries until
    /// the database answers, or `stop` is cancelled.
    pub async fn take_back_interrupted(&self, stop: CancellationToken) {
        let every = async {
            for id in self.stores.interrupted() {
                self.take_back_one(id).await;
            }
        };
        stop.run_until_cancelled(every).await;
    }

    async fn take_back_one(&self, id: ImageId) {
        let cut_off = [Status::Saving];
        loop {
            let now = self.clock.now();
            match self.db.set_status(id, &cut_off, Status::Queued, now).await {
                Ok(_) => {
                    info!(image.id = %id, "image {id} waits for data again: its upload was cut off");
                    return;
                }
                Err(db::Error::Unavailable(_)) => tokio::time::sleep(RETRY).await,
                // Somebody has uploaded or deleted it since.
                Err(db::Error::Conflict { .. } | db::Error::Gone(_)) => return,
                Err(error) => {
                    error!(image.id = %id, %error, "image {id} stays in saving: {error}");
                    return;
                }
            }
        }
    }
}
