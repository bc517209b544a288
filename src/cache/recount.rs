//! Counting the directory anew from time to time, whatever the tally says.

use std::sync::Weak;

use super::node::{Node, blocking};
use super::tally;

/// Goes on as long as somebody has the cache.
pub async fn run(node: Weak<Node>) {
    loop {
        tokio::time::sleep(tally::SWEEP).await;
        let Some(node) = node.upgrade() else {
            return;
        };
        if node.stop.is_cancelled() {
            return;
        }
        let swept = blocking(move || tally::sweep(&node.layout, node.clock.now())).await;
        if let Err(error) = swept {
            tracing::debug!("the cache directory is not counted: {error}");
        }
    }
}
