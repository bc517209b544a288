//! What a start does with a directory, whoever left it and however.

use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::clean::{self, Why};
use super::layout::{Layout, Placed};
use super::space::SpaceLock;

/// A partial file without a lock that has not changed for so long belongs to nobody.
const ABANDONED: Duration = Duration::from_secs(10);

/// Creates what is missing, removes what nobody goes on with, and says which copies there are: what is left
/// to do is to make the index agree with them.
pub fn files(layout: &Layout, now: DateTime<Utc>) -> io::Result<Vec<Placed>> {
    layout.prepare()?;
    let lock = SpaceLock::take(layout)?;
    let mut waste = clean::plan(layout, ABANDONED, now, &lock)?;
    // Bad data is for somebody to look at.
    waste.retain(|waste| waste.why != Why::Invalid);
    clean::execute(layout, &waste, &lock)?;
    Ok(layout.contents()?.images)
}
