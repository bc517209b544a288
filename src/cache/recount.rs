//! Staying within the limit while others put files there: they ask for no room.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::layout::Placed;
use super::node::{Node, blocking};
use super::prune::{self, Pruned};
use super::space::{SpaceLock, Usage};
use super::{Cache, Error, Result, tally};
use crate::telemetry::counters::Reason;

/// How often one looks whether more is there than may be.
const LOOK: Duration = Duration::from_secs(30);

/// Before one look in so many everything is counted anew, whatever the tally says.
const SWEEP: u32 = 2;

impl Cache {
    /// Removes what was not used for its time to live, and copies in their order until the rest is within the
    /// limit. With a limit that holds this finds only what others have put there.
    pub async fn prune(&self) -> Result<Pruned> {
        let gone = run_prune(&self.node).await;
        gone.map(|gone| Pruned::of(&gone))
            .map_err(|error| Error::at(&self.node.layout, error))
    }
}

/// Goes on as long as somebody has the cache.
pub async fn run(node: Weak<Node>) {
    for look in 1_u32.. {
        tokio::time::sleep(LOOK).await;
        let Some(node) = node.upgrade() else {
            return;
        };
        if node.stop.is_cancelled() {
            return;
        }
        if let Err(error) = once(&node, look.is_multiple_of(SWEEP)).await {
            tracing::debug!("it is not known whether the cache is within its limit: {error}");
        }
    }
}

async fn once(node: &Arc<Node>, sweeps: bool) -> io::Result<()> {
    let looked = {
        let node = Arc::clone(node);
        move || {
            if sweeps {
                tally::sweep(&node.layout, node.clock.now())?;
            }
            is_over(&node)
        }
    };
    if blocking(looked).await? {
        let Pruned { files, bytes } = Pruned::of(&run_prune(node).await?);
        if files > 0 {
            tracing::info!(
                files,
                bytes,
                "others took room in the cache directory: pruned the cache of {files} images"
            );
        }
    }
    Ok(())
}

/// Whether more is there than may be. What has to be counted for that keeps nobody waiting who asks for room.
fn is_over(node: &Node) -> io::Result<bool> {
    let (layout, now) = (&node.layout, node.clock.now());
    let tally = tally::seen(layout, now)?;
    let usage = Usage::beside(tally, layout, now, &SpaceLock::look(layout)?)?;
    Ok(usage.taken() + usage.waste() > node.limits().max_size)
}

/// Says what had to leave, and why.
async fn run_prune(node: &Arc<Node>) -> io::Result<Vec<(Placed, Reason)>> {
    // What others did counts, too.
    let images = {
        let node = Arc::clone(node);
        blocking(move || Ok(node.layout.contents()?.images)).await?
    };
    drop(node.journal.mend(images).await);
    let gone = {
        let node = Arc::clone(node);
        let pruned = move || {
            let rules = node.prune_rules();
            prune::run(&node.layout, rules, &node.residents, node.clock.now())
        };
        blocking(pruned).await?
    };
    for (image, reason) in &gone {
        node.left(image.id, image.size, *reason);
    }
    node.journal.moved();
    if node.residents.pinned_bytes() > node.limits().max_size {
        node.tell_pins();
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use chrono::TimeDelta;

    use super::*;
    use crate::clock::Clock;
    use crate::config::CacheConfig;
    use crate::domain::ImageId;
    use crate::telemetry::counters::Counters;

    #[tokio::test]
    async fn files_that_others_put_there_drive_copies_out_at_the_next_look() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = CacheConfig::at(dir.path().to_owned());
        config.max_size = 1000;
        let minutes = Arc::new(AtomicI64::new(0));
        let clock = {
            let minutes = Arc::clone(&minutes);
            Clock::from_fn(move || {
                Clock::system().now() + TimeDelta::minutes(minutes.load(Ordering::Relaxed))
            })
        };
        let cache = Cache::open(config, clock, Counters::default()).await;
        let ids: Vec<ImageId> = (0..3).map(|_| ImageId::random()).collect();
        for id in &ids {
            std::fs::write(dir.path().join(id.as_str()), [7; 300]).unwrap();
        }
        let path = dir.path().join("notes.txt");
        // There is room, there is none, it has grown in place and takes all of it.
        for (bytes, left) in [(100, 3), (500, 1), (1000, 0)] {
            std::fs::write(&path, vec![7; bytes]).unwrap();
            // For less than that a tally is believed while there is such a file.
            minutes.fetch_add(2, Ordering::Relaxed);
            once(&cache.node, false).await.unwrap();
            let here = ids
                .iter()
                .filter(|id| dir.path().join(id.as_str()).exists());
            assert_eq!(here.count(), left, "{bytes}");
        }
        assert!(path.exists());
        cache.close().await;
    }
}
