//! Two processes on one directory. Two handles that share nothing are as good: locks belong to open files.

use glance::cache::{Lookup, Need, Supply};

use super::support::{
    Image, MIB, SPAN, Shelf, blob_of, broken, by_hand, collect, range, read_some, until,
};

#[tokio::test]
async fn what_one_process_fills_the_other_reads_along() {
    let shelf = Shelf::new();
    let (one, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(2 * SPAN);
    let (store, blob) = by_hand();
    let here = image.claim(&one).await.fill_from(blob).read(None);
    let there = image.along(&other).await.read(None);
    assert_eq!(there.size, Some(2 * SPAN as u64));
    // A span that is complete can be checked.
    store.send(Ok(image.bytes.slice(..SPAN + 100))).unwrap();
    let (begin, rest) = read_some(there, SPAN).await;
    assert!(begin == image.bytes[..SPAN]);
    store.send(Ok(image.bytes.slice(SPAN + 100..))).unwrap();
    drop(store);
    assert!(collect(rest).await.unwrap() == image.bytes[SPAN..]);
    assert!(collect(here).await.unwrap() == image.bytes);
    until("committed", async || image.is_cached(&other).await).await;
    assert!(image.download(&other).await == image.bytes);
}

#[tokio::test]
async fn wrong_data_is_not_complete_in_the_other_process_either() {
    let shelf = Shelf::new();
    let (one, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(MIB);
    let mut wrong = image.bytes.to_vec();
    wrong[MIB - 1] ^= 1;
    let (store, blob) = by_hand();
    image.claim(&one).await.fill_from(blob);
    let there = image.along(&other).await.read(None);
    store.send(Ok(wrong.into())).unwrap();
    drop(store);
    let error = collect(there).await.unwrap_err();
    assert!(!broken(&error).resumable);
}

#[tokio::test]
async fn a_fill_that_breaks_breaks_for_the_other_process_too() {
    let shelf = Shelf::new();
    let (one, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(2 * SPAN);
    let (store, blob) = by_hand();
    image.claim(&one).await.fill_from(blob);
    let there = image.along(&other).await.read(None);
    store.send(Ok(image.bytes.slice(..SPAN + MIB))).unwrap();
    let (_, rest) = read_some(there, SPAN).await;
    store
        .send(Err(std::io::Error::other("cable pulled")))
        .unwrap();
    let error = collect(rest).await.unwrap_err();
    assert!(broken(&error).resumable);
    let claim = image.claim(&other).await;
    assert_eq!(claim.need(), Need::Part(range(SPAN, 2 * SPAN)));
    let rest = Supply {
        need: claim.need(),
        first: Some(blob_of(&image.bytes.slice(SPAN..))),
        store: None,
        source: None,
    };
    claim.fill_whole(rest).await.unwrap();
    assert!(image.download(&one).await == image.bytes);
}

#[tokio::test]
async fn a_copy_that_is_dropped_while_it_grows_still_reaches_readers_in_the_other_process() {
    let shelf = Shelf::new();
    let (one, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(2 * SPAN);
    let (store, blob) = by_hand();
    let here = image.claim(&one).await.fill_from(blob).read(None);
    let there = image.along(&other).await.read(None);
    store.send(Ok(image.bytes.slice(..SPAN))).unwrap();
    let (begin, rest) = read_some(there, 1000).await;
    assert!(other.evict(image.id).await.unwrap());
    store.send(Ok(image.bytes.slice(SPAN..))).unwrap();
    drop(store);
    assert!(collect(here).await.unwrap() == image.bytes);
    let rest = collect(rest).await.unwrap();
    assert!([begin.as_ref(), &rest.0].concat() == image.bytes);
    assert!(!shelf.path(image.id.as_str()).exists());
}

#[tokio::test]
async fn what_another_process_puts_there_or_takes_away_counts_at_once() {
    let shelf = Shelf::new();
    let (one, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(1000);
    image.fill(&one).await;
    assert!(image.download(&other).await == image.bytes);
    std::fs::remove_file(shelf.path(image.id.as_str())).unwrap();
    assert!(!image.is_cached(&one).await);
    assert_eq!(other.entries().await.unwrap(), []);
    std::fs::write(shelf.path(image.id.as_str()), &image.bytes).unwrap();
    assert!(image.download(&other).await == image.bytes);
    assert_eq!(one.entries().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_fill_of_a_service_without_locks_is_left_alone_while_it_lives() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    let partial = shelf.path("incomplete").join(image.id.as_str());
    std::fs::write(&partial, b"half").unwrap();
    let found = cache.lookup(image.id, &image.expected()).await;
    assert!(matches!(found, Lookup::Bypass(_)));
    assert_eq!(std::fs::read(&partial).unwrap(), b"half");

    let file = std::fs::File::options().write(true).open(&partial).unwrap();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_hours(1);
    file.set_modified(long_ago).unwrap();
    image.fill(&cache).await;
    assert!(image.download(&cache).await == image.bytes);
}

#[tokio::test]
async fn data_that_somebody_else_has_written_over_is_not_committed() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(2 * MIB);
    let partial = shelf.path("incomplete").join(image.id.as_str());
    let (store, blob) = by_hand();
    let reader = image.claim(&cache).await.fill_from(blob).read(None);
    store.send(Ok(image.bytes.slice(..MIB))).unwrap();
    let (_, rest) = read_some(reader, MIB).await;
    // As a service does that takes no locks and opens the file for writing.
    std::fs::write(&partial, b"mine").unwrap();
    store.send(Ok(image.bytes.slice(MIB..))).unwrap();
    drop(store);
    collect(rest).await.unwrap_err();
    until("given up", async || !partial.exists()).await;
    assert!(!shelf.path(image.id.as_str()).exists());
}

#[tokio::test]
async fn two_who_claim_at_once_make_one_fill() {
    let shelf = Shelf::new();
    let (one, other) = (shelf.open().await, shelf.open().await);
    for _ in 0..20 {
        let image = Image::of(100_000);
        let expected = image.expected();
        let found = tokio::join!(
            one.lookup(image.id, &expected),
            other.lookup(image.id, &expected)
        );
        let (claim, along) = match found {
            (Lookup::Missing(claim), Lookup::Growing(along))
            | (Lookup::Growing(along), Lookup::Missing(claim)) => (claim, along),
            found => panic!("{found:?}"),
        };
        let along = tokio::spawn(collect(along.read(None)));
        claim.fill_whole(blob_of(&image.bytes)).await.unwrap();
        assert!(along.await.unwrap().unwrap() == image.bytes);
    }
}
