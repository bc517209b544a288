//! Data that comes no faster than it should.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::ByteStream;

/// How late a reader may come and still find the line as if it had been in time: timers wake late, and a line
/// that lost that time at every chunk would be slower than it says.
const SLACK: Duration = Duration::from_millis(50);

/// A line that any number of streams share: one chunk passes at a time.
#[derive(Debug)]
pub struct Pace {
    /// 0 is no limit.
    bytes_per_second: u64,
    free_at: Mutex<Option<Instant>>,
    passed: AtomicU64,
}

impl Pace {
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            free_at: Mutex::new(None),
            passed: AtomicU64::new(0),
        }
    }

    #[must_use]
    pub fn bytes_per_second(&self) -> u64 {
        self.bytes_per_second
    }

    /// Bytes that have passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Takes the line for as long as `bytes` need, and says when they will have passed.
    fn pass(&self, bytes: u64) -> Instant {
        self.passed.fetch_add(bytes, Ordering::Relaxed);
        let now = Instant::now();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = free_at.filter(|free| *free + SLACK > now).unwrap_or(now);
        *free_at.insert(begins + time_for(bytes, self.bytes_per_second))
    }
}

/// The same data at this pace, until `lifted` is cancelled: from then on as fast as it can.
pub fn paced(bytes: ByteStream, pace: Arc<Pace>, lifted: CancellationToken) -> ByteStream {
    let state = (bytes, pace, lifted);
    let paced = stream::unfold(state, |(mut bytes, pace, lifted)| async move {
        let chunk = bytes.next().await?;
        if !lifted.is_cancelled() {
            let len = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
            let passed = sleep_until(pace.pass(len));
            // Either way it goes on.
            let _ = lifted.run_until_cancelled(passed).await;
        }
        Some((chunk, (bytes, pace, lifted)))
    });
    Box::pin(paced)
}

fn time_for(bytes: u64, bytes_per_second: u64) -> Duration {
    if bytes_per_second == 0 {
        return Duration::ZERO;
    }
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_second_brings_a_seconds_worth() {
        assert_eq!(time_for(100_000_000, 100_000_000), Duration::from_secs(1));
        assert_eq!(time_for(1, 4), Duration::from_millis(250));
        assert_eq!(time_for(5, 0), Duration::ZERO);
    }

    #[tokio::test]
    async fn those_who_share_a_line_are_as_slow_as_one_until_it_is_lifted() {
        let pace = Arc::new(Pace::new(10_000));
        let lifted = CancellationToken::new();
        let data = || -> ByteStream {
            let chunks = (0..4).map(|_| Ok(Bytes::from_static(&[0; 1000])));
            Box::pin(stream::iter(chunks))
        };
        let read = || paced(data(), Arc::clone(&pace), lifted.clone()).count();
        let begun = Instant::now();
        tokio::join!(read(), read());
        assert!(begun.elapsed() >= Duration::from_millis(700));

        let slow = Arc::new(Pace::new(1));
        let mut half = paced(data(), slow, lifted.clone());
        // At a byte a second this would take an hour.
        let all = async {
            let lift = async { lifted.cancel() };
            let (first, ()) = tokio::join!(half.next(), lift);
            (first, half.count().await)
        };
        let (_, rest) = tokio::time::timeout(Duration::from_secs(20), all)
            .await
            .expect("it is lifted");
        assert_eq!(rest, 3);
    }
}
