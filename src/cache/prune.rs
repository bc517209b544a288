//! Taking the cache back to its limit, and what was not used for its time to live out of it.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::layout::{Layout, Placed};
use super::residents::{Residents, Wish};
use super::space::{self, Limits, SpaceLock, Usage};

/// What a prune took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub files: u64,
    pub bytes: u64,
}

impl Pruned {
    pub fn of(images: &[Placed]) -> Self {
        Self {
            files: images.len() as u64,
            bytes: images.iter().map(|image| image.size).sum(),
        }
    }
}

/// By what a prune goes.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub limits: Limits,
    /// How long copies may stay unused.
    pub life: Option<Duration>,
}

/// Takes the cache back to its limit, and says what had to leave.
pub fn run(
    layout: &Layout,
    rules: Rules,
    residents: &Residents,
    now: DateTime<Utc>,
) -> io::Result<Vec<Placed>> {
    let lock = SpaceLock::take(layout)?;
    let leaving = plan(layout, rules, residents, now, &lock)?;
    let usage = Usage::measure(layout, now, &lock)?;
    if usage.taken() + usage.waste() > rules.limits.max_size {
        usage.remove_waste(layout, &lock)?;
    }
    let mut gone = Vec::new();
    for image in leaving {
        let (id, size) = (image.id, image.size);
        if space::remove_copy(layout, &image, &lock)? {
            tracing::info!(image.id = %id, size, reason = "pruned", "pruned image {id}");
            gone.push(image);
        }
    }
    Ok(gone)
}

/// What must leave: what was not used for its time to live, and what is too much. It is not known to
/// `residents` from then on.
pub fn plan(
    layout: &Layout,
    rules: Rules,
    residents: &Residents,
    now: DateTime<Utc>,
    lock: &SpaceLock,
) -> io::Result<Vec<Placed>> {
    let images = layout.contents()?.images;
    let mut leaving = residents.expired(layout, &images, rules.life, now);
    let expired: u64 = leaving.iter().map(|image| image.size).sum();
    let usage = Usage::measure(layout, now, lock)?;
    let taken = usage.taken().saturating_sub(expired);
    if taken > rules.limits.max_size {
        // Others may have put so much there that everything leaves in vain; it is too much all the same.
        let wish = Wish {
            least: 0,
            best: taken - rules.limits.low(),
        };
        let here = usage.tally.copies.bytes.saturating_sub(expired);
        let more = residents.leaving(layout, wish, here, now)?;
        leaving.extend(more.unwrap_or_default());
    }
    Ok(leaving)
}
