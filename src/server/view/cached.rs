//! The cache as its managers see it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::cache::Entry;
use crate::domain::ImageId;

/// The copies on this node.
pub(in crate::server) fn entries(entries: &[Entry]) -> Value {
    entries.iter().map(entry).collect()
}

/// The images that are asked for.
pub(in crate::server) fn ids(ids: &[ImageId]) -> Value {
    ids.iter().map(ImageId::as_str).collect()
}

fn entry(entry: &Entry) -> Value {
    json!({
        "id": entry.row,
        "image_id": entry.id.as_str(),
        "last_accessed": epoch(entry.last_accessed),
        "last_modified": epoch(entry.last_modified),
        "size": entry.size,
        "hits": entry.hits,
        "checksum": null,
    })
}

/// Seconds since 1970, with a fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of our time fit the 53 bits of a float"
)]
fn epoch(time: DateTime<Utc>) -> f64 {
    time.timestamp_micros() as f64 / 1e6
}
