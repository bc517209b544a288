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

/// Takes images from the queue, up to `workers` at once, and for each rule up to what it says. Those that rules want
/// take no worker from those that they do not.
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
        // What rules want keeps nobody from what was asked for by hand, however slow a rule wants it.
        let (by_hand, all) = (running.len() - served.len(), running.len());
        let resting = failures.resting();
        let rested: OptionFuture<_> = failures.next_rested().map(tokio::time::sleep_until).into();
        let rank = |name: &str| (all < workers).then(|| rank(rules, name, &served))?;
        tokio::select! {
            queued = watch.next(&busy, &resting, rank), if by_hand < workers => {
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
mod tests;
