//! Where the data of images is. They are read with their image and written with its data.

use chrono::{DateTime, Utc};

use super::dialect::{Connection, query};
use super::{Error, Result};
use crate::domain::{ImageId, Location};

/// Adds locations, behind those that are there.
pub async fn insert(
    db: &mut Connection,
    id: ImageId,
    locations: &[Location],
    now: DateTime<Utc>,
) -> Result<()> {
    if locations.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(locations.len());
    for location in locations {
        let metadata = serde_json::to_string(&location.metadata)
            .map_err(|error| Error::Failed(error.to_string()))?;
        rows.push([
            id.into(),
            location.url.as_str().into(),
            metadata.into(),
            location.status.as_str().into(),
            now.into(),
            now.into(),
            false.into(),
        ]);
    }
    query(
        "INSERT INTO image_locations \
         (image_id, value, meta_data, status, created_at, updated_at, deleted) VALUES ",
    )
    .rows(rows)
    .execute(db)
    .await?;
    Ok(())
}
