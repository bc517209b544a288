//! The listing.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::layout::Placed;
use super::rows::Rows;
use crate::domain::ImageId;
use crate::domain::report::Hot;

/// A row of the listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The row's number in the index; 0 where the index has none.
    pub row: i64,
    pub id: ImageId,
    pub size: u64,
    pub hits: u64,
    pub last_accessed: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
}

/// What is here is what has a file; the rows tell how it is used. Most recent first.
pub fn listing(images: &[Placed], rows: &Rows) -> Vec<Entry> {
    let mut entries: Vec<Entry> = images
        .iter()
        .map(|image| {
            let row = rows.get(&image.id);
            Entry {
                row: row.map_or(0, |row| row.number),
                id: image.id,
                size: image.size,
                hits: row.map_or(0, |row| row.hits),
                last_accessed: row.map_or(image.accessed, |row| row.last_accessed),
                last_modified: row.map_or(image.modified, |row| row.last_modified),
            }
        })
        .collect();
    entries.sort_by(|a, b| (b.last_accessed, a.id).cmp(&(a.last_accessed, b.id)));
    entries
}

/// So many of the entries with the most hits, most first.
pub fn hot(entries: &[Entry], most: usize) -> Vec<Hot> {
    let mut hot: Vec<&Entry> = entries.iter().filter(|entry| entry.hits > 0).collect();
    let order = |entry: &&Entry| Reverse((entry.hits, entry.last_accessed, entry.id));
    if hot.len() > most {
        hot.select_nth_unstable_by_key(most, order);
        hot.truncate(most);
    }
    hot.sort_unstable_by_key(order);
    let hot = hot.into_iter().map(|entry| Hot {
        image_id: entry.id,
        size: entry.size,
        hits: entry.hits,
        last_accessed: Some(entry.last_accessed),
    });
    hot.collect()
}
