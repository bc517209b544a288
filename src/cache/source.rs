//! Where the cache gets bytes from that are not here. It knows nothing of stores: whoever asks for an image
//! says where its data is.

use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use super::claim::Need;
use crate::stream::{Blob, ByteRange};

/// The data of one image, besides what the cache has of it.
#[async_trait]
pub trait Source: Send + Sync {
    /// Opens all of the data, or the `range` of it.
    async fn open(&self, range: Option<ByteRange>) -> io::Result<Blob>;

    /// What came of it turned out not to be the image's.
    fn disproved(&self) {}
}

/// What a fill is made from.
pub struct Supply {
    /// The claim has said that it needs this first, see [`super::Claim::need`].
    pub need: Need,
    /// The data of that.
    pub first: Option<Blob>,
    /// The store that the data of that comes from, by its name.
    pub store: Option<String>,
    /// Where more can be had; none where there is no more.
    pub source: Option<Arc<dyn Source>>,
}

impl From<Blob> for Supply {
    /// All there is of the image.
    fn from(blob: Blob) -> Self {
        Self {
            need: Need::All,
            first: Some(blob),
            store: None,
            source: None,
        }
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supply")
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}

impl Supply {
    /// Opens what is needed next.
    pub(super) async fn open(&mut self, range: Option<ByteRange>) -> io::Result<Blob> {
        let wanted = range.map_or(Need::All, Need::Part);
        // Spans that went bad may be needed before.
        match (self.first.take_if(|_| self.need == wanted), &self.source) {
            (Some(first), _) => Ok(first),
            (None, Some(source)) => source.open(range).await,
            (None, None) => Err(io::Error::other("there is no more of it")),
        }
    }
}
