//! Where the commands are carried out: at a running glance-api, or in a cache directory.

use tokio::runtime::{self, Runtime};

use super::Options;
use crate::cache::Directory;
use crate::cli::{Error, Result, directory};
use crate::client::{self, CacheState, CachedImage, ImageApi};
use crate::domain::ImageId;
use crate::domain::report::{Overview, Pins, Profile};

/// Where the commands are carried out.
#[derive(Debug)]
pub enum Place {
    Api {
        api: Box<ImageApi>,
        runtime: Runtime,
    },
    Directory(Box<Directory>),
}

impl Place {
    pub fn open(options: &Options) -> Result<Self> {
        match &options.cache_dir {
            Some(path) => Ok(Self::Directory(Box::new(directory::at(path)?))),
            None => Ok(Self::Api {
                api: Box::new(options.reach.api()?),
                runtime: runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(Error::Runtime)?,
            }),
        }
    }

    /// Where that is, for people.
    pub fn name(&self) -> String {
        match self {
            Self::Api { api, .. } => api.address().to_string(),
            Self::Directory(directory) => directory.root().display().to_string(),
        }
    }

    pub fn cached(&self) -> Result<Vec<CachedImage>> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.cached())?),
            Self::Directory(directory) => Ok(directory::state(directory)?.cached_images),
        }
    }

    pub fn queued(&self) -> Result<Vec<String>> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.queued())?),
            Self::Directory(directory) => Ok(directory::state(directory)?.queued_images),
        }
    }

    pub fn state(&self) -> Result<CacheState> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.state())?),
            Self::Directory(directory) => directory::state(directory),
        }
    }

    /// How the node does. Of a directory alone it is not known what downloads found.
    pub fn overview(&self) -> Result<Overview> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.overview())?),
            Self::Directory(directory) => directory::overview(directory),
        }
    }

    /// Everything that the node knows of an image.
    pub fn profile(&self, id: ImageId) -> Result<Profile> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.profile(id))?),
            Self::Directory(directory) => Ok(directory.profile(id)?),
        }
    }

    /// Refuses an image that no patience would see cached, as far as that can be known here.
    pub fn expect_fetchable(&self, id: ImageId) -> Result<()> {
        let Self::Api { api, runtime } = self else {
            return Ok(());
        };
        fetchable(runtime.block_on(api.status(id)))
    }

    pub fn queue(&self, id: ImageId) -> Result<()> {
        match self {
            Self::Api { api, runtime } => runtime.block_on(api.queue(id))?,
            Self::Directory(directory) => drop(directory.queue(id)?),
        }
        Ok(())
    }

    pub fn evict(&self, id: ImageId) -> Result<()> {
        match self {
            Self::Api { api, runtime } => runtime.block_on(api.evict(id))?,
            Self::Directory(directory) => drop(directory.evict(id)?),
        }
        Ok(())
    }

    pub fn evict_all(&self) -> Result<u64> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.evict_all())?),
            Self::Directory(directory) => Ok(directory.clear()?),
        }
    }

    pub fn pinned(&self) -> Result<Pins> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.pinned())?),
            Self::Directory(directory) => Ok(directory.pinned()?),
        }
    }

    pub fn pin(&self, id: ImageId, reason: &str) -> Result<()> {
        match self {
            Self::Api { api, runtime } => match runtime.block_on(api.pin(id, reason)) {
                // An API without the call names no image.
                Err(client::Error::NotFound { sentence, .. }) if sentence.contains(id.as_str()) => {
                    return Err(Error::NoSuchImage(id));
                }
                pinned => pinned?,
            },
            Self::Directory(directory) => drop(directory.pin(id, reason)?),
        }
        Ok(())
    }

    pub fn unpin(&self, id: ImageId) -> Result<()> {
        match self {
            Self::Api { api, runtime } => runtime.block_on(api.unpin(id))?,
            Self::Directory(directory) => drop(directory.unpin(id)?),
        }
        Ok(())
    }

    /// The images that a query finds: a directory knows nothing of them but their ids.
    pub fn find(&self, query: &[(String, String)]) -> Result<Vec<String>> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.find(query))?),
            Self::Directory(_) => Err(Error::Options(
                "Tags and properties are known to the API alone: name the images by their IDs"
                    .into(),
            )),
        }
    }

    pub fn unqueue(&self, id: ImageId) -> Result<()> {
        match self {
            Self::Api { api, runtime } => runtime.block_on(api.unqueue(id))?,
            Self::Directory(directory) => drop(directory.unqueue(id)?),
        }
        Ok(())
    }

    pub fn unqueue_all(&self) -> Result<u64> {
        match self {
            Self::Api { api, runtime } => Ok(runtime.block_on(api.unqueue_all())?),
            Self::Directory(directory) => Ok(directory.unqueue_all()?),
        }
    }
}

/// Refuses what is not active.
pub(super) fn fetchable(status: client::Result<String>) -> Result<()> {
    match status {
        Ok(status) if status == "active" => Ok(()),
        Ok(status) => Err(Error::Unfetchable(format!("it is {status}, not active"))),
        Err(client::Error::NotFound { sentence, .. }) => Err(Error::Unfetchable(sentence)),
        Err(error) => Err(error.into()),
    }
}
