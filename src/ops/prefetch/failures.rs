//! Images that could not be had, and how long they rest.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Fetched;
use crate::domain::ImageId;

/// How long an image rests after its first failure, and at most.
const REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_mins(5);

/// How soon to look again where another process brings the image in.
const BUSY_REST: Duration = Duration::from_secs(1);

/// Images that could not be had, and how long they rest.
#[derive(Debug, Default)]
pub(super) struct Failures(HashMap<ImageId, Failure>);

#[derive(Debug)]
struct Failure {
    times: u32,
    until: Instant,
}

impl Failures {
    pub(super) fn note(&mut self, id: ImageId, fetched: &Fetched) {
        let now = Instant::now();
        // Who was taken from the queue meanwhile does not come back here.
        self.0
            .retain(|_, failure| failure.until + LONGEST_REST * 2 > now);
        match fetched {
            Fetched::Cached | Fetched::Gone | Fetched::NoRoom(_) => drop(self.0.remove(&id)),
            Fetched::Busy => {
                let failure = self.0.entry(id).or_insert(Failure {
                    times: 0,
                    until: now,
                });
                failure.until = now + BUSY_REST;
            }
            Fetched::Failed(reason) => {
                let failure = self.0.entry(id).or_insert(Failure {
                    times: 0,
                    until: now,
                });
                let rest = (REST * 2_u32.saturating_pow(failure.times)).min(LONGEST_REST);
                failure.times = (failure.times + 1).min(16);
                failure.until = now + rest;
                tracing::warn!(
                    image.id = %id,
                    "image {id} was not fetched: {reason}; it is tried again in {rest:?} if it is still queued"
                );
            }
        }
    }

    pub(super) fn resting(&self) -> HashSet<ImageId> {
        let now = Instant::now();
        let resting = self.0.iter().filter(|(_, failure)| failure.until > now);
        resting.map(|(id, _)| *id).collect()
    }

    /// When the first of them has rested enough.
    pub(super) fn next_rested(&self) -> Option<Instant> {
        let now = Instant::now();
        let untils = self.0.values().map(|failure| failure.until);
        untils.filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_up_to_a_limit() {
        let mut failures = Failures::default();
        let id = ImageId::random();
        let grow = [5, 10, 20, 40, 80, 160];
        for rest in grow.into_iter().chain([300; 14]) {
            let (rest, before) = (Duration::from_secs(rest), Instant::now());
            failures.note(id, &Fetched::Failed("no".into()));
            let (until, after) = (failures.0[&id].until, Instant::now());
            assert!((before + rest..=after + rest).contains(&until), "{rest:?}");
        }
        failures.note(id, &Fetched::Cached);
        assert!(failures.resting().is_empty());
    }
}
