//! Opening an image's data, from this node's cache as far as it can.

use super::{Glance, Result};
use crate::domain::{Caller, Image, ImageId};
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

#[expect(unused_variables, reason = "outline")]
impl Glance {
    /// Opens an image's data, from this node's cache as far as it can. State and policy are asked here,
    /// before the cache, for every byte.
    pub async fn download(
        &self,
        caller: &Caller,
        id: ImageId,
        range: Option<RequestedRange>,
    ) -> Result<Download> {
        todo!()
    }
}
