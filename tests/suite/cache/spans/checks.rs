//! Bytes that are checked before they leave.

use glance::cache::{Cache, Lookup};
use glance::config::Verify;
use glance::domain::ImageId;
use glance::domain::report::Verifier;

use super::super::support::{Image, Shelf, broken, collect, read_some, until};
use super::{SPAN, Store, flip, part, whole};

#[tokio::test]
async fn a_byte_that_somebody_writes_into_a_copy_is_never_served() {
    for verify in [Verify::Always, Verify::Changed] {
        let mut shelf = Shelf::new();
        shelf.config.verify = verify;
        let cache = shelf.open().await;
        let store = Store::of(&Image::of(2 * SPAN + 100));
        let bytes = store.image.bytes.clone();
        store.image.fill(&cache).await;
        for at in [0, SPAN, 2 * SPAN + 99, SPAN / 2] {
            assert!(whole(&cache, &store).await.unwrap() == bytes);
            flip(&shelf.path(store.image.id.as_str()), at);
            assert!(part(&cache, &store, at, at + 1).await == bytes[at..=at]);
            flip(&shelf.path(store.image.id.as_str()), at);
            assert!(whole(&cache, &store).await.unwrap() == bytes);
        }
        assert!(std::fs::read(shelf.path(store.image.id.as_str())).unwrap() == bytes);
        assert_eq!(store.asked(), 8);
    }
}

#[tokio::test]
async fn a_byte_that_changes_while_it_is_read_is_never_served() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(2 * SPAN));
    store.image.fill(&cache).await;
    let Lookup::Cached(copy) = cache.lookup(store.image.id, &store.image.expected()).await else {
        panic!("not cached");
    };
    let blob = copy.repaired_from(store.source()).read(None);
    let (begin, rest) = read_some(blob, 100).await;
    flip(&shelf.path(store.image.id.as_str()), SPAN - 5);
    flip(&shelf.path(store.image.id.as_str()), SPAN + 5);
    let rest = collect(rest).await.unwrap().0;
    assert!([begin.as_ref(), &rest].concat() == store.image.bytes);
}

#[tokio::test]
async fn a_bad_copy_that_cannot_be_repaired_breaks_off() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(SPAN + 100));
    store.image.fill(&cache).await;
    flip(&shelf.path(store.image.id.as_str()), SPAN + 1);
    let Lookup::Cached(copy) = cache.lookup(store.image.id, &store.image.expected()).await else {
        panic!("not cached");
    };
    let error = collect(copy.clone().read(None)).await.unwrap_err();
    assert!(broken(&error).resumable);
    // A store that has something else is not believed either.
    let copy = copy.repaired_from(store.clone().spoilt().source());
    let error = collect(copy.read(None)).await.unwrap_err();
    assert!(broken(&error).resumable);
    assert_eq!(shelf.names("invalid"), [store.image.id.to_string()]);
    assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
}

/// Who last found all of a copy right.
pub(super) async fn verifier(cache: &Cache, id: ImageId) -> Option<Verifier> {
    let profile = cache.profile(id).await.unwrap();
    profile.verified.map(|verified| verified.by)
}

#[tokio::test]
async fn a_sweep_finds_and_repairs_what_nobody_reads() {
    let mut shelf = Shelf::new();
    shelf.config.verify = Verify::Sweep;
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(2 * SPAN));
    store.image.fill(&cache).await;
    let (id, expected) = (store.image.id, store.image.expected());
    let sweep = async || {
        cache
            .sweep(id, &expected, store.source(), u64::MAX)
            .await
            .unwrap()
    };
    assert_eq!(verifier(&cache, id).await, Some(Verifier::Fill));
    assert_eq!(sweep().await, 0);
    flip(&shelf.path(id.as_str()), 3);
    flip(&shelf.path(id.as_str()), 2 * SPAN - 1);
    assert_eq!(sweep().await, 2);
    assert_eq!(sweep().await, 0);
    assert_eq!(verifier(&cache, id).await, Some(Verifier::Sweep));
    assert!(std::fs::read(shelf.path(id.as_str())).unwrap() == store.image.bytes);
}

#[tokio::test]
async fn a_copy_of_the_originals_is_served_and_proven() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(2 * SPAN + 5));
    let bytes = &store.image.bytes;
    std::fs::write(shelf.path(store.image.id.as_str()), bytes).unwrap();
    assert!(part(&cache, &store, SPAN, SPAN + 10).await == bytes[SPAN..SPAN + 10]);
    assert!(whole(&cache, &store).await.unwrap() == *bytes);
    assert_eq!(cache.entries().await.unwrap()[0].hits, 1);
    // From then on it is a copy like any other.
    until("a table", async || !shelf.names(".glance/spans").is_empty()).await;
    let noted = async || verifier(&cache, store.image.id).await == Some(Verifier::Serve);
    until("a note of the proof", noted).await;
    flip(&shelf.path(store.image.id.as_str()), 5);
    assert!(whole(&cache, &store).await.unwrap() == *bytes);
    assert_eq!(store.asked(), 1);
}

#[tokio::test]
async fn a_wrong_copy_of_the_originals_is_never_served_whole() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(SPAN + 5));
    let path = shelf.path(store.image.id.as_str());
    std::fs::write(&path, &store.image.bytes).unwrap();
    flip(&path, 99);
    let error = whole(&cache, &store).await.unwrap_err();
    assert!(!broken(&error).resumable);
    assert_eq!(shelf.names("invalid"), [store.image.id.to_string()]);
    assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
}

#[tokio::test]
async fn a_copy_of_data_that_the_image_has_no_more_is_dropped() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(1000);
    image.fill(&cache).await;
    let mut other = Image::of(1000);
    other.id = image.id;
    let found = cache.lookup(other.id, &other.expected()).await;
    assert!(matches!(found, Lookup::Missing(_)), "{found:?}");
    assert!(!shelf.path(image.id.as_str()).exists());
}
