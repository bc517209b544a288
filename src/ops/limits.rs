//! How much a project may keep: the limits that Keystone has for it, or `user_storage_quota`.
//!
//! Keystone's limits are in mebibytes, and soft by less than one, as the original has it and its clients count on.
//! What is on its way counts here as well: of many who declare the same last room one gets it. What comes without a
//! declared size may begin as long as nothing is exceeded, and gets as far as there is room.

use std::sync::Arc;

use super::resource::{MIB, OverLimit, Resource, delta, over};
use super::{Error, Glance, Result};
use crate::client::{Level, ProjectLimits};
use crate::db::{Gate, Usage};
use crate::domain::location::Moves;
use crate::domain::{Caller, Image, ImageId};

/// Room for data of unknown size is held in steps: as much again as there is, but at least and at most so much.
pub(super) const LEAST_STEP: u64 = MIB;
const MOST_STEP: u64 = 64 * MIB;

/// What of a project's data is about to grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Stored,
    Staged,
}

/// How much is about to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// All of it, as it was declared.
    Declared(i64),
    /// Nobody says.
    Unknown,
    /// Nobody said, and so much has come by now.
    Seen(u64),
}

impl Ask {
    /// How much it is, as far as that is known.
    fn size(self) -> Option<i64> {
        match self {
            Self::Declared(size) => Some(size),
            Self::Unknown => None,
            Self::Seen(seen) => Some(signed(seen)),
        }
    }

    /// How many bytes have to be held.
    fn least(self) -> u64 {
        match self {
            Self::Declared(size) => u64::try_from(size).unwrap_or(0),
            Self::Unknown => 0,
            Self::Seen(seen) => seen,
        }
    }

    /// How many bytes to hold where there is room for them.
    fn wish(self) -> u64 {
        match self {
            Self::Declared(_) => self.least(),
            Self::Unknown => LEAST_STEP,
            Self::Seen(seen) => seen.saturating_add(step(seen)),
        }
    }
}

impl From<Option<i64>> for Ask {
    fn from(declared: Option<i64>) -> Self {
        declared.map_or(Self::Unknown, Self::Declared)
    }
}

/// What holds for a caller's project.
#[derive(Debug, Clone)]
pub(super) struct Quota {
    rule: Rule,
    /// Who waits for each other to be counted.
    key: String,
    groups: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
enum Rule {
    /// `user_storage_quota`, bytes.
    Storage(u64),
    Unified(Arc<ProjectLimits>),
}

impl Glance {
    /// What holds for data of the caller's project, where anything does.
    pub(super) async fn quota(&self, caller: &Caller, kind: Kind) -> Result<Option<Quota>> {
        if let Some(quota) = self.unified(caller).await? {
            return Ok(Some(quota));
        }
        Ok(match kind {
            Kind::Stored => self.storage_quota(caller),
            Kind::Staged => None,
        })
    }

    /// `user_storage_quota`, where it is set and Keystone has no say.
    fn storage_quota(&self, caller: &Caller) -> Option<Quota> {
        let bytes = self.image_rules().user_storage_quota;
        if bytes == 0 || self.limits.is_some() {
            return None;
        }
        let project = caller.project_id.clone();
        Some(Quota {
            rule: Rule::Storage(bytes),
            key: project.clone().unwrap_or_default(),
            groups: vec![project.into_iter().collect()],
        })
    }

    /// What Keystone says, where it is asked.
    async fn unified(&self, caller: &Caller) -> Result<Option<Quota>> {
        let Some(limits) = &self.limits else {
            return Ok(None);
        };
        let limits = limits.of(caller.project_id.as_deref()).await?;
        let top = limits.levels.last().and_then(|level| level.project.clone());
        Ok(Some(Quota {
            key: top.unwrap_or_default(),
            groups: limits
                .levels
                .iter()
                .map(|level| level.members.clone())
                .collect(),
            rule: Rule::Unified(limits),
        }))
    }

    /// Refuses early what Keystone would not let the project have: before anything else is looked at.
    pub(super) async fn check_limit(
        &self,
        caller: &Caller,
        resource: Resource,
        size: Option<i64>,
    ) -> Result<()> {
        let Some(quota) = self.unified(caller).await? else {
            return Ok(());
        };
        let usage = self.usage_of(&quota, None).await?;
        let checked = quota.check(resource, delta(size), &usage);
        checked.map_err(|error| self.refused(caller, error))
    }

    /// The room for data that is somewhere already, `size` bytes of it as far as is known: `user_storage_quota`.
    pub(super) async fn check_storage(
        &self,
        caller: &Caller,
        image: ImageId,
        size: Option<i64>,
    ) -> Result<()> {
        let Some(quota) = self.storage_quota(caller) else {
            return Ok(());
        };
        let usage = self.usage_of(&quota, Some(image)).await?;
        quota.judge(Kind::Stored, size.into(), &usage).map(drop)
    }

    /// Writes an image and moves its data, where the caller's project has room for what it has more by that.
    pub(super) async fn move_image(
        &self,
        caller: &Caller,
        image: &Image,
        was: &Image,
        moves: Option<&Moves>,
    ) -> Result<Image> {
        let (before, after) = (kept(was), kept(image));
        let quota = self.storage_quota(caller).filter(|_| after > before);
        let (Some(quota), Some(moves)) = (quota, moves) else {
            return Ok(self.db.update_and_move(image, was, moves).await?);
        };
        // The image itself is not among what is counted.
        let judge = |usage: &[Usage]| quota.judge(Kind::Stored, Ask::Declared(after), usage);
        let gate = quota.gate(Some(image.id), &judge);
        match self.db.move_within(image, was, moves, &gate).await? {
            Err(Error::StorageQuota { left, .. }) => Err(Error::LocationOverQuota {
                size: Some(after.saturating_sub(before)),
                left: left.saturating_sub(before),
            }),
            written => written,
        }
    }

    /// Adds an image where the project may have one more.
    pub(super) async fn add_image(&self, caller: &Caller, image: &Image) -> Result<()> {
        let Some(quota) = self.unified(caller).await? else {
            return Ok(self.db.create_image(image).await?);
        };
        // The image is there already when it is counted.
        let judge = |usage: &[Usage]| quota.check_added(Resource::CountTotal, usage).map(|()| 0);
        let gate = quota.gate(None, &judge);
        match self.db.create_image_within(image, &gate).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused(caller, error)),
        }
    }

    /// What the caller's project has of each resource, and how much it may have. Nothing where Keystone has no say.
    pub async fn limits_and_usage(&self, caller: &Caller) -> Result<Vec<(Resource, u64, i64)>> {
        let Some(Quota {
            rule: Rule::Unified(limits),
            ..
        }) = self.unified(caller).await?
        else {
            return Ok(Vec::new());
        };
        let Some(own) = limits.levels.first() else {
            return Ok(Vec::new());
        };
        let usage = self.db.usage(&own.members, None, self.clock.now()).await?;
        let told = Resource::ALL.map(|resource| {
            (
                resource,
                resource.used(&usage, false),
                own.of(resource.name()),
            )
        });
        Ok(told.into())
    }

    /// A refusal, after which Keystone is asked anew: it may be the reason for somebody to raise the limit.
    pub(super) fn refused(&self, caller: &Caller, error: Error) -> Error {
        if let (Some(limits), Error::OverLimit(_)) = (&self.limits, &error) {
            limits.forget(caller.project_id.as_deref());
            tracing::info!("{error}");
        }
        error
    }

    async fn usage_of(&self, quota: &Quota, besides: Option<ImageId>) -> Result<Vec<Usage>> {
        let mut usage = Vec::with_capacity(quota.groups.len());
        for group in &quota.groups {
            usage.push(self.db.usage(group, besides, self.clock.now()).await?);
        }
        Ok(usage)
    }
}

impl Quota {
    pub(super) fn gate<'g>(
        &'g self,
        besides: Option<ImageId>,
        judge: &'g (dyn Fn(&[Usage]) -> Result<u64> + Sync),
    ) -> Gate<'g, Error> {
        Gate {
            key: &self.key,
            groups: &self.groups,
            besides,
            judge,
        }
    }

    /// How many bytes to hold for what is asked, which is not counted in `usage`.
    pub(super) fn judge(&self, kind: Kind, ask: Ask, usage: &[Usage]) -> Result<u64> {
        match (&self.rule, ask) {
            (Rule::Storage(quota), _) => fits(left(*quota, usage), ask),
            (Rule::Unified(limits), _) => {
                let resource = match kind {
                    Kind::Stored => Resource::SizeTotal,
                    Kind::Staged => Resource::StageTotal,
                };
                self.check(resource, delta(ask.size()), usage)?;
                if !matches!(ask, Ask::Seen(_)) {
                    self.check(Resource::CountUploading, 0, usage)?;
                }
                let levels = limits.levels.iter().zip(usage);
                let left = levels
                    .map(|(level, usage)| resource.left(level, usage))
                    .min();
                Ok(ask.wish().min(left.unwrap_or(u64::MAX)).max(ask.least()))
            }
        }
    }

    fn check(&self, resource: Resource, delta: i64, usage: &[Usage]) -> Result<()> {
        self.each(usage, |level, usage| {
            over(level, resource, resource.used(usage, true), delta)
        })
    }

    /// The same where one more is counted already.
    fn check_added(&self, resource: Resource, usage: &[Usage]) -> Result<()> {
        self.each(usage, |level, usage| {
            over(
                level,
                resource,
                resource.used(usage, true).saturating_sub(1),
                1,
            )
        })
    }

    fn each(
        &self,
        usage: &[Usage],
        over: impl Fn(&Level, &Usage) -> Option<OverLimit>,
    ) -> Result<()> {
        let Rule::Unified(limits) = &self.rule else {
            return Ok(());
        };
        let mut levels = limits.levels.iter().zip(usage);
        match levels.find_map(|(level, usage)| over(level, usage)) {
            Some(over) => Err(Error::OverLimit(over)),
            None => Ok(()),
        }
    }
}

/// What an image counts for: each of its places.
fn kept(image: &Image) -> i64 {
    let each = image.size.unwrap_or(0);
    signed(each.saturating_mul(image.locations.len() as u64))
}

/// Bytes; below zero where more is kept than is allowed today.
fn left(quota: u64, usage: &[Usage]) -> i64 {
    let used = usage
        .iter()
        .map(|usage| usage.stored.saturating_add(usage.held));
    let left = i128::from(quota) - i128::from(used.fold(0, u64::saturating_add));
    i64::try_from(left).unwrap_or(i64::MAX)
}

/// How many bytes to hold of those that are left. Data of which nothing is known fits as long as anything does.
fn fits(left: i64, ask: Ask) -> Result<u64> {
    let least = match ask {
        Ask::Unknown => 1,
        Ask::Declared(_) | Ask::Seen(_) => ask.size().unwrap_or(0),
    };
    if least > left {
        let size = ask.size();
        return Err(Error::StorageQuota { size, left });
    }
    Ok(ask.wish().min(u64::try_from(left).unwrap_or(0)))
}

fn step(held: u64) -> u64 {
    held.clamp(LEAST_STEP, MOST_STEP)
}

pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: i64 = 1 << 20;

    fn told(refused: Result<u64>) -> String {
        refused.unwrap_err().to_string()
    }

    #[test]
    fn what_fills_the_quota_just_fits() {
        assert_eq!(fits(40, Ask::Declared(40)).unwrap(), 40);
        assert_eq!(
            told(fits(40, Ask::Declared(41))),
            "Image exceeds the storage quota: The size of the data 41 will exceed the limit. 40 bytes \
             remaining."
        );
    }

    #[test]
    fn what_is_on_its_way_is_used_as_well() {
        let usage = Usage {
            stored: 60,
            held: 70,
            ..Usage::default()
        };
        assert_eq!(left(200, &[usage]), 70);
        assert_eq!(left(100, &[usage]), -30);
    }

    #[test]
    fn room_for_data_of_unknown_size_is_held_in_growing_steps_as_long_as_there_is_any() {
        assert_eq!(fits(5 * M, Ask::Unknown).unwrap(), LEAST_STEP);
        assert_eq!(fits(1, Ask::Unknown).unwrap(), 1);
        assert!(told(fits(0, Ask::Unknown)).contains("the data None will"));
        assert_eq!(fits(900 * M, Ask::Seen(8 * MIB)).unwrap(), 16 * MIB);
        assert_eq!(fits(900 * M, Ask::Seen(512 * MIB)).unwrap(), 576 * MIB);
        assert_eq!(fits(9 * M, Ask::Seen(8 * MIB)).unwrap(), 9 * MIB);
        assert!(fits(7 * M, Ask::Seen(8 * MIB)).is_err());
    }
}
