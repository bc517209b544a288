//! Where the data of images is. Locations are read with their image.

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Row as _};

use super::dialect::{self, Connection, Engine, stamp};
use super::{Db, Error, Result, images};
use crate::domain::location::Metadata;
use crate::domain::{ImageId, Location};
use crate::domain::{Status, location::Moves};

impl Db {
    /// Notes something else beside locations, where they are still as they were: pairs of before and after.
    pub async fn note_locations(
        &self,
        id: ImageId,
        notes: &[(Location, Location)],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut db = self.link.write().await?;
        images::touch(&mut db, id, now).await?;
        let mut rows = rows(&mut db, id).await?;
        for (before, after) in notes {
            let row = take(&mut rows, before).ok_or(Error::Gone(id))?;
            dialect::query("UPDATE image_locations SET meta_data = ?, updated_at = ? WHERE id = ?")
                .bind(text(&after.metadata)?)
                .bind(stamp(now))
                .bind(row)
                .execute(&mut *db)
                .await?;
        }
        db.commit().await
    }

    /// Takes one location away where all are still as in `moves`, or brings it back.
    pub async fn move_locations(
        &self,
        id: ImageId,
        from: Status,
        moves: &Moves,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut db = self.link.write().await?;
        images::touch(&mut db, id, now).await?;
        apply(&mut db, id, from, moves, now).await?;
        db.commit().await
    }
}

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
        .map(|location| text(&location.metadata))
        .collect::<Result<Vec<_>>>()?;
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

/// Moves the data of an image that is in `status`, unless its locations are others by now. Whoever comes here
/// has changed the row of the image, so nobody else is at it before the end of the transaction.
pub async fn apply(
    db: &mut Connection,
    id: ImageId,
    status: Status,
    moves: &Moves,
    now: DateTime<Utc>,
) -> Result<()> {
    let rows = rows(db, id).await?;
    let mut others = rows.clone();
    let same = rows.len() == moves.from.len()
        && (moves.from.iter()).all(|location| take(&mut others, location).is_some());
    if !same {
        return Err(Error::Conflict { id, status });
    }
    let mut rows = rows;
    let removed_as = moves.removed_as.unwrap_or(Status::Deleted);
    for location in &moves.removed {
        let row = take(&mut rows, location).ok_or(Error::Conflict { id, status })?;
        dialect::query(
            "UPDATE image_locations SET status = ?, deleted = TRUE, deleted_at = ?, updated_at = ? \
             WHERE id = ?",
        )
        .bind(removed_as.as_str())
        .bind(stamp(now))
        .bind(stamp(now))
        .bind(row)
        .execute(&mut *db)
        .await?;
    }
    insert(db, id, &moves.added, now).await
}

/// The rows of an image's locations, in their order.
async fn rows(db: &mut Connection, id: ImageId) -> Result<Vec<(i64, Location)>> {
    let rows = dialect::query(
        "SELECT id, value, meta_data FROM image_locations \
         WHERE image_id = ? AND NOT deleted ORDER BY id",
    )
    .bind(id.as_str())
    .fetch_all(db)
    .await?;
    let row = |row: &dialect::Row| {
        let metadata: Option<String> = row.try_get("meta_data")?;
        let metadata = metadata.map_or(Ok(None), |text| serde_json::from_str(&text));
        let metadata = metadata.map_err(|error| Error::Inconsistent {
            table: "image_locations",
            what: format!("{id} meta_data: {error}"),
        })?;
        let url: String = row.try_get("value")?;
        let location = Location::active(url, metadata.unwrap_or_default());
        Ok((i64::from(row.try_get::<i32, _>("id")?), location))
    };
    rows.iter().map(row).collect()
}

/// Takes the row of a location out of those that are there.
fn take(rows: &mut Vec<(i64, Location)>, location: &Location) -> Option<i64> {
    let at = rows.iter().position(|(_, row)| row.is(location))?;
    Some(rows.remove(at).0)
}

fn text(metadata: &Metadata) -> Result<String> {
    serde_json::to_string(metadata).map_err(|error| Error::Failed(error.to_string()))
}
