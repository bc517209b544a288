//! Custom properties. A row is never removed: a property that comes back lives in the row it had.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::dialect::{Connection, List, OR_REPLACE_PROPERTY, query};
use super::{Db, Result, bury};
use crate::domain::property::TASK_LOCK;
use crate::domain::{Image, ImageId};

/// Rows per statement: databases limit what can be bound to one.
const ROWS: usize = 500;

impl Db {
    /// What these images say in a custom property: of those that have it.
    pub async fn property_of(
        &self,
        name: &str,
        ids: &[ImageId],
    ) -> Result<HashMap<ImageId, String>> {
        let mut values = HashMap::new();
        for some in ids.chunks(ROWS) {
            let mut db = self.link.read().await?;
            let some: Vec<&str> = some.iter().map(ImageId::as_str).collect();
            let rows = query(
                "SELECT image_id, name, value FROM image_properties \
                 WHERE image_id IN ? AND name = ? AND NOT deleted",
            )
            .bind(List::texts(&some))
            .bind(name)
            .fetch_all(&mut db)
            .await?;
            for row in rows {
                let (id, found): (String, String) = (row.get("image_id")?, row.get("name")?);
                // To an engine `Name` may be `name`.
                if let (Ok(id), Some(value)) = (id.parse(), row.get("value")?)
                    && found == name
                {
                    values.insert(id, value);
                }
            }
        }
        Ok(values)
    }
}

/// Writes properties that are not there, or have another value.
pub async fn insert<'p>(
    db: &mut Connection,
    id: ImageId,
    properties: impl Iterator<Item = (&'p String, &'p Option<String>)>,
    now: DateTime<Utc>,
) -> Result<()> {
    let properties: Vec<_> = properties.collect();
    for some in properties.chunks(ROWS) {
        let rows = some.iter().map(|(name, value)| {
            [
                id.into(),
                (*name).into(),
                (*value).into(),
                now.into(),
                now.into(),
                false.into(),
            ]
        });
        query(
            "INSERT INTO image_properties (image_id, name, value, created_at, updated_at, deleted) VALUES ",
        )
        .rows(rows)
        .then(OR_REPLACE_PROPERTY)
        .execute(db)
        .await?;
    }
    Ok(())
}

/// Writes what differs from what is there. Saving an image neither takes nor breaks the lock of a task on it.
pub async fn update(db: &mut Connection, image: &Image) -> Result<()> {
    let rows =
        query("SELECT id, name, value FROM image_properties WHERE image_id = ? AND NOT deleted")
            .bind(image.id)
            .fetch_all(db)
            .await?;
    let mut there: BTreeMap<String, (i64, Option<String>)> = BTreeMap::new();
    for row in rows {
        there.insert(row.get("name")?, (row.get("id")?, row.get("value")?));
    }

    // First, for an engine to which `Name` is the row of `name`.
    let removed: Vec<i64> = there
        .iter()
        .filter(|(name, _)| *name != TASK_LOCK && !image.properties.contains_key(*name))
        .map(|(_, (row, _))| *row)
        .collect();
    bury::rows(db, "image_properties", removed, image.updated_at).await?;

    let changed = image.properties.iter().filter(|(name, value)| {
        name.as_str() != TASK_LOCK && there.get(*name).is_none_or(|(_, old)| old != *value)
    });
    insert(db, image.id, changed, image.updated_at).await
}
