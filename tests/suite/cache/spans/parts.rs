//! Parts that are fetched, and fills that go on with them.

use std::io;
use std::time::Duration;

use glance::cache::{Expected, Lookup, Past, Supply};
use tokio::time::sleep;

use super::super::support::{Image, Shelf, broken, by_hand, collect, range, read_some, until};
use super::{SPAN, Store, flip, part, whole};

#[tokio::test]
async fn a_range_fetches_the_spans_it_needs_and_each_once() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(5 * SPAN + 1000));
    let bytes = store.image.bytes.clone();
    let (start, end) = (SPAN + 10, 2 * SPAN + 20);
    assert!(part(&cache, &store, start, end).await == bytes[start..end]);
    assert_eq!((store.asked(), store.sent()), (1, 2 * SPAN as u64));
    assert!(part(&cache, &store, SPAN, 3 * SPAN).await == bytes[SPAN..3 * SPAN]);
    assert_eq!(store.asked(), 1);
    let end = bytes.len();
    assert!(part(&cache, &store, end - 5, end).await == bytes[end - 5..]);
    assert_eq!((store.asked(), store.sent()), (2, 2 * SPAN as u64 + 1000));

    // They are no copy, and nothing of them is where the original looks.
    assert_eq!(cache.entries().await.unwrap(), []);
    assert_eq!(shelf.names("incomplete"), [""; 0]);
    assert!(!store.image.is_cached(&cache).await);
    cache.close().await;

    // The next process has them as well.
    let cache = shelf.open().await;
    assert!(part(&cache, &store, SPAN, 3 * SPAN).await == bytes[SPAN..3 * SPAN]);
    assert_eq!(store.asked(), 2);
}

#[tokio::test]
async fn the_end_waits_for_who_has_a_partial_file_open() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(2 * SPAN));
    let (image, wanted) = (&store.image, range(0, 1));
    let found = cache.lookup_part(image.id, &image.expected(), wanted).await;
    assert_eq!(shelf.names(".glance/fills").len(), 1);
    let late = tokio::spawn(async move {
        sleep(Duration::from_millis(300)).await;
        drop(found);
    });
    cache.close().await;
    assert_eq!(shelf.names(".glance/fills"), [""; 0]);
    late.await.unwrap();
}

#[tokio::test]
async fn fifty_who_want_the_same_part_fetch_it_once() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(2 * SPAN));
    let reads = (0..50).map(|_| part(&cache, &store, 100, 200));
    for read in futures_util::future::join_all(reads).await {
        assert!(read == store.image.bytes[100..200]);
    }
    assert_eq!((store.asked(), store.sent()), (1, SPAN as u64));
}

#[tokio::test]
async fn a_whole_download_fetches_only_what_is_not_here() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(4 * SPAN + 7));
    part(&cache, &store, SPAN, 2 * SPAN).await;
    part(&cache, &store, 4 * SPAN, 4 * SPAN + 7).await;
    assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
    assert_eq!(store.sent(), 4 * SPAN as u64 + 7);
    until("cached", async || store.image.is_cached(&cache).await).await;
    shelf.no_fill_is_left().await;
    assert_eq!(shelf.names(".glance/partial"), [""; 0]);
    assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
    let (entries, sent) = (cache.entries().await.unwrap(), store.sent());
    assert_eq!((entries[0].hits, sent), (1, 4 * SPAN as u64 + 7));
}

#[tokio::test]
async fn a_fill_that_was_cut_goes_on_with_its_spans() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(4 * SPAN));
    let bytes = &store.image.bytes;
    let (hand, blob) = by_hand();
    let reader = store.image.claim(&cache).await.fill_from(blob).read(None);
    hand.send(Ok(bytes.slice(..3 * SPAN - 1))).unwrap();
    let (_, rest) = read_some(reader, 3 * SPAN - 1).await;
    hand.send(Err(io::Error::other("cable pulled"))).unwrap();
    let error = collect(rest).await.unwrap_err();
    assert!(broken(&error).resumable);
    shelf.no_fill_is_left().await;

    for cache in [shelf.open().await, cache] {
        assert!(whole(&cache, &store).await.unwrap() == *bytes);
        assert_eq!(store.sent(), 2 * SPAN as u64);
        until("cached", async || store.image.is_cached(&cache).await).await;
    }
}

#[tokio::test]
async fn a_span_that_went_bad_before_the_fill_is_fetched_again() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(3 * SPAN));
    part(&cache, &store, 0, 2 * SPAN).await;
    flip(
        &shelf.path(".glance/partial").join(store.image.id.as_str()),
        SPAN + 3,
    );
    assert!(part(&cache, &store, SPAN, SPAN + 100).await == store.image.bytes[SPAN..SPAN + 100]);
    assert_eq!(store.sent(), 3 * SPAN as u64);
    flip(
        &shelf.path(".glance/partial").join(store.image.id.as_str()),
        17,
    );
    assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
    assert_eq!(store.sent(), 5 * SPAN as u64);
    until("cached", async || store.image.is_cached(&cache).await).await;
}

#[tokio::test]
async fn parts_take_only_room_that_is_free_and_are_the_first_to_go() {
    let shelf = Shelf::of_size(3 * SPAN as u64);
    let cache = shelf.open().await;
    let hot = Image::of(SPAN);
    hot.fill(&cache).await;
    let store = Store::of(&Image::of(8 * SPAN));
    part(&cache, &store, 0, 2 * SPAN).await;
    // There is no room for a third span: its reader is told, and nothing leaves.
    let wanted = range(3 * SPAN, 3 * SPAN + 1);
    let expected = store.image.expected();
    let Lookup::Part(found) = cache.lookup_part(store.image.id, &expected, wanted).await else {
        panic!("no part");
    };
    let error = collect(found.read(wanted, store.source()))
        .await
        .unwrap_err();
    assert!(broken(&error).resumable);
    assert!(hot.is_cached(&cache).await);

    let next = Image::of(2 * SPAN);
    next.fill(&cache).await;
    assert!(hot.is_cached(&cache).await && next.is_cached(&cache).await);
    assert_eq!(shelf.names(".glance/partial"), [""; 0]);
    // Who leaves takes its table along.
    Image::of(3 * SPAN).fill(&cache).await;
    assert_eq!(shelf.names(".glance/spans").len(), 1);
    cache.prune().await.unwrap();
    cache.clear().await.unwrap();
    assert_eq!(shelf.names(".glance/spans"), [""; 0]);
}

#[tokio::test]
async fn parts_of_other_data_are_of_no_use() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(2 * SPAN));
    part(&cache, &store, 0, SPAN).await;
    let mut other = Store::of(&Image::of(2 * SPAN));
    other.image.id = store.image.id;
    cache.close().await;
    let cache = shelf.open().await;
    assert!(part(&cache, &other, 0, 10).await == other.image.bytes[..10]);
    let expected = Expected {
        size: None,
        ..other.image.expected()
    };
    let found = cache
        .lookup_part(other.image.id, &expected, range(0, 1))
        .await;
    assert!(matches!(found, Lookup::Bypass(_)), "{found:?}");
}

#[tokio::test]
async fn a_part_of_an_image_that_somebody_else_has_brought_in_is_of_no_use() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(2 * SPAN));
    let id = store.image.id.to_string();
    for starts_anew in [false, true] {
        part(&cache, &store, 0, 10).await;
        assert_eq!(shelf.names(".glance/partial"), [id.as_str()]);
        std::fs::write(shelf.path(&id), &store.image.bytes).unwrap();
        if starts_anew {
            shelf.open().await;
        } else {
            assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
        }
        until("it is gone", async || {
            shelf.names(".glance/partial").is_empty()
        })
        .await;
        assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
        cache.evict(store.image.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_part_that_is_here_comes_from_this_node_while_the_fill_is_far_behind() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(12 * SPAN));
    let image = &store.image;
    let (start, end) = (11 * SPAN, 11 * SPAN + 100);
    assert!(part(&cache, &store, start, end).await == image.bytes[start..end]);
    let (_by_hand, blob) = by_hand();
    let claim = image.claim(&cache).await;
    let supply = Supply {
        need: claim.need(),
        first: Some(blob),
        store: None,
        source: None,
    };
    let _fill = claim.fill_from(supply);
    assert!(part(&cache, &store, start, end).await == image.bytes[start..end]);
    assert_eq!(store.asked(), 1);
    let missing = range(10 * SPAN, 10 * SPAN + 1);
    let found = cache
        .lookup_part(image.id, &image.expected(), missing)
        .await;
    assert!(matches!(found, Lookup::Bypass(Past::FarAhead)), "{found:?}");
}
