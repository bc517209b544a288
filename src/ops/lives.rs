//! For how long copies may stay unused whose images have a time of their own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Glance, Result};
use crate::cache::Cache;
use crate::domain::{Image, ImageId};

/// The property by which an image says for how many seconds a copy of it may stay unused.
const LIFE: &str = "glance_cache_ttl";

/// How long to leave a database alone that is away.
const RETRY: Duration = Duration::from_secs(5);

/// Characters of a value that the log shows.
const SHOWN: usize = 64;

/// What images say that is no time, as the log has told it last.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<HashMap<ImageId, String>>);

impl Refused {
    /// Whether that is new.
    fn note(&self, id: ImageId, value: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(id, value.to_owned()).as_deref() != Some(value)
    }
}

impl Glance {
    /// Tells the cache for how long a copy of the image may stay unused, apart from what holds for all.
    pub(super) fn tell_life(&self, cache: &Cache, image: &Image) {
        let value = image.properties.get(LIFE).and_then(Option::as_deref);
        cache.live(image.id, self.life(image.id, value));
    }

    /// Tells the cache the same of all copies that are here, for an index that was lost has forgotten it. Tries until
    /// the database answers, or `stop` is cancelled.
    pub async fn recall_lives(&self, stop: CancellationToken) {
        let Some(cache) = &self.cache else {
            return;
        };
        let recalled = async {
            let mut is_told = false;
            while let Err(error) = self.try_recall(cache).await {
                if !std::mem::replace(&mut is_told, true) {
                    warn!(
                        "it is not known yet which copies have a time to live of their own: {error}"
                    );
                }
                sleep(RETRY).await;
            }
        };
        stop.run_until_cancelled(recalled).await;
    }

    async fn try_recall(&self, cache: &Cache) -> Result<()> {
        let entries = cache.entries().await?;
        let here: Vec<ImageId> = entries.into_iter().map(|entry| entry.id).collect();
        let values = self.db.property_of(LIFE, &here).await?;
        for id in here {
            let value = values.get(&id).map(String::as_str);
            cache.live(id, self.life(id, value));
        }
        Ok(())
    }

    /// The time that a value stands for. One that is none does not count, and the log says so once.
    fn life(&self, id: ImageId, value: Option<&str>) -> Option<Duration> {
        let value = value?;
        let life = parse(value);
        if life.is_none() && self.refused_lives().note(id, value) {
            let shown: String = value.chars().take(SHOWN).collect();
            warn!(
                image.id = %id,
                "{LIFE} of image {id} does not count, it is no number of seconds: {shown:?}"
            );
        }
        life
    }
}

fn parse(value: &str) -> Option<Duration> {
    let seconds: f64 = value.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_seconds_from_nothing_on() {
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse("1.5"), Some(Duration::from_millis(1500)));
        for value in ["", "-5", "soon", "1 h", "NaN", "inf", "1e300"] {
            assert_eq!(parse(value), None, "{value}");
        }
    }

    #[test]
    fn what_is_no_time_is_told_once_as_long_as_it_is_the_same() {
        let (refused, id) = (Refused::default(), ImageId::random());
        assert!(refused.note(id, "-5"));
        assert!(!refused.note(id, "-5"));
        assert!(refused.note(ImageId::random(), "-5"));
        assert!(refused.note(id, "soon"));
    }
}
