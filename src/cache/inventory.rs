//! What a node has, makes and is asked for, for who decides what else it should have.

use std::collections::HashSet;
use std::io;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout, image_named};
use super::queue::{self, Queued};
use super::space::{Limits, SpaceLock, Usage};
use super::{Cache, Result, pins, tally};
use crate::domain::ImageId;

impl Cache {
    /// The images that have a copy, a part, a wish or a pin here.
    pub async fn images(&self) -> Result<Vec<ImageId>> {
        self.work(|node| images(&node.layout)).await
    }

    /// What this node has, makes and is asked for.
    pub async fn inventory(&self) -> Result<Inventory> {
        self.work(|node| Inventory::of(&node.layout, node.limits(), node.clock.now()))
            .await
    }
}

/// The images that have a copy, a part, a wish or a pin.
pub fn images(layout: &Layout) -> io::Result<Vec<ImageId>> {
    let mut found = Vec::new();
    let root = layout.root().to_owned();
    for dir in [root, layout.parts(), layout.queue(), layout.pins()] {
        let names = layout::files(&dir)?;
        found.extend(names.iter().filter_map(|(name, _)| image_named(name)));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// What a node has, makes and is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    pub cached: HashSet<ImageId>,
    /// Those of them that never leave to make room.
    pub pinned: HashSet<ImageId>,
    pub growing: HashSet<ImageId>,
    /// First asked for first.
    pub queued: Vec<Queued>,
    /// Bytes that copies may have together, by the limit and by the disk, beside those that are pinned.
    pub room: u64,
}

impl Inventory {
    /// Reads the directory.
    pub fn of(layout: &Layout, limits: Limits, now: DateTime<Utc>) -> io::Result<Self> {
        let tally = tally::seen(layout, now)?;
        let usage = Usage::beside(tally, layout, now, &SpaceLock::look(layout)?)?;
        let copies = usage.taken().saturating_sub(usage.tally.strange);
        let by_limit = limits.max_size.saturating_sub(usage.tally.strange);
        let on_disk = fs2::available_space(layout.root())?
            .saturating_add(copies)
            .saturating_sub(limits.min_free);
        let images = layout.contents()?.images;
        let pins: HashSet<ImageId> = pins::list(layout)?.into_iter().collect();
        let pinned = images.iter().filter(|image| pins.contains(&image.id));
        let names = layout::files(&layout.incomplete())?.into_iter();
        Ok(Self {
            room: (by_limit.min(on_disk))
                .saturating_sub(pinned.clone().map(|image| image.size).sum()),
            pinned: pinned.map(|image| image.id).collect(),
            cached: images.iter().map(|image| image.id).collect(),
            growing: names.filter_map(|(name, _)| image_named(&name)).collect(),
            queued: queue::list(layout)?.0,
        })
    }
}
