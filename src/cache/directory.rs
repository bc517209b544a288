//! A cache directory without a service: for tools that work on it when no API answers, or beside one.
//!
//! All of it blocks. What takes something away comes in two steps, a plan and its execution, so that a tool
//! can show the first and leave it at that.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clean::{self, Waste};
use super::entry::{Entry, listing};
use super::evict;
use super::index::Index;
use super::inventory::Inventory;
use super::layout::{Layout, Placed};
use super::pins;
use super::prune::{self, Pruned};
use super::queue::{self, Queued};
use super::residents::Residents;
use super::rows::{Change, Changes, Rows};
use super::space::{Limits, SpaceLock};
use super::{Error, Result, profile, survey, told};
use crate::clock::Clock;
use crate::config::{CacheConfig, Eviction};
use crate::domain::ImageId;
use crate::domain::report::{Pins, Profile, Survey};
use crate::telemetry::counters::Reason;

/// A cache directory.
#[derive(Debug)]
pub struct Directory {
    layout: Layout,
    rules: prune::Rules,
    eviction: Eviction,
    stall_time: Duration,
    index: Mutex<Index>,
    clock: Clock,
}

impl Directory {
    /// Opens a directory that is there. Nothing in it changes for that.
    pub fn open(config: &CacheConfig, clock: Clock) -> Result<Self> {
        let layout = Layout::new(&config.dir, &config.index_file);
        std::fs::read_dir(layout.root()).map_err(|error| Error::at(&layout, error))?;
        Ok(Self {
            rules: prune::Rules {
                limits: Limits {
                    max_size: config.max_size,
                    min_free: config.min_free_space,
                    low_water: config.low_water,
                },
                life: config.ttl,
            },
            eviction: config.eviction,
            stall_time: config.stall_time,
            index: Mutex::new(Index::new(layout.clone())),
            clock,
            layout,
        })
    }

    /// The path of it.
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    /// What is cached, most recently used first.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let contents = self.layout.contents().map_err(|error| self.at(error))?;
        Ok(listing(&contents.images, &self.rows()))
    }

    /// What is wanted, first to be fetched first.
    pub fn queued(&self) -> Result<Vec<Queued>> {
        let (queue, _) = queue::list(&self.layout).map_err(|error| self.at(error))?;
        Ok(queue)
    }

    /// Asks for an image. False where it is here, on its way or asked for already.
    pub fn queue(&self, id: ImageId) -> Result<bool> {
        queue::add(&self.layout, id, self.clock.now()).map_err(|error| self.at(error))
    }

    /// Asks for an image in the name of a rule. False where it is here, on its way or asked for already.
    pub fn queue_for_rule(&self, id: ImageId, rule: &str) -> Result<bool> {
        queue::add_for_rule(&self.layout, id, rule, self.clock.now())
            .map_err(|error| self.at(error))
    }

    /// What is here, on its way and asked for.
    pub fn inventory(&self) -> Result<Inventory> {
        Inventory::of(&self.layout, self.rules.limits, self.clock.now())
            .map_err(|error| self.at(error))
    }

    pub fn unqueue(&self, id: ImageId) -> Result<bool> {
        queue::remove(&self.layout, id).map_err(|error| self.at(error))
    }

    /// Empties the queue and says how many were in it.
    pub fn unqueue_all(&self) -> Result<u64> {
        queue::clear(&self.layout).map_err(|error| self.at(error))
    }

    /// Sees to it that an image's copy never leaves to make room. False where it was pinned before.
    pub fn pin(&self, id: ImageId, reason: &str) -> Result<bool> {
        pins::add(&self.layout, id, reason).map_err(|error| self.at(error))
    }

    /// Lets an image's copy leave like others. False where it was not pinned.
    pub fn unpin(&self, id: ImageId) -> Result<bool> {
        pins::remove(&self.layout, id).map_err(|error| self.at(error))
    }

    /// The images that are pinned, and by what.
    pub fn pinned(&self) -> Result<Pins> {
        pins::report(&self.layout).map_err(|error| self.at(error))
    }

    /// Drops the copy of an image, a growing one too. Who reads it reads on.
    pub fn evict(&self, id: ImageId) -> Result<bool> {
        let dropped =
            evict::image(&self.layout, id, Reason::Asked).map_err(|error| self.at(error))?;
        self.forget(&[id]);
        Ok(dropped.any())
    }

    /// Drops every copy and says how many there were.
    pub fn clear(&self) -> Result<u64> {
        let gone = evict::all(&self.layout).map_err(|error| self.at(error))?;
        let ids: Vec<ImageId> = gone.iter().map(|image| image.id).collect();
        self.forget(&ids);
        Ok(gone.len() as u64)
    }

    /// What it holds, in numbers.
    pub fn survey(&self) -> Result<Survey> {
        survey::take(&self.layout, self.rules.limits, self.clock.now())
            .map_err(|error| self.at(error))
    }

    /// Everything that is known of one image.
    pub fn profile(&self, id: ImageId) -> Result<Profile> {
        let row = self.index().row(id).unwrap_or_else(|error| {
            tracing::warn!("hits are not known, the cache index cannot be read: {error}");
            None
        });
        // The configuration may not be that of the service that works here.
        let ways = told::ways(&self.layout).map_err(|error| self.at(error))?;
        let eviction = ways.map_or(self.eviction, |ways| ways.eviction);
        let residents = self.residents(eviction)?;
        let known = profile::Known {
            row,
            turn: ways.and_then(|_| residents.turn(id)),
            life: residents.life_within(id, ways.and_then(|ways| ways.life)),
        };
        let profile = profile::of(&self.layout, id, &known, self.clock.now());
        profile.map_err(|error| self.at(error))
    }

    /// What a prune would take away.
    pub fn plan_prune(&self) -> Result<Vec<Placed>> {
        let residents = self.residents(self.eviction)?;
        let plan = SpaceLock::look(&self.layout).and_then(|lock| {
            prune::plan(
                &self.layout,
                self.rules,
                &residents,
                self.clock.now(),
                &lock,
            )
        });
        let leaving = plan.map_err(|error| self.at(error))?;
        Ok(leaving.into_iter().map(|(image, _)| image).collect())
    }

    /// Removes what was not used for its time to live, and copies in their order until the rest is within the
    /// limit.
    pub fn prune(&self) -> Result<Pruned> {
        let residents = self.residents(self.eviction)?;
        let gone = prune::run(&self.layout, self.rules, &residents, self.clock.now())
            .map_err(|error| self.at(error))?;
        let ids: Vec<ImageId> = gone.iter().map(|(image, _)| image.id).collect();
        self.forget(&ids);
        Ok(Pruned::of(&gone))
    }

    /// What a clean would take away.
    pub fn plan_clean(&self) -> Result<Vec<Waste>> {
        let plan = SpaceLock::look(&self.layout)
            .and_then(|lock| clean::plan(&self.layout, self.stall_time, self.clock.now(), &lock));
        plan.map_err(|error| self.at(error))
    }

    /// Removes bad data and fills that nobody goes on with, and says how many files that were.
    pub fn clean(&self) -> Result<u64> {
        clean::run(&self.layout, self.stall_time, self.clock.now()).map_err(|error| self.at(error))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows; none where the index cannot be had: the files tell what is here.
    fn rows(&self) -> Rows {
        self.index().rows().unwrap_or_else(|error| {
            tracing::warn!("hits are not known, the cache index cannot be read: {error}");
            Rows::new()
        })
    }

    /// The copies in the order in which they leave.
    fn residents(&self, eviction: Eviction) -> Result<Residents> {
        let residents = Residents::new(eviction);
        let stored = self.index().standings(0);
        residents.learn(&stored.map(|(stored, _)| stored).unwrap_or_default());
        let contents = self.layout.contents().map_err(|error| self.at(error))?;
        residents.agree(&self.layout, &contents.images, &self.rows());
        Ok(residents)
    }

    fn forget(&self, gone: &[ImageId]) {
        let changes: Changes = gone.iter().map(|id| (*id, Change::default())).collect();
        if !changes.is_empty()
            && let Err(error) = self.index().record(&changes)
        {
            // The next listing of a running service mends it.
            tracing::warn!("the cache index cannot be written: {error}");
        }
    }

    fn at(&self, error: std::io::Error) -> Error {
        Error::at(&self.layout, error)
    }
}
