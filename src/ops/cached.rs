//! The copies on this node: what there is, what is asked for, and letting go of either.
//!
//! The calls of today ask the policy about what they do, those of before about one right to manage the
//! cache. Who may not is told so before anybody hears whether there is a cache at all.

use super::{Error, Glance, Result};
use crate::cache::{self, Cache, Entry, Pruned};
use crate::domain::report::{Downloads, NodeShare, Nodes, Overview, Pins, Profile};
use crate::domain::{Caller, Image, ImageId, Status};
use crate::policy::{ImageFacts, Target};
use crate::telemetry::counters::{Asked, Found};

/// What the cache holds and waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Holdings {
    pub cached: Vec<Entry>,
    pub queued: Vec<ImageId>,
}

/// What to let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    Cached,
    Queued,
    Both,
}

impl Glance {
    /// What this node has copies of and is asked to fetch.
    pub async fn holdings(&self, caller: &Caller) -> Result<Holdings> {
        let cache = self.managed(caller, "cache_list", None).await?;
        Ok(Holdings {
            cached: cache.entries().await?,
            queued: cache.queued().await?,
        })
    }

    /// Asks for an active image to be fetched, at once.
    pub async fn cache_image(&self, caller: &Caller, id: &str) -> Result<()> {
        let image =
            (self.visible(caller, id).await?).ok_or_else(|| Error::ImageNotFound(id.to_owned()))?;
        let cache = self.managed(caller, "cache_image", Some(&image)).await?;
        if image.status != Status::Active {
            return Err(Error::NotActive);
        }
        cache.queue(image.id).await?;
        cache.hurry(image.id);
        self.hasten(image.id);
        Ok(())
    }

    /// Lets go of this node's copy of an image and of the wish for one.
    pub async fn uncache_image(&self, caller: &Caller, id: &str) -> Result<()> {
        let image = self.visible(caller, id).await?;
        let missing = || Error::ImageNotFound(id.to_owned());
        let parsed: ImageId = id.parse().map_err(|_| missing())?;
        if image.is_none() && !self.holds(parsed).await? {
            return Err(missing());
        }
        let cache = self.managed(caller, "cache_delete", image.as_ref()).await?;
        cache.evict(parsed).await?;
        cache.unqueue(parsed).await?;
        Ok(())
    }

    async fn holds(&self, id: ImageId) -> Result<bool> {
        let Some(cache) = &self.cache else {
            return Ok(false);
        };
        Ok(cache.is_queued(id).await? || cache.has(id).await?)
    }

    /// Lets go of copies, of wishes, or of both.
    pub async fn clear_cache(&self, caller: &Caller, what: Clear) -> Result<()> {
        let cache = self.managed(caller, "cache_delete", None).await?;
        match what {
            Clear::Cached => drop(cache.clear().await?),
            Clear::Queued => drop(cache.unqueue_all().await?),
            Clear::Both => {
                cache.clear().await?;
                cache.unqueue_all().await?;
            }
        }
        Ok(())
    }

    /// Whether the caller may clear the cache: asked before what it says is looked at.
    pub async fn may_clear_cache(&self, caller: &Caller) -> Result<()> {
        self.managed(caller, "cache_delete", None).await.map(drop)
    }

    /// Removes what broken fills left behind.
    pub async fn clean_cache(&self, caller: &Caller) -> Result<()> {
        self.managed(caller, "cache_clean", None)
            .await?
            .clean()
            .await?;
        Ok(())
    }

    /// Makes the cache as small as its limit says.
    pub async fn prune_cache(&self, caller: &Caller) -> Result<Pruned> {
        Ok(self
            .managed(caller, "cache_prune", None)
            .await?
            .prune()
            .await?)
    }

    /// The nodes that have a copy of the image.
    pub async fn nodes_caching(&self, caller: &Caller, id: &str) -> Result<Vec<String>> {
        let cache = self.managed(caller, "list_cached_nodes", None).await?;
        let own = self.node_name().ok_or(Error::NotCentralized)?;
        let image =
            (self.visible(caller, id).await?).ok_or_else(|| Error::ImageNotFound(id.to_owned()))?;
        let mut nodes = self.db.nodes_with(image.id).await?;
        // What was told of this node may be a moment old.
        nodes.retain(|node| node != own);
        if cache.has(image.id).await? {
            nodes.push(own.to_owned());
        }
        Ok(nodes)
    }

    /// The nodes that tell each other of their caches, this one among them, and what each told last.
    pub async fn cache_nodes(&self, caller: &Caller) -> Result<Nodes> {
        self.managed(caller, "list_cached_nodes", None).await?;
        if self.node_name().is_none() {
            return Err(Error::NoOtherNodes);
        }
        let nodes = self.db.nodes().await?.into_iter().map(|node| NodeShare {
            address: node.name,
            copies: node.copies,
            bytes: node.bytes,
        });
        Ok(Nodes {
            nodes: nodes.collect(),
        })
    }

    /// The cache, where there is one and the caller may do `action` with it.
    async fn managed(
        &self,
        caller: &Caller,
        action: &'static str,
        image: Option<&Image>,
    ) -> Result<&Cache> {
        let permitted = match image {
            Some(image) => {
                let facts = ImageFacts::new(image, caller);
                self.permit_plainly(caller, action, &facts).await
            }
            None => self.permit_plainly(caller, action, &Target::new()).await,
        };
        permitted?;
        self.cache.as_ref().ok_or(Error::NoCache)
    }

    /// The copies on this node, for its managers.
    pub async fn cached_images(&self, caller: &Caller) -> Result<Vec<Entry>> {
        Ok(self.manager(caller).await?.entries().await?)
    }

    /// Lets go of all copies and says how many there were.
    pub async fn drop_cached_images(&self, caller: &Caller) -> Result<u64> {
        Ok(self.manager(caller).await?.clear().await?)
    }

    /// Lets go of a copy, where there is one.
    pub async fn drop_cached_image(&self, caller: &Caller, id: &str) -> Result<()> {
        let cache = self.manager(caller).await?;
        if let Ok(id) = id.parse() {
            cache.evict(id).await?;
        }
        Ok(())
    }

    /// The images that are asked for, for the managers of the cache.
    pub async fn queued_images(&self, caller: &Caller) -> Result<Vec<ImageId>> {
        Ok(self.manager(caller).await?.queued().await?)
    }

    /// Asks for an image. Whether there is such an image is found out when it is fetched.
    pub async fn queue_image(&self, caller: &Caller, id: &str) -> Result<()> {
        let cache = self.manager(caller).await?;
        let id = (id.parse()).map_err(|_| Error::ImageNotFound(id.to_owned()))?;
        cache.queue(id).await?;
        // A rule may be fetching it, at the speed that is enough for the rule.
        self.hasten(id);
        Ok(())
    }

    /// Takes all wishes back and says how many there were.
    pub async fn drop_queued_images(&self, caller: &Caller) -> Result<u64> {
        Ok(self.manager(caller).await?.unqueue_all().await?)
    }

    /// Takes a wish back, where there is one.
    pub async fn drop_queued_image(&self, caller: &Caller, id: &str) -> Result<()> {
        let cache = self.manager(caller).await?;
        if let Ok(id) = id.parse() {
            cache.unqueue(id).await?;
        }
        Ok(())
    }

    /// How this node does, for the managers of the cache: with so many of the copies that have the most hits.
    pub async fn overview(&self, caller: &Caller, most: usize) -> Result<Overview> {
        let cache = self.manager(caller).await?;
        self.look(cache, most).await
    }

    /// The same, for whoever was let in.
    pub(super) async fn look(&self, cache: &Cache, most: usize) -> Result<Overview> {
        let survey = cache.survey().await?;
        let entries = cache.entries().await?;
        let downloads = |found| {
            let asked = [Asked::Whole, Asked::Range];
            asked
                .map(|asked| self.counters.downloads(found, asked))
                .iter()
                .sum()
        };
        Ok(Overview {
            survey,
            hits: entries.iter().map(|entry| entry.hits).sum(),
            hot: cache::hot(&entries, most),
            downloads: Some(Downloads {
                hits: downloads(Found::Hit),
                followers: downloads(Found::Follower),
                misses: downloads(Found::Miss),
                bypasses: downloads(Found::Bypass),
                saved_bytes: self.counters.saved_bytes.get(),
                open: u64::try_from(self.counters.open_downloads.get()).unwrap_or(0),
            }),
        })
    }

    /// Everything that is known of an image on this node, for the managers of the cache.
    pub async fn profile(&self, caller: &Caller, id: &str) -> Result<Profile> {
        let cache = self.manager(caller).await?;
        let id = (id.parse()).map_err(|_| Error::ImageNotFound(id.to_owned()))?;
        Ok(cache.profile(id).await?)
    }

    /// The images whose copies never leave to make room.
    pub async fn pinned_images(&self, caller: &Caller) -> Result<Pins> {
        Ok(self.manager(caller).await?.pinned().await?)
    }

    /// Pins an image, whether there is a copy or one comes later. What it was found by is kept.
    pub async fn pin_image(&self, caller: &Caller, id: &str, reason: &str) -> Result<()> {
        let cache = self.manager(caller).await?;
        let image =
            (self.visible(caller, id).await?).ok_or_else(|| Error::ImageNotFound(id.to_owned()))?;
        cache.pin(image.id, reason).await?;
        Ok(())
    }

    /// Lets the copy of an image leave again, where it is pinned; the image itself may be gone.
    pub async fn unpin_image(&self, caller: &Caller, id: &str) -> Result<()> {
        let cache = self.manager(caller).await?;
        if let Ok(id) = id.parse() {
            cache.unpin(id).await?;
        }
        Ok(())
    }

    async fn manager(&self, caller: &Caller) -> Result<&Cache> {
        self.managed(caller, "manage_image_cache", None).await
    }
}
