//! Opening an image's data, from this node's cache as far as it can.

use std::future::ready;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::measured::{Answer, measured};
use super::proven::proven;
use super::resume::resumed;
use super::source::StoreSource;
use super::{Error, Glance, Result};
use crate::cache::{Cache, Expected, Lookup, Past};
use crate::config::{FillOnRange, Verify};
use crate::domain::{Caller, Image, ImageId, Location, Status};
use crate::store;
use crate::store::registry::Reader;
use crate::stream::{Blob, ByteRange};
use crate::telemetry::counters::Asked;

pub use super::range::RequestedRange;

/// Where the bytes of an answer come from; the access log says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A whole copy on this node.
    Cache,
    /// A copy that is being made.
    Along,
    /// The store, past the cache.
    Store,
}

/// An image's data, opened.
#[derive(Debug)]
pub struct Download {
    pub image: Image,
    /// The part that was asked for; none is all of it.
    pub range: Option<ByteRange>,
    pub source: Source,
    /// None where the image has no data (yet).
    pub blob: Option<Blob>,
}

impl Glance {
    /// Opens an image's data, from this node's cache as far as it can. State and policy are asked here,
    /// before the cache, for every byte.
    pub async fn download(
        &self,
        caller: &Caller,
        id: ImageId,
        range: Option<RequestedRange>,
    ) -> Result<Download> {
        self.download_from(caller, id, range, &[]).await
    }

    /// The same, from one of the stores that the client prefers if it can be.
    pub async fn download_from(
        &self,
        caller: &Caller,
        id: ImageId,
        range: Option<RequestedRange>,
        preferred: &[String],
    ) -> Result<Download> {
        let mut image = self.readable(caller, id).await?;
        self.prefer(caller, &mut image, preferred).await?;
        if image.locations.is_empty() {
            // A range of nothing is refused all the same.
            match (range, image.size) {
                (Some(range), Some(size)) => range.resolve(size).map(drop)?,
                (Some(range), None) => range.check()?,
                (None, _) => {}
            }
            return Ok(Download {
                image,
                range: None,
                source: Source::Store,
                blob: None,
            });
        }
        // Of an image whose size is not known only all can be had.
        let range = match (range, image.size) {
            (Some(range), Some(size)) => Some(range.resolve(size)?),
            _ => None,
        };
        let (source, blob) = match self.open(&image, range).await {
            Ok((source, blob)) => (source, Some(blob)),
            // Data that is lost is told to clients as data that never came: with an empty answer.
            Err(Error::Store(store::Error::NotFound)) => (Source::Store, None),
            Err(error) => return Err(error),
        };
        Ok(Download {
            image,
            range,
            source,
            blob,
        })
    }

    /// Puts the locations first whose stores are preferred.
    async fn prefer(&self, caller: &Caller, image: &mut Image, preferred: &[String]) -> Result<()> {
        if preferred.is_empty() {
            return Ok(());
        }
        self.permit(caller, image, "download_from_store").await?;
        if !self.config.stores.multi {
            return Err(Error::NoStoreToPrefer);
        }
        if let Some(unknown) = preferred.iter().find(|name| !self.stores.knows(name)) {
            return Err(Error::StoreNotConfigured(unknown.clone()));
        }
        let is_preferred = |location: &Location| {
            let store = location.store();
            preferred.iter().any(|name| Some(name.as_str()) == store)
        };
        image
            .locations
            .sort_by_key(|location| !is_preferred(location));
        Ok(())
    }

    /// The image, where the caller may read its data. That it is deactivated is told first, even to those
    /// whom the policy would not let in either.
    pub async fn readable(&self, caller: &Caller, id: ImageId) -> Result<Image> {
        let image = self.visible(caller, id.as_str()).await?;
        let image = image.ok_or_else(|| Error::NoSuchImage(id.to_string()))?;
        if image.status == Status::Deactivated && !caller.is_admin {
            return Err(Error::Deactivated);
        }
        self.permit(caller, &image, "download_image").await?;
        Ok(image)
    }

    async fn open(&self, image: &Image, range: Option<ByteRange>) -> Result<(Source, Blob)> {
        let store = self.source(image);
        let (answer, mut blob) = match range {
            None => self.open_whole(image, &store).await?,
            Some(range) => self.open_range(image, range, &store).await?,
        };
        let asked = range.map_or(Asked::Whole, |_| Asked::Range);
        blob.size = range.map(|range| range.len()).or(image.size).or(blob.size);
        Ok((
            answer.source(),
            measured(&self.counters, answer, asked, blob),
        ))
    }

    async fn open_whole(&self, image: &Image, store: &StoreSource) -> Result<(Answer, Blob)> {
        let (answer, blob) = match self.lookup(image).await {
            Lookup::Cached(copy) => {
                let copy = copy.repaired_from(Arc::new(store.clone()));
                (Answer::Hit, copy.read(None))
            }
            Lookup::Growing(fill) => {
                self.hasten(image.id);
                (Answer::Follow, fill.read(None))
            }
            Lookup::Missing(claim) => (Answer::Fill, store.fill(claim).await?.read(None)),
            found @ (Lookup::Part(_) | Lookup::Bypass(_)) => {
                let blob = store.read(None, Reader::Client).await?;
                let blob = if self.verifies() {
                    proven(image, blob).map_err(store::Error::Failed)?
                } else {
                    blob
                };
                return Ok((past(&found), blob));
            }
        };
        Ok((answer, resumed(self, image, None, blob)))
    }

    async fn open_range(
        &self,
        image: &Image,
        range: ByteRange,
        store: &StoreSource,
    ) -> Result<(Answer, Blob)> {
        let (answer, blob) = match self.lookup_part(image, range).await {
            Lookup::Cached(copy) => {
                let copy = copy.repaired_from(Arc::new(store.clone()));
                (Answer::Hit, copy.read(Some(range)))
            }
            Lookup::Growing(fill) => {
                self.hasten(image.id);
                (Answer::Follow, fill.read(Some(range)))
            }
            Lookup::Part(part) if part.has(range) => {
                self.consider_filling(image);
                (Answer::Hit, part.read(range, Arc::new(store.clone())))
            }
            Lookup::Part(part) => {
                if part.has_some() || self.fills_on_range(FillOnRange::Always) {
                    self.consider_filling(image);
                }
                match begun(part.read(range, Arc::new(store.clone()))).await {
                    Some(blob) => (Answer::Fetch, blob),
                    None => (Answer::Past, store.read(Some(range), self.reader()).await?),
                }
            }
            // Without a cache clients do not get parts from every store, and rely on being told.
            found @ (Lookup::Missing(_) | Lookup::Bypass(_)) => {
                let blob = store.read(Some(range), self.reader()).await?;
                return Ok((past(&found), blob));
            }
        };
        Ok((answer, resumed(self, image, Some(range), blob)))
    }

    /// What is left of the image, for who reads on where something broke. Who wants all of it brings it in.
    pub(super) async fn open_rest(
        &self,
        image: &Image,
        rest: ByteRange,
        whole: bool,
    ) -> Result<Blob> {
        let store = self.source(image);
        let found = if whole {
            self.lookup(image).await
        } else {
            self.lookup_part(image, rest).await
        };
        Ok(match found {
            Lookup::Cached(copy) => {
                let copy = copy.repaired_from(Arc::new(store));
                copy.read(Some(rest))
            }
            Lookup::Growing(fill) => fill.read(Some(rest)),
            Lookup::Missing(claim) => store.fill(claim).await?.read(Some(rest)),
            Lookup::Part(part) => part.read(rest, Arc::new(store)),
            Lookup::Bypass(_) => return self.rest_past_cache(image, rest, whole).await,
        })
    }

    /// What is left of the image, from its stores. Who wants all of it gets the end only where all is right: it is
    /// read from its beginning for that.
    pub(super) async fn rest_past_cache(
        &self,
        image: &Image,
        rest: ByteRange,
        whole: bool,
    ) -> Result<Blob> {
        let store = self.source(image);
        if !whole || image.checksums.proof().is_none() {
            return Ok(store.read(Some(rest), Reader::Service).await?);
        }
        let all = store.read(None, Reader::Service).await?;
        let all = proven(image, all).map_err(store::Error::Failed)?;
        let mut before = rest.start;
        let bytes = all.bytes.map_ok(move |mut bytes| {
            let skipped = usize::try_from(before).map_or(bytes.len(), |skip| skip.min(bytes.len()));
            before -= skipped as u64;
            bytes.split_off(skipped)
        });
        Ok(Blob {
            size: Some(rest.len()),
            bytes: Box::pin(bytes.try_filter(|bytes| ready(!bytes.is_empty()))),
        })
    }

    /// For whom the store is read: this node can read on to a part where the store gives none.
    fn reader(&self) -> Reader {
        match self.caching() {
            Some(_) => Reader::Service,
            None => Reader::Client,
        }
    }

    /// The data of an image in its stores.
    pub(super) fn source(&self, image: &Image) -> StoreSource {
        StoreSource::new(
            &self.stores,
            image,
            self.config.stores.patience,
            &self.counters,
            self.peers_for(image),
        )
    }

    /// The cache, where requests go through it.
    pub(super) fn caching(&self) -> Option<&Cache> {
        let cache = self.cache.as_ref();
        cache.filter(|_| self.config.pipeline.caches())
    }

    /// Whether nobody is to get a wrong image from this node.
    fn verifies(&self) -> bool {
        let config = self
            .config
            .cache
            .as_ref()
            .filter(|_| self.caching().is_some());
        config.is_some_and(|config| config.verify != Verify::Off)
    }

    /// What this node has of the image, for who wants all of it.
    async fn lookup(&self, image: &Image) -> Lookup {
        match self.caching() {
            Some(cache) => {
                self.tell_life(cache, image);
                cache.lookup(image.id, &expected(image)).await
            }
            None => Lookup::Bypass(Past::NoCache),
        }
    }

    /// What this node has of a part of the image.
    async fn lookup_part(&self, image: &Image, range: ByteRange) -> Lookup {
        match self.caching() {
            Some(cache) => cache.lookup_part(image.id, &expected(image), range).await,
            None => Lookup::Bypass(Past::NoCache),
        }
    }

    fn fills_on_range(&self, when: FillOnRange) -> bool {
        let config = self.config.cache.as_ref();
        config.is_some_and(|config| config.fill_on_range == when)
    }

    /// Brings an image in of which a part was asked for, where that is wanted.
    fn consider_filling(&self, image: &Image) {
        if self.fills_on_range(FillOnRange::Never) {
            return;
        }
        let (glance, image) = (self.clone(), image.clone());
        tokio::spawn(async move {
            if let Lookup::Missing(claim) = glance.lookup(&image).await
                && let Err(error) = glance.source(&image).fill(claim).await
            {
                tracing::warn!(image.id = %image.id, "image {} is not brought in: {error}", image.id);
            }
        });
    }
}

/// An answer past the cache, or where there is none.
fn past(found: &Lookup) -> Answer {
    match found {
        Lookup::Bypass(Past::NoCache) => Answer::NoCache,
        _ => Answer::Past,
    }
}

/// What the record says of the data.
pub(super) fn expected(image: &Image) -> Expected {
    Expected {
        size: image.size,
        checksums: image.checksums.clone(),
    }
}

/// The data, once its first bytes have come. None where they cannot be had this way.
async fn begun(mut blob: Blob) -> Option<Blob> {
    let first = blob.bytes.next().await?.ok()?;
    let first = stream::once(ready(Ok(first)));
    Some(Blob {
        size: blob.size,
        bytes: Box::pin(first.chain(blob.bytes)),
    })
}
