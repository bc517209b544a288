//! Room that is held for data on its way, from before its first byte to after its last.
//!
//! What was declared is held at once; what was not, in steps, each of them before the bytes that it is for pass
//! on. A task renews it meanwhile, so that what a dead process held ends by itself. It looks after the image as
//! well: who deletes it while its data comes must not have the room for others and the data on its way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::limits::{Ask, Kind, Quota, signed};
use super::{Error, Glance, Result};
use crate::db::Usage;
use crate::domain::ImageId;
use crate::stream::ByteStream;

/// How far data beyond the quota is counted, for the client to hear how much it was.
const COUNTED: u64 = 64 << 20;
/// How often room is renewed: often enough that the database may be away in between.
const RENEW: Duration = Duration::from_mins(1);
/// How often somebody looks whether there still is an image.
const LOOK: Duration = Duration::from_secs(2);

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
    /// The image was deleted.
    gone: Arc<AtomicBool>,
    renewing: JoinHandle<()>,
}

impl Wish {
    /// How many bytes to hold.
    pub(super) fn judge(&self, ask: Ask, usage: &[Usage]) -> Result<u64> {
        self.quota.judge(self.kind, ask, usage)
    }
}

impl Room {
    /// Stands for `begun` bytes that are held.
    pub(super) fn new(glance: &Glance, image: ImageId, wish: Wish, begun: u64) -> Arc<Self> {
        let gone = Arc::new(AtomicBool::new(false));
        let renewing = tokio::spawn(renew(glance.clone(), image, Arc::clone(&gone)));
        Arc::new(Self {
            glance: glance.clone(),
            image,
            wish,
            begun,
            gone,
            renewing,
        })
    }

    /// The stream, which gets no further than there is an image and room for it. What comes beyond the room is
    /// counted and thrown away.
    pub(super) fn around(self: &Arc<Self>, bytes: ByteStream) -> ByteStream {
        let passes = match self.wish.ask {
            Ask::Unknown => self.begun,
            // All of it has its room.
            Ask::Declared(_) | Ask::Seen(_) => u64::MAX,
        };
        let state = (bytes, 0u64, passes, Arc::clone(self));
        let within = stream::try_unfold(
            state,
            |(mut bytes, mut seen, mut passes, room)| async move {
                let Some(chunk) = bytes.next().await.transpose()? else {
                    return Ok(None);
                };
                if room.gone.load(Ordering::Relaxed) {
                    return Err(io::Error::other(Error::DeletedMeanwhile(room.image)));
                }
                seen = seen.saturating_add(chunk.len() as u64);
                if seen > passes {
                    passes = match room.hold(Ask::Seen(seen)).await {
                        Ok(held) => held,
                        Err(Error::StorageQuota { left, .. }) => {
                            // Others may have it while the rest is counted.
                            room.glance.release_room(room.image).await;
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

    /// Makes sure that there is room for all of the data: the database may have been away, or this node asleep,
    /// for so long that it is held no more, and others may have taken it.
    pub(super) async fn confirm(&self, size: u64) -> Result<()> {
        let now = self.glance.clock.now();
        if self.glance.db.renew_room(self.image, now).await? {
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

/// Renews room as long as there is an image to renew it for.
async fn renew(glance: Glance, image: ImageId, gone: Arc<AtomicBool>) {
    let mut next = Instant::now() + RENEW;
    loop {
        sleep(LOOK).await;
        let there = glance.db.image(image).await;
        if there.is_ok_and(|there| there.is_none()) {
            gone.store(true, Ordering::Relaxed);
            return;
        }
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + RENEW;
        if let Err(error) = glance.db.renew_room(image, glance.clock.now()).await {
            warn!(image.id = %image, %error, "cannot renew the room for image {image}: {error}");
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
