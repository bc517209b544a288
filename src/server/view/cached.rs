//! The cache as its managers see it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cache::Entry;
use crate::domain::ImageId;

/// What a node has, and what it is asked for. It is written as it is walked through: there may be very many.
#[derive(Debug, Serialize)]
pub(in crate::server) struct Listing<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_images: Option<Vec<Row<'e>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_images: Option<&'e [ImageId]>,
}

#[derive(Debug, Serialize)]
struct Row<'e> {
    id: i64,
    image_id: &'e ImageId,
    last_accessed: f64,
    last_modified: f64,
    size: u64,
    hits: u64,
    checksum: Option<&'e str>,
}

impl<'e> Listing<'e> {
    /// The lists that there are.
    pub(in crate::server) fn of(
        cached: Option<&'e [Entry]>,
        queued: Option<&'e [ImageId]>,
    ) -> Self {
        Self {
            cached_images: cached.map(|entries| entries.iter().map(Row::of).collect()),
            queued_images: queued,
        }
    }
}

impl<'e> Row<'e> {
    fn of(entry: &'e Entry) -> Self {
        Self {
            id: entry.row,
            image_id: &entry.id,
            last_accessed: epoch(entry.last_accessed),
            last_modified: epoch(entry.last_modified),
            size: entry.size,
            hits: entry.hits,
            checksum: None,
        }
    }
}

/// Seconds since 1970, with a fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of our time fit the 53 bits of a float"
)]
fn epoch(time: DateTime<Utc>) -> f64 {
    time.timestamp_micros() as f64 / 1e6
}
