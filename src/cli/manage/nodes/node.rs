//! One node, and the calls that it understands.
//!
//! The calls for the tools are there where its pipeline has `cachemanagement`; those below `/v2/cache` are on every
//! node that caches, the original's too, and do what is wanted where they are asked in the right order.

use std::time::Duration;

use http::StatusCode;
use tokio::time::timeout;

use crate::cli::manage::place::fetchable;
use crate::cli::{Error, Result};
use crate::client::Error::NotFound;
use crate::client::{self, Address, CacheState, CachedImage, ImageApi};
use crate::domain::ImageId;
use crate::domain::report::{NodeShare, Pins};

/// A node, as another one told of it.
pub struct Node {
    pub share: NodeShare,
    /// None where its name is no address.
    api: Option<ImageApi>,
    /// How long a call may take.
    patience: Duration,
}

impl Node {
    /// The node of the share, for the caller that `hub` was asked as. `port` is that of nodes that are known by the
    /// name of their machine alone.
    pub async fn beside(
        hub: &ImageApi,
        share: NodeShare,
        port: u16,
        patience: Duration,
    ) -> Result<Self> {
        let api = match Address::of_node(&share.address, port) {
            Ok(address) => Some(hub.beside(address).await?),
            Err(_) => None,
        };
        Ok(Self {
            share,
            api,
            patience,
        })
    }

    pub fn name(&self) -> &str {
        &self.share.address
    }

    async fn asked<T>(&self, call: impl AsyncFnOnce(&ImageApi) -> client::Result<T>) -> Result<T> {
        let api = self.api.as_ref();
        let api = api.ok_or_else(|| client::Error::Address(self.share.address.clone()))?;
        match timeout(self.patience, call(api)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Error::Late(self.patience)),
        }
    }

    /// Whether it answers, and would do what this caller tells it.
    pub async fn answers(&self) -> Result<()> {
        self.asked(async |api| match api.nodes().await {
            Err(NotFound { .. }) => api.state().await.map(drop),
            // It tells nobody of its cache any more.
            Err(client::Error::Refused {
                status: StatusCode::CONFLICT,
                ..
            }) => Ok(()),
            answer => answer.map(drop),
        })
        .await
    }

    pub async fn cached(&self) -> Result<Vec<CachedImage>> {
        self.asked(async |api| match api.cached().await {
            Err(NotFound { .. }) => Ok(api.state().await?.cached_images),
            answer => answer,
        })
        .await
    }

    pub async fn queued(&self) -> Result<Vec<String>> {
        self.asked(async |api| match api.queued().await {
            Err(NotFound { .. }) => Ok(api.state().await?.queued_images),
            answer => answer,
        })
        .await
    }

    pub async fn state(&self) -> Result<CacheState> {
        self.asked(async |api| api.state().await).await
    }

    /// Refuses an image that no patience would see cached.
    pub async fn expect_fetchable(&self, id: ImageId) -> Result<()> {
        self.asked(async |api| Ok(api.status(id).await))
            .await
            .and_then(fetchable)
    }

    /// Asks for an image. The call that the original has fetches it at once, and refuses one that is not active.
    pub async fn queue(&self, id: ImageId) -> Result<()> {
        let answer = self.asked(async |api| match api.queue(id).await {
            Err(NotFound { .. }) => api.fetch(id).await,
            answer => answer,
        });
        about(id, answer.await)
    }

    /// Lets go of a copy. What is wanted and not there stays wanted, though one call takes both away.
    pub async fn evict(&self, id: ImageId) -> Result<()> {
        self.asked(async |api| match api.evict(id).await {
            Err(NotFound { .. }) => {
                let cached = api.state().await?.cached_images;
                if cached.iter().any(|image| image.image_id == id.as_str()) {
                    api.discard(id).await
                } else {
                    Ok(())
                }
            }
            answer => answer,
        })
        .await
    }

    /// Takes a wish back. A copy stays, as above.
    pub async fn unqueue(&self, id: ImageId) -> Result<()> {
        self.asked(async |api| match api.unqueue(id).await {
            Err(NotFound { .. }) => {
                let queued = api.state().await?.queued_images;
                if queued.iter().any(|queued| queued == id.as_str()) {
                    api.discard(id).await
                } else {
                    Ok(())
                }
            }
            answer => answer,
        })
        .await
    }

    /// Lets go of all copies, and says how many there were.
    pub async fn evict_all(&self) -> Result<u64> {
        self.asked(async |api| match api.evict_all().await {
            Err(NotFound { .. }) => {
                let count = api.state().await?.cached_images.len();
                api.clear_cached().await?;
                Ok(count as u64)
            }
            answer => answer,
        })
        .await
    }

    /// Takes all wishes back, and says how many there were.
    pub async fn unqueue_all(&self) -> Result<u64> {
        self.asked(async |api| match api.unqueue_all().await {
            Err(NotFound { .. }) => {
                let count = api.state().await?.queued_images.len();
                api.clear_queued().await?;
                Ok(count as u64)
            }
            answer => answer,
        })
        .await
    }

    pub async fn pinned(&self) -> Result<Pins> {
        pins(self.asked(async |api| api.pinned().await).await)
    }

    pub async fn pin(&self, id: ImageId, reason: &str) -> Result<()> {
        let answer = self.asked(async |api| api.pin(id, reason).await).await;
        pins(about(id, answer))
    }

    pub async fn unpin(&self, id: ImageId) -> Result<()> {
        pins(self.asked(async |api| api.unpin(id).await).await)
    }
}

/// An answer about an image: it has its id where it is the image that is not there, and not the call.
fn about(id: ImageId, answer: Result<()>) -> Result<()> {
    match answer {
        Err(Error::Api(NotFound { sentence, .. })) if sentence.contains(id.as_str()) => {
            Err(Error::NoSuchImage(id))
        }
        answer => answer,
    }
}

/// Pins are ours, and the original has no call that would do. It takes the list of them for an image, which can be
/// queued and deleted and not read.
fn pins<T>(answer: Result<T>) -> Result<T> {
    match answer {
        Err(Error::Api(
            NotFound { .. }
            | client::Error::Refused {
                status: StatusCode::METHOD_NOT_ALLOWED,
                ..
            },
        )) => Err(Error::NoPins),
        answer => answer,
    }
}
