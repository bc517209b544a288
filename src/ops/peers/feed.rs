//! Where the fills of this process have their data from. Other nodes may read along with what comes from a store. Who
//! reads along with another node gives nothing away meanwhile, so that no two nodes wait for each other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::domain::ImageId;

/// Where a fill has its data from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// That is being decided.
    Sought,
    Store,
    /// Another node.
    Peer,
}

/// The fills of this process. Whoever fills holds the other end.
#[derive(Debug, Default)]
pub struct Feeds(Mutex<HashMap<ImageId, watch::Receiver<Feed>>>);

impl Feeds {
    /// Follows a fill that begins.
    pub fn note(&self, id: ImageId, feed: watch::Receiver<Feed>) {
        let mut feeds = self.lock();
        feeds.retain(|_, feed| feed.has_changed().is_ok());
        feeds.insert(id, feed);
    }

    /// Whether a fill has the image from a store. Where that is being decided, it is waited for.
    pub async fn is_from_store(&self, id: ImageId, patience: Duration) -> bool {
        let Some(mut feed) = self.lock().get(&id).cloned() else {
            return false;
        };
        let decided = timeout(patience, feed.wait_for(|feed| *feed != Feed::Sought)).await;
        matches!(decided, Ok(Ok(feed)) if *feed == Feed::Store)
    }

    /// Whether a fill has the image from a store, or may be about to.
    pub fn may_be_from_store(&self, id: ImageId) -> bool {
        let feeds = self.lock();
        feeds
            .get(&id)
            .is_some_and(|feed| feed.has_changed().is_ok() && *feed.borrow() != Feed::Peer)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ImageId, watch::Receiver<Feed>>> {
        // A map is whole whatever happened to the thread that held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn what_comes_from_a_store_may_be_read_along_until_the_fill_ends() {
        let (feeds, id) = (Feeds::default(), ImageId::random());
        assert!(!feeds.is_from_store(id, LONG).await);
        let (feed, seen) = watch::channel(Feed::Sought);
        feeds.note(id, seen);
        assert!(feeds.may_be_from_store(id));
        assert!(!feeds.is_from_store(id, Duration::ZERO).await);

        let (is_from_store, ()) = tokio::join!(feeds.is_from_store(id, LONG), async {
            feed.send_replace(Feed::Store);
        });
        assert!(is_from_store);
        feed.send_replace(Feed::Peer);
        assert!(!feeds.is_from_store(id, LONG).await);
        assert!(!feeds.may_be_from_store(id));

        feed.send_replace(Feed::Sought);
        drop(feed);
        assert!(!feeds.is_from_store(id, LONG).await);
        assert!(!feeds.may_be_from_store(id));
    }
}
