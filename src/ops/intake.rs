//! An image while its data comes in, to a store or to be staged.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::sleep;
use tracing::{error, warn};

use super::interrupted::{RETRY, Verdict};
use super::room::{Room, Wish};
use super::{Error, Glance, Result};
use crate::db::{self, Usage};
use crate::domain::{ImageId, Status};
use crate::store::{Store, Stored};

/// An image whose data is coming in. Dropped, it is an image that waits for data again.
pub(super) struct Intake {
    pub(super) glance: Glance,
    pub(super) id: ImageId,
    /// What the image is meanwhile: `saving` or `uploading`.
    during: Status,
    /// What is held for the data, where there is a limit.
    pub(super) room: Option<Arc<Room>>,
    /// Data that goes again unless the image is settled.
    pub(super) stored: Option<(Arc<dyn Store>, Stored)>,
    /// There is nothing to take back any more.
    settled: bool,
}

impl Intake {
    /// Moves the image from `queued` to `during`, and holds the room that is wished for: of several at once one
    /// gets so far.
    pub(super) async fn begin(
        glance: &Glance,
        id: ImageId,
        during: Status,
        wish: Option<Wish>,
    ) -> Result<Self> {
        let glance = glance.clone();
        detached(async move {
            match glance.begin(id, during, wish).await {
                Ok(room) => Ok(Self {
                    glance,
                    id,
                    during,
                    room,
                    stored: None,
                    settled: false,
                }),
                Err(Error::Db(db::Error::Conflict { status, .. })) => {
                    Err(Error::StatusTransition {
                        from: status,
                        to: during,
                    })
                }
                Err(Error::Db(db::Error::Gone(id))) => Err(Error::NoSuchImage(id.to_string())),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// The image has its data.
    pub(super) async fn settle(&mut self) {
        self.settled = true;
        if let Some((_, stored)) = self.stored.take() {
            stored.settle().await;
        }
        if self.room.take().is_some() {
            self.glance.release_room(self.id).await;
        }
    }

    /// Lets the image wait for data again, and takes away what has come.
    pub(super) async fn undo(mut self) -> Result<()> {
        self.settled = true;
        let mut undoing = self.undoing();
        if undoing.attempt().await.is_continue() {
            // Nobody is to wait for a database that is away.
            tokio::spawn(async move {
                sleep(RETRY).await;
                undoing.insist().await;
            });
        }
        Ok(())
    }

    fn undoing(&mut self) -> Undoing {
        Undoing {
            glance: self.glance.clone(),
            id: self.id,
            during: self.during,
            held: self.room.take().is_some(),
            stored: self.stored.take(),
        }
    }
}

impl Glance {
    async fn begin(
        &self,
        id: ImageId,
        during: Status,
        wish: Option<Wish>,
    ) -> Result<Option<Arc<Room>>> {
        let now = self.clock.now();
        let Some(wish) = wish else {
            self.db
                .set_status(id, &[Status::Queued], during, now)
                .await?;
            return Ok(None);
        };
        let judge = |usage: &[Usage]| wish.judge(wish.ask, usage);
        let gate = wish.quota.gate(Some(id), &judge);
        let held = self.db.begin_within(id, during, &gate, now).await??;
        Ok(Some(Room::new(self, id, wish, held)))
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let (id, during) = (self.id, self.during);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.undoing().insist());
        } else {
            error!(image.id = %id, "image {id} stays in {during}");
        }
    }
}

/// Back to `queued`, and no bytes left, unless the database says that they are an image's after all.
struct Undoing {
    glance: Glance,
    id: ImageId,
    during: Status,
    /// Room is held for the data.
    held: bool,
    stored: Option<(Arc<dyn Store>, Stored)>,
}

impl Undoing {
    /// Tries until the database answers.
    async fn insist(mut self) {
        while self.attempt().await.is_continue() {
            sleep(RETRY).await;
        }
    }

    /// Tries it once. It is not over where the database is away.
    async fn attempt(&mut self) -> ControlFlow<()> {
        let (id, during) = (self.id, self.during);
        let verdict = match self.glance.waits_again(id, &[during]).await {
            Ok(verdict) => verdict,
            Err(error @ (db::Error::Unavailable(_) | db::Error::Contended(_))) => {
                warn!(image.id = %id, %error, "image {id} is {during} until the database answers: {error}");
                return ControlFlow::Continue(());
            }
            Err(error) => {
                // What is stored stays as well, for the next start to judge.
                error!(image.id = %id, %error, "image {id} stays in {during}: {error}");
                return ControlFlow::Break(());
            }
        };
        if std::mem::take(&mut self.held) {
            self.glance.release_room(id).await;
        }
        let Some((store, stored)) = self.stored.take() else {
            return ControlFlow::Break(());
        };
        if verdict == Verdict::Unwanted
            && let Err(error) = store.delete(&stored.location).await
        {
            warn!(image.id = %id, %error, "cannot delete the data of image {id}: {error}");
        } else {
            stored.settle().await;
        }
        ControlFlow::Break(())
    }
}

/// Runs to its end, whether or not somebody still waits for it.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await?
}
