//! Images that are fetched before anybody asks.
//!
//! The queue is a directory, so what is wanted outlives us, and anyone may want something. An image leaves
//! the queue when it is cached, or when it was deleted; whatever else goes wrong, it stays, rests for a while
//! and is tried again. That includes an id that the database does not know: it may be about to.

mod failures;

use std::collections::{HashMap, HashSet};

use futures_util::StreamExt as _;
use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Glance;
use super::download::expected;
use crate::cache::{Cache, Lookup, Past, Queued};
use crate::config::PrefetchRule;
use crate::domain::{ImageId, Status};

use failures::Failures;

/// What came of fetching an image.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fetched {
    /// It is here, and its wish has come true.
    Cached,
    /// The image was deleted.
    Gone,
    /// Somebody else is at it.
    Busy,
    /// A rule wants it, and there is no room for it.
    NoRoom(String),
    /// It is not here, and this is why.
    Failed(String),
}

impl Glance {
    /// Fetches what is queued, and what will be, until `stop` is cancelled.
    pub async fn prefetch(&self, stop: CancellationToken) {
        let (Some(cache), Some(config)) = (&self.cache, &self.config.cache) else {
            return stop.cancelled().await;
        };
        let fetch = |queued: Queued| {
            let (glance, cache) = (self.clone(), cache.clone());
            async move { glance.fetch(&cache, &queued).await }
        };
        let working = work(cache, config.prefetch_workers, &config.rules, fetch);
        stop.run_until_cancelled(working).await;
    }

    /// Brings one image in.
    async fn fetch(&self, cache: &Cache, queued: &Queued) -> Fetched {
        let id = queued.id;
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
        self.tell_life(cache, &image);
        self.give_way(cache, &image).await;
        let restrained = self.restrained(queued);
        let found = match &queued.rule {
            None => cache.lookup(id, &expected(&image)).await,
            Some(_) => match self.lookup_for_rule(cache, &image).await {
                Ok(found) => found,
                Err(error) => return Fetched::Failed(error.to_string()),
            },
        };
        match found {
            Lookup::Cached(_) => Fetched::Cached,
            Lookup::Growing(_) => Fetched::Busy,
            Lookup::Part(_) => Fetched::Failed("only a part of it is here".into()),
            Lookup::Bypass(why @ (Past::NoRoom | Past::TooLarge)) if queued.rule.is_some() => {
                Fetched::NoRoom(why.to_string())
            }
            Lookup::Bypass(why) => Fetched::Failed(why.to_string()),
            Lookup::Missing(claim) => match self.source(&image).supply(&claim).await {
                Ok(supply) => {
                    let supply = match &restrained {
                        Some(restrained) => restrained.hold(supply),
                        None => supply,
                    };
                    match claim.fill_whole(supply).await {
                        Ok(()) => Fetched::Cached,
                        Err(broken) => Fetched::Failed(broken.reason),
                    }
                }
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

/// Takes images from the queue, up to `workers` at once, and for each rule up to what it says.
async fn work<Fetching: Future<Output = Fetched>>(
    cache: &Cache,
    workers: usize,
    rules: &[PrefetchRule],
    fetch: impl Fn(Queued) -> Fetching,
) {
    let watch = cache.watch_queue();
    let mut running = FuturesUnordered::new();
    let mut busy = HashSet::new();
    // For which rules images are fetched now.
    let mut served: HashMap<ImageId, String> = HashMap::new();
    let mut failures = Failures::default();
    loop {
        let free = running.len() < workers;
        let resting = failures.resting();
        let rested: OptionFuture<_> = failures.next_rested().map(tokio::time::sleep_until).into();
        let rank = |name: &str| rank(rules, name, &served);
        tokio::select! {
            queued = watch.next(&busy, &resting, rank), if free => {
                busy.insert(queued.id);
                if let Some(rule) = &queued.rule {
                    served.insert(queued.id, rule.clone());
                }
                let fetching = fetch(queued.clone());
                running.push(async move { (queued, fetching.await) });
            }
            Some((queued, fetched)) = running.next() => {
                busy.remove(&queued.id);
                served.remove(&queued.id);
                watch.tried(queued.id);
                failures.note(queued.id, &fetched);
                settle(cache, &queued, &fetched).await;
            }
            Some(()) = rested => {}
        }
    }
}

/// How important a rule's images are now; none where enough of them are fetched. A rule that is not there any
/// more comes last.
fn rank(rules: &[PrefetchRule], name: &str, served: &HashMap<ImageId, String>) -> Option<i64> {
    let Some(rule) = rules.iter().find(|rule| rule.name == name) else {
        return Some(i64::MIN);
    };
    let now = served.values().filter(|served| *served == name).count() as u64;
    let most = rule.concurrency.map_or(u64::MAX, u64::from);
    (now < most).then_some(rule.priority)
}

/// Takes from the queue what need not be there any more.
async fn settle(cache: &Cache, queued: &Queued, fetched: &Fetched) {
    let id = queued.id;
    match fetched {
        Fetched::Gone => {
            tracing::warn!(image.id = %id, "image {id} is not fetched and leaves the queue: it was deleted");
        }
        Fetched::NoRoom(why) => {
            let rule = queued.rule.as_deref().unwrap_or_default();
            tracing::warn!(
                image.id = %id,
                "rule {rule}: image {id} is not fetched and leaves the queue: {why}"
            );
        }
        Fetched::Cached | Fetched::Busy | Fetched::Failed(_) => {}
    }
    if matches!(
        fetched,
        Fetched::Cached | Fetched::Gone | Fetched::NoRoom(_)
    ) && let Err(error) = cache.unqueue(id).await
    {
        tracing::warn!(image.id = %id, "image {id} stays in the queue: {error}");
    }
    if let (Fetched::Cached, Some(rule)) = (fetched, &queued.rule)
        && let Ok(inventory) = cache.inventory().await
    {
        let of_rule = |queued: &&Queued| queued.rule.as_ref() == Some(rule);
        let left = inventory.queued.iter().filter(of_rule).count();
        tracing::info!(image.id = %id, left, "rule {rule}: image {id} is here, {left} to come");
    }
}

#[cfg(test)]
mod tests {
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
        assert!(cache.queued().await.unwrap().is_empty());
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
            tokio::time::sleep(Duration::from_millis(20)).await;
            ones.fetch_sub(is_one, Ordering::SeqCst);
            all.fetch_sub(1, Ordering::SeqCst);
            Fetched::Cached
        };
        let rules = [rule("one", 5, 1), rule("all", 0, 0)];
        fetched_for(&rules, &cache, 4, 12, fetch).await;
        assert_eq!((most_ones.into_inner(), most.into_inner()), (1, 4));
    }
}
