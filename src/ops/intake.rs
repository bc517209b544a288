//! An image while its data comes in, to a store or to be staged.

use std::sync::Arc;

use tracing::{error, warn};

use super::{Error, Glance, Result};
use crate::db;
use crate::domain::{Image, ImageId, Location, Status};
use crate::store::Store;

/// An image whose data is coming in. Dropped, it is an image that waits for data again.
pub(super) struct Intake {
    pub(super) glance: Glance,
    pub(super) id: ImageId,
    /// What the image is meanwhile: `saving` or `uploading`.
    during: Status,
    /// Data that goes again unless the image is settled.
    pub(super) stored: Option<(Arc<dyn Store>, Location)>,
    /// There is nothing to take back any more.
    pub(super) settled: bool,
}

impl Intake {
    /// Moves the image from `queued` to `during`: of several at once one gets so far.
    pub(super) async fn begin(glance: &Glance, id: ImageId, during: Status) -> Result<Self> {
        let glance = glance.clone();
        detached(async move {
            let now = glance.clock.now();
            let begun = glance.db.set_status(id, &[Status::Queued], during, now);
            match begun.await {
                Ok(_) => Ok(Self {
                    glance,
                    id,
                    during,
                    stored: None,
                    settled: false,
                }),
                Err(db::Error::Conflict { status, .. }) => Err(Error::StatusTransition {
                    from: status,
                    to: during,
                }),
                Err(db::Error::Gone(id)) => Err(Error::NoSuchImage(id.to_string())),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Lets the image wait for data again, and takes away what has come.
    pub(super) async fn undo(mut self) -> Result<()> {
        self.settled = true;
        let (glance, during) = (self.glance.clone(), self.during);
        take_back(glance, self.id, during, self.stored.take()).await;
        Ok(())
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let (id, during) = (self.id, self.during);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let glance = self.glance.clone();
            runtime.spawn(take_back(glance, id, during, self.stored.take()));
        } else {
            error!(image.id = %id, "image {id} stays in {during}");
        }
    }
}

/// Back to `queued`, and no bytes left, unless the database says that they are an image's after all.
async fn take_back(
    glance: Glance,
    id: ImageId,
    during: Status,
    stored: Option<(Arc<dyn Store>, Location)>,
) {
    let now = glance.clock.now();
    let from = [during];
    let restored = glance.db.set_status(id, &from, Status::Queued, now);
    let wanted = match restored.await {
        Ok(_) | Err(db::Error::Gone(_)) => false,
        // Perhaps further, where the commit arrived and its acknowledgement did not.
        Err(db::Error::Conflict { .. }) => match glance.db.image(id).await {
            Ok(image) => image.is_some_and(|image| has_data(&image)),
            Err(error) => {
                error!(image.id = %id, %error, "keeping the data of image {id}: {error}");
                true
            }
        },
        Err(error) => {
            error!(image.id = %id, %error, "image {id} stays in {during}: {error}");
            true
        }
    };
    let Some((store, location)) = stored.filter(|_| !wanted) else {
        return;
    };
    if let Err(error) = store.delete(&location).await {
        warn!(image.id = %id, %error, "cannot delete the data of image {id}: {error}");
    }
}

/// Whether there is data in a store, or staged data that an import is at work with.
fn has_data(image: &Image) -> bool {
    !image.locations.is_empty() || image.status == Status::Importing
}

/// Runs to its end, whether or not somebody still waits for it.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await?
}
