use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::config::CacheConfig;
use crate::telemetry::counters::Counters;

async fn cache(dir: &std::path::Path) -> Cache {
    let config = CacheConfig {
        max_size: 1 << 20,
        ..CacheConfig::at(dir.to_owned())
    };
    Cache::open(config, Clock::system(), Counters::default()).await
}

/// Works until `enough` fetches were made, and says of what.
async fn fetched(
    cache: &Cache,
    workers: usize,
    enough: usize,
    fetch: impl AsyncFn(ImageId, usize) -> Fetched,
) -> Vec<ImageId> {
    fetched_for(&[], cache, workers, enough, fetch).await
}

/// The same with rules.
async fn fetched_for(
    rules: &[PrefetchRule],
    cache: &Cache,
    workers: usize,
    enough: usize,
    fetch: impl AsyncFn(ImageId, usize) -> Fetched,
) -> Vec<ImageId> {
    let order = Mutex::new(Vec::new());
    let made = AtomicUsize::new(0);
    let done = CancellationToken::new();
    let fetch = async |queued: Queued| {
        let id = queued.id;
        let before = {
            let mut order = order.lock().unwrap();
            order.push(id);
            order.iter().filter(|other| **other == id).count() - 1
        };
        let fetched = fetch(id, before).await;
        if made.fetch_add(1, Ordering::SeqCst) + 1 == enough {
            done.cancel();
        }
        fetched
    };
    let working = done.run_until_cancelled(work(cache, workers, rules, fetch));
    let bound = Duration::from_mins(1);
    assert!(
        tokio::time::timeout(bound, working).await.is_ok(),
        "it hangs"
    );
    order.into_inner().unwrap()
}

#[tokio::test]
async fn images_are_fetched_in_order_and_leave_the_queue() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path()).await;
    let images: Vec<ImageId> = (0..6).map(|_| ImageId::random()).collect();
    for id in &images {
        cache.queue(*id).await.unwrap();
    }
    let fetch = async |id, _| {
        if id == images[5] {
            Fetched::Failed("it is deactivated".into())
        } else if id == images[3] {
            Fetched::Gone
        } else {
            Fetched::Cached
        }
    };
    assert_eq!(fetched(&cache, 1, 6, fetch).await, images);
    assert_eq!(cache.queued().await.unwrap(), images[5..]);
}

/// Waits until so many have been fetched at once, and a moment in which more could come.
async fn until_there_are(enough: usize, most: &AtomicUsize) {
    while most.load(Ordering::SeqCst) < enough {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn no_more_than_the_workers_are_fetched_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path()).await;
    for _ in 0..10 {
        cache.queue(ImageId::random()).await.unwrap();
    }
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let fetch = async |_, _| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        until_there_are(3, &most).await;
        now.fetch_sub(1, Ordering::SeqCst);
        Fetched::Cached
    };
    fetched(&cache, 3, 10, fetch).await;
    assert_eq!(most.into_inner(), 3);
}

#[tokio::test]
async fn what_fails_stays_and_lets_the_others_go_first_unless_it_is_hurried() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path()).await;
    let (bad, good) = (ImageId::random(), ImageId::random());
    cache.queue(bad).await.unwrap();
    cache.queue(good).await.unwrap();
    let fetch = async |id, before| {
        if id == good {
            cache.hurry(bad);
            Fetched::Cached
        } else if before == 0 {
            Fetched::Failed("the store is away".into())
        } else {
            Fetched::Cached
        }
    };
    assert_eq!(fetched(&cache, 1, 3, fetch).await, [bad, good, bad]);
}

#[tokio::test]
async fn who_is_hurried_while_it_is_fetched_is_not_fetched_once_more() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path()).await;
    let (bad, good) = (ImageId::random(), ImageId::random());
    cache.queue(bad).await.unwrap();
    cache.queue(good).await.unwrap();
    let fetch = async |id, _| {
        cache.hurry(id);
        if id == good {
            Fetched::Cached
        } else {
            Fetched::Failed("the store is away".into())
        }
    };
    assert_eq!(fetched(&cache, 1, 2, fetch).await, [bad, good]);
}

fn rule(name: &str, priority: i64, concurrency: u64) -> PrefetchRule {
    PrefetchRule {
        priority,
        concurrency: concurrency.try_into().ok(),
        ..PrefetchRule::named(name)
    }
}

#[tokio::test]
async fn what_somebody_wants_comes_before_what_rules_want_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path()).await;
    let images: Vec<ImageId> = (0..5).map(|_| ImageId::random()).collect();
    for (id, name) in images.iter().zip(["gone", "low", "high", "high"]) {
        assert!(cache.queue_for_rule(*id, name).await.unwrap());
    }
    assert!(cache.queue(images[4]).await.unwrap());
    // Who asks for what a rule wants makes it his own.
    assert!(cache.queue(images[3]).await.unwrap());
    assert!(!cache.queue(images[3]).await.unwrap());
    let rules = [rule("high", 5, 0), rule("low", -5, 0)];
    let fetch = async |_, _| Fetched::Cached;
    let order = fetched_for(&rules, &cache, 1, 5, fetch).await;
    let expected = [4, 3, 2, 1, 0].map(|at: usize| images[at]);
    assert_eq!(order, expected);
    // The last one was fetched, and is about to leave.
    let leaving = async {
        while !cache.queued().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let left = tokio::time::timeout(Duration::from_mins(1), leaving).await;
    left.expect("it stays");
}

#[tokio::test]
async fn for_a_rule_no_more_are_fetched_at_once_than_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path()).await;
    for _ in 0..6 {
        cache
            .queue_for_rule(ImageId::random(), "one")
            .await
            .unwrap();
        cache
            .queue_for_rule(ImageId::random(), "all")
            .await
            .unwrap();
    }
    let inventory = cache.inventory().await.unwrap();
    let of_one: HashSet<ImageId> = (inventory.queued.iter())
        .filter(|queued| queued.rule.as_deref() == Some("one"))
        .map(|queued| queued.id)
        .collect();
    let (ones, most_ones, all, most) =
        <(AtomicUsize, AtomicUsize, AtomicUsize, AtomicUsize)>::default();
    let fetch = async |id, _| {
        let is_one = usize::from(of_one.contains(&id));
        most_ones.fetch_max(
            ones.fetch_add(is_one, Ordering::SeqCst) + is_one,
            Ordering::SeqCst,
        );
        most.fetch_max(all.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        until_there_are(4, &most).await;
        ones.fetch_sub(is_one, Ordering::SeqCst);
        all.fetch_sub(1, Ordering::SeqCst);
        Fetched::Cached
    };
    let rules = [rule("one", 5, 1), rule("all", 0, 0)];
    fetched_for(&rules, &cache, 4, 12, fetch).await;
    assert_eq!((most_ones.into_inner(), most.into_inner()), (1, 4));
}

#[tokio::test]
async fn what_somebody_wants_waits_for_nothing_that_a_rule_wants() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path()).await;
    let (of_rule, by_hand) = (ImageId::random(), ImageId::random());
    cache.queue_for_rule(of_rule, "slow").await.unwrap();
    let came = tokio::sync::Notify::new();
    let fetch = async |id, _| {
        if id == of_rule {
            cache.queue(by_hand).await.unwrap();
            came.notified().await;
        } else {
            came.notify_one();
        }
        Fetched::Cached
    };
    let order = fetched(&cache, 1, 2, fetch).await;
    assert_eq!(order, [of_rule, by_hand]);
}
