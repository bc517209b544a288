//! One function per promise: what `ops` relies on, whichever store it is.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use glance::domain::{ImageId, Location};
use glance::store::{Error, Store};
use glance::stream::{ByteRange, ByteStream};

use super::{broken_stream, contents, eventually, pattern, stream_of};

/// Longer than any buffer on the way.
const LONG: usize = 3_000_017;

async fn put(store: &dyn Store, id: ImageId, bytes: &[u8]) -> Location {
    let size = Some(bytes.len() as u64);
    let stored = store.put(id, stream_of(bytes), size).await.unwrap();
    assert_eq!(stored.size, bytes.len() as u64);
    let location = stored.location.clone();
    stored.settle().await;
    location
}

pub async fn what_was_put_comes_back(store: &dyn Store) {
    let bytes = pattern(LONG);
    let location = put(store, ImageId::random(), &bytes).await;
    let again = Location::active(location.url.clone(), location.metadata.clone());
    assert_eq!(location, again);
    let blob = store.get(&again, None).await.unwrap();
    assert!(contents(blob).await == bytes, "other bytes came back");
}

pub async fn an_empty_image_is_an_image(store: &dyn Store) {
    let location = put(store, ImageId::random(), b"").await;
    let blob = store.get(&location, None).await.unwrap();
    assert_eq!(contents(blob).await, b"");
}

pub async fn a_part_is_that_part(store: &dyn Store) {
    let bytes = pattern(LONG);
    let location = put(store, ImageId::random(), &bytes).await;
    for (start, end) in [(0, 1), (LONG - 1, LONG), (70_000, 900_001), (0, LONG)] {
        let range = ByteRange {
            start: start as u64,
            end: end as u64,
        };
        let blob = store.get(&location, Some(range)).await.unwrap();
        assert!(contents(blob).await == bytes[start..end], "{start}..{end}");
    }
}

pub async fn a_part_beyond_the_end_is_refused(store: &dyn Store) {
    let location = put(store, ImageId::random(), b"short").await;
    let range = ByteRange { start: 3, end: 6 };
    let refused = store.get(&location, Some(range)).await;
    assert!(matches!(refused, Err(Error::Failed(_))), "{refused:?}");
}

pub async fn a_broken_upload_leaves_no_trace(store: &dyn Store) {
    let id = ImageId::random();
    let refused = store.put(id, broken_stream(), None).await;
    assert!(matches!(refused, Err(Error::Source(_))), "{refused:?}");
    // There is room for a whole one, and nothing of the broken one in it.
    let location = put(store, id, b"whole").await;
    let blob = store.get(&location, None).await.unwrap();
    assert_eq!(contents(blob).await, b"whole");
}

pub async fn an_abandoned_upload_leaves_no_trace(store: &dyn Store) {
    let before = put(store, ImageId::random(), b"before").await;
    let path = before.url.strip_prefix("file://").unwrap();
    let dir = std::path::Path::new(path).parent().unwrap().to_owned();
    let files = || std::fs::read_dir(&dir).unwrap().count();
    let id = ImageId::random();
    let first = stream::iter([Ok(Bytes::from(pattern(300_000)))]);
    let waiting: ByteStream = Box::pin(first.chain(stream::pending::<io::Result<Bytes>>()));
    tokio::select! {
        ended = store.put(id, waiting, None) => panic!("it cannot have ended: {ended:?}"),
        () = eventually(|| files() == 2) => {}
    }
    // Whoever cleans up does so in the background.
    let location = put(store, id, b"whole").await;
    eventually(|| files() == 2).await;
    let blob = store.get(&location, None).await.unwrap();
    assert_eq!(contents(blob).await, b"whole");
}

pub async fn data_is_never_overwritten(store: &dyn Store) {
    let id = ImageId::random();
    let location = put(store, id, b"first").await;
    let refused = store.put(id, stream_of(b"second"), None).await;
    assert!(matches!(refused, Err(Error::Duplicate)), "{refused:?}");
    let blob = store.get(&location, None).await.unwrap();
    assert_eq!(contents(blob).await, b"first");
}

pub async fn forgetting_twice_is_not_found(store: &dyn Store) {
    let location = put(store, ImageId::random(), b"bytes").await;
    store.delete(&location).await.unwrap();
    let refused = store.delete(&location).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    let refused = store.get(&location, None).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
}

pub async fn data_that_is_read_outlives_its_deletion(store: &dyn Store) {
    let bytes = pattern(LONG);
    let location = put(store, ImageId::random(), &bytes).await;
    let blob = store.get(&location, None).await.unwrap();
    store.delete(&location).await.unwrap();
    assert!(contents(blob).await == bytes, "other bytes came back");
}

pub async fn a_foreign_url_is_refused(store: &dyn Store) {
    for url in ["http://example.com/image", "no url", ""] {
        let location = Location::active(url, [].into());
        let refused = store.get(&location, None).await;
        assert!(
            matches!(refused, Err(Error::UnknownScheme(_))),
            "{refused:?}"
        );
    }
}
