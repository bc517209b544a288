//! Images asked for ahead of time.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use glance::cache::Directory;
use glance::clock::Clock;

use super::support::{BOUND, Image, Shelf};

/// Nothing here is wanted by one.
fn no_rules(_: &str) -> Option<i64> {
    None
}

#[tokio::test]
async fn the_queue_keeps_its_order_and_takes_each_image_once() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let images: Vec<_> = (0..5).map(|_| Image::of(10).id).collect();
    for id in &images {
        assert!(cache.queue(*id).await.unwrap());
        assert!(!cache.queue(*id).await.unwrap());
    }
    assert_eq!(cache.queued().await.unwrap(), images);
    assert!(cache.unqueue(images[0]).await.unwrap());
    assert!(!cache.unqueue(images[0]).await.unwrap());
    std::fs::write(shelf.path("queue/no image"), b"").unwrap();
    assert_eq!(cache.queued().await.unwrap(), images[1..]);
    assert_eq!(cache.unqueue_all().await.unwrap(), 4);
    assert_eq!(cache.unqueue_all().await.unwrap(), 0);
    assert_eq!(shelf.names("queue"), ["no image"]);
}

#[tokio::test]
async fn what_is_here_or_on_its_way_is_not_queued() {
    let shelf = Shelf::new();
    let (cache, other) = (shelf.open().await, shelf.open().await);
    let image = Image::of(1000);
    let tool = Directory::open(&shelf.config, Clock::system()).unwrap();
    assert!(tool.queue(image.id).unwrap());
    assert_eq!(tool.queued().unwrap()[0].id, image.id);
    let claim = image.claim(&cache).await;
    assert!(tool.unqueue(image.id).unwrap());
    assert!(!other.queue(image.id).await.unwrap());
    std::fs::write(shelf.path("queue").join(image.id.as_str()), b"").unwrap();
    claim.fill_whole(image.blob()).await.unwrap();
    assert_eq!(cache.queued().await.unwrap(), [], "its wish came true");
    assert!(!tool.queue(image.id).unwrap());
    assert!(tool.evict(image.id).unwrap());
    assert!(tool.queue(image.id).unwrap());
}

#[tokio::test]
async fn a_file_that_anyone_puts_there_is_noticed() {
    let mut shelf = Shelf::new();
    shelf.config.queue_settle = Duration::ZERO;
    let cache = shelf.open().await;
    let watch = cache.watch_queue();
    let first = Image::of(10).id;
    let waiting = tokio::spawn(async move {
        let next = watch.next(&HashSet::new(), &HashSet::new(), no_rules).await;
        (next.id, watch)
    });
    // Less than the slow sweep: it must be the watch that noticed.
    let soon = Duration::from_secs(25);
    tokio::task::yield_now().await;
    std::fs::write(shelf.path("queue").join(first.as_str()), b"").unwrap();
    let (found, watch) = tokio::time::timeout(soon, waiting).await.unwrap().unwrap();
    assert_eq!(found, first);

    let second = Image::of(10).id;
    let (busy, nobody) = (HashSet::from([first]), HashSet::new());
    let next = watch.next(&busy, &nobody, no_rules);
    let put = async {
        cache.queue(second).await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        found = tokio::time::timeout(soon, next) => assert_eq!(found.unwrap().id, second),
        () = put => {}
    }
}

#[tokio::test]
async fn an_image_rests_in_the_queue_unless_it_is_wanted_at_once() {
    let mut shelf = Shelf::new();
    shelf.config.queue_settle = Duration::from_millis(700);
    let cache = shelf.open().await;
    let watch = cache.watch_queue();
    let (patient, hurried) = (Image::of(10).id, Image::of(10).id);
    let started = Instant::now();
    cache.queue(patient).await.unwrap();
    cache.queue(hurried).await.unwrap();
    cache.hurry(hurried);
    let next = async |busy: HashSet<_>, resting: HashSet<_>| {
        let next = watch.next(&busy, &resting, no_rules);
        tokio::time::timeout(BOUND, next).await.unwrap().id
    };
    let nobody = HashSet::new;
    assert_eq!(next(nobody(), nobody()).await, hurried);
    assert_eq!(next(HashSet::from([hurried]), nobody()).await, patient);
    assert!(started.elapsed() >= Duration::from_millis(700));
    // Both have rested now, and the one after a failure; who is wanted at once goes first all the same.
    cache.hurry(hurried);
    assert_eq!(next(nobody(), HashSet::from([hurried])).await, hurried);
    assert_eq!(next(nobody(), HashSet::from([hurried])).await, patient);
}

#[tokio::test]
async fn an_image_whose_time_is_to_come_is_ready() {
    let shelf = Shelf::new();
    let cache = shelf.open().await;
    let id = Image::of(10).id;
    let path = shelf.path("queue").join(id.as_str());
    let file = std::fs::File::create(path).unwrap();
    let tomorrow = file.metadata().unwrap().modified().unwrap() + Duration::from_hours(24);
    file.set_modified(tomorrow).unwrap();
    let (watch, nobody) = (cache.watch_queue(), HashSet::new());
    let found = tokio::time::timeout(BOUND, watch.next(&nobody, &nobody, no_rules)).await;
    assert_eq!(found.unwrap().id, id);
}
