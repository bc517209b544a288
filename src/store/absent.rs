//! A store that is configured and that this build cannot use, or not for that.

use async_trait::async_trait;

use super::{Error, Result, Store};
use crate::domain::{ImageId, Location};
use crate::stream::{Blob, ByteRange, ByteStream};

/// Stands where a store should be, so that the others can be used and this one is named in errors.
#[derive(Debug)]
pub(super) enum Absent {
    /// Its driver only reads.
    ReadOnly,
    /// Its driver is not part of this build.
    Driver(String),
}

#[async_trait]
impl Store for Absent {
    async fn put(&self, _: ImageId, _: ByteStream, _: Option<u64>) -> Result<(Location, u64)> {
        Err(match self {
            Absent::ReadOnly => Error::ReadOnly,
            Absent::Driver(driver) => {
                Error::Unavailable(format!("this build has no driver {driver:?}"))
            }
        })
    }

    async fn get(&self, location: &Location, _: Option<ByteRange>) -> Result<Blob> {
        Err(unknown_scheme(location))
    }

    async fn delete(&self, location: &Location) -> Result<()> {
        Err(match self {
            Absent::ReadOnly => Error::ReadOnly,
            Absent::Driver(_) => unknown_scheme(location),
        })
    }
}

fn unknown_scheme(location: &Location) -> Error {
    Error::UnknownScheme(location.scheme().to_owned())
}
