//! Images that rules want on this node.
//!
//! A rule looks through the database and puts what it wants and is not here into the queue, in its own name;
//! what it wants no more leaves the queue. All rules together never want more than the cache may hold: the
//! most important ones keep their room, and one whose images do not fit stops there. Where room must be made for
//! an image, copies leave that no rule wants; for a download those go first.

mod follow;
mod plan;
mod restraint;
mod select;

pub use plan::{Plan, State, Wanted, plans};

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::download::expected;
use super::{Glance, Result};
use crate::cache::{self, Cache, Inventory, Lookup, Queued};
use crate::config::{CacheConfig, PrefetchRule};
use crate::domain::{Image, ImageId};

use restraint::{Restrained, Restraint};

/// What the rules of this process have come to.
#[derive(Debug)]
pub(super) struct Rules {
    restraint: Restraint,
    /// Whether the cache knows what they want.
    told_cache: AtomicBool,
    /// What was said of rules whose images do not fit.
    told: Mutex<HashMap<String, String>>,
    /// An image became active here.
    arrived: Notify,
}

impl Rules {
    pub(super) fn new(config: Option<&CacheConfig>) -> Self {
        Self {
            restraint: Restraint::new(config.map_or(&[], |config| &config.rules)),
            told_cache: AtomicBool::new(false),
            told: Mutex::default(),
            arrived: Notify::new(),
        }
    }
}

impl Glance {
    fn prefetch_rules(&self) -> &[PrefetchRule] {
        let config = self.config.cache.as_ref();
        config.map_or(&[], |config| &config.rules)
    }

    /// An image became active on this node.
    pub(super) fn arrived(&self) {
        self.rules().arrived.notify_one();
    }

    /// Somebody waits for an image that may come slowly.
    pub(super) fn hasten(&self, id: ImageId) {
        self.rules().restraint.lift(id);
    }

    /// What keeps an image as slow as the rule says that wants it.
    pub(super) fn restrained(&self, queued: &Queued) -> Option<Restrained<'_>> {
        let rule = queued.rule.as_ref()?;
        self.rules().restraint.begin(queued.id, rule)
    }

    /// Looks for what the rule wants, and asks for what of it is not here. A failure is in the log.
    pub async fn run_rule(&self, name: &str) {
        if let Err(error) = self.try_rule(name).await {
            tracing::error!("rule {name} cannot look for images: {error}");
        }
    }

    async fn try_rule(&self, name: &str) -> Result<()> {
        let Some(cache) = &self.cache else {
            return Ok(());
        };
        let inventory = cache.inventory().await?;
        let plans = self.plans(cache, &inventory).await?;
        if let Some(plan) = plans.iter().find(|plan| plan.rule == name) {
            self.ask(cache, plan, &inventory.queued).await?;
        }
        for queued in &inventory.queued {
            let known = |rule: &String| plans.iter().any(|plan| plan.rule == *rule);
            if queued.rule.as_ref().is_some_and(|rule| !known(rule)) {
                // Of a rule that is not there any more.
                cache.unqueue(queued.id).await?;
            }
        }
        Ok(())
    }

    /// What all rules want. The cache hears of it, too.
    async fn plans(&self, cache: &Cache, inventory: &Inventory) -> Result<Vec<Plan>> {
        let plans = plans(&self.db, self.prefetch_rules(), inventory).await?;
        let mut wanted = cache::Wanted::new();
        // The most important one comes first.
        for (rank, plan) in plans.iter().enumerate() {
            let fitting = plan.images.iter();
            for image in fitting.filter(|image| image.state.is_kept()) {
                let want = wanted.entry(image.id).or_insert_with(|| cache::Want {
                    rank,
                    rules: Vec::new(),
                });
                want.rules.push(plan.rule.clone());
            }
        }
        cache.want(wanted).await;
        self.rules().told_cache.store(true, Ordering::Relaxed);
        Ok(plans)
    }

    /// Asks for what is missing, and for nothing else.
    async fn ask(&self, cache: &Cache, plan: &Plan, queue: &[Queued]) -> Result<()> {
        let name = &plan.rule;
        for queued in queue
            .iter()
            .filter(|queued| queued.rule.as_ref() == Some(name))
        {
            let is_wanted = |image: &Wanted| image.id == queued.id && image.state.is_kept();
            if !plan.images.iter().any(is_wanted) {
                cache.unqueue(queued.id).await?;
            }
        }
        for image in plan.in_state(State::Missing) {
            cache.queue_for_rule(image.id, name).await?;
        }
        let (count, bytes) = (plan.in_state(State::Missing).count(), plan.bytes_missing());
        let here = plan.in_state(State::Cached).count();
        if count == 0 {
            tracing::debug!("rule {name} has nothing to ask for: {here} images are here");
        } else {
            tracing::info!(
                count,
                bytes,
                "rule {name} asks for {count} images of {bytes} bytes: {here} are here"
            );
        }
        self.tell_what_does_not_fit(plan);
        Ok(())
    }

    /// Says it once, as long as it is the same.
    fn tell_what_does_not_fit(&self, plan: &Plan) {
        let mut told = lock(&self.rules().told);
        let Some(image) = plan.images.iter().rfind(|image| !image.state.is_kept()) else {
            told.remove(&plan.rule);
            return;
        };
        let (rule, id, size) = (&plan.rule, image.id, image.size);
        let text = if image.state == State::TooLarge {
            format!(
                "rule {rule} passes over image {id} of {size} bytes: the cache is smaller than that"
            )
        } else {
            format!(
                "rule {rule} stops at image {id} of {size} bytes: beside what is more important the cache has no room for it"
            )
        };
        if told.get(&plan.rule) != Some(&text) {
            tracing::warn!("{text}");
            told.insert(plan.rule.clone(), text);
        }
    }

    /// What this node has of an image that a rule wants, or the right to bring it in. Copies leave for it in
    /// their order, but none that rules want.
    pub(super) async fn lookup_for_rule(&self, cache: &Cache, image: &Image) -> Result<Lookup> {
        if !self.rules().told_cache.load(Ordering::Relaxed) {
            let inventory = cache.inventory().await?;
            self.plans(cache, &inventory).await?;
        }
        Ok(cache.lookup_for_rule(image.id, &expected(image)).await)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
