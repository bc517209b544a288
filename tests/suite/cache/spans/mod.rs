//! Copies in spans: parts that are fetched, fills that go on, bytes that are checked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use glance::cache::{Cache, Lookup, Need, Source, Supply};
use glance::stream::{Blob, ByteRange};

use super::support::{Image, SPAN, blob_of, collect, flip, range};

mod checks;
mod moved;
mod parts;

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
