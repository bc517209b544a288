//! Image data: in, out, and what becomes of an image where either fails.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use glance::domain::{ImageId, Status};
use glance::ops::download::{RequestedRange, Source};
use glance::ops::range::RangeError;
use glance::ops::{Error, Glance};
use glance::stream::ByteStream;

use super::{administrator, eventually, image, service, stored};

fn stream_of(parts: &[&'static [u8]]) -> ByteStream {
    let parts: Vec<io::Result<Bytes>> = parts
        .iter()
        .map(|part| Ok(Bytes::from_static(part)))
        .collect();
    Box::pin(stream::iter(parts))
}

/// Begins well and never goes on.
fn stalled() -> ByteStream {
    Box::pin(stream_of(&[b"begin"]).chain(stream::pending()))
}

async fn status(glance: &Glance, id: ImageId) -> Status {
    glance.db.image(id).await.unwrap().unwrap().status
}

async fn read(glance: &Glance, id: ImageId, range: Option<RequestedRange>) -> Vec<u8> {
    let download = glance.download(&administrator(), id, range).await.unwrap();
    assert_eq!(download.source, Source::Store);
    let blob = download.blob.unwrap();
    let parts: Vec<Bytes> = blob.bytes.try_collect().await.unwrap();
    assert_eq!(blob.size, Some(parts.concat().len() as u64));
    parts.concat()
}

#[tokio::test]
async fn what_was_uploaded_can_be_downloaded() {
    let dir = tempfile::tempdir().unwrap();
    let glance = service(dir.path()).await;
    let id = image(&glance, "raw").await;
    let bytes = stream_of(&[b"image ", b"data"]);
    glance
        .upload(&administrator(), id, bytes, Some(10))
        .await
        .unwrap();

    let image = glance.db.image(id).await.unwrap().unwrap();
    assert_eq!(image.status, Status::Active);
    assert_eq!((image.size, image.virtual_size), (Some(10), Some(10)));
    assert_eq!(
        image.checksums.md5.as_deref(),
        Some("e09a574ca3760a3e28a3e5920fe4627e")
    );
    assert_eq!(image.locations.len(), 1);
    assert_eq!(read(&glance, id, None).await, b"image data");
    let part = RequestedRange::FromTo(6, Some(7));
    assert_eq!(read(&glance, id, Some(part)).await, b"da");
}

#[tokio::test]
async fn a_range_that_is_none_is_refused_after_the_image_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let glance = service(dir.path()).await;
    let id = image(&glance, "raw").await;
    let wrong = Some(RequestedRange::Refused(RangeError::Invalid));
    let queued = glance.download(&administrator(), id, wrong).await;
    assert!(
        matches!(queued, Err(Error::Range(RangeError::Invalid))),
        "{queued:?}"
    );
    let unknown = glance
        .download(&administrator(), ImageId::random(), wrong)
        .await;
    assert!(matches!(unknown, Err(Error::NoSuchImage(_))), "{unknown:?}");

    let bytes = stream_of(&[b"bytes"]);
    glance
        .upload(&administrator(), id, bytes, None)
        .await
        .unwrap();
    let refused = glance.download(&administrator(), id, wrong).await;
    assert!(
        matches!(refused, Err(Error::Range(RangeError::Invalid))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_second_upload_is_refused_with_the_state_of_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let glance = service(dir.path()).await;
    let id = image(&glance, "raw").await;
    let bytes = stream_of(&[b"bytes"]);
    glance
        .upload(&administrator(), id, bytes, None)
        .await
        .unwrap();
    let bytes = stream_of(&[b"others"]);
    let refused = glance
        .upload(&administrator(), id, bytes, None)
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Image status transition from active to saving is not allowed"
    );
    assert_eq!(read(&glance, id, None).await, b"bytes");
}

#[tokio::test]
async fn an_upload_that_is_refused_leaves_the_image_queued_and_no_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let glance = service(dir.path()).await;
    let large: &'static [u8] = vec![7; 1_000_001].leak();
    for (disk_format, parts, size) in [
        ("raw", vec![large], None),
        ("raw", vec![&b"bytes"[..]], Some(6)),
        ("raw", vec![b"bytes"], Some(4)),
        ("qcow2", vec![b"bytes"], None),
    ] {
        let id = image(&glance, disk_format).await;
        let uploaded = glance
            .upload(&administrator(), id, stream_of(&parts), size)
            .await;
        assert!(uploaded.is_err(), "{disk_format} {size:?}");
        assert_eq!(status(&glance, id).await, Status::Queued);
        assert_eq!(stored(dir.path()), 0);
    }
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_the_image_queued_and_no_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let glance = service(dir.path()).await;
    let id = image(&glance, "raw").await;
    let uploading = glance.clone();
    let upload = tokio::spawn(async move {
        uploading
            .upload(&administrator(), id, stalled(), None)
            .await
    });
    eventually(async || stored(dir.path()) == 1).await;
    assert_eq!(status(&glance, id).await, Status::Saving);
    upload.abort();

    eventually(async || status(&glance, id).await == Status::Queued && stored(dir.path()) == 0)
        .await;
    let bytes = stream_of(&[b"bytes"]);
    glance
        .upload(&administrator(), id, bytes, None)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_image_that_is_deleted_during_its_upload_leaves_no_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let glance = service(dir.path()).await;
    let id = image(&glance, "raw").await;
    let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
    let rest = stream::once(async move {
        wait.await.map_err(io::Error::other)?;
        Ok(Bytes::from_static(b"end"))
    });
    let bytes: ByteStream = Box::pin(stream_of(&[b"begin"]).chain(rest));
    let uploading = glance.clone();
    let upload =
        tokio::spawn(async move { uploading.upload(&administrator(), id, bytes, None).await });
    eventually(async || stored(dir.path()) == 1).await;
    glance
        .db
        .delete_image(id, glance.clock.now())
        .await
        .unwrap();
    go_on.send(()).unwrap();

    let refused = upload.await.unwrap();
    assert!(
        matches!(refused, Err(Error::DeletedMeanwhile(_))),
        "{refused:?}"
    );
    eventually(async || stored(dir.path()) == 0).await;
}
