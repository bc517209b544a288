//! What runs between requests: each in a task of its own, all ended by one token.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::schedule;
use crate::cache::Cache;
use crate::ops::Glance;

/// Starts them all. Without a cache there are few.
pub fn start(glance: &Glance, stop: &CancellationToken, tasks: &TaskTracker) {
    {
        let (glance, stop) = (glance.clone(), stop.clone());
        tasks.spawn(async move { glance.take_back_interrupted(stop).await });
    }
    let (Some(cache), Some(config)) = (&glance.cache, &glance.config.cache) else {
        return;
    };
    if let Some(times) = config.prune_schedule.clone() {
        let cache = cache.clone();
        let job = move || prune(cache.clone());
        tasks.spawn(schedule::run(
            times,
            glance.clock.clone(),
            stop.clone(),
            job,
        ));
    }
    if let Some(times) = config.clean_schedule.clone() {
        let cache = cache.clone();
        let job = move || clean(cache.clone());
        tasks.spawn(schedule::run(
            times,
            glance.clock.clone(),
            stop.clone(),
            job,
        ));
    }
    {
        let (glance, stop) = (glance.clone(), stop.clone());
        tasks.spawn(async move { glance.publish_copies(stop).await });
    }
    {
        let (glance, stop) = (glance.clone(), stop.clone());
        tasks.spawn(async move { glance.sweep(stop).await });
    }
    {
        let (glance, stop) = (glance.clone(), stop.clone());
        tasks.spawn(async move { glance.recall_lives(stop).await });
    }
    {
        let (glance, stop) = (glance.clone(), stop.clone());
        tasks.spawn(async move { glance.forget_deleted(stop).await });
    }
    for rule in &config.rules {
        let Some(times) = rule.schedule.clone() else {
            continue;
        };
        let (glance, name) = (glance.clone(), rule.name.clone());
        let clock = glance.clock.clone();
        let job = move || {
            let (glance, name) = (glance.clone(), name.clone());
            async move { glance.run_rule(&name).await }
        };
        tasks.spawn(schedule::run(times, clock, stop.clone(), job));
    }
    {
        let (glance, stop) = (glance.clone(), stop.clone());
        tasks.spawn(async move { glance.follow_uploads(stop).await });
    }
    let (glance, stop) = (glance.clone(), stop.clone());
    tasks.spawn(async move { glance.prefetch(stop).await });
}

async fn prune(cache: Cache) {
    match cache.prune().await {
        Ok(pruned) if pruned.files == 0 => tracing::debug!("pruned the cache: nothing to do"),
        Ok(pruned) => tracing::info!(
            files = pruned.files,
            bytes = pruned.bytes,
            "pruned the cache of {} images",
            pruned.files
        ),
        Err(error) => tracing::error!(%error, "cannot prune the cache"),
    }
}

async fn clean(cache: Cache) {
    match cache.clean().await {
        Ok(0) => tracing::debug!("cleaned the cache: nothing to do"),
        Ok(files) => tracing::info!(files, "cleaned the cache of {files} files"),
        Err(error) => tracing::error!(%error, "cannot clean the cache"),
    }
}
