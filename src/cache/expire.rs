//! Copies that nobody used for their time to live leave by themselves.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Cache;
use super::node::{Node, blocking};
use super::prune;
use super::space::SpaceLock;
use crate::domain::ImageId;
use crate::telemetry::counters::Reason;

/// How often one looks, where no time is shorter.
const LOOK: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);

impl Cache {
    /// For how long an image's copy may stay unused, apart from what holds for all.
    pub fn live(&self, id: ImageId, life: Option<Duration>) {
        if self.node.journal.live(id, life) {
            self.node.lives_changed.notify_one();
        }
    }
}

/// Goes on as long as somebody has the cache.
pub async fn run(node: Weak<Node>) {
    let mut next = Instant::now() + LOOK;
    loop {
        let (life, changed) = match node.upgrade() {
            Some(node) => {
                let life = node.residents.shortest_life(node.life());
                (life, Arc::clone(&node.lives_changed))
            }
            None => return,
        };
        let rest = life.map_or(LOOK, |life| (life / 2).clamp(SHORTEST, LOOK));
        next = next.min(Instant::now() + rest);
        if timeout_at(next, changed.notified()).await.is_ok() {
            // It may be a shorter one.
            continue;
        }
        next = Instant::now() + LOOK;
        let Some(node) = node.upgrade() else {
            return;
        };
        if node.stop.is_cancelled() {
            return;
        }
        if let Err(error) = once(&node).await {
            tracing::debug!("it is not known which copies were not used for long: {error}");
        }
    }
}

async fn once(node: &Arc<Node>) -> io::Result<()> {
    let life = node.life();
    if node.residents.shortest_life(life).is_none() {
        return Ok(());
    }
    let due = {
        let node = Arc::clone(node);
        move || {
            Ok(!(node.residents)
                .due(&node.layout, life, node.clock.now())?
                .is_empty())
        }
    };
    if !blocking(due).await? {
        return Ok(());
    }
    // Other processes may have used them a moment ago.
    let images = {
        let node = Arc::clone(node);
        blocking(move || Ok(node.layout.contents()?.images)).await?
    };
    drop(node.journal.mend(images).await);
    let gone = {
        let node = Arc::clone(node);
        let expire = move || {
            let lock = SpaceLock::take(&node.layout)?;
            let due = node.residents.due(&node.layout, life, node.clock.now())?;
            let due = (due.iter()).map(|image| (*image, Reason::Expired));
            prune::execute(&node.layout, due, &lock)
        };
        blocking(expire).await?
    };
    for (image, reason) in gone {
        node.left(image.id, image.size, reason);
    }
    Ok(())
}
