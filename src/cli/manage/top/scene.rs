//! What is drawn: the last look, and what several looks tell of speeds.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::ImageId;
use crate::domain::report::{Growth, Hot, Overview};

/// Speeds are those of so long.
const WINDOW: Duration = Duration::from_secs(10);
const HITS_WINDOW: Duration = Duration::from_mins(5);

/// What is drawn.
#[derive(Debug)]
pub struct Scene {
    /// Where it is looked at.
    pub place: String,
    /// None before the first look.
    pub overview: Option<Overview>,
    pub at: Option<DateTime<Utc>>,
    /// Why the last look failed.
    pub trouble: Option<String>,
    filled: Tracks,
    hits: Tracks,
}

impl Scene {
    pub fn of(place: String) -> Self {
        Self {
            place,
            overview: None,
            at: None,
            trouble: None,
            filled: Tracks::over(WINDOW),
            hits: Tracks::over(HITS_WINDOW),
        }
    }

    /// Takes in a look.
    pub fn see(&mut self, overview: Overview, when: Instant, at: DateTime<Utc>) {
        let growing = &overview.survey.growing;
        let filled = growing
            .iter()
            .map(|growth| (growth.image_id, growth.filled));
        self.filled.add(when, filled);
        let hits = overview.hot.iter().map(|hot| (hot.image_id, hot.hits));
        self.hits.add(when, hits);
        self.overview = Some(overview);
        self.at = Some(at);
        self.trouble = None;
    }

    /// Whether another look would tell of speeds.
    pub fn is_moving(&self) -> bool {
        let overview = self.overview.as_ref();
        overview.is_some_and(|overview| !overview.survey.growing.is_empty())
    }

    /// Bytes per second of a fill, once that is known.
    pub fn rate(&self, growth: &Growth) -> Option<f64> {
        self.filled.speed(growth.image_id)
    }

    /// Seconds that a fill still takes at its speed.
    pub fn left(&self, growth: &Growth) -> Option<f64> {
        let rate = self.rate(growth).filter(|rate| *rate > 0.0)?;
        Some(float(growth.size?.saturating_sub(growth.filled)) / rate)
    }

    /// Hits per minute of a copy, once that is known.
    pub fn hits_per_minute(&self, hot: &Hot) -> Option<f64> {
        self.hits.speed(hot.image_id).map(|speed| speed * 60.0)
    }
}

/// Counts of images over time.
#[derive(Debug)]
struct Tracks {
    window: Duration,
    by_image: HashMap<ImageId, VecDeque<(Instant, u64)>>,
}

impl Tracks {
    fn over(window: Duration) -> Self {
        Self {
            window,
            by_image: HashMap::new(),
        }
    }

    /// Those that are not among them any more are forgotten.
    fn add(&mut self, when: Instant, counts: impl Iterator<Item = (ImageId, u64)>) {
        let mut before = std::mem::take(&mut self.by_image);
        for (id, count) in counts {
            let mut track = before.remove(&id).unwrap_or_default();
            if track.back().is_some_and(|(_, last)| *last > count) {
                // It has begun anew.
                track.clear();
            }
            track.push_back((when, count));
            while track.len() > 2 && when.duration_since(track[1].0) >= self.window {
                track.pop_front();
            }
            self.by_image.insert(id, track);
        }
    }

    /// How many a second, once two looks have told.
    fn speed(&self, id: ImageId) -> Option<f64> {
        let track = self.by_image.get(&id)?;
        let ((begun, from), (ended, to)) = (track.front()?, track.back()?);
        let seconds = ended.duration_since(*begun).as_secs_f64();
        (seconds > 0.0).then(|| float(to - from) / seconds)
    }
}

/// As much of a number as anybody sees of it.
#[expect(clippy::cast_precision_loss, reason = "nobody sees the last digits")]
pub fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::Survey;

    fn look(id: ImageId, filled: u64) -> Overview {
        Overview {
            survey: Survey {
                limit: 1000,
                used: 100,
                pinned: 0,
                parts: 0,
                free: 1000,
                copies: 0,
                kept_free: 0,
                queued: 0,
                waiting: 0,
                growing: vec![Growth {
                    image_id: id,
                    size: Some(1000),
                    filled,
                }],
            },
            hot: Vec::new(),
            hits: 0,
            downloads: None,
        }
    }

    #[test]
    fn speeds_and_what_is_left_come_of_two_looks() {
        let (id, begun) = (ImageId::random(), Instant::now());
        let mut scene = Scene::of(String::new());
        let growth = |scene: &Scene| scene.overview.as_ref().unwrap().survey.growing[0].clone();
        scene.see(look(id, 100), begun, DateTime::UNIX_EPOCH);
        assert!(scene.is_moving());
        assert_eq!(scene.left(&growth(&scene)), None);
        let later = begun + Duration::from_secs(2);
        scene.see(look(id, 300), later, DateTime::UNIX_EPOCH);
        assert_eq!(scene.rate(&growth(&scene)).map(f64::round), Some(100.0));
        assert_eq!(scene.left(&growth(&scene)).map(f64::round), Some(7.0));
        // What was before the window does not count.
        for second in 3..30 {
            let when = begun + Duration::from_secs(second);
            scene.see(look(id, 300), when, DateTime::UNIX_EPOCH);
        }
        assert_eq!(scene.rate(&growth(&scene)).map(f64::round), Some(0.0));
        assert_eq!(scene.left(&growth(&scene)), None);
    }
}
