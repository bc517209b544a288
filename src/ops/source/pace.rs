//! Whether another node is fast enough to be worth asking.

use std::time::Duration;

/// It sends at least so many bytes in each so long a time that one waits for it: else there is the store.
const LEAST: u64 = 1 << 20;
const LOOK: Duration = Duration::from_secs(10);

/// How fast another node is.
#[derive(Default)]
pub struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Notes what came of a wait. False where the node is too slow to be near.
    pub fn note(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < LOOK {
            return true;
        }
        let enough = self.bytes >= LEAST;
        *self = Self::default();
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_little_in_a_long_time_is_too_slow() {
        let mut pace = Pace::default();
        let second = Duration::from_secs(1);
        assert!((0..30).all(|_| pace.note(second, LEAST / 10 + 1)));
        // What one does not wait for is not its fault.
        assert!((0..30).all(|_| pace.note(Duration::ZERO, 1)));
        assert!(!(0..30).all(|_| pace.note(second, 1000)));
    }
}
