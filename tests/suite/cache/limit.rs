//! The size of the cache is a limit.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fs2::FileExt as _;
use futures_util::future::join_all;
use glance::cache::{Cache, Directory, Lookup, Pruned};
use glance::clock::Clock;
use glance::config::Eviction;

use super::support::{Image, MIB, Shelf, by_hand, collect, read_some, until};

async fn is_bypass(cache: &Cache, image: &Image) -> bool {
    let found = cache.lookup(image.id, &image.expected()).await;
    matches!(found, Lookup::Bypass(_))
}

#[tokio::test]
async fn who_was_not_used_for_longest_leaves_for_the_new() {
    let mut shelf = Shelf::of_size(1000);
    shelf.config.eviction = Eviction::Lru;
    let cache = shelf.open().await;
    let images = [Image::of(400), Image::of(400), Image::of(400)];
    images[0].fill(&cache).await;
    images[1].fill(&cache).await;
    images[0].download(&cache).await;
    images[2].fill(&cache).await;
    let mut cached = Vec::new();
    for image in &images {
        cached.push(image.is_cached(&cache).await);
    }
    assert_eq!(cached, [true, false, true]);
    assert_eq!(cache.entries().await.unwrap().len(), 2);
    assert_eq!(cache.prune().await.unwrap(), Pruned::default());
}

#[tokio::test]
async fn what_cannot_fit_is_read_past_the_cache_and_drives_nobody_out() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let small = Image::of(400);
    small.fill(&cache).await;
    assert!(is_bypass(&cache, &Image::of(1001)).await);
    // Nobody but its owner removes a stranger's file, so 1000 bytes cannot be had any more.
    std::fs::write(shelf.path("notes.txt"), b"a").unwrap();
    assert!(is_bypass(&cache, &Image::of(1000)).await);
    assert!(small.is_cached(&cache).await);
    shelf.no_fill_is_left().await;
}

#[tokio::test]
async fn a_limit_of_nothing_admits_nothing() {
    let shelf = Shelf::of_size(0);
    let cache = shelf.open().await;
    assert!(is_bypass(&cache, &Image::of(1)).await);
    assert!(is_bypass(&cache, &Image::of(0)).await);
}

#[tokio::test]
async fn room_is_taken_before_the_first_byte_by_all_processes_together() {
    let shelf = Shelf::of_size(1000);
    let (one, other) = (shelf.open().await, shelf.open().await);
    let claim = Image::of(600).claim(&one).await;
    let late = Image::of(600);
    assert!(is_bypass(&other, &late).await);
    assert!(is_bypass(&one, &late).await);
    drop(claim);
    late.fill(&other).await;
}

#[tokio::test]
async fn an_image_of_unknown_size_stops_being_cached_at_the_limit() {
    let shelf = Shelf::of_size(3 * MIB as u64);
    let cache = shelf.open().await;
    let image = Image::of(5 * MIB);
    let mut expected = image.expected();
    expected.size = None;
    let Lookup::Missing(claim) = cache.lookup(image.id, &expected).await else {
        panic!("no claim");
    };
    let (store, blob) = by_hand();
    let reader = claim.fill_from(blob).read(None);
    store.send(Ok(image.bytes.slice(..2 * MIB))).unwrap();
    let (_, rest) = read_some(reader, MIB).await;
    store.send(Ok(image.bytes.slice(2 * MIB..))).unwrap();
    let error = collect(rest).await.unwrap_err();
    assert!(super::support::broken(&error).resumable);
    until("given up", async || shelf.names("incomplete").is_empty()).await;
    assert!(!shelf.path(image.id.as_str()).exists());
}

#[tokio::test]
async fn the_disk_keeps_what_it_is_to_keep_free() {
    let mut shelf = Shelf::new();
    shelf.config.min_free_space = u64::MAX / 4;
    let cache = shelf.open().await;
    assert!(is_bypass(&cache, &Image::of(1)).await);
    shelf.config.min_free_space = 1;
    Image::of(1).fill(&shelf.open().await).await;
}

#[tokio::test]
async fn bad_data_leaves_before_good_copies_do() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let good = Image::of(400);
    good.fill(&cache).await;
    std::fs::write(shelf.path("invalid").join("old"), [0; 500]).unwrap();
    Image::of(500).fill(&cache).await;
    assert!(good.is_cached(&cache).await);
    assert_eq!(shelf.names("invalid"), [""; 0]);
}

#[tokio::test]
async fn prune_takes_what_others_have_put_there_over_the_limit() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let images: Vec<Image> = (0..4).map(|_| Image::of(400)).collect();
    for (age, image) in images.iter().enumerate() {
        let path = shelf.path(image.id.as_str());
        std::fs::write(&path, &image.bytes).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        let at = std::time::UNIX_EPOCH + Duration::from_secs(100 - age as u64);
        let times = std::fs::FileTimes::new().set_modified(at).set_accessed(at);
        file.set_times(times).unwrap();
    }
    let tool = Directory::open(&shelf.config, Clock::system()).unwrap();
    let before = shelf.names("");
    let plan: Vec<_> = tool
        .plan_prune()
        .unwrap()
        .iter()
        .map(|image| image.id)
        .collect();
    assert_eq!(plan, [images[3].id, images[2].id]);
    assert_eq!(shelf.names(""), before, "a plan changes nothing");
    assert_eq!(
        cache.prune().await.unwrap(),
        Pruned {
            files: 2,
            bytes: 800
        }
    );
    assert_eq!(tool.prune().unwrap(), Pruned::default());
    assert_eq!(cache.entries().await.unwrap().len(), 2);
}

/// Bytes of all copies, whole and growing, at one moment: under the lock that everything moves under.
fn taken(shelf: &Shelf) -> u64 {
    let lock = File::open(shelf.path(".glance/space.lock")).unwrap();
    lock.lock_exclusive().unwrap();
    let sum = |dir: &str| -> u64 {
        let files = std::fs::read_dir(shelf.path(dir)).unwrap();
        files
            .filter_map(|entry| {
                let entry = entry.unwrap();
                let known = entry.file_name().to_string_lossy().starts_with("cache.db");
                let found = entry.metadata().ok()?;
                (found.is_file() && !known).then_some(found.len())
            })
            .sum()
    };
    sum("") + sum("incomplete") + sum("invalid")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_random_load_by_two_processes_the_limit_holds() {
    const LIMIT: u64 = 1_000_000;
    let shelf = Arc::new(Shelf::of_size(LIMIT));
    let caches = [shelf.open().await, shelf.open().await];
    let images: Vec<Image> = (1..40).map(|n| Image::of(n * 10_007)).collect();
    let done = Arc::new(AtomicBool::new(false));
    let sampler = {
        let (shelf, done) = (Arc::clone(&shelf), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut highest = 0;
            loop {
                // Once more after the end, when all that fits is there.
                let last = done.load(Ordering::Relaxed);
                highest = highest.max(taken(&shelf));
                if last {
                    return highest;
                }
            }
        })
    };
    let clients = (0..8_usize).map(|client| {
        let cache = caches[client % 2].clone();
        let images = images.clone();
        tokio::spawn(async move {
            let mut order = 12_345 + client * 777;
            for _ in 0..40 {
                order = order.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
                let image = &images[(order >> 8) % images.len()];
                match cache.lookup(image.id, &image.expected()).await {
                    Lookup::Cached(copy) => {
                        assert!(collect(copy.read(None)).await.unwrap() == image.bytes);
                    }
                    Lookup::Growing(growing) => {
                        // It may give up where no room can be made, but is never wrong.
                        if let Ok(bytes) = collect(growing.read(None)).await {
                            assert!(bytes == image.bytes);
                        }
                    }
                    Lookup::Missing(claim) => {
                        let reader = claim.fill_from(image.blob()).read(None);
                        assert!(collect(reader).await.unwrap() == image.bytes);
                    }
                    Lookup::Bypass(_) => {}
                    Lookup::Part(part) => panic!("{part:?}"),
                }
            }
        })
    });
    for client in join_all(clients).await {
        client.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let highest = sampler.join().unwrap();
    assert!(highest <= LIMIT, "{highest}");
    assert!(highest > LIMIT / 2, "the load was no load: {highest}");
    for cache in &caches {
        cache.close().await;
    }
    shelf.no_fill_is_left().await;
}

#[tokio::test]
async fn a_limit_may_change_while_the_cache_is_open() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let image = Image::of(1500);
    assert!(is_bypass(&cache, &image).await);
    let mut config = super::support::config(&shelf.path(""));
    config.max_size = 2000;
    cache.limit(&config);
    image.fill(&cache).await;
    assert!(image.is_cached(&cache).await);
    config.max_size = 1000;
    cache.limit(&config);
    assert_eq!(cache.prune().await.unwrap().files, 1);
}
