//! A store that is configured and that this build cannot use.

use async_trait::async_trait;

use super::{Error, Result, Store, Stored};
use crate::domain::{ImageId, Location};
use crate::stream::{Blob, ByteRange, ByteStream};

/// Stands where a store should be whose driver is not part of this build, so that the others can be used and
/// this one is named in errors.
#[derive(Debug)]
pub(super) struct Absent(pub(super) String);

#[async_trait]
impl Store for Absent {
    async fn put(&self, _: ImageId, _: ByteStream, _: Option<u64>) -> Result<Stored> {
        let driver = &self.0;
        Err(Error::Unavailable(format!(
            "this build has no driver {driver:?}"
        )))
    }

    async fn get(&self, location: &Location, _: Option<ByteRange>) -> Result<Blob> {
        Err(unknown_scheme(location))
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        Err(unknown_scheme(location))
    }

    async fn delete(&self, location: &Location) -> Result<()> {
        Err(unknown_scheme(location))
    }

    fn offers_parts(&self) -> bool {
        true
    }
}

fn unknown_scheme(location: &Location) -> Error {
    Error::UnknownScheme(location.scheme().to_owned())
}
