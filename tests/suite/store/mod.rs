//! What every store promises, and what some promise beyond that.

mod file;
mod http;
mod promises;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use glance::config::stores::FileStoreConfig;
use glance::store::{FileStore, Store, Throttled};
use glance::stream::{Blob, ByteStream};

use crate::support::PATIENCE;

/// A file store as the original sets one up, in `dir`.
fn file_config(dir: &Path) -> FileStoreConfig {
    FileStoreConfig {
        dirs: vec![(dir.to_owned(), 0)],
        file_perm: 0,
        chunk_size: 64 * 1024,
        thin_provisioning: false,
        metadata_file: None,
    }
}

async fn file_store(dir: &Path) -> FileStore {
    FileStore::open(&file_config(dir), None).await.unwrap()
}

/// Bytes that differ from place to place.
fn pattern(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

fn stream_of(bytes: &[u8]) -> ByteStream {
    let parts: Vec<io::Result<Bytes>> = bytes
        .chunks(100_000)
        .map(|part| Ok(Bytes::copy_from_slice(part)))
        .collect();
    Box::pin(stream::iter(parts))
}

/// Begins well and breaks.
fn broken_stream() -> ByteStream {
    let parts = [
        Ok(Bytes::from(pattern(300_000))),
        Err(io::ErrorKind::ConnectionReset.into()),
    ];
    Box::pin(stream::iter(parts))
}

async fn contents(blob: Blob) -> Vec<u8> {
    let parts: Vec<Bytes> = blob.bytes.try_collect().await.unwrap();
    let bytes = parts.concat();
    assert_eq!(blob.size, Some(bytes.len() as u64));
    bytes
}

/// Waits until it is so, which is to be.
async fn eventually(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never came");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Runs every promise against a store, each in a fresh one.
macro_rules! keeps_every_promise {
    ($backend:ident, $open:expr) => {
        mod $backend {
            use super::*;
            keeps_every_promise!(@each $open;
                what_was_put_comes_back
                an_empty_image_is_an_image
                a_part_is_that_part
                a_part_beyond_the_end_is_refused
                a_broken_upload_leaves_no_trace
                an_abandoned_upload_leaves_no_trace
                data_is_never_overwritten
                forgetting_twice_is_not_found
                data_that_is_read_outlives_its_deletion
                a_foreign_url_is_refused
            );
        }
    };
    (@each $open:expr; $($promise:ident)*) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let dir = tempfile::tempdir().unwrap();
                let open = $open;
                let store: Box<dyn Store> = Box::new(open(file_store(dir.path()).await));
                promises::$promise(&*store).await;
                let left = std::fs::read_dir(dir.path()).unwrap().filter(|entry| {
                    let name = entry.as_ref().unwrap().file_name();
                    name.to_str().unwrap().starts_with('.')
                });
                assert_eq!(left.count(), 0, "unfinished files stayed");
            }
        )*
    };
}

keeps_every_promise!(a_file_store, |store| store);
keeps_every_promise!(a_throttled_store, |store| Throttled::new(store, 0));

#[tokio::test]
async fn a_throttled_store_is_as_slow_as_it_should_be_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let store = Throttled::new(file_store(dir.path()).await, 4_000_000);
    let id = glance::domain::ImageId::random();
    let put = store.put(id, stream_of(&pattern(400_000)), None);
    let location = put.await.unwrap().location;

    let start = Instant::now();
    let blobs = [
        store.get(&location, None).await.unwrap(),
        store.get(&location, None).await.unwrap(),
    ];
    let [one, other] = blobs.map(contents);
    let read = tokio::join!(one, other);
    assert_eq!(read.0, read.1);
    // Two readers share the rate: 800,000 bytes at 4 MB/s.
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!((store.reads(), store.bytes()), (2, 800_000));
}
