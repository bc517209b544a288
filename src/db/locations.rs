//! Where the data of images is. They are read with their image and written with its data.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::dialect::{Connection, Engine, stamp};
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
    let metadata = locations
        .iter()
        .map(|location| serde_json::to_string(&location.metadata))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| Error::Failed(error.to_string()))?;
    let mut sql = QueryBuilder::<Engine>::new(
        "INSERT INTO image_locations \
         (image_id, value, meta_data, status, created_at, updated_at, deleted) ",
    );
    sql.push_values(
        locations.iter().zip(metadata),
        |mut row, (location, metadata)| {
            row.push_bind(id.as_str().to_owned())
                .push_bind(location.url.as_str())
                .push_bind(metadata)
                .push_bind(location.status.as_str())
                .push_bind(stamp(now))
                .push_bind(stamp(now))
                .push("FALSE");
        },
    );
    sql.build().execute(db).await?;
    Ok(())
}
