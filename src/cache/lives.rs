//! How long copies may stay unused, and which have been for longer.

use std::collections::HashMap;
use std::time::Duration;

use super::eviction::Tick;
use crate::domain::ImageId;

/// The times that images have of their own, and last uses that are yet to come.
#[derive(Debug, Default)]
pub struct Lives {
    own: HashMap<ImageId, Duration>,
    /// Where a last use lies ahead of the clock, because somebody set that back: when this was noticed. So much
    /// is certain: it was not later.
    ahead: HashMap<ImageId, Tick>,
}

impl Lives {
    /// Gives an image a time of its own, or takes it. True where that is new.
    pub fn set(&mut self, id: ImageId, life: Option<Duration>) -> bool {
        match life {
            Some(life) => self.own.insert(id, life) != Some(life),
            None => self.own.remove(&id).is_some(),
        }
    }

    /// A copy was used just now.
    pub fn used(&mut self, id: ImageId) {
        self.ahead.remove(&id);
    }

    /// A copy is gone.
    pub fn gone(&mut self, id: ImageId) {
        self.own.remove(&id);
        self.ahead.remove(&id);
    }

    /// The time that an image has of its own.
    pub fn of(&self, id: ImageId) -> Option<Duration> {
        self.own.get(&id).copied()
    }

    /// The images that have a time of their own.
    pub fn own(&self) -> impl Iterator<Item = ImageId> {
        self.own.keys().copied()
    }

    /// The shortest time of all, where `all` holds for every image.
    pub fn shortest(&self, all: Option<Duration>) -> Option<Duration> {
        self.own.values().copied().chain(all).min()
    }

    /// Whether the time of a copy is over that was last used then. The shorter one of its own and of all counts.
    pub fn is_over(&mut self, id: ImageId, used: Tick, all: Option<Duration>, now: Tick) -> bool {
        let own = self.of(id);
        let Some(life) = own.into_iter().chain(all).min() else {
            return false;
        };
        let used = if used > now {
            let noticed = self.ahead.entry(id).or_insert(now);
            // It may be set back more than once.
            *noticed = now.min(*noticed);
            *noticed
        } else {
            self.ahead.remove(&id);
            used
        };
        let life = Tick::try_from(life.as_micros()).unwrap_or(Tick::MAX);
        used.saturating_add(life) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Tick = 1_000_000;

    #[test]
    fn the_shorter_time_counts_and_a_clock_that_was_set_back_makes_none_longer_than_it_is() {
        let id = ImageId::random();
        let mut lives = Lives::default();
        let all = Some(Duration::from_mins(1));
        assert!(!lives.is_over(id, 0, None, 1000 * SECOND));
        assert!(!lives.is_over(id, 0, all, 59 * SECOND));
        assert!(lives.is_over(id, 0, all, 60 * SECOND));
        assert!(lives.set(id, Some(Duration::from_secs(10))));
        assert!(lives.is_over(id, 0, all, 10 * SECOND));
        assert_eq!(lives.shortest(all), Some(Duration::from_secs(10)));

        // It was used at 5000, and then somebody set the clock to 1000.
        let used = 5000 * SECOND;
        assert!(!lives.is_over(id, used, None, 1000 * SECOND));
        assert!(!lives.is_over(id, used, None, 1009 * SECOND));
        assert!(lives.is_over(id, used, None, 1010 * SECOND));
        lives.used(id);
        assert!(!lives.is_over(id, used, None, 1011 * SECOND));
        assert!(!lives.is_over(id, used, None, 500 * SECOND));
        assert!(!lives.is_over(id, used, None, 509 * SECOND));
        assert!(lives.is_over(id, used, None, 510 * SECOND));
    }
}
