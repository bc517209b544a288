//! Deletion as the original does it: a row is marked and stays.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::Result;
use super::dialect::{self, Connection, List, stamp};
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
        dialect::query(statement)
            .bind(stamp(now))
            .bind(stamp(now))
            .bind(id.as_str())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Marks these rows of `table`.
pub async fn rows(
    db: &mut Connection,
    table: &'static str,
    rows: &[i64],
    now: DateTime<Utc>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = QueryBuilder::new(format!("UPDATE {table} SET deleted = TRUE, deleted_at = "));
    sql.push_bind(stamp(now))
        .push(", updated_at = ")
        .push_bind(stamp(now))
        .push(" WHERE id IN ");
    List::new(rows).push(&mut sql);
    sql.build().execute(db).await?;
    Ok(())
}
