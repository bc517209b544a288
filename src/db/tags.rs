//! Tags. A row is never removed, and a tag that comes back gets a new one: so they are in the order in which
//! they were added.

use chrono::{DateTime, Utc};

use super::dialect::{Connection, query};
use super::{Db, Result, bury, images};
use crate::domain::{Image, ImageId};

/// Rows per statement: databases limit what can be bound to one.
const ROWS: usize = 500;

impl Db {
    /// Adds a tag. False where the image bears it already; its time of change is new either way.
    pub async fn add_tag(&self, id: ImageId, tag: &str, now: DateTime<Utc>) -> Result<bool> {
        self.link
            .write(move |mut db| async move {
                images::touch(&mut db, id, now).await?;
                let added = query(
                    "INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted) \
                     SELECT id, ?, ?, ?, FALSE FROM images WHERE id = ? AND NOT EXISTS \
                     (SELECT 1 FROM image_tags WHERE image_id = images.id AND value = ? AND NOT deleted)",
                )
                .bind(tag)
                .bind(now)
                .bind(now)
                .bind(id)
                .bind(tag)
                .execute(&mut db)
                .await?;
                db.commit_with(added > 0).await
            })
            .await
    }

    /// Takes a tag away. False where the image does not bear it.
    pub async fn delete_tag(&self, id: ImageId, tag: &str, now: DateTime<Utc>) -> Result<bool> {
        self.link
            .write(move |mut db| async move {
                let taken = query(
                    "UPDATE image_tags SET deleted = TRUE, deleted_at = ?, updated_at = ? \
                     WHERE image_id = ? AND value = ? AND NOT deleted",
                )
                .bind(now)
                .bind(now)
                .bind(id)
                .bind(tag)
                .execute(&mut db)
                .await?;
                if taken > 0 {
                    images::touch(&mut db, id, now).await?;
                }
                db.commit_with(taken > 0).await
            })
            .await
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
        let rows = some.iter().map(|tag| {
            [
                id.into(),
                tag.as_ref().into(),
                now.into(),
                now.into(),
                false.into(),
            ]
        });
        query("INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted) VALUES ")
            .rows(rows)
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Writes what differs from what is there.
pub async fn update(db: &mut Connection, image: &Image) -> Result<()> {
    let rows = query("SELECT id, value FROM image_tags WHERE image_id = ? AND NOT deleted")
        .bind(image.id)
        .fetch_all(db)
        .await?;
    let mut there: Vec<(i64, String)> = Vec::with_capacity(rows.len());
    for row in rows {
        there.push((row.get("id")?, row.get("value")?));
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
    bury::rows(db, "image_tags", removed, image.updated_at).await
}
