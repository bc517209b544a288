//! Who leaves when room is needed, who does not, and what it costs to find out.

use std::fs::{File, FileTimes};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use glance::cache::{Cache, Known, Lookup, Want};
use glance::clock::Clock;
use glance::config::Eviction;
use glance::domain::ImageId;
use glance::telemetry::counters::Counters;
use rusqlite::Connection;

use super::support::{Image, Shelf, until};

/// Puts so many copies of one byte there, as they are found after a while.
fn entries(dir: &Path, count: u32) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_hours(1000);
    for _ in 0..count {
        let file = File::create(dir.join(ImageId::random().as_str())).unwrap();
        file.set_len(1).unwrap();
        file.set_times(FileTimes::new().set_modified(long_ago))
            .unwrap();
    }
}

/// How long the fastest of some claims takes. Each of them drives others out where there is no room.
async fn claim_time(cache: &Cache, size: usize) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..31 {
        let image = Image::of(size);
        let expected = image.expected();
        let start = Instant::now();
        let found = cache.lookup(image.id, &expected).await;
        fastest = fastest.min(start.elapsed());
        match found {
            Lookup::Missing(claim) => claim.fill_whole(image.blob()).await.unwrap(),
            other => panic!("no claim: {other:?}"),
        }
    }
    fastest
}

/// How long it takes to read the names of all files, at best.
fn reading_time(shelf: &Shelf) -> Duration {
    let read = |_| {
        let start = Instant::now();
        let names = std::fs::read_dir(shelf.dir.path()).unwrap();
        assert!(names.count() > 90_000);
        start.elapsed()
    };
    (0..5).map(read).min().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_among_a_hundred_thousand_copies_looks_at_few_of_them() {
    let count = 100_000;
    let shelf = Shelf::of_size(u64::from(count) + 400);
    entries(shelf.dir.path(), count);
    let cache = shelf.open().await;
    let free = claim_time(&cache, 10).await;
    // From now on somebody has to leave for each.
    let full = claim_time(&cache, 40).await;
    // Of each the fastest: whatever else this machine does, some of them are not held up.
    let all = reading_time(&shelf);
    println!("a claim takes {free:?}, {full:?} where copies leave for it; all names take {all:?}");
    assert!(
        free < all / 2 && full < all / 2,
        "{free:?} {full:?} {all:?}"
    );
    cache.close().await;
}

#[tokio::test]
async fn what_was_read_again_stays_while_everything_is_read_once() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let popular = [Image::of(200), Image::of(200)];
    for image in &popular {
        image.fill(&cache).await;
        image.download(&cache).await;
        image.download(&cache).await;
    }
    for _ in 0..20 {
        Image::of(200).fill(&cache).await;
    }
    for image in &popular {
        assert!(image.is_cached(&cache).await);
    }
}

#[tokio::test]
async fn where_copies_stand_survives_a_restart_and_is_known_to_others() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let popular = Image::of(400);
    popular.fill(&cache).await;
    popular.download(&cache).await;
    popular.download(&cache).await;
    cache.close().await;
    let (one, other) = (shelf.open().await, shelf.open().await);
    for cache in [&one, &other, &one, &other] {
        Image::of(400).fill(cache).await;
        assert!(popular.is_cached(cache).await);
    }
}

#[tokio::test]
async fn what_others_counted_of_a_copy_keeps_it_here_in_other_processes_and_after_a_restart() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let popular = Image::of(400);
    popular.fill(&cache).await;
    let now = Clock::system().now();
    let known = Known {
        id: popular.id,
        hits: 41,
        last_accessed: now - Duration::from_hours(1),
        last_modified: now,
    };
    cache.adopt(vec![known]).await.unwrap();
    for _ in 0..4 {
        Image::of(400).fill(&cache).await;
        assert!(popular.is_cached(&cache).await);
    }
    cache.close().await;
    let (one, other) = (shelf.open().await, shelf.open().await);
    for cache in [&one, &other, &one, &other] {
        Image::of(400).fill(cache).await;
        assert!(popular.is_cached(cache).await);
    }
}

#[tokio::test]
async fn what_rules_want_stays_for_rules_and_leaves_last_for_others() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let mut shelf = Shelf::of_size(1000);
        shelf.config.eviction = eviction;
        let cache = shelf.open().await;
        let [wanted, second, third] = [400, 300, 300].map(Image::of);
        for image in [&wanted, &second, &third] {
            image.fill(&cache).await;
        }
        let want = |images: &[&Image]| {
            let want = Want {
                rank: 0,
                rules: vec!["golden".to_owned()],
            };
            let wanted = images.iter().map(|image| (image.id, want.clone()));
            cache.want(wanted.collect())
        };
        let new = Image::of(300);
        want(&[&wanted]).await;
        match cache.lookup_for_rule(new.id, &new.expected()).await {
            Lookup::Missing(claim) => claim.fill_whole(new.blob()).await.unwrap(),
            other => panic!("no claim: {other:?}"),
        }
        let here = async || {
            let images = [&wanted, &second, &third, &new];
            let mut here = Vec::new();
            for image in images {
                here.push(image.is_cached(&cache).await);
            }
            here
        };
        assert_eq!(here().await, [true, false, true, true], "{eviction:?}");
        // For a rule all or none.
        want(&[&wanted, &third]).await;
        let large = Image::of(500);
        let found = cache.lookup_for_rule(large.id, &large.expected()).await;
        assert!(matches!(found, Lookup::Bypass(_)), "{eviction:?} {found:?}");
        assert_eq!(here().await, [true, false, true, true], "{eviction:?}");
        // For a download the others go first, whatever their turn; and then no more than has to.
        Image::of(300).fill(&cache).await;
        assert_eq!(here().await, [true, false, true, false], "{eviction:?}");
        large.fill(&cache).await;
        assert_eq!(here().await, [false, false, true, false], "{eviction:?}");
        // What no rule wants any more leaves as all do.
        want(&[]).await;
        Image::of(300).fill(&cache).await;
        assert_eq!(here().await, [false; 4], "{eviction:?}");
        assert!(large.is_cached(&cache).await);
    }
}

#[tokio::test]
async fn a_pin_that_came_in_the_same_moment_as_another_counts() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let [first, leaves, second] = [400, 200, 400].map(Image::of);
    for image in [&first, &leaves, &second] {
        image.fill(&cache).await;
    }
    cache.pin(first.id, "").await.unwrap();
    Image::of(200).fill(&cache).await;
    assert!(!leaves.is_cached(&cache).await);
    // The clock of a file system ticks some hundred times a second.
    let pins = File::open(shelf.path(".glance/pins")).unwrap();
    let seen = pins.metadata().unwrap().modified().unwrap();
    cache.pin(second.id, "").await.unwrap();
    let times = FileTimes::new().set_modified(seen);
    pins.set_times(times).unwrap();
    Image::of(200).fill(&cache).await;
    assert!(first.is_cached(&cache).await && second.is_cached(&cache).await);
}

#[tokio::test]
async fn a_pinned_copy_leaves_for_nobody_until_it_is_unpinned() {
    let mut shelf = Shelf::of_size(1000);
    shelf.config.eviction = Eviction::Lru;
    let cache = shelf.open().await;
    let (pinned, other) = (Image::of(600), Image::of(300));
    assert!(cache.pin(pinned.id, "").await.unwrap());
    assert!(!cache.pin(pinned.id, "").await.unwrap());
    pinned.fill(&cache).await;
    other.fill(&cache).await;
    Image::of(400).fill(&cache).await;
    assert!(pinned.is_cached(&cache).await && !other.is_cached(&cache).await);

    let large = Image::of(500);
    let found = cache.lookup(large.id, &large.expected()).await;
    assert!(matches!(found, Lookup::Bypass(_)));
    let mut config = shelf.config.clone();
    config.max_size = 100;
    cache.limit(&config);
    assert_eq!(cache.prune().await.unwrap().bytes, 400);
    assert!(pinned.is_cached(&cache).await);

    cache.limit(&shelf.config);
    let restarted = shelf.open().await;
    assert_eq!(restarted.pinned().await.unwrap().pinned_images, [pinned.id]);
    assert!(restarted.unpin(pinned.id).await.unwrap());
    large.fill(&restarted).await;
    assert!(!pinned.is_cached(&restarted).await);
}

#[tokio::test]
async fn when_one_has_to_leave_others_do_down_to_the_low_water_mark() {
    let mut shelf = Shelf::of_size(1000);
    shelf.config.low_water = 70;
    let cache = shelf.open().await;
    for _ in 0..10 {
        Image::of(100).fill(&cache).await;
    }
    assert_eq!(cache.entries().await.unwrap().len(), 10);
    Image::of(100).fill(&cache).await;
    assert_eq!(cache.entries().await.unwrap().len(), 7);
    Image::of(100).fill(&cache).await;
    assert_eq!(cache.entries().await.unwrap().len(), 8);
    let mut config = shelf.config.clone();
    config.max_size = 750;
    cache.limit(&config);
    assert_eq!(cache.prune().await.unwrap().files, 3);
}

#[tokio::test]
async fn what_was_not_used_for_its_time_to_live_leaves_with_the_next_prune_at_the_latest() {
    let mut shelf = Shelf::new();
    shelf.config.ttl = Some(Duration::from_hours(2));
    let (stays, leaves, own) = (Image::of(10), Image::of(20), Image::of(30));
    let pinned = Image::of(40);
    let cache = shelf.open().await;
    for image in [&stays, &leaves, &own, &pinned] {
        image.fill(&cache).await;
    }
    cache.pin(pinned.id, "").await.unwrap();
    cache.live(own.id, Some(Duration::from_mins(30)));
    cache.close().await;

    let after = |hours| {
        let later = move || Clock::system().now() + Duration::from_hours(hours);
        Clock::from_fn(later)
    };
    let cache = Cache::open(shelf.config.clone(), after(1), Counters::default()).await;
    stays.download(&cache).await;
    assert_eq!(cache.prune().await.unwrap().bytes, 30);
    cache.close().await;
    let cache = Cache::open(shelf.config.clone(), after(2), Counters::default()).await;
    assert_eq!(cache.prune().await.unwrap().bytes, 20);
    assert!(stays.is_cached(&cache).await && pinned.is_cached(&cache).await);
}

#[tokio::test]
async fn a_time_to_live_that_was_told_before_the_copy_came_survives_a_restart() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let image = Image::of(10);
    cache.live(image.id, Some(Duration::from_mins(30)));
    // Whatever was said by now is written.
    assert_eq!(cache.entries().await.unwrap(), []);
    image.fill(&cache).await;
    cache.close().await;
    let later = || Clock::system().now() + Duration::from_hours(1);
    let clock = Clock::from_fn(later);
    let cache = Cache::open(shelf.config.clone(), clock, Counters::default()).await;
    assert_eq!(cache.prune().await.unwrap().files, 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_time_to_live_longer() {
    let mut shelf = Shelf::new();
    shelf.config.ttl = Some(Duration::from_hours(2));
    let minutes = Arc::new(AtomicU64::new(24 * 60));
    let began = Clock::system().now();
    let clock = {
        let minutes = Arc::clone(&minutes);
        Clock::from_fn(move || began + Duration::from_mins(minutes.load(Ordering::Relaxed)))
    };
    let cache = Cache::open(shelf.config.clone(), clock, Counters::default()).await;
    Image::of(10).fill(&cache).await;
    for (now, files) in [(0, 0), (119, 0), (120, 1)] {
        minutes.store(now, Ordering::Relaxed);
        assert_eq!(cache.prune().await.unwrap().files, files, "{now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_another_process_holds_keeps_no_download_waiting_for_room() {
    let shelf = Shelf::of_size(1000);
    let cache = shelf.open().await;
    let image = Image::of(400);
    image.fill(&cache).await;
    until("written", async || {
        let index = Connection::open(shelf.path("cache.db")).unwrap();
        let rows = "SELECT count(*) FROM cached_images";
        index.query_row(rows, [], |row| row.get(0)) == Ok(1)
    })
    .await;
    let other = Connection::open(shelf.path("cache.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut times = Vec::new();
    for _ in 0..11 {
        let start = Instant::now();
        Image::of(400).fill(&cache).await;
        times.push(start.elapsed());
    }
    times.sort();
    // Who waits for the index waits for a second.
    assert!(times[5] < Duration::from_secs(1), "{times:?}");
    other.execute_batch("ROLLBACK").unwrap();
}

#[tokio::test]
async fn parts_that_nobody_has_open_count_and_leave_first() {
    let shelf = Shelf::of_size(10_000_000);
    let cache = shelf.open().await;
    let (whole, cut) = (Image::of(4_000_000), Image::of(5_000_000));
    whole.fill(&cache).await;
    let (store, blob) = super::support::by_hand();
    let claim = cut.claim(&cache).await;
    store.send(Ok(cut.bytes.slice(..4_500_000))).unwrap();
    store
        .send(Err(std::io::Error::other("cable pulled")))
        .unwrap();
    claim.fill_whole(blob).await.unwrap_err();
    until("put aside", async || {
        shelf.names(".glance/partial") == [cut.id.to_string()]
            && shelf.names(".glance/fills").is_empty()
    })
    .await;
    // The span that is here takes 4 MiB: there is room for one more image only without it.
    Image::of(3_000_000).fill(&cache).await;
    assert_eq!(shelf.names(".glance/partial"), [""; 0]);
    assert!(whole.is_cached(&cache).await);
}

#[tokio::test]
async fn what_the_most_important_rule_wants_leaves_after_all_else() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
        let mut shelf = Shelf::of_size(1000);
        shelf.config.eviction = eviction;
        let cache = shelf.open().await;
        let images = [400, 300, 300].map(Image::of);
        let mut wanted = Vec::new();
        for (rank, image) in images.iter().enumerate() {
            image.fill(&cache).await;
            let rules = vec![format!("rule {rank}")];
            wanted.push((image.id, Want { rank, rules }));
        }
        cache.want(wanted.into_iter().collect()).await;
        for (size, left) in [(300, [true, true, false]), (600, [true, false, false])] {
            let new = Image::of(size);
            new.fill(&cache).await;
            for (image, stays) in std::iter::zip(&images, left) {
                assert_eq!(image.is_cached(&cache).await, stays, "{eviction:?} {size}");
            }
        }
    }
}
