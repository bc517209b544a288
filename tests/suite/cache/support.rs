//! A cache directory, images to put into it, and stores that do as they are told.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use glance::cache::{Cache, Claim, Expected, FillBroken, Growing, Lookup};
use glance::clock::Clock;
use glance::config::CacheConfig;
use glance::domain::ImageId;
use glance::domain::checksum::{Checksums, HashAlgorithm, SecureHash};
use glance::stream::{Blob, ByteRange};
use glance::telemetry::counters::Counters;
use tokio::sync::mpsc;

pub(crate) const MIB: usize = 1024 * 1024;
pub(crate) const SPAN: usize = 4 * MIB;

/// Nothing here takes so long unless it hangs.
pub(crate) const BOUND: Duration = Duration::from_mins(1);

/// A throw-away cache directory.
pub(crate) struct Shelf {
    pub dir: tempfile::TempDir,
    pub config: CacheConfig,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        Self { dir, config }
    }

    pub(crate) fn of_size(max_size: u64) -> Self {
        let mut shelf = Self::new();
        shelf.config.max_size = max_size;
        shelf
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A handle that shares nothing with others: it is to them like another process.
    pub(crate) async fn open(&self) -> Cache {
        Cache::open(self.config.clone(), Clock::system(), Counters::default()).await
    }

    /// Names of what is in one of the directories.
    pub(crate) fn names(&self, dir: &str) -> Vec<String> {
        let found = std::fs::read_dir(self.path(dir)).unwrap();
        let mut names: Vec<_> = found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Nothing is left of fills, once whoever reads the store for one has let go of its file.
    pub(crate) async fn no_fill_is_left(&self) {
        until("no fill is left", async || {
            self.names("incomplete").is_empty() && self.names(".glance/fills").is_empty()
        })
        .await;
    }
}

pub(crate) fn config(dir: &Path) -> CacheConfig {
    CacheConfig {
        max_size: 1 << 30,
        prefetch_workers: 2,
        queue_settle: Duration::from_secs(3),
        ..CacheConfig::at(dir.to_owned())
    }
}

/// An image and its data.
#[derive(Clone)]
pub(crate) struct Image {
    pub id: ImageId,
    pub bytes: Bytes,
}

impl Image {
    /// An image with data of its own.
    pub(crate) fn of(size: usize) -> Self {
        let id = ImageId::random();
        Self {
            id,
            bytes: pattern(id, size),
        }
    }

    /// What the record says.
    pub(crate) fn expected(&self) -> Expected {
        let mut hasher = HashAlgorithm::Sha256.hasher();
        hasher.update(&self.bytes);
        Expected {
            size: Some(self.bytes.len() as u64),
            checksums: Checksums {
                md5: None,
                secure: Some(SecureHash {
                    algorithm: HashAlgorithm::Sha256,
                    value: hasher.finish(),
                }),
                announced: None,
            },
        }
    }

    /// The store's data, in pieces.
    pub(crate) fn blob(&self) -> Blob {
        blob_of(&self.bytes)
    }

    pub(crate) async fn claim(&self, cache: &Cache) -> Claim {
        match cache.lookup(self.id, &self.expected()).await {
            Lookup::Missing(claim) => claim,
            other => panic!("no claim: {other:?}"),
        }
    }

    pub(crate) async fn along(&self, cache: &Cache) -> Growing {
        match cache.lookup(self.id, &self.expected()).await {
            Lookup::Growing(growing) => growing,
            other => panic!("not growing: {other:?}"),
        }
    }

    /// Brings the image in.
    pub(crate) async fn fill(&self, cache: &Cache) {
        let claim = self.claim(cache).await;
        claim.fill_whole(self.blob()).await.unwrap();
    }

    pub(crate) async fn is_cached(&self, cache: &Cache) -> bool {
        let found = cache.peek(self.id, &self.expected()).await;
        matches!(found, Lookup::Cached(_))
    }

    /// A whole download from the cache.
    pub(crate) async fn download(&self, cache: &Cache) -> Read {
        match cache.lookup(self.id, &self.expected()).await {
            Lookup::Cached(image) => collect(image.read(None)).await.unwrap(),
            other => panic!("not cached: {other:?}"),
        }
    }
}

/// Bytes that depend on the image and on where they are.
pub(crate) fn pattern(id: ImageId, size: usize) -> Bytes {
    let seed = id.as_str().as_bytes();
    (0..size)
        .map(|at| seed[at % 36] ^ (at / 251).to_le_bytes()[0])
        .collect()
}

pub(crate) fn blob_of(bytes: &Bytes) -> Blob {
    let pieces: Vec<io::Result<Bytes>> = (0..bytes.len())
        .step_by(100_000)
        .map(|at| Ok(bytes.slice(at..bytes.len().min(at + 100_000))))
        .collect();
    Blob {
        size: Some(bytes.len() as u64),
        bytes: stream::iter(pieces).boxed(),
    }
}

/// A store that sends what one hands it; when the sender is dropped, that was all.
pub(crate) fn by_hand() -> (mpsc::UnboundedSender<io::Result<Bytes>>, Blob) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let bytes = stream::unfold(receiver, |mut receiver| async move {
        let next = receiver.recv().await?;
        Some((next, receiver))
    });
    let blob = Blob {
        size: None,
        bytes: bytes.boxed(),
    };
    (sender, blob)
}

/// All that comes, or the error that ended it.
pub(crate) async fn collect(blob: Blob) -> io::Result<Read> {
    let parts: Vec<Bytes> = tokio::time::timeout(BOUND, blob.bytes.try_collect())
        .await
        .expect("the stream hangs")?;
    Ok(Read(parts.concat()))
}

/// Bytes that nobody wants to see in the report of a failure.
pub(crate) struct Read(pub Vec<u8>);

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Read {
    fn eq(&self, other: &T) -> bool {
        self.0 == other.as_ref()
    }
}

/// Reads `count` bytes and gives back the rest of the stream.
pub(crate) async fn read_some(mut blob: Blob, count: usize) -> (Bytes, Blob) {
    let mut read = Vec::new();
    while read.len() < count {
        let next = tokio::time::timeout(BOUND, blob.bytes.next()).await;
        read.extend(next.expect("the stream hangs").unwrap().unwrap());
    }
    (read.into(), blob)
}

/// Why a stream of a growing copy broke.
pub(crate) fn broken(error: &io::Error) -> &FillBroken {
    let inner = error.get_ref().expect("no inner error");
    inner.downcast_ref().expect("some other error")
}

pub(crate) fn range(start: usize, end: usize) -> ByteRange {
    ByteRange {
        start: start as u64,
        end: end as u64,
    }
}

/// Turns a bit of a file around, as a disk does or somebody who takes no locks.
pub(crate) fn flip(path: &Path, at: usize) {
    use std::os::unix::fs::FileExt as _;
    let mut options = std::fs::File::options();
    let file = options.read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
}

/// Waits until something holds that is not announced.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, wait)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}
