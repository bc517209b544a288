//! Everything that is known of one image in a cache directory.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::layout::{self, Layout};
use super::owner;
use super::pins;
use super::queue;
use super::rows::Row;
use super::space::SpaceLock;
use super::spans::Table;
use super::sums::{SPAN, bytes_of, spans_of};
use super::told;
use crate::domain::ImageId;
use crate::domain::report::{Profile, Run, Span, State, Turn, Verification};

/// What files do not say.
pub struct Known {
    /// What the index says of the image.
    pub row: Option<Row>,
    /// Its turn to leave.
    pub turn: Option<Turn>,
    /// How long it may stay unused.
    pub life: Option<Duration>,
}

/// Looks at the image. Nothing changes for that.
pub fn of(layout: &Layout, id: ImageId, known: &Known, now: DateTime<Utc>) -> io::Result<Profile> {
    let queued = layout.queue().join(id.as_str()).is_file();
    let found = {
        // No file changes its place under the lock.
        let lock = SpaceLock::look(layout)?;
        let growing = || owner::is_growing(layout, id, now, &lock);
        if let Some(file) = regular(layout.image(id))? {
            Some((State::Cached, file))
        } else if let Some(file) = regular(layout.partial(id))?
            && growing()?
        {
            Some((State::Growing, file))
        } else {
            regular(layout.part(id))?.map(|file| (State::Part, file))
        }
    };
    let pinned_by = pins::reason(layout, id)?;
    let nothing = Profile {
        image_id: id,
        state: if queued { State::Queued } else { State::Absent },
        queued,
        pinned_by,
        path: None,
        size: None,
        here: 0,
        hits: 0,
        last_accessed: None,
        last_modified: None,
        saved_bytes: 0,
        time_to_live: None,
        expires_at: None,
        turn: None,
        queued_by: queue::rule_of(layout, id)?,
        wanted_by: told::by(layout, id)?,
        verification: Verification::None,
        verified: None,
        digest: None,
        span_size: SPAN,
        spans: Vec::new(),
    };
    let Some((state, (path, file))) = found else {
        return Ok(nothing);
    };
    let metadata = file.metadata()?;
    let table = Table::open(layout, id)?.filter(|table| table.inode == metadata.ino());
    let whole = state == State::Cached;
    let size = match &table {
        _ if whole => Some(metadata.len()),
        Some(table) => table.size,
        None => None,
    };
    let spans = spans(whole, size, table.as_ref());
    let modified = DateTime::from(metadata.modified()?);
    let accessed = metadata.accessed().map_or(modified, DateTime::from);
    let row = known.row.filter(|_| whole);
    let accessed = row.map_or(accessed, |row| row.last_accessed);
    let life = known.life.filter(|_| whole);
    let stays = nothing.pinned_by.is_some() || !nothing.wanted_by.is_empty();
    let hits = row.map_or(0, |row| row.hits);
    Ok(Profile {
        state,
        path: Some(path),
        size,
        here: match (size, &table) {
            (Some(size), Some(_)) => here(&spans, size),
            _ => metadata.len(),
        },
        hits,
        last_accessed: Some(accessed).filter(|_| whole),
        last_modified: Some(row.map_or(modified, |row| row.last_modified)),
        saved_bytes: hits.saturating_mul(size.unwrap_or(0)),
        time_to_live: life.map(|life| life.as_secs_f64()),
        expires_at: life
            .filter(|_| !stays)
            .and_then(|life| accessed.checked_add_signed(TimeDelta::from_std(life).ok()?)),
        turn: (known.turn).filter(|_| whole && nothing.pinned_by.is_none()),
        verification: match &table {
            _ if !whole => Verification::Pending,
            Some(table) if table.proof.is_none() => Verification::Checksummed,
            Some(_) => Verification::Proven,
            None => Verification::Unproven,
        },
        verified: match &table {
            Some(table) if whole => table.verified()?,
            _ => None,
        },
        digest: table
            .filter(|table| !table.proof.is_none())
            .map(|table| table.proof.to_string()),
        spans: Run::join(spans),
        ..nothing
    })
}

/// A file that can be read, links not followed.
fn regular(path: PathBuf) -> io::Result<Option<(PathBuf, File)>> {
    let Some(file) = layout::open_existing(&path)? else {
        return Ok(None);
    };
    Ok(file.metadata()?.is_file().then_some((path, file)))
}

fn spans(whole: bool, size: Option<u64>, table: Option<&Table>) -> Vec<Span> {
    let count = size.map_or(0, spans_of);
    let span = |span| match table {
        Some(table) if table.sum(span).is_some() => Span::Checksummed,
        _ if whole => Span::Here,
        _ => Span::Missing,
    };
    (0..count).map(span).collect()
}

/// Bytes of the spans that are here.
fn here(spans: &[Span], size: u64) -> u64 {
    let here = (0..).zip(spans).filter(|(_, span)| **span != Span::Missing);
    here.map(|(span, _)| bytes_of(span, span + 1, size).len())
        .sum()
}
