//! Custom properties. A row is never removed: a property that comes back lives in the row it had.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Row as _};

use super::dialect::{self, Connection, Engine, OR_REPLACE_PROPERTY, stamp};
use super::{Result, bury};
use crate::domain::property::TASK_LOCK;
use crate::domain::{Image, ImageId};

/// Rows per statement: databases limit what can be bound to one.
const ROWS: usize = 500;

/// Writes properties that are not there, or have another value.
pub async fn insert<'p>(
    db: &mut Connection,
    id: ImageId,
    properties: impl Iterator<Item = (&'p String, &'p Option<String>)>,
    now: DateTime<Utc>,
) -> Result<()> {
    let properties: Vec<_> = properties.collect();
    for some in properties.chunks(ROWS) {
        let mut sql = QueryBuilder::<Engine>::new(
            "INSERT INTO image_properties (image_id, name, value, created_at, updated_at, deleted) ",
        );
        sql.push_values(some, |mut row, (name, value)| {
            row.push_bind(id.as_str().to_owned())
                .push_bind(name.as_str())
                .push_bind(value.as_deref())
                .push_bind(stamp(now))
                .push_bind(stamp(now))
                .push("FALSE");
        });
        sql.push(OR_REPLACE_PROPERTY);
        sql.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Writes what differs from what is there. Saving an image neither takes nor breaks the lock of a task on it.
pub async fn update(db: &mut Connection, image: &Image) -> Result<()> {
    let rows = dialect::query(
        "SELECT id, name, value FROM image_properties WHERE image_id = ? AND NOT deleted",
    )
    .bind(image.id.as_str())
    .fetch_all(&mut *db)
    .await?;
    let mut there: BTreeMap<String, (i64, Option<String>)> = BTreeMap::new();
    for row in rows {
        there.insert(
            row.try_get("name")?,
            (row.try_get("id")?, row.try_get("value")?),
        );
    }

    let changed = image.properties.iter().filter(|(name, value)| {
        name.as_str() != TASK_LOCK && there.get(*name).is_none_or(|(_, old)| old != *value)
    });
    insert(db, image.id, changed, image.updated_at).await?;

    let removed: Vec<i64> = there
        .iter()
        .filter(|(name, _)| *name != TASK_LOCK && !image.properties.contains_key(*name))
        .map(|(_, (row, _))| *row)
        .collect();
    bury::rows(db, "image_properties", &removed, image.updated_at).await
}
