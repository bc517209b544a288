//! Room that is held for data on its way, from before its first byte to after its last.
//!
//! What was declared is held at once; what was not, in steps, each of them before the bytes that it is for pass
//! on. A task renews it meanwhile, so that what a dead process held ends by itself.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::limits::{Ask, Kind, Quota, signed};
use super::{Error, Glance, Result};
use crate::db::{LEASE, Usage};
use crate::domain::ImageId;
use crate::stream::ByteStream;

/// How far data beyond the quota is counted, for the client to hear how much it was.
const COUNTED: u64 = 64 << 20;
/// How often room is renewed: often enough that the database may be away in between.
const RENEW: Duration = Duration::from_mins(1);

/// What is to be held for an image.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) quota: Quota,
    pub(super) kind: Kind,
    pub(super) ask: Ask,
}

/// Room that is held for an image. Dropped, it is not renewed any more.
#[derive(Debug)]
pub(super) struct Room {
    glance: Glance,
    image: ImageId,
    wish: Wish,
    /// How many bytes were held in the beginning.
    begun: u64,
    /// Until then it is held even if it cannot be renewed.
    until: Arc<Mutex<Instant>>,
    renewing: JoinHandle<()>,
}

impl Wish {
    /// How many bytes to hold.
    pub(super) fn judge(&self, ask: Ask, usage: &[Usage]) -> Result<u64> {
        self.quota.judge(self.kind, ask, usage)
    }
}

impl Room {
    /// Stands for `begun` bytes that have been held since `since`.
    pub(super) fn new(
        glance: &Glance,
        image: ImageId,
        wish: Wish,
        begun: u64,
        since: Instant,
    ) -> Arc<Self> {
        let until = Arc::new(Mutex::new(since + LEASE));
        let renewing = tokio::spawn(renew(glance.clone(), image, Arc::clone(&until)));
        Arc::new(Self {
            glance: glance.clone(),
            image,
            wish,
            begun,
            until,
            renewing,
        })
    }

    /// The stream, which gets no further than there is room. What comes beyond it is counted and thrown away.
    pub(super) fn around(self: &Arc<Self>, bytes: ByteStream) -> ByteStream {
        if self.wish.ask != Ask::Unknown {
            return bytes;
        }
        let passes = self.wish.quota.until(self.begun);
        let state = (bytes, 0u64, passes, Arc::clone(self));
        let within = stream::try_unfold(
            state,
            |(mut bytes, mut seen, mut passes, room)| async move {
                let Some(chunk) = bytes.next().await.transpose()? else {
                    return Ok(None);
                };
                seen = seen.saturating_add(chunk.len() as u64);
                if seen > passes {
                    passes = match room.hold(Ask::Seen(seen)).await {
                        Ok(held) => room.wish.quota.until(held),
                        Err(Error::StorageQuota { left, .. }) => {
                            let size = Some(signed(counted(&mut bytes, seen).await?));
                            return Err(io::Error::other(Error::StorageQuota { size, left }));
                        }
                        Err(error) => return Err(io::Error::other(error)),
                    };
                }
                Ok(Some((chunk, (bytes, seen, passes, room))))
            },
        );
        Box::pin(within)
    }

    /// Makes sure that there is room for all of the data, where it could not be renewed for too long.
    pub(super) async fn confirm(&self, size: u64) -> Result<()> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() + RENEW < until {
            return Ok(());
        }
        let ask = match self.wish.ask {
            Ask::Declared(_) => Ask::Declared(signed(size)),
            Ask::Unknown | Ask::Seen(_) => Ask::Seen(size),
        };
        self.hold(ask).await.map(drop)
    }

    async fn hold(&self, ask: Ask) -> Result<u64> {
        let judge = |usage: &[Usage]| self.wish.judge(ask, usage);
        let gate = self.wish.quota.gate(Some(self.image), &judge);
        let now = self.glance.clock.now();
        self.glance.db.hold_within(self.image, &gate, now).await?
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn renew(glance: Glance, image: ImageId, until: Arc<Mutex<Instant>>) {
    loop {
        sleep(RENEW).await;
        let asked = Instant::now();
        match glance.db.renew_room(image, glance.clock.now()).await {
            Ok(()) => *until.lock().unwrap_or_else(PoisonError::into_inner) = asked + LEASE,
            Err(error) => {
                warn!(image.id = %image, %error, "cannot renew the room for image {image}: {error}");
            }
        }
    }
}

/// Reads on for a while, and says how much there was with the bytes that were `seen`.
async fn counted(bytes: &mut ByteStream, seen: u64) -> io::Result<u64> {
    let (mut all, most) = (seen, seen.saturating_add(COUNTED));
    while all <= most
        && let Some(more) = bytes.next().await.transpose()?
    {
        all = all.saturating_add(more.len() as u64);
    }
    Ok(all)
}

impl Glance {
    /// Holds nothing for an image any more. That it could not be said harms nobody: it does not count.
    pub(super) async fn release_room(&self, image: ImageId) {
        if let Err(error) = self.db.release_room(image).await {
            debug!(image.id = %image, %error, "the row of the room for image {image} stays: {error}");
        }
    }
}
