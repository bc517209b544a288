//! Where the data of images is. Locations are read with their image.

use chrono::{DateTime, Utc};

use super::dialect::{Connection, Row, Value, query};
use super::{Db, Error, Result, images};
use crate::domain::location::{Metadata, Moves};
use crate::domain::{ImageId, Location, Status};

impl Db {
    /// Notes something else beside locations, where they are still as they were: pairs of before and after.
    pub async fn note_locations(
        &self,
        id: ImageId,
        notes: &[(Location, Location)],
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.link
            .write(move |mut db| async move {
                images::touch(&mut db, id, now).await?;
                let mut rows = rows(&mut db, id).await?;
                for (before, after) in notes {
                    let row = take(&mut rows, before).ok_or(Error::Gone(id))?;
                    query("UPDATE image_locations SET meta_data = ?, updated_at = ? WHERE id = ?")
                        .bind(text(&after.metadata)?)
                        .bind(now)
                        .bind(row)
                        .execute(&mut db)
                        .await?;
                }
                db.commit_with(()).await
            })
            .await
    }

    /// Takes one location away where all are still as in `moves`, or brings it back.
    pub async fn move_locations(
        &self,
        id: ImageId,
        from: Status,
        moves: &Moves,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.link
            .write(move |mut db| async move {
                images::touch(&mut db, id, now).await?;
                apply(&mut db, id, from, moves, now).await?;
                db.commit_with(()).await
            })
            .await
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
    let row = |location: &Location| -> Result<[Value; 7]> {
        Ok([
            id.into(),
            location.url.as_str().into(),
            text(&location.metadata)?.into(),
            location.status.as_str().into(),
            now.into(),
            now.into(),
            false.into(),
        ])
    };
    let rows = locations.iter().map(row).collect::<Result<Vec<_>>>()?;
    query(
        "INSERT INTO image_locations \
         (image_id, value, meta_data, status, created_at, updated_at, deleted) VALUES ",
    )
    .rows(rows)
    .execute(db)
    .await?;
    Ok(())
}

/// Takes away what is noted of an image that waits for data: a place whose data was not what it was to be.
pub async fn forget(db: &mut Connection, id: ImageId, now: DateTime<Utc>) -> Result<()> {
    query(
        "UPDATE image_locations SET status = ?, deleted = TRUE, deleted_at = ?, updated_at = ? \
         WHERE image_id = ? AND NOT deleted",
    )
    .bind(Status::Deleted.as_str())
    .bind(now)
    .bind(now)
    .bind(id)
    .execute(db)
    .await?;
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
    let mut rows = rows(db, id).await?;
    let mut others = rows.clone();
    let same = rows.len() == moves.from.len()
        && (moves.from.iter()).all(|location| take(&mut others, location).is_some());
    if !same {
        return Err(Error::Conflict { id, status });
    }
    let removed_as = moves.removed_as.unwrap_or(Status::Deleted);
    for location in &moves.removed {
        let row = take(&mut rows, location).ok_or(Error::Conflict { id, status })?;
        query(
            "UPDATE image_locations SET status = ?, deleted = TRUE, deleted_at = ?, updated_at = ? \
             WHERE id = ?",
        )
        .bind(removed_as.as_str())
        .bind(now)
        .bind(now)
        .bind(row)
        .execute(db)
        .await?;
    }
    insert(db, id, &moves.added, now).await
}

/// The rows of an image's locations, in their order.
async fn rows(db: &mut Connection, id: ImageId) -> Result<Vec<(i64, Location)>> {
    let rows = query(
        "SELECT id, value, meta_data FROM image_locations \
         WHERE image_id = ? AND NOT deleted ORDER BY id",
    )
    .bind(id)
    .fetch_all(db)
    .await?;
    let row = |row: &Row| {
        let metadata: Option<String> = row.get("meta_data")?;
        let metadata = metadata.map_or(Ok(None), |text| serde_json::from_str(&text));
        let metadata = metadata.map_err(|error| Error::Inconsistent {
            table: "image_locations",
            what: format!("{id} meta_data: {error}"),
        })?;
        let url: String = row.get("value")?;
        let location = Location::active(url, metadata.unwrap_or_default());
        Ok((row.get("id")?, location))
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
