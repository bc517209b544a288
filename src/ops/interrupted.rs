//! Uploads that did not come to their end: what becomes of the image, and of its data.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Glance;
use crate::db;
use crate::domain::{Image, ImageId, Status};
use crate::store::file::{self, Unrecorded};

/// How long to leave a database alone that is away.
pub(super) const RETRY: Duration = Duration::from_secs(5);

/// What a record says of data that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is an image's data.
    Wanted,
    /// The image waits for other data, or is gone.
    Unwanted,
}

impl Glance {
    /// Lets images be uploaded again whose data was coming in when the process that took it died, wherever
    /// it was between the first byte and the commit, and clears away what it left. The leftovers of nodes
    /// that live are their own: they hold locks. Tries until the database answers, or `stop` is cancelled;
    /// what is not judged by then stays for the next start.
    pub async fn take_back_interrupted(&self, stop: CancellationToken) {
        let mut dirs = self.stores.directories();
        dirs.push(self.staging().dir().to_owned());
        let every = async {
            for left in file::left_in(dirs).await {
                self.take_back_one(left).await;
            }
        };
        stop.run_until_cancelled(every).await;
    }

    async fn take_back_one(&self, left: Unrecorded) {
        let id = left.image();
        loop {
            match self
                .waits_again(id, &[Status::Saving, Status::Uploading])
                .await
            {
                Ok(Verdict::Unwanted) => {
                    left.take_back().await;
                    info!(image.id = %id, "took back an upload of image {id} that was cut off");
                    return;
                }
                Ok(Verdict::Wanted) => return left.keep().await,
                Err(db::Error::Unavailable(_) | db::Error::Contended(_)) => {
                    sleep(RETRY).await;
                }
                Err(error) => {
                    error!(image.id = %id, %error, "keeping what is left of an upload of image {id}: {error}");
                    return;
                }
            }
        }
    }

    /// Moves an image back to `queued` from any of `from`, and says whether it has its data all the same:
    /// the commit may have come where its acknowledgement did not.
    pub(super) async fn waits_again(&self, id: ImageId, from: &[Status]) -> db::Result<Verdict> {
        let now = self.clock.now();
        match self.db.set_status(id, from, Status::Queued, now).await {
            Ok(_) | Err(db::Error::Gone(_)) => Ok(Verdict::Unwanted),
            Err(db::Error::Conflict { .. }) => {
                let image = self.db.image(id).await?;
                let wanted = image.is_some_and(|image| has_data(&image));
                Ok(if wanted {
                    Verdict::Wanted
                } else {
                    Verdict::Unwanted
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether there is data in a store, or staged data that an import is at work with.
fn has_data(image: &Image) -> bool {
    !image.locations.is_empty() || image.status == Status::Importing
}
