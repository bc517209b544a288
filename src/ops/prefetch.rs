//! Images that are fetched before anybody asks.
//!
//! The queue is a directory, so what is wanted outlives us, and anyone may want something. An image leaves
//! the queue when it is cached, or when it was deleted; whatever else goes wrong, it stays, rests for a while
//! and is tried again. That includes an id that the database does not know: it may be about to.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Glance;
use super::download::expected;
use crate::cache::{Cache, Lookup};
use crate::domain::{ImageId, Status};

/// How long an image rests after its first failure, and at most.
const REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_mins(5);

/// How soon to look again where another process brings the image in.
const BUSY_REST: Duration = Duration::from_secs(1);

/// What came of fetching an image.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fetched {
    /// It is here, and its wish has come true.
    Cached,
    /// The image was deleted.
    Gone,
    /// Somebody else is at it.
    Busy,
    /// It is not here, and this is why.
    Failed(String),
}

impl Glance {
    /// Fetches what is queued, and what will be, until `stop` is cancelled.
    pub async fn prefetch(&self, stop: CancellationToken) {
        let (Some(cache), Some(config)) = (&self.cache, &self.config.cache) else {
            return stop.cancelled().await;
        };
        let fetch = |id| {
            let (glance, cache) = (self.clone(), cache.clone());
            async move { glance.fetch(&cache, id).await }
        };
        stop.run_until_cancelled(work(cache, config.prefetch_workers, fetch))
            .await;
    }

    /// Brings one image in.
    async fn fetch(&self, cache: &Cache, id: ImageId) -> Fetched {
        let image = match self.db.image(id).await {
            Ok(Some(mut image)) => {
                self.stores.sort(&mut image.locations);
                image
            }
            Ok(None) => return self.without_image(id).await,
            Err(error) => return Fetched::Failed(error.to_string()),
        };
        if image.status != Status::Active {
            return Fetched::Failed(format!("it is {}", image.status));
        }
        match cache.lookup(id, &expected(&image)).await {
            Lookup::Cached(_) => Fetched::Cached,
            Lookup::Growing(_) => Fetched::Busy,
            Lookup::Part(_) => Fetched::Failed("only a part of it is here".into()),
            Lookup::Bypass(why) => Fetched::Failed(why.to_string()),
            Lookup::Missing(claim) => match self.source(&image).supply(&claim).await {
                Ok(supply) => match claim.fill_whole(supply).await {
                    Ok(()) => Fetched::Cached,
                    Err(broken) => Fetched::Failed(broken.reason),
                },
                Err(error) => Fetched::Failed(error.to_string()),
            },
        }
    }
}

impl Glance {
    /// What becomes of a wish for an image that is not there. One that the database never knew may be known
    /// to the database that an operator meant.
    async fn without_image(&self, id: ImageId) -> Fetched {
        match self.db.image_existed(id).await {
            Ok(true) => Fetched::Gone,
            Ok(false) => Fetched::Failed("the database knows no such image".into()),
            Err(error) => Fetched::Failed(error.to_string()),
        }
    }
}

/// Takes images from the queue, up to `workers` at once.
async fn work<Fetching: Future<Output = Fetched>>(
    cache: &Cache,
    workers: usize,
    fetch: impl Fn(ImageId) -> Fetching,
) {
    let watch = cache.watch_queue();
    let mut running = FuturesUnordered::new();
    let mut busy = HashSet::new();
    let mut failures = Failures::default();
    loop {
        let free = running.len() < workers;
        let resting = failures.resting();
        let rested: OptionFuture<_> = failures.next_rested().map(tokio::time::sleep_until).into();
        tokio::select! {
            id = watch.next(&busy, &resting), if free => {
                busy.insert(id);
                let fetching = fetch(id);
                running.push(async move { (id, fetching.await) });
            }
            Some((id, fetched)) = running.next() => {
                busy.remove(&id);
                watch.tried(id);
                failures.note(id, &fetched);
                settle(cache, id, &fetched).await;
            }
            Some(()) = rested => {}
        }
    }
}

/// Takes from the queue what need not be there any more.
async fn settle(cache: &Cache, id: ImageId, fetched: &Fetched) {
    if *fetched == Fetched::Gone {
        tracing::warn!(image.id = %id, "image {id} is not fetched and leaves the queue: it was deleted");
    }
    if matches!(fetched, Fetched::Cached | Fetched::Gone)
        && let Err(error) = cache.unqueue(id).await
    {
        tracing::warn!(image.id = %id, "image {id} stays in the queue: {error}");
    }
}

/// Images that could not be had, and how long they rest.
#[derive(Debug, Default)]
struct Failures(HashMap<ImageId, Failure>);

#[derive(Debug)]
struct Failure {
    times: u32,
    until: Instant,
}

impl Failures {
    fn note(&mut self, id: ImageId, fetched: &Fetched) {
        let now = Instant::now();
        // Who was taken from the queue meanwhile does not come back here.
        self.0
            .retain(|_, failure| failure.until + LONGEST_REST * 2 > now);
        match fetched {
            Fetched::Cached | Fetched::Gone => drop(self.0.remove(&id)),
            Fetched::Busy => {
                let failure = self.0.entry(id).or_insert(Failure {
                    times: 0,
                    until: now,
                });
                failure.until = now + BUSY_REST;
            }
            Fetched::Failed(reason) => {
                let failure = self.0.entry(id).or_insert(Failure {
                    times: 0,
                    until: now,
                });
                let rest = (REST * 2_u32.saturating_pow(failure.times)).min(LONGEST_REST);
                failure.times = (failure.times + 1).min(16);
                failure.until = now + rest;
                tracing::warn!(
                    image.id = %id,
                    "image {id} was not fetched and stays in the queue: {reason}; next try in {rest:?}"
                );
            }
        }
    }

    fn resting(&self) -> HashSet<ImageId> {
        let now = Instant::now();
        let resting = self.0.iter().filter(|(_, failure)| failure.until > now);
        resting.map(|(id, _)| *id).collect()
    }

    /// When the first of them has rested enough.
    fn next_rested(&self) -> Option<Instant> {
        let now = Instant::now();
        let untils = self.0.values().map(|failure| failure.until);
        untils.filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
        let order = Mutex::new(Vec::new());
        let made = AtomicUsize::new(0);
        let done = CancellationToken::new();
        let fetch = async |id| {
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
        let working = done.run_until_cancelled(work(cache, workers, fetch));
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
            tokio::time::sleep(Duration::from_millis(20)).await;
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

    #[test]
    fn rests_grow_up_to_a_limit() {
        let mut failures = Failures::default();
        let id = ImageId::random();
        let mut rests = Vec::new();
        for _ in 0..20 {
            let before = Instant::now();
            failures.note(id, &Fetched::Failed("no".into()));
            rests.push((failures.0[&id].until - before).as_secs());
        }
        assert_eq!(rests[..7], [5, 10, 20, 40, 80, 160, 300]);
        assert_eq!(rests[19], 300);
        failures.note(id, &Fetched::Cached);
        assert!(failures.resting().is_empty());
    }
}
