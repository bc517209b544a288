//! Copies in spans: parts that are fetched, fills that go on, bytes that are checked.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use glance::cache::{Cache, Expected, Lookup, Need, Source, Supply};
use glance::config::Verify;
use glance::stream::{Blob, ByteRange};

use super::support::{
    Image, MIB, Shelf, blob_of, broken, by_hand, collect, range, read_some, until,
};

const SPAN: usize = 4 * MIB;

/// A store that has an image, and counts what is asked of it.
#[derive(Clone)]
struct Store {
    image: Image,
    asked: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
}

impl Store {
    fn of(image: &Image) -> Self {
        Self {
            image: image.clone(),
            asked: Arc::default(),
            sent: Arc::default(),
        }
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.clone())
    }

    /// What it sends from then on is something else.
    fn spoilt(mut self) -> Self {
        let mut bytes = self.image.bytes.to_vec();
        for byte in &mut bytes {
            *byte ^= 1;
        }
        self.image.bytes = bytes.into();
        self
    }
}

#[async_trait]
impl Source for Store {
    async fn open(&self, range: Option<ByteRange>) -> io::Result<Blob> {
        let all = ByteRange {
            start: 0,
            end: self.image.bytes.len() as u64,
        };
        let range = range.unwrap_or(all);
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.sent.fetch_add(range.len(), Ordering::SeqCst);
        let part = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(blob_of(&self.image.bytes.slice(part)))
    }
}

async fn part(cache: &Cache, store: &Store, start: usize, end: usize) -> Vec<u8> {
    let (image, part) = (&store.image, range(start, end));
    let found = cache.lookup_part(image.id, &image.expected(), part).await;
    let blob = match found {
        Lookup::Part(found) => found.read(part, store.source()),
        Lookup::Cached(copy) => copy.repaired_from(store.source()).read(Some(part)),
        other => panic!("{other:?}"),
    };
    assert_eq!(blob.size, Some((end - start) as u64));
    collect(blob).await.unwrap().0
}

async fn supply(claim: &glance::cache::Claim, store: &Store) -> Supply {
    let need = claim.need();
    let first = match need {
        Need::Nothing => None,
        Need::All => Some(store.open(None).await.unwrap()),
        Need::Part(range) => Some(store.open(Some(range)).await.unwrap()),
    };
    Supply {
        need,
        first,
        store: None,
        source: Some(store.source()),
    }
}

async fn whole(cache: &Cache, store: &Store) -> io::Result<Vec<u8>> {
    let image = &store.image;
    let blob = match cache.lookup(image.id, &image.expected()).await {
        Lookup::Cached(copy) => copy.repaired_from(store.source()).read(None),
        Lookup::Growing(fill) => fill.read(None),
        Lookup::Missing(claim) => {
            let supply = supply(&claim, store).await;
            claim.fill_from(supply).read(None)
        }
        other => panic!("{other:?}"),
    };
    collect(blob).await.map(|read| read.0)
}

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
    shelf.assert_no_fill_is_left();
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
    shelf.assert_no_fill_is_left();

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

fn flip(path: &std::path::Path, at: usize) {
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
}

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
    assert_eq!(sweep().await, 0);
    flip(&shelf.path(id.as_str()), 3);
    flip(&shelf.path(id.as_str()), 2 * SPAN - 1);
    assert_eq!(sweep().await, 2);
    assert_eq!(sweep().await, 0);
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
