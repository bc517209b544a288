//! What a node has, makes and is asked for, for who decides what else it should have.

use std::collections::HashSet;
use std::io;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, image_named};
use super::queue::{self, Queued};
use super::space::{Limits, SpaceLock, Usage};
use crate::domain::ImageId;

/// What a node has, makes and is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    pub cached: HashSet<ImageId>,
    pub growing: HashSet<ImageId>,
    /// First asked for first.
    pub queued: Vec<Queued>,
    /// Bytes that all copies may have together, by the limit and by the disk.
    pub room: u64,
    /// Bytes of it that nobody has yet.
    pub free: u64,
}

impl Inventory {
    /// Reads the directory.
    pub fn of(layout: &Layout, limits: Limits, now: DateTime<Utc>) -> io::Result<Self> {
        let lock = SpaceLock::look(layout)?;
        let usage = Usage::measure(layout, now, &lock)?;
        let copies = usage.taken().saturating_sub(usage.tally.strange);
        let by_limit = limits.max_size.saturating_sub(usage.tally.strange);
        let on_disk = fs2::available_space(layout.root())?
            .saturating_add(copies)
            .saturating_sub(limits.min_free);
        let room = by_limit.min(on_disk);
        let names = layout::files(&layout.incomplete())?.into_iter();
        Ok(Self {
            cached: layout
                .contents()?
                .images
                .iter()
                .map(|image| image.id)
                .collect(),
            growing: names.filter_map(|(name, _)| image_named(&name)).collect(),
            queued: queue::list(layout)?.0,
            room,
            free: room.saturating_sub(copies),
        })
    }
}
