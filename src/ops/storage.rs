//! How much data a project may keep: `user_storage_quota`.
//!
//! It is asked about before an upload with what the client declares, held to while the data comes, and asked
//! about once more at the end, for other uploads of the project go on at the same time.

use std::io;

use futures_util::{StreamExt as _, stream};

use super::{Error, Glance, Result};
use crate::domain::{Caller, ImageId};
use crate::stream::ByteStream;

/// How far data beyond the quota is counted, for the client to hear how much it was.
const COUNTED: u64 = 64 << 20;

/// What a project may still add, where there is a limit.
#[derive(Debug)]
pub(super) struct Room {
    owner: Option<String>,
    image: ImageId,
    quota: u64,
    used: u64,
}

impl Glance {
    /// The room for an image's data, `size` bytes of it as far as is known. None where there is no limit.
    pub(super) async fn storage_room(
        &self,
        caller: &Caller,
        image: ImageId,
        size: Option<i64>,
    ) -> Result<Option<Room>> {
        let quota = self.image_rules().user_storage_quota;
        if quota == 0 {
            return Ok(None);
        }
        let owner = caller.project_id.clone();
        let used = self.db.stored_bytes(owner.as_deref(), image).await?;
        let room = Room {
            owner,
            image,
            quota,
            used,
        };
        room.check(size)?;
        Ok(Some(room))
    }
}

impl Room {
    /// Bytes; below zero where more is kept than is allowed today.
    pub(super) fn left(&self) -> i64 {
        let left = i128::from(self.quota) - i128::from(self.used);
        i64::try_from(left).unwrap_or(i64::MAX)
    }

    /// Whether the image fits into what is left now that all of it has come.
    pub(super) async fn check_again(mut self, glance: &Glance, size: u64) -> Result<()> {
        let used = glance.db.stored_bytes(self.owner.as_deref(), self.image);
        self.used = used.await?;
        self.check(Some(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    /// Data of which nothing is known fits as long as anything does.
    fn check(&self, size: Option<i64>) -> Result<()> {
        let left = self.left();
        let fits = match size {
            Some(size) => size <= left,
            None => left > 0,
        };
        if fits {
            Ok(())
        } else {
            Err(Error::StorageQuota { size, left })
        }
    }
}

/// The stream, as long as it has at most `left` bytes. What comes beyond them is counted and thrown away.
pub(super) fn within(bytes: ByteStream, left: i64) -> ByteStream {
    let room = u64::try_from(left).unwrap_or(0);
    let within = stream::try_unfold((bytes, 0u64), move |(mut bytes, mut seen)| async move {
        let Some(chunk) = bytes.next().await.transpose()? else {
            return Ok(None);
        };
        seen = seen.saturating_add(chunk.len() as u64);
        if seen <= room {
            return Ok(Some((chunk, (bytes, seen))));
        }
        while seen <= room.saturating_add(COUNTED)
            && let Some(more) = bytes.next().await.transpose()?
        {
            seen = seen.saturating_add(more.len() as u64);
        }
        let size = Some(i64::try_from(seen).unwrap_or(i64::MAX));
        Err(io::Error::other(Error::StorageQuota { size, left }))
    });
    Box::pin(within)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::TryStreamExt as _;

    use super::*;

    fn room(quota: u64, used: u64) -> Room {
        Room {
            owner: None,
            image: ImageId::random(),
            quota,
            used,
        }
    }

    #[test]
    fn what_fills_the_quota_just_fits() {
        assert!(room(100, 60).check(Some(40)).is_ok());
        let refused = room(100, 60).check(Some(41)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Image exceeds the storage quota: The size of the data 41 will exceed the limit. 40 bytes \
             remaining."
        );
    }

    #[test]
    fn data_of_unknown_size_fits_as_long_as_anything_does() {
        assert!(room(100, 99).check(None).is_ok());
        assert!(room(100, 100).check(None).is_err());
        assert_eq!(room(100, 130).left(), -30);
    }

    #[tokio::test]
    async fn the_stream_ends_where_the_room_does_and_says_how_much_came() {
        let parts = |lens: &[usize]| -> ByteStream {
            let parts: Vec<io::Result<Bytes>> =
                lens.iter().map(|len| Ok(vec![7; *len].into())).collect();
            Box::pin(stream::iter(parts))
        };
        let fits: Vec<Bytes> = within(parts(&[40, 60]), 100).try_collect().await.unwrap();
        assert_eq!(fits.concat().len(), 100);

        let mut stream = within(parts(&[40, 61, 50]), 100);
        assert_eq!(stream.next().await.unwrap().unwrap().len(), 40);
        let refused = stream.next().await.unwrap().unwrap_err();
        assert!(
            refused.to_string().contains("the data 151 will"),
            "{refused}"
        );
        assert!(stream.next().await.is_none());
    }
}
