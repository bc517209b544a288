//! What Keystone limits, and how it is counted: in mebibytes as far as they are whole, or in images.

use std::fmt;

use crate::client::Level;
use crate::db::Usage;

pub(super) const MIB: u64 = 1 << 20;

/// What Keystone limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Mebibytes in stores.
    SizeTotal,
    /// Mebibytes that wait for their import.
    StageTotal,
    /// Images.
    CountTotal,
    /// Images that take data in.
    CountUploading,
}

impl Resource {
    pub const ALL: [Self; 4] = [
        Self::SizeTotal,
        Self::StageTotal,
        Self::CountTotal,
        Self::CountUploading,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::SizeTotal => "image_size_total",
            Self::StageTotal => "image_stage_total",
            Self::CountTotal => "image_count_total",
            Self::CountUploading => "image_count_uploading",
        }
    }

    /// What there is of it, in its own unit; with what is on its way where `held`.
    pub(super) fn used(self, usage: &Usage, held: bool) -> u64 {
        match self {
            Self::SizeTotal | Self::StageTotal => self.bytes(usage, held) / MIB,
            Self::CountTotal => usage.images,
            Self::CountUploading => usage.uploading,
        }
    }

    /// Bytes that are kept; none of what is counted in images.
    fn bytes(self, usage: &Usage, held: bool) -> u64 {
        let and = |room: u64| if held { room } else { 0 };
        match self {
            Self::SizeTotal => usage.stored.saturating_add(and(usage.held)),
            Self::StageTotal => usage.staged.saturating_add(and(usage.held_for_staging)),
            Self::CountTotal | Self::CountUploading => 0,
        }
    }

    /// How many bytes more there may be, with what is on its way; those of a mebibyte that is not whole count for
    /// nothing.
    pub(super) fn left(self, level: &Level, usage: &Usage) -> u64 {
        let Ok(limit) = u64::try_from(level.of(self.name())) else {
            return u64::MAX;
        };
        let most = limit.saturating_add(1).saturating_mul(MIB) - 1;
        most.saturating_sub(self.bytes(usage, true))
    }
}

/// A project, or several that share, would have more of something than they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverLimit {
    project: Option<String>,
    resource: Resource,
    limit: i64,
    usage: u64,
    delta: i64,
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Project {} is over a limit for [Resource {} is over limit of {} due to current usage {} and delta {}]",
            self.project.as_deref().unwrap_or("None"),
            self.resource.name(),
            self.limit,
            self.usage,
            self.delta,
        )
    }
}

/// Whether there would be too much with `delta` more.
pub(super) fn over(level: &Level, resource: Resource, usage: u64, delta: i64) -> Option<OverLimit> {
    let limit = level.of(resource.name());
    let exceeds = limit >= 0 && i128::from(usage) + i128::from(delta) > i128::from(limit);
    exceeds.then(|| OverLimit {
        project: level.project.clone(),
        resource,
        limit,
        usage,
        delta,
    })
}

/// Mebibytes, as far as they are whole.
pub(super) fn delta(size: Option<i64>) -> i64 {
    size.unwrap_or(0).div_euclid(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Error;

    #[test]
    fn limits_count_whole_mebibytes() {
        assert_eq!(delta(Some((2 << 20) - 1)), 1);
        assert_eq!(delta(Some(-1)), -1);
        assert_eq!(delta(None), 0);
    }

    #[test]
    fn a_refusal_reads_as_the_clients_of_the_original_know_it() {
        let over = OverLimit {
            project: Some("p".to_owned()),
            resource: Resource::SizeTotal,
            limit: 5,
            usage: 3,
            delta: 3,
        };
        assert_eq!(
            Error::OverLimit(over).to_string(),
            "The request returned a 413 Request Entity Too Large. This generally means that rate limiting or a \
             quota threshold was breached.\n\nThe response body:\nProject p is over a limit for [Resource \
             image_size_total is over limit of 5 due to current usage 3 and delta 3]"
        );
    }
}
