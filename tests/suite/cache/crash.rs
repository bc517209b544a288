//! Processes that are killed. This binary runs itself once more as the victim.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use glance::cache::{Cache, Lookup, Past};
use glance::clock::Clock;
use glance::domain::ImageId;
use glance::telemetry::counters::Counters;

use super::support::{Image, MIB, Shelf, broken, by_hand, collect, config, read_some};

const DIR: &str = "GLANCE_TEST_CACHE_VICTIM";

/// A process that fills the cache with what is written to it: lines of `ID SIZE SEND`, of which it sends
/// the first `SEND` bytes and waits for the next line.
struct Victim {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<std::process::ChildStdout>,
}

impl Victim {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cache::crash::victim", "--nocapture"])
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            orders,
            answers,
        }
    }

    /// Lets it fetch the first bytes of an image, and waits until they are in the file.
    fn fetch(&mut self, image: &Image, bytes: usize) {
        let (id, size) = (image.id, image.bytes.len());
        writeln!(self.orders, "{id} {size} {bytes}").unwrap();
        let mut line = String::new();
        while !line.starts_with("fetched") {
            line.clear();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "it died");
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Not a test of its own: what the victim does.
#[test]
fn victim() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let cache = Cache::open(
            config(Path::new(&dir)),
            Clock::system(),
            Counters::default(),
        )
        .await;
        let mut fills = Vec::new();
        for line in std::io::stdin().lines() {
            let line = line.unwrap();
            let [id, size, send] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let (size, send) = (size.parse().unwrap(), send.parse().unwrap());
            let mut image = Image::of(size);
            image.id = id.parse::<ImageId>().unwrap();
            image.bytes = super::support::pattern(image.id, size);
            fills.push(fetch(&cache, &image, send).await);
            println!("fetched");
        }
    });
}

type Kept = tokio::sync::mpsc::UnboundedSender<std::io::Result<Bytes>>;

async fn fetch(cache: &Cache, image: &Image, send: usize) -> Option<Kept> {
    let claim = image.claim(cache).await;
    let (store, blob) = by_hand();
    if send == usize::MAX {
        return None;
    }
    let fill = claim.fill_from(blob);
    store.send(Ok(image.bytes.slice(..send))).unwrap();
    let visible = send.min(image.bytes.len().saturating_sub(64 * 1024));
    read_some(fill.read(None), visible).await;
    Some(store)
}

#[tokio::test]
async fn an_image_whose_writer_was_killed_can_be_cached_at_once() {
    for sent in [0, 1, MIB / 2, MIB - 1, MIB] {
        let shelf = Shelf::new();
        let cache = shelf.open().await;
        let image = Image::of(MIB);
        let mut victim = Victim::start(shelf.dir.path());
        victim.fetch(&image, sent);
        let along = image.along(&cache).await;
        victim.kill();

        // Either it is still there as a dead fill, or the last bytes made it to their commit.
        image.fill(&cache).await;
        assert!(image.download(&cache).await == image.bytes);
        let read = collect(along.read(None)).await;
        match read {
            Ok(bytes) => assert!(bytes == image.bytes),
            Err(error) => assert!(broken(&error).resumable),
        }
        shelf.no_fill_is_left().await;
        assert_eq!(shelf.names("invalid"), [""; 0]);
    }
}

#[tokio::test]
async fn a_start_removes_what_a_killed_process_has_left() {
    let shelf = Shelf::new();
    let images = [Image::of(MIB), Image::of(MIB)];
    let mut victim = Victim::start(shelf.dir.path());
    for image in &images {
        victim.fetch(image, MIB / 2);
    }
    victim.kill();
    assert_eq!(shelf.names("incomplete").len(), 2);
    shelf.open().await;
    shelf.no_fill_is_left().await;
}

#[tokio::test]
async fn a_start_removes_what_a_service_without_locks_has_left_a_moment_ago() {
    let shelf = Shelf::new();
    let image = Image::of(MIB);
    shelf.open().await.close().await;
    let partial = shelf.path("incomplete").join(image.id.as_str());
    std::fs::write(&partial, "the first bytes").unwrap();

    let cache = shelf.open().await;
    shelf.no_fill_is_left().await;
    image.fill(&cache).await;
    assert!(image.download(&cache).await == image.bytes);

    // While this service runs, the other may run too.
    let other = Image::of(MIB);
    std::fs::write(shelf.path("incomplete").join(other.id.as_str()), "alive").unwrap();
    let found = cache.lookup(other.id, &other.expected()).await;
    assert!(matches!(found, Lookup::Bypass(Past::Stranger)), "{found:?}");
}

#[tokio::test]
async fn what_a_killed_process_was_promised_is_free_again() {
    let mut shelf = Shelf::new();
    shelf.config.max_size = 3 * MIB as u64;
    let cache = shelf.open().await;
    let (dead, next) = (Image::of(2 * MIB), Image::of(2 * MIB));
    let mut victim = Victim::start(shelf.dir.path());
    victim.fetch(&dead, 1000);
    let found = cache.lookup(next.id, &next.expected()).await;
    assert!(matches!(found, Lookup::Bypass(_)), "{found:?}");
    victim.kill();
    next.fill(&cache).await;
    assert!(next.download(&cache).await == next.bytes);
}

/// Kills at points that nobody chose: whatever the time hits.
#[tokio::test]
async fn killed_at_any_time_it_leaves_right_copies_and_nothing_in_the_way() {
    let shelf = Shelf::new();
    for round in 0..10_u64 {
        let images: Vec<Image> = (0..10).map(|_| Image::of(50_000)).collect();
        let mut victim = Victim::start(shelf.dir.path());
        victim.fetch(&images[0], 50_000);
        for image in &images[1..] {
            writeln!(victim.orders, "{} 50000 50000", image.id).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(round * 8)).await;
        victim.kill();

        let cache = shelf.open().await;
        for image in &images {
            if !image.is_cached(&cache).await {
                image.fill(&cache).await;
            }
            assert!(image.download(&cache).await == image.bytes);
        }
        let entries = cache.entries().await.unwrap();
        assert_eq!(entries.len() as u64, (round + 1) * 10);
        cache.close().await;
        shelf.no_fill_is_left().await;
    }
}
