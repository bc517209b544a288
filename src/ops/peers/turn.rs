//! Of the nodes that are to bring the same image in ahead of time, by the queue or by a rule, one reads the store. The
//! others wait until it has begun, and read along with it.
//!
//! Who it is nobody has to agree on: each image puts the nodes into an order of its own (rendezvous hashing). Nobody
//! waits for who comes later in it, so that there is no circle; and no client waits here.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Peers;
use crate::cache::Cache;
use crate::client::NoCopy;
use crate::domain::report::State;
use crate::domain::{Image, ImageId};
use crate::ops::Glance;

/// How often the one whose turn it is is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// How long it may leave the image in its queue: it may have much to do before.
const QUEUED: Duration = Duration::from_secs(10);

impl Glance {
    /// Waits while another node is about to have a copy of an image that is wanted here ahead of time.
    pub async fn give_way(&self, cache: &Cache, image: &Image) {
        if let Some(peers) = self.peers_for(image)
            && !cache.has(image.id).await.unwrap_or(false)
        {
            peers.give_way(image.id).await;
        }
    }
}

impl Peers {
    async fn give_way(&self, id: ImageId) {
        let nodes = self.0.db.node_names().await.unwrap_or_default();
        let since = Instant::now();
        let (mut waited, mut absent) = (false, false);
        loop {
            let Some(first) = self.first_of(nodes.clone(), id) else {
                return;
            };
            match self.profile_at(&first, id).await {
                // It has a copy, or makes one.
                Ok(known) if matches!(known.state, State::Cached | State::Growing) => return,
                Ok(known) if known.queued => {}
                Err(NoCopy::Away(why)) => {
                    self.rest(id, &first, &why);
                    continue;
                }
                // Its wish may come in this moment.
                Ok(_) if !absent => absent = true,
                Ok(_) | Err(NoCopy::Refused(_) | NoCopy::OtherSize(_)) => return,
            }
            if since.elapsed() >= QUEUED {
                return;
            }
            if !waited {
                tracing::info!(image.id = %id, node = first, "{first} is about to have a copy of image {id}: waiting for it");
            }
            waited = true;
            sleep(LOOK).await;
        }
    }

    /// Of these nodes and this one, who is to bring an image in before all others. None where that is this one.
    pub(super) fn first_of(&self, nodes: Vec<String>, id: ImageId) -> Option<String> {
        let own = std::iter::once(self.0.own.clone());
        let first = self.awake(nodes).into_iter().chain(own).max_by_key(|node| {
            let place = format!("{id} {node}");
            *blake3::hash(place.as_bytes()).as_bytes()
        });
        first.filter(|node| *node != self.0.own)
    }
}
