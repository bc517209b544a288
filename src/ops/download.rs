//! Opening an image's data, from this node's cache as far as it can.

use super::resume::resumed;
use super::{Error, Glance, Result};
use crate::cache::{Expected, Lookup, Past};
use crate::domain::{Caller, Image, ImageId, Location, Status};
use crate::store;
use crate::stream::{Blob, ByteRange};

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
        self.prefer(caller, &mut image, preferred)?;
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
    fn prefer(&self, caller: &Caller, image: &mut Image, preferred: &[String]) -> Result<()> {
        if preferred.is_empty() {
            return Ok(());
        }
        self.permit(caller, image, "download_from_store")?;
        if !self.config.stores.multi {
            return Err(Error::NoStoreToPrefer);
        }
        if let Some(unknown) = preferred.iter().find(|name| !self.stores.has(name)) {
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
        self.permit(caller, &image, "download_image")?;
        Ok(image)
    }

    async fn open(&self, image: &Image, range: Option<ByteRange>) -> Result<(Source, Blob)> {
        let (source, mut blob) = match (self.look(image, range.is_none()).await, range) {
            (Lookup::Cached(copy), _) => (Source::Cache, copy.read(range)),
            (Lookup::Growing(fill), _) => {
                let blob = resumed(self, image, range, fill.read(range));
                (Source::Along, blob)
            }
            (Lookup::Missing(claim), None) => {
                let fill = claim.fill_from(self.stores.read(image, None).await?);
                let blob = resumed(self, image, None, fill.read(None));
                (Source::Along, blob)
            }
            // A part is no reason to bring in the whole.
            (Lookup::Missing(_), Some(_)) | (Lookup::Bypass(_), _) => {
                let blob = self.stores.read_for_client(image, range).await?;
                (Source::Store, blob)
            }
        };
        blob.size = range.map(|range| range.len()).or(image.size).or(blob.size);
        Ok((source, blob))
    }

    /// A part of the image as it can be had now, without starting anything.
    pub(super) async fn open_part(&self, image: &Image, range: ByteRange) -> Result<Blob> {
        Ok(match self.look(image, false).await {
            Lookup::Cached(copy) => copy.read(Some(range)),
            Lookup::Growing(fill) => fill.read(Some(range)),
            Lookup::Missing(_) | Lookup::Bypass(_) => self.stores.read(image, Some(range)).await?,
        })
    }

    /// What this node has of the image. Only who wants all of it may bring it in.
    async fn look(&self, image: &Image, whole: bool) -> Lookup {
        let cache = self.cache.as_ref();
        let Some(cache) = cache.filter(|_| self.config.pipeline.caches()) else {
            return Lookup::Bypass(Past::NoCache);
        };
        let expected = Expected {
            size: image.size,
            checksums: image.checksums.clone(),
        };
        if whole {
            cache.lookup(image.id, &expected).await
        } else {
            cache.peek(image.id, &expected).await
        }
    }
}
