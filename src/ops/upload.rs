//! Taking an image's data in.
//!
//! From the first byte to the last the image is `saving`, and [`Intake`] stands for that: whichever way an
//! upload ends, and be it that the client is gone and nobody awaits it any more, the image is `active` with
//! its data or `queued` without. Steps that must not be left half done run on tasks of their own.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::access::{may_write, owns};
use super::format::{Rules, inspected};
use super::hashing::hashed;
use super::intake::{Intake, detached};
use super::limits::Kind;
use super::resource::Resource;
use super::room::Wish;
use super::{Error, Glance, Result};
use crate::db::{self, NewData};
use crate::domain::checksum::{Checksums, HashAlgorithm, SecureHash};
use crate::domain::{Caller, Image, ImageId, Status};
use crate::store::{self, Store};
use crate::stream::ByteStream;

impl Glance {
    /// Takes an image's data in: `queued` becomes `saving`, then `active`, or `queued` again where it fails.
    /// `size` is what the client declared, 0 where it is not known; a negative one fits no data.
    pub async fn upload(
        &self,
        caller: &Caller,
        id: ImageId,
        bytes: ByteStream,
        size: Option<i64>,
    ) -> Result<()> {
        self.upload_to(caller, id, bytes, size, None).await
    }

    /// The same into the store of that name, at sites where stores have names.
    pub async fn upload_to(
        &self,
        caller: &Caller,
        id: ImageId,
        bytes: ByteStream,
        size: Option<i64>,
        store: Option<&str>,
    ) -> Result<()> {
        may_write(caller)?;
        self.check_limit(caller, Resource::SizeTotal, size).await?;
        let store = self.store_for_upload(store).await?;
        let image = self.authorized(caller, id, "upload_image").await?;
        if self.policy.asks_for_owners() {
            owns(caller, &image).map_err(|_| Error::UploadNotYours(id))?;
        }
        if !image.status.can_become(Status::Saving) {
            return Err(Error::StatusTransition {
                from: image.status,
                to: Status::Saving,
            });
        }
        formats_are_known(&image)?;
        owns(caller, &image).map_err(|_| Error::UploadNotYours(id))?;
        let wish = self.wish(caller, Kind::Stored, size).await?;
        let saving = Intake::begin(self, id, Status::Saving, wish).await;
        let mut saving = saving.map_err(|error| self.refused(caller, error))?;
        match saving.receive(&image, store, bytes, size).await {
            Ok(data) => detached(saving.activate(data)).await,
            Err(error) => {
                detached(saving.undo()).await?;
                Err(self.refused(caller, error))
            }
        }
    }
}

impl Glance {
    /// The room to hold for data of a declared size, or of one that is not known.
    pub(super) async fn wish(
        &self,
        caller: &Caller,
        kind: Kind,
        size: Option<i64>,
    ) -> Result<Option<Wish>> {
        let ask = size.filter(|size| *size != 0).into();
        let quota = self.quota(caller, kind).await?;
        Ok(quota.map(|quota| Wish { quota, kind, ask }))
    }

    /// Where data is to be sent.
    async fn store_for_upload(&self, name: Option<&str>) -> Result<Arc<dyn Store>> {
        let name = name.filter(|_| self.config.stores.multi);
        let Some(name) = name else {
            return Ok(self.stores.default_store().1);
        };
        let store = self.stores.get_or_reserved(name).await?;
        store.ok_or_else(|| Error::UnknownStore(name.to_owned()))
    }
}

impl Intake {
    /// Hands the data to the store, and says what it was.
    async fn receive(
        &mut self,
        image: &Image,
        store: Arc<dyn Store>,
        bytes: ByteStream,
        size: Option<i64>,
    ) -> Result<NewData> {
        let config = self.glance.image_rules();
        let size = size.filter(|size| *size != 0);
        let mut bytes = limited(bytes, config.size_cap, size);
        if let Some(room) = &self.room {
            bytes = room.around(bytes);
        }
        let (bytes, inspection) = inspected(bytes);
        let (bytes, digests) =
            hashed(bytes, [HashAlgorithm::Md5, config.hash]).map_err(store::Error::Failed)?;

        let declared = size.and_then(|size| u64::try_from(size).ok());
        let stored = store.put(self.id, bytes, declared).await.map_err(refusal)?;
        let (location, size) = (stored.location.clone(), stored.size);
        self.stored = Some((store, stored));

        if let Some(room) = &self.room {
            room.confirm(size).await?;
        }

        let [md5, value] = digests.finish().await.map_err(store::Error::Failed)?;
        let algorithm = config.hash;
        let checksums = Checksums {
            md5: Some(md5),
            secure: Some(SecureHash { algorithm, value }),
            announced: None,
        };
        // What is inside a container is for those who unpack it.
        let virtual_size = if image.container_format.as_deref() == Some("bare") {
            let rules = Rules {
                enforced: config.require_format_match,
                gpt_nonfatal: &config.gpt_nonfatal,
            };
            match inspection.judge(image, size, rules) {
                Ok(virtual_size) => virtual_size,
                Err(refused) => {
                    // As in the original, its hashes tell which data was refused.
                    let now = self.glance.clock.now();
                    let noted = self.glance.db.note_checksums(self.id, &checksums, now);
                    noted.await?;
                    return Err(refused.into());
                }
            }
        } else {
            None
        };
        Ok(NewData {
            size,
            virtual_size,
            checksums,
            locations: vec![location],
        })
    }

    /// Makes the image active with its data.
    async fn activate(mut self, data: NewData) -> Result<()> {
        let now = self.glance.clock.now();
        let active = self.glance.db.activate_image(self.id, &data, now).await;
        if let Err(error) = active {
            let id = self.id;
            self.undo().await?;
            return Err(match error {
                db::Error::Gone(_) | db::Error::Conflict { .. } => Error::DeletedMeanwhile(id),
                other => other.into(),
            });
        }
        self.settle().await;
        self.glance.arrived();
        Ok(())
    }
}

/// Nobody could read data of an unknown format.
fn formats_are_known(image: &Image) -> Result<()> {
    let missing = match (&image.disk_format, &image.container_format) {
        (None, None) => "Properties disk_format, container_format",
        (None, Some(_)) => "Property disk_format",
        (Some(_), None) => "Property container_format",
        (Some(_), Some(_)) => return Ok(()),
    };
    Err(Error::FormatsMissing(missing))
}

/// What the original counts in: it says how far it had read when it found that there was too much.
const BLOCK: u64 = 64 * 1024;

/// The stream, as long as it has at most `cap` bytes and neither more nor less than was declared.
pub(super) fn limited(bytes: ByteStream, cap: u64, declared: Option<i64>) -> ByteStream {
    let limited = stream::try_unfold((bytes, 0u64), move |(mut bytes, mut seen)| async move {
        let chunk = bytes.next().await.transpose()?;
        seen += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if seen > cap {
            return Err(std::io::Error::other(Error::TooLarge));
        }
        if let Some(expected) = declared {
            let allowed = u64::try_from(expected).unwrap_or(0);
            if seen > allowed {
                let end = (allowed / BLOCK + 1) * BLOCK;
                while seen < end
                    && let Some(Ok(more)) = bytes.next().await
                {
                    seen += more.len() as u64;
                }
                let got = seen.min(end);
                return Err(std::io::Error::other(Error::SizeExceeds { expected, got }));
            }
            if chunk.is_none() && i128::from(seen) != i128::from(expected) {
                let got = seen;
                return Err(std::io::Error::other(Error::SizeMismatch { expected, got }));
            }
        }
        Ok(chunk.map(|chunk| (chunk, (bytes, seen))))
    });
    Box::pin(limited)
}

/// What a store's refusal to take data means to the one who sends it.
pub(super) fn refusal(error: store::Error) -> Error {
    match error {
        store::Error::Source(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            Error::SlowUpload
        }
        store::Error::Source(error) => error
            .downcast::<Error>()
            .unwrap_or_else(Error::BrokenUpload),
        error @ store::Error::Full => Error::StoreFull(error),
        error @ store::Error::Denied(_) => Error::StoreDenied(error),
        error @ store::Error::ReadOnly => Error::StoreReadOnly(error),
        other => Error::Store(other),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::Bytes;
    use futures_util::TryStreamExt as _;

    use super::*;

    /// What becomes of parts of these sizes.
    async fn limits(parts: &[usize], cap: u64, declared: Option<i64>) -> Result<usize> {
        let parts: Vec<io::Result<Bytes>> =
            parts.iter().map(|len| Ok(vec![7; *len].into())).collect();
        let stream = limited(Box::pin(stream::iter(parts)), cap, declared);
        match stream.try_collect::<Vec<Bytes>>().await {
            Ok(parts) => Ok(parts.concat().len()),
            Err(error) => Err(refusal(store::Error::Source(error))),
        }
    }

    #[tokio::test]
    async fn data_up_to_the_cap_passes() {
        assert_eq!(limits(&[40, 60], 100, None).await.unwrap(), 100);
        assert_eq!(limits(&[], 100, None).await.unwrap(), 0);
        assert!(matches!(
            limits(&[40, 61], 100, None).await,
            Err(Error::TooLarge)
        ));
    }

    #[tokio::test]
    async fn data_of_the_declared_size_passes() {
        assert_eq!(limits(&[40, 60], 1000, Some(100)).await.unwrap(), 100);
    }

    #[tokio::test]
    async fn less_than_declared_is_refused_with_both_sizes() {
        let refused = limits(&[250, 250], 1000, Some(600)).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Size mismatch: expected 600 bytes, got 500 bytes"
        );
    }

    #[tokio::test]
    async fn more_than_declared_is_refused_with_what_the_original_would_have_read() {
        for (parts, declared, told) in [
            (&[250, 250][..], 400, "expected 400 bytes, got 500 bytes"),
            (&[401, 99], 400, "expected 400 bytes, got 500 bytes"),
            (&[500], -1, "expected -1 bytes, got 500 bytes"),
            (
                &[70_000, 70_000],
                400,
                "expected 400 bytes, got 65536 bytes",
            ),
        ] {
            let refused = limits(parts, 1_000_000, Some(declared)).await.unwrap_err();
            assert_eq!(refused.to_string(), format!("Size exceeds: {told}"));
        }
    }

    #[tokio::test]
    async fn a_client_that_breaks_off_is_told_apart_from_a_broken_store() {
        let broken = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(
            refusal(store::Error::Source(broken)),
            Error::BrokenUpload(_)
        ));
        let slow = io::Error::from(io::ErrorKind::TimedOut);
        assert!(matches!(
            refusal(store::Error::Source(slow)),
            Error::SlowUpload
        ));
        assert!(matches!(refusal(store::Error::Full), Error::StoreFull(_)));
    }
}
