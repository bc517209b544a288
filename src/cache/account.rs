//! What a fill is told by: a line in the log, and the counts.

use std::time::Instant;

use super::claim::Failure;
use crate::domain::ImageId;
use crate::telemetry::counters::{Counters, Outcome};

/// What a fill has done so far.
#[derive(Debug)]
pub struct Account {
    id: ImageId,
    /// The store that it began with.
    store: Option<String>,
    begun: Instant,
    /// Bytes that it has come to.
    pub bytes: u64,
}

impl Account {
    pub fn begin(id: ImageId, store: Option<String>) -> Self {
        Self {
            id,
            store,
            begun: Instant::now(),
            bytes: 0,
        }
    }

    /// The copy is in its place.
    pub fn cached(&self, counters: &Counters) {
        let (id, bytes, seconds) = (self.id, self.bytes, self.begun.elapsed().as_secs_f64());
        counters.filled(Outcome::Cached);
        counters.filled_bytes.inc_by(bytes);
        counters.fill_seconds.observe(seconds);
        tracing::info!(
            image.id = %id,
            bytes,
            seconds = format_args!("{seconds:.3}"),
            rate = rate(bytes, seconds),
            store = self.store,
            outcome = Outcome::Cached.word(),
            "cached image {id}"
        );
    }

    /// Nothing was committed.
    pub fn failed(&self, failure: &Failure, counters: &Counters) {
        let (id, bytes, seconds) = (self.id, self.bytes, self.begun.elapsed().as_secs_f64());
        let outcome = match failure {
            Failure::Wrong(_) => Outcome::Wrong,
            Failure::Broken(_) => Outcome::Broken,
            Failure::Disk(_) => Outcome::Disk,
            Failure::Dropped => Outcome::Dropped,
        };
        counters.filled(outcome);
        let what = if outcome == Outcome::Wrong {
            format!("what came of image {id} is not the image's, and was put into invalid/")
        } else {
            format!("image {id} was not cached")
        };
        tracing::warn!(
            image.id = %id,
            bytes,
            seconds = format_args!("{seconds:.3}"),
            rate = rate(bytes, seconds),
            store = self.store,
            outcome = outcome.word(),
            "{what}: {failure}"
        );
    }
}

/// Bytes per second. Of what took no time at all, as many as there were.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "nobody reads the last digits of a rate"
)]
fn rate(bytes: u64, seconds: f64) -> u64 {
    (bytes as f64 / seconds.max(0.001)) as u64
}
