//! Everything that is known of one image in a cache directory.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::layout::{self, Layout};
use super::owner;
use super::pins;
use super::rows::Row;
use super::space::SpaceLock;
use super::spans::Table;
use super::sums::{SPAN, bytes_of, spans_of};
use crate::domain::ImageId;
use crate::domain::report::{Profile, Run, Span, State, Verification};

/// Looks at the image. Nothing changes for that. `row` is what the index says of it.
pub fn of(
    layout: &Layout,
    id: ImageId,
    row: Option<&Row>,
    now: DateTime<Utc>,
) -> io::Result<Profile> {
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
        verification: Verification::None,
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
    let row = row.filter(|_| whole);
    Ok(Profile {
        state,
        path: Some(path),
        size,
        here: match (size, &table) {
            (Some(size), Some(_)) => here(&spans, size),
            _ => metadata.len(),
        },
        hits: row.map_or(0, |row| row.hits),
        last_accessed: Some(row.map_or(accessed, |row| row.last_accessed)).filter(|_| whole),
        last_modified: Some(row.map_or(modified, |row| row.last_modified)),
        verification: match &table {
            _ if !whole => Verification::Pending,
            Some(table) if table.proof.is_none() => Verification::Checksummed,
            Some(_) => Verification::Proven,
            None => Verification::Unproven,
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
