//! Deletion as the original does it: a row is marked and stays.

use chrono::{DateTime, Utc};

use super::Result;
use super::dialect::{Connection, List, query};
use crate::domain::ImageId;

/// What is marked with an image.
const BELONGINGS: [&str; 4] = [
    "UPDATE image_locations SET deleted = TRUE, deleted_at = ?, updated_at = ? \
     WHERE image_id = ? AND NOT deleted",
    "UPDATE image_properties SET deleted = TRUE, deleted_at = ?, updated_at = ? \
     WHERE image_id = ? AND NOT deleted",
    "UPDATE image_members SET deleted = TRUE, deleted_at = ?, updated_at = ? \
     WHERE image_id = ? AND NOT deleted",
    "UPDATE image_tags SET deleted = TRUE, deleted_at = ?, updated_at = ? \
     WHERE image_id = ? AND NOT deleted",
];

/// Marks all that belongs to an image.
pub async fn belongings(db: &mut Connection, id: ImageId, now: DateTime<Utc>) -> Result<()> {
    for statement in BELONGINGS {
        query(statement)
            .bind(now)
            .bind(now)
            .bind(id)
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Marks these rows of `table`.
pub async fn rows(
    db: &mut Connection,
    table: &'static str,
    rows: Vec<i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    query(format!(
        "UPDATE {table} SET deleted = TRUE, deleted_at = ?, updated_at = ? WHERE id IN ?"
    ))
    .bind(now)
    .bind(now)
    .bind(List::Numbers(rows))
    .execute(db)
    .await?;
    Ok(())
}
