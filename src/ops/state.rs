//! How the cache of this node does at this moment, for people: on a page, and in the log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{Glance, Result};
use crate::domain::report::{Growth, Overview};
use crate::domain::{Caller, ImageId};
use crate::policy::Target;

/// What two looks lie apart, for a speed.
const APART: Duration = Duration::from_millis(500);

/// How the cache does.
#[derive(Debug)]
pub struct State {
    pub at: DateTime<Utc>,
    pub overview: Overview,
    pub fills: Vec<Filling>,
    /// Images that are pinned.
    pub pinned: u64,
    /// Spans that were not what they were when they came, and those of them that were put right.
    pub bad_spans: u64,
    pub repaired_spans: u64,
    /// Images of which a store sent something wrong.
    pub suspects: usize,
    /// Whether images are served past the directory because it could not be used.
    pub in_trouble: bool,
}

/// An image that is brought in.
#[derive(Debug)]
pub struct Filling {
    pub growth: Growth,
    /// Bytes a second, once two looks have told.
    pub rate: Option<u64>,
    /// Who reads along in this process.
    pub readers: u64,
}

impl Filling {
    /// Seconds that it still takes at its speed.
    pub fn left(&self) -> Option<u64> {
        let rate = self.rate.filter(|rate| *rate > 0)?;
        Some(self.growth.size?.saturating_sub(self.growth.filled) / rate)
    }
}

impl Glance {
    /// How the cache does, with so many of the copies that have the most hits. None where this node does not cache.
    /// Where images are brought in this takes half a second: for their speed.
    pub async fn state(&self, most: usize) -> Result<Option<State>> {
        let Some(cache) = &self.cache else {
            return Ok(None);
        };
        let since = Instant::now();
        let before = cache.survey().await?.growing;
        if !before.is_empty() {
            tokio::time::sleep(APART).await;
        }
        let overview = self.look(cache, most).await?;
        let (before, took) = (by_image(&before), since.elapsed());
        let readers = cache.readers();
        let fills = overview.survey.growing.iter().map(|growth| {
            let from = before.get(&growth.image_id);
            let more = from.and_then(|from| growth.filled.checked_sub(*from));
            Filling {
                growth: growth.clone(),
                rate: more.map(|more| per_second(more, took)),
                readers: readers.get(&growth.image_id).copied().unwrap_or(0),
            }
        });
        Ok(Some(State {
            at: self.clock.now(),
            fills: fills.collect(),
            pinned: cache.pinned().await?.pinned_images.len() as u64,
            bad_spans: self.counters.verify_failures.get(),
            repaired_spans: self.counters.spans_repaired.get(),
            suspects: self.stores.suspects().count(),
            in_trouble: cache.is_in_trouble(),
            overview,
        }))
    }

    /// The same, for who may list the cache.
    pub async fn state_for(&self, caller: &Caller, most: usize) -> Result<Option<State>> {
        self.permit_plainly(caller, "cache_list", &Target::new())
            .await?;
        self.state(most).await
    }
}

fn by_image(growing: &[Growth]) -> HashMap<ImageId, u64> {
    let filled = growing.iter();
    filled
        .map(|growth| (growth.image_id, growth.filled))
        .collect()
}

fn per_second(bytes: u64, took: Duration) -> u64 {
    let rate = u128::from(bytes) * 1000 / took.as_millis().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_its_speed_says() {
        let growth = |size| Growth {
            image_id: ImageId::random(),
            size,
            filled: 400,
        };
        let left = |size, rate| {
            let growth = growth(size);
            let filling = Filling {
                growth,
                rate,
                readers: 0,
            };
            filling.left()
        };
        assert_eq!(left(Some(1000), Some(100)), Some(6));
        assert_eq!(left(Some(1000), Some(0)), None);
        assert_eq!(left(Some(1000), None), None);
        assert_eq!(left(None, Some(100)), None);
        assert_eq!(per_second(50, APART), 100);
        assert_eq!(per_second(50, Duration::ZERO), 50_000);
    }
}
