//! The listing.

use chrono::{DateTime, Utc};

use super::index::Rows;
use super::layout::Placed;
use crate::domain::ImageId;

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
