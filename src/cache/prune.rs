//! Taking the cache back to its limit, and what was not used for its time to live out of it.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::layout::{Layout, Placed};
use super::residents::{Asker, Residents, Wish};
use super::space::{self, Limits, SpaceLock, Usage};
use crate::telemetry::counters::Reason;

/// What a prune took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub files: u64,
    pub bytes: u64,
}

impl Pruned {
    pub fn of(gone: &[(Placed, Reason)]) -> Self {
        Self {
            files: gone.len() as u64,
            bytes: gone.iter().map(|(image, _)| image.size).sum(),
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

/// Takes the cache back to its limit, and says what had to leave, and why.
pub fn run(
    layout: &Layout,
    rules: Rules,
    residents: &Residents,
    now: DateTime<Utc>,
) -> io::Result<Vec<(Placed, Reason)>> {
    let lock = SpaceLock::take(layout)?;
    let leaving = plan(layout, rules, residents, now, &lock)?;
    let usage = Usage::measure(layout, now, &lock)?;
    if usage.taken() + usage.waste() > rules.limits.max_size {
        usage.remove_waste(layout, &lock)?;
    }
    execute(layout, leaving, &lock)
}

/// Removes copies, and says which were there.
pub fn execute(
    layout: &Layout,
    leaving: impl IntoIterator<Item = (Placed, Reason)>,
    lock: &SpaceLock,
) -> io::Result<Vec<(Placed, Reason)>> {
    let mut gone = Vec::new();
    for (image, reason) in leaving {
        let (id, size) = (image.id, image.size);
        if space::remove_copy(layout, &image, lock)? {
            let word = reason.word();
            tracing::info!(image.id = %id, size, reason = word, "{word} image {id}");
            gone.push((image, reason));
        }
    }
    Ok(gone)
}

/// What must leave: what was not used for its time to live, and what is too much.
pub fn plan(
    layout: &Layout,
    rules: Rules,
    residents: &Residents,
    now: DateTime<Utc>,
    lock: &SpaceLock,
) -> io::Result<Vec<(Placed, Reason)>> {
    let expired = residents.due(layout, rules.life, now)?;
    for image in &expired {
        // What leaves in any case leaves for nobody else.
        residents.gone(image.id);
    }
    let over: u64 = expired.iter().map(|image| image.size).sum();
    let expired = expired.into_iter().map(|image| (image, Reason::Expired));
    let mut leaving: Vec<_> = expired.collect();
    let usage = Usage::measure(layout, now, lock)?;
    let taken = usage.taken().saturating_sub(over);
    if taken > rules.limits.max_size {
        // Others may have put so much there that everything leaves in vain; it is too much all the same.
        let wish = Wish {
            needed: taken - rules.limits.max_size,
            best: taken - rules.limits.low(),
            asker: Asker::Anybody,
            anyway: true,
        };
        let here = usage.tally.copies.bytes.saturating_sub(over);
        let more = residents.leaving(layout, wish, here, now)?;
        let more = more.unwrap_or_default().into_iter();
        leaving.extend(more.map(|image| (image, Reason::Pruned)));
    }
    Ok(leaving)
}
