//! One fill, many readers.

use futures_util::future::join_all;
use glance::cache::Lookup;

use super::support::{BOUND, Image, MIB, Shelf, broken, by_hand, collect, range, read_some, until};

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_ask_for_a_cold_image_one_brings_it_in_and_all_get_it() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(3 * MIB);
    let expected = image.expected();

    let lookups = join_all((0..50).map(|_| cache.lookup(image.id, &expected))).await;
    let mut claims = Vec::new();
    let mut readers = Vec::new();
    for found in lookups {
        match found {
            Lookup::Missing(claim) => claims.push(claim),
            Lookup::Growing(growing) => readers.push(growing.read(None)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((claims.len(), readers.len()), (1, 49));
    readers.push(claims.remove(0).fill_from(image.blob()).read(None));
    for read in join_all(readers.into_iter().map(collect)).await {
        assert!(read.unwrap() == image.bytes);
    }
    until("committed", async || image.is_cached(&cache).await).await;
    assert!(image.download(&cache).await == image.bytes);
    shelf.no_fill_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fill_goes_on_when_the_reader_who_caused_it_leaves() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(4 * MIB);
    let (store, blob) = by_hand();

    let first = image.claim(&cache).await.fill_from(blob).read(None);
    let second = image.along(&cache).await.read(None);
    store.send(Ok(image.bytes.slice(..MIB))).unwrap();
    let (_, first) = read_some(first, 1000).await;
    drop(first);
    store.send(Ok(image.bytes.slice(MIB..))).unwrap();
    drop(store);
    assert!(collect(second).await.unwrap() == image.bytes);
    until("committed", async || image.is_cached(&cache).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_does_not_read_holds_nobody_up() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(20 * MIB);
    let lazy = image.claim(&cache).await.fill_from(image.blob()).read(None);
    let (_, lazy) = read_some(lazy, 1).await;
    until("committed", async || image.is_cached(&cache).await).await;
    let (rest, _) = read_some(lazy, MIB).await;
    assert!(image.bytes.windows(100).any(|part| part == &rest[..100]));
}

#[tokio::test]
async fn what_has_arrived_can_be_read_before_the_rest_comes() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(2 * MIB);
    let (store, blob) = by_hand();
    let growing = image.claim(&cache).await.fill_from(blob);
    store.send(Ok(image.bytes.slice(..MIB))).unwrap();

    let inside = growing.clone().read(Some(range(1000, 5000)));
    assert_eq!(inside.size, Some(4000));
    assert!(collect(inside).await.unwrap() == image.bytes[1000..5000]);
    let (begin, whole) = read_some(growing.read(None), MIB).await;
    assert!(begin == image.bytes[..MIB]);
    store.send(Ok(image.bytes.slice(MIB..))).unwrap();
    drop(store);
    assert!(collect(whole).await.unwrap() == image.bytes[MIB..]);
}

#[tokio::test]
async fn wrong_data_is_never_committed_and_never_complete() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(MIB);
    let mut wrong = image.bytes.to_vec();
    wrong[12345] ^= 1;
    let reader = image
        .claim(&cache)
        .await
        .fill_from(super::support::blob_of(&wrong.into()))
        .read(None);

    let error = collect(reader).await.unwrap_err();
    assert!(!broken(&error).resumable);
    assert!(error.to_string().contains("expected sha256"), "{error}");
    until("put aside", async || {
        shelf.names("invalid") == [image.id.to_string()]
    })
    .await;
    assert!(!shelf.path(image.id.as_str()).exists());
    image.fill(&cache).await;
    assert!(image.download(&cache).await == image.bytes);
}

#[tokio::test]
async fn a_store_that_sends_too_little_or_too_much_commits_nothing() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    for size in [0, 999_999, 1_000_001, 3_000_000] {
        let image = Image::of(1_000_000);
        let sent = Image::of(size).bytes;
        let claim = image.claim(&cache).await;
        let broken = claim
            .fill_whole(super::support::blob_of(&sent))
            .await
            .unwrap_err();
        assert!(!broken.resumable);
        assert!(broken.reason.starts_with("expected 1000000 bytes, got"));
        assert!(!image.is_cached(&cache).await);
    }
}

#[tokio::test]
async fn after_a_store_error_one_may_read_on_from_where_one_is() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(MIB);
    let (store, blob) = by_hand();
    let reader = image.claim(&cache).await.fill_from(blob).read(None);
    store.send(Ok(image.bytes.slice(..300_000))).unwrap();
    let (begin, rest) = read_some(reader, 300_000).await;
    store
        .send(Err(std::io::Error::other("cable pulled")))
        .unwrap();
    let error = collect(rest).await.unwrap_err();
    assert!(broken(&error).resumable);
    assert_eq!(broken(&error).reason, "cable pulled");

    until("given up", async || shelf.names("incomplete").is_empty()).await;
    let again = image.claim(&cache).await.fill_from(image.blob());
    let end = collect(again.read(Some(range(begin.len(), MIB))))
        .await
        .unwrap();
    assert!([begin.as_ref(), &end.0].concat() == image.bytes);
}

#[tokio::test]
async fn a_claim_that_is_dropped_is_free_for_the_next() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    let claim = image.claim(&cache).await;
    let waiting = image.along(&cache).await.read(None);
    drop(claim);
    let error = collect(waiting).await.unwrap_err();
    assert!(broken(&error).resumable);
    shelf.no_fill_is_left().await;
    image.fill(&cache).await;
}

#[tokio::test]
async fn an_image_without_data_is_cached() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(0);
    let reader = image.claim(&cache).await.fill_from(image.blob()).read(None);
    assert_eq!(collect(reader).await.unwrap().0.len(), 0);
    until("committed", async || image.is_cached(&cache).await).await;
    assert_eq!(image.download(&cache).await.0.len(), 0);
    let entries = cache.entries().await.unwrap();
    assert_eq!((entries.len(), entries[0].size, entries[0].hits), (1, 0, 1));
}

#[tokio::test]
async fn an_image_of_unknown_size_is_cached() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(3 * MIB);
    let mut expected = image.expected();
    expected.size = None;
    let Lookup::Missing(claim) = cache.lookup(image.id, &expected).await else {
        panic!("no claim");
    };
    let (store, blob) = by_hand();
    let reader = claim.fill_from(blob).read(None);
    assert_eq!(reader.size, None);
    store.send(Ok(image.bytes.clone())).unwrap();
    drop(store);
    assert!(collect(reader).await.unwrap() == image.bytes);
    until("committed", async || image.is_cached(&cache).await).await;
}

#[tokio::test]
async fn an_image_that_is_dropped_while_it_grows_reaches_its_readers_and_not_the_cache() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(2 * MIB);
    let (store, blob) = by_hand();
    let reader = image.claim(&cache).await.fill_from(blob).read(None);
    store.send(Ok(image.bytes.slice(..MIB))).unwrap();
    let (begin, rest) = read_some(reader, 1000).await;

    assert!(cache.evict(image.id).await.unwrap());
    assert_eq!(shelf.names("incomplete"), [""; 0]);
    let second = image.claim(&cache).await;
    store.send(Ok(image.bytes.slice(MIB..))).unwrap();
    drop(store);
    let rest = collect(rest).await.unwrap();
    assert!([begin.as_ref(), &rest.0].concat() == image.bytes);
    assert!(!shelf.path(image.id.as_str()).exists());
    second.fill_whole(image.blob()).await.unwrap();
    assert!(image.download(&cache).await == image.bytes);
}

#[tokio::test]
async fn a_dropped_image_that_nobody_reads_is_not_fetched_any_further() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(2 * MIB);
    let (store, blob) = by_hand();
    let ended = tokio::spawn(image.claim(&cache).await.fill_whole(blob));
    store.send(Ok(image.bytes.slice(..MIB))).unwrap();
    until("begun", async || {
        std::fs::read(shelf.path("incomplete").join(image.id.as_str()))
            .is_ok_and(|found| found.starts_with(&image.bytes[..MIB]))
    })
    .await;
    assert!(cache.evict(image.id).await.unwrap());
    store.send(Ok(image.bytes.slice(MIB..MIB + 1000))).unwrap();
    assert!(ended.await.unwrap().is_err());
    tokio::time::timeout(BOUND, store.closed()).await.unwrap();
}

#[tokio::test]
async fn a_copy_that_leaves_stays_with_its_reader() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(2 * MIB);
    image.fill(&cache).await;
    let Lookup::Cached(copy) = cache.lookup(image.id, &image.expected()).await else {
        panic!("not cached");
    };
    let (begin, rest) = read_some(copy.read(None), 1).await;
    assert!(cache.evict(image.id).await.unwrap());
    assert!(!cache.evict(image.id).await.unwrap());
    let rest = collect(rest).await.unwrap();
    assert!([begin.as_ref(), &rest.0].concat() == image.bytes);
}

#[tokio::test]
async fn a_copy_of_the_wrong_size_is_put_aside_and_fetched_anew() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    std::fs::write(shelf.path(image.id.as_str()), b"stump").unwrap();
    image.fill(&cache).await;
    assert!(image.download(&cache).await == image.bytes);
    assert_eq!(shelf.names("invalid"), [image.id.to_string()]);
}

#[tokio::test]
async fn closing_stops_fills_and_leaves_nothing_of_them() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(2 * MIB);
    let (store, blob) = by_hand();
    let reader = image.claim(&cache).await.fill_from(blob).read(None);
    store.send(Ok(image.bytes.slice(..MIB))).unwrap();
    let (_, rest) = read_some(reader, 1).await;
    cache.close().await;
    shelf.no_fill_is_left().await;
    assert!(broken(&collect(rest).await.unwrap_err()).resumable);
    let found = cache.lookup(image.id, &image.expected()).await;
    assert!(matches!(found, Lookup::Bypass(_)));
}
