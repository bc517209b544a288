//! What a start does with a directory, whoever left it and however.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::clean::{self, Why};
use super::layout::{self, Layout, Placed};
use super::parked;
use super::queue;
use super::space::SpaceLock;
use super::tally::Tally;
use super::told;

/// Creates what is missing, removes what nobody goes on with, and says which copies there are: what is left
/// to do is to make the index agree with them.
pub fn files(layout: &Layout, now: DateTime<Utc>) -> io::Result<Vec<Placed>> {
    layout.prepare()?;
    layout.fetch_index()?;
    let lock = SpaceLock::take(layout)?;
    // However fresh: our processes hold locks, and one without locks was stopped before this one started.
    let mut waste = clean::plan(layout, Duration::ZERO, now, &lock)?;
    // Bad data is for somebody to look at.
    waste.retain(|waste| waste.why != Why::Invalid);
    // Before the rest, which takes the tables away that speak for no file any more.
    parked::remove_useless(layout, &lock)?;
    clean::execute(layout, &waste, &lock)?;
    for draft in [queue::drafts(layout)?, told::drafts(layout)?].concat() {
        layout::remove(&draft)?;
    }
    lock.keep(Tally::default().completed(layout, now)?);
    Ok(layout.contents()?.images)
}
