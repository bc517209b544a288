//! Tags. A row is never removed, and a tag that comes back gets a new one: so they are in the order in which
//! they were added.

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Row as _};

use super::dialect::{self, Connection, Engine, stamp};
use super::{Db, Result, bury, images};
use crate::domain::{Image, ImageId};

/// Rows per statement: databases limit what can be bound to one.
const ROWS: usize = 500;

impl Db {
    /// Adds a tag. False where the image bears it already; its time of change is new either way.
    pub async fn add_tag(&self, id: ImageId, tag: &str, now: DateTime<Utc>) -> Result<bool> {
        let mut db = self.link.write().await?;
        images::touch(&mut db, id, now).await?;
        let done = dialect::query(
            "INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted) \
             SELECT id, ?, ?, ?, FALSE FROM images WHERE id = ? AND NOT EXISTS \
             (SELECT 1 FROM image_tags WHERE image_id = images.id AND value = ? AND NOT deleted)",
        )
        .bind(tag)
        .bind(stamp(now))
        .bind(stamp(now))
        .bind(id.as_str())
        .bind(tag)
        .execute(&mut *db)
        .await?;
        db.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes a tag away. False where the image does not bear it.
    pub async fn delete_tag(&self, id: ImageId, tag: &str, now: DateTime<Utc>) -> Result<bool> {
        let mut db = self.link.write().await?;
        let done = dialect::query(
            "UPDATE image_tags SET deleted = TRUE, deleted_at = ?, updated_at = ? \
             WHERE image_id = ? AND value = ? AND NOT deleted",
        )
        .bind(stamp(now))
        .bind(stamp(now))
        .bind(id.as_str())
        .bind(tag)
        .execute(&mut *db)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        images::touch(&mut db, id, now).await?;
        db.commit().await?;
        Ok(true)
    }
}

/// Adds tags that are not there yet.
pub async fn insert<T: AsRef<str>>(
    db: &mut Connection,
    id: ImageId,
    tags: &[T],
    now: DateTime<Utc>,
) -> Result<()> {
    for some in tags.chunks(ROWS) {
        let mut sql = QueryBuilder::<Engine>::new(
            "INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted) ",
        );
        sql.push_values(some, |mut row, tag| {
            row.push_bind(id.as_str().to_owned())
                .push_bind(tag.as_ref().to_owned())
                .push_bind(stamp(now))
                .push_bind(stamp(now))
                .push("FALSE");
        });
        sql.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Writes what differs from what is there.
pub async fn update(db: &mut Connection, image: &Image) -> Result<()> {
    let rows =
        dialect::query("SELECT id, value FROM image_tags WHERE image_id = ? AND NOT deleted")
            .bind(image.id.as_str())
            .fetch_all(&mut *db)
            .await?;
    let mut there: Vec<(i64, String)> = Vec::with_capacity(rows.len());
    for row in rows {
        there.push((row.try_get("id")?, row.try_get("value")?));
    }

    let added: Vec<&String> = image
        .tags
        .iter()
        .filter(|tag| there.iter().all(|(_, old)| old != *tag))
        .collect();
    insert(db, image.id, &added, image.updated_at).await?;

    let removed: Vec<i64> = there
        .iter()
        .filter(|(_, old)| !image.tags.contains(old))
        .map(|(row, _)| *row)
        .collect();
    bury::rows(db, "image_tags", &removed, image.updated_at).await
}
