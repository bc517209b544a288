//! Bits that flip in a file while it is read along with, and in parts.

use std::path::PathBuf;

use async_trait::async_trait;
use glance::cache::{Cache, Lookup, Source};
use glance::clock::Clock;
use glance::config::Verify;
use glance::stream::{Blob, ByteRange};
use glance::telemetry::counters::Counters;

use super::support::{
    Image, MIB, SPAN, Shelf, blob_of, broken, by_hand, collect, flip, range, read_some, until,
};

fn growing(shelf: &Shelf, image: &Image) -> PathBuf {
    shelf.path("incomplete").join(image.id.as_str())
}

/// What of the image is right, up to where the two differ.
fn right_up_to(got: &[u8], image: &Image) -> usize {
    let same = std::iter::zip(got, &image.bytes).take_while(|(got, right)| got == right);
    same.count()
}

/// All that comes, and how it ends.
async fn drain(mut blob: Blob) -> (Vec<u8>, std::io::Result<()>) {
    use futures_util::StreamExt as _;
    let mut got = Vec::new();
    while let Some(bytes) = blob.bytes.next().await {
        match bytes {
            Ok(bytes) => got.extend(bytes),
            Err(error) => return (got, Err(error)),
        }
    }
    (got, Ok(()))
}

#[tokio::test]
async fn who_lags_behind_a_fill_gets_nothing_of_a_piece_that_went_bad_and_may_look_elsewhere() {
    for committed in [false, true] {
        let shelf = Shelf::new();
        let counters = Counters::default();
        let open = || Cache::open(shelf.config.clone(), Clock::system(), counters.clone());
        let (one, other) = (open().await, open().await);
        let image = Image::of(4 * SPAN);
        let (store, blob) = by_hand();
        let here = image.claim(&one).await.fill_from(blob).read(None);
        let there = image.along(&other).await.read(None);
        store.send(Ok(image.bytes.slice(..SPAN))).unwrap();
        let here = read_some(here, 1000).await;
        let there = read_some(there, 1000).await;
        store.send(Ok(image.bytes.slice(SPAN..3 * SPAN))).unwrap();
        let path = if committed {
            store.send(Ok(image.bytes.slice(3 * SPAN..))).unwrap();
            drop(store);
            until("committed", async || image.is_cached(&one).await).await;
            shelf.path(image.id.as_str())
        } else {
            let keeps_up = image.along(&one).await.read(None);
            drop(read_some(keeps_up, 3 * SPAN).await);
            growing(&shelf, &image)
        };
        flip(&path, 2 * SPAN - 1);
        for (begin, rest) in [here, there] {
            let (rest, end) = drain(rest).await;
            let got = [begin.as_ref(), &rest].concat();
            assert!(right_up_to(&got, &image) == got.len() && got.len() >= SPAN);
            assert!(got.len() < 2 * SPAN, "{}", got.len());
            assert!(broken(&end.unwrap_err()).resumable);
        }
        assert_eq!(counters.verify_failures.get(), 2);
    }
}

#[tokio::test]
async fn who_wants_a_little_of_a_bad_span_may_look_elsewhere() {
    let shelf = Shelf::new();
    let (one, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(4 * SPAN);
    let (store, blob) = by_hand();
    let fill = image.claim(&one).await.fill_from(blob);
    store.send(Ok(image.bytes.slice(..3 * SPAN))).unwrap();
    drop(read_some(fill.clone().read(None), 3 * SPAN).await);
    flip(&growing(&shelf, &image), 17);
    for fill in [fill, image.along(&other).await] {
        let little = fill.clone().read(Some(range(17, 18)));
        assert!(broken(&collect(little).await.unwrap_err()).resumable);
        // Whether it is known what else is right depends on who has read the span before.
        let other = fill.clone().read(Some(range(MIB, MIB + 1000)));
        match collect(other).await {
            Ok(bytes) => assert!(bytes == image.bytes[MIB..MIB + 1000]),
            Err(error) => assert!(broken(&error).resumable),
        }
        let right = fill.read(Some(range(SPAN + 5, SPAN + 9)));
        assert!(collect(right).await.unwrap() == image.bytes[SPAN + 5..SPAN + 9]);
    }
}

#[tokio::test]
async fn who_keeps_up_gets_what_the_store_sent_whatever_becomes_of_the_file() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(2 * SPAN + 100);
    let (store, blob) = by_hand();
    let mut rest = image.claim(&cache).await.fill_from(blob).read(None);
    let path = growing(&shelf, &image);
    let mut got = Vec::new();
    for at in (0..image.bytes.len()).step_by(MIB) {
        let end = image.bytes.len().min(at + MIB);
        store.send(Ok(image.bytes.slice(at..end))).unwrap();
        until("written", async || {
            let file = std::fs::read(&path).unwrap();
            file[at..end] == image.bytes[at..end]
        })
        .await;
        flip(&path, at);
        flip(&path, end - 1);
        let visible = end.min(image.bytes.len() - 64 * 1024);
        let (part, left) = read_some(rest, visible - got.len()).await;
        got.extend(part);
        rest = left;
    }
    drop(store);
    got.extend(collect(rest).await.unwrap().0);
    assert!(got == image.bytes);
}

#[tokio::test]
async fn where_nothing_is_to_be_checked_nothing_is() {
    let mut shelf = Shelf::new();
    shelf.config.verify = Verify::Off;
    let (one, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(2 * SPAN);
    let (store, blob) = by_hand();
    let fill = image.claim(&one).await.fill_from(blob).read(None);
    let along = image.along(&other).await;
    store.send(Ok(image.bytes.slice(..MIB))).unwrap();
    // It waits for no span to be complete.
    let (begin, along) = read_some(along.read(None), MIB).await;
    assert!(begin == image.bytes[..MIB]);
    let (_, fill) = read_some(fill, 1000).await;
    store.send(Ok(image.bytes.slice(MIB..))).unwrap();
    drop(store);
    until("committed", async || image.is_cached(&one).await).await;
    flip(&shelf.path(image.id.as_str()), 2 * MIB);
    for rest in [along, fill] {
        assert!(collect(rest).await.unwrap().0.len() > SPAN);
    }
}

/// A store that has the image.
struct Store(Image);

#[async_trait]
impl Source for Store {
    async fn open(&self, range: Option<ByteRange>) -> std::io::Result<Blob> {
        let range = range.expect("a part");
        let part = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(blob_of(&self.0.bytes.slice(part)))
    }
}

#[tokio::test]
async fn a_bit_that_flips_in_a_part_while_it_is_read_is_not_served_and_its_span_is_fetched_again() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(3 * SPAN);
    let path = shelf.path(".glance/partial").join(image.id.as_str());
    let read = async || {
        let (wanted, expected) = (range(0, 2 * SPAN), image.expected());
        let Lookup::Part(found) = cache.lookup_part(image.id, &expected, wanted).await else {
            panic!("no part");
        };
        found.read(wanted, std::sync::Arc::new(Store(image.clone())))
    };
    assert!(collect(read().await).await.unwrap() == image.bytes[..2 * SPAN]);
    for at in [SPAN - 5, SPAN + 5, 100] {
        let (begin, rest) = read_some(read().await, 1000).await;
        flip(&path, at);
        let (rest, end) = drain(rest).await;
        end.unwrap();
        assert!(
            [begin.as_ref(), &rest].concat() == image.bytes[..2 * SPAN],
            "{at}"
        );
    }
}
