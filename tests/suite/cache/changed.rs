//! Images whose data is not what it was.

use glance::cache::{Expected, Lookup, Past};
use glance::config::Verify;

use super::support::{Image, SPAN, Shelf, by_hand, collect, range};

#[tokio::test]
async fn an_image_whose_data_has_changed_is_not_served_by_a_fill_of_what_it_was() {
    let shelf = Shelf::new();
    let (one, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(2 * SPAN);
    let (store, blob) = by_hand();
    let fill = image.claim(&one).await.fill_from(blob);
    store.send(Ok(image.bytes.slice(..SPAN))).unwrap();
    let changed = Expected {
        size: image.expected().size,
        ..Image::of(2 * SPAN).expected()
    };
    for cache in [&one, &other] {
        let found = cache.lookup(image.id, &changed).await;
        assert!(
            matches!(found, Lookup::Bypass(Past::OtherData)),
            "{found:?}"
        );
        let found = cache.lookup_part(image.id, &changed, range(0, 9)).await;
        assert!(matches!(found, Lookup::Bypass(_)), "{found:?}");
        image.along(cache).await;
    }
    store.send(Ok(image.bytes.slice(SPAN..))).unwrap();
    drop(store);
    assert!(collect(fill.read(None)).await.unwrap() == image.bytes);
}

#[tokio::test]
async fn a_copy_of_what_an_image_was_is_never_served_whatever_is_verified() {
    for verify in [Verify::Always, Verify::Changed, Verify::Sweep, Verify::Off] {
        let mut shelf = Shelf::new();
        shelf.config.verify = verify;
        let cache = shelf.open().await;
        let image = Image::of(1000);
        image.fill(&cache).await;
        let changed = Image::of(1000).expected();
        let found = cache.peek(image.id, &changed).await;
        assert!(!matches!(found, Lookup::Cached(_)), "{verify:?} {found:?}");
    }
}
