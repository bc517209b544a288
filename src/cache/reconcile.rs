//! What a start does with a directory, whoever left it and however.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::clean::{self, Why};
use super::layout::{self, Layout, Placed, image_named};
use super::owner::{Owner, owner};
use super::parked;
use super::queue;
use super::space::SpaceLock;
use super::tally::Tally;

/// Creates what is missing, removes what nobody goes on with, and says which copies there are: what is left
/// to do is to make the index agree with them.
pub fn files(layout: &Layout, now: DateTime<Utc>) -> io::Result<Vec<Placed>> {
    layout.prepare()?;
    layout.fetch_index()?;
    let lock = SpaceLock::take(layout)?;
    keep_spans(layout, now, &lock)?;
    // However fresh: our processes hold locks, and one without locks was stopped before this one started.
    let mut waste = clean::plan(layout, Duration::ZERO, now, &lock)?;
    // Bad data is for somebody to look at.
    waste.retain(|waste| waste.why != Why::Invalid);
    parked::remove_useless(layout, &lock)?;
    clean::execute(layout, &waste, &lock)?;
    for draft in queue::drafts(layout)? {
        layout::remove(&draft)?;
    }
    lock.keep(Tally::default().completed(layout, now)?);
    Ok(layout.contents()?.images)
}

/// Puts the spans of fills that were cut where the next one goes on with them.
fn keep_spans(layout: &Layout, now: DateTime<Utc>, lock: &SpaceLock) -> io::Result<()> {
    for (name, _) in layout::files(&layout.incomplete())? {
        let Some(id) = image_named(&name) else {
            continue;
        };
        if let Some(file) = layout::open_readable(&layout.partial(id))?
            && owner(layout, id, &file, now, lock)? == Owner::Dead
        {
            parked::put(layout, id, lock)?;
        }
    }
    Ok(())
}
