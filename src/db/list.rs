//! Pages of images.
//!
//! A page is one statement: its rows first, then what belongs to each of them. A marker, and a list that does
//! not have the whole table in it, cost one small statement each before it; never more, however long the page.
//!
//! The work is proportional to the page, not to the table. Sorted by a time or the id, an index has all images
//! in order and is walked from the marker until the page is full. Where few images are visible that walk would
//! be long, but then the indexes that find them find them quickly: so they are gathered first, and where
//! there turn out to be [`FEW`] or more of them the walk is short after all.

use sqlx::{QueryBuilder, Row as _};

use super::dialect::{BELONGINGS, Connection, Engine, List, Row, Stamp};
use super::filter::{self, Source};
use super::row::{self, IMAGE_COLUMNS};
use super::{Db, Result};
use crate::domain::query::{Direction, ImageQuery, SortKey, Viewer, total_order};
use crate::domain::{Image, ImageId};

/// A walk finds a page among a hundred thousand images sooner than that many are gathered and sorted.
const FEW: i64 = 1000;

/// One value of the marker's row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Number(i64),
}

impl Db {
    /// A page of images. None where there is no such marker.
    pub async fn images(&self, query: &ImageQuery) -> Result<Option<Vec<Image>>> {
        let order = total_order(&query.sort, Direction::Desc);
        let mut db = self.link.read().await?;
        let after = match query.marker {
            None => Vec::new(),
            Some(marker) => match marker_values(&mut db, marker, query, &order).await? {
                Some(values) => values,
                None => return Ok(None),
            },
        };
        let few = match filter::sources(query) {
            Some(sources) => gather(&mut db, &sources).await?,
            None => None,
        };
        let mut sql = QueryBuilder::new("WITH page AS MATERIALIZED (");
        push_page(&mut sql, query, &order, &after, few)?;
        sql.push(format_args!(
            ") SELECT {IMAGE_COLUMNS}, {BELONGINGS} FROM page AS images"
        ));
        push_order(&mut sql, &order);
        let rows = sql.build().fetch_all(&mut *db).await?;
        rows.iter().map(row::image).collect::<Result<_>>().map(Some)
    }
}

/// The rows of a page.
pub fn push_page(
    sql: &mut QueryBuilder<Engine>,
    query: &ImageQuery,
    order: &[(SortKey, Direction)],
    after: &[Value],
    few: Option<List>,
) -> Result<()> {
    sql.push(format_args!("SELECT {IMAGE_COLUMNS} FROM images WHERE "));
    filter::push_conditions(sql, query)?;
    if let Some(few) = few {
        few.push(sql.push(" AND id IN "));
    }
    if !after.is_empty() {
        push_after(sql, order, after);
    }
    push_order(sql, order);
    sql.push(" LIMIT ").push_bind(i64::from(query.limit));
    Ok(())
}

fn push_order(sql: &mut QueryBuilder<Engine>, order: &[(SortKey, Direction)]) {
    sql.push(" ORDER BY ");
    let mut keys = sql.separated(", ");
    for (key, direction) in order {
        keys.push(key.as_str());
        keys.push_unseparated(match direction {
            Direction::Asc => " ASC",
            Direction::Desc => " DESC",
        });
    }
}

/// Only what comes after the marker: the first key is beyond the marker's, or equal and the second is beyond
/// it, and so on.
fn push_after(sql: &mut QueryBuilder<Engine>, order: &[(SortKey, Direction)], after: &[Value]) {
    if let Some(((key, direction), value)) = order.iter().zip(after).next() {
        // Follows from the rest, but this is what an index can begin its walk with.
        sql.push(" AND ");
        push_not_before(sql, *key, *direction, value);
    }
    sql.push(" AND (");
    for last in 0..order.len() {
        if last > 0 {
            sql.push(" OR ");
        }
        for ((key, _), value) in order.iter().zip(after).take(last) {
            push_same(sql, *key, value);
            sql.push(" AND ");
        }
        if let Some(((key, direction), value)) = order.iter().zip(after).nth(last) {
            push_beyond(sql, *key, *direction, value);
        }
    }
    sql.push(")");
}

/// Nulls are smaller than everything.
fn push_beyond(sql: &mut QueryBuilder<Engine>, key: SortKey, direction: Direction, value: &Value) {
    let key = key.as_str();
    match (direction, value) {
        (Direction::Asc, Value::Null) => sql.push(key).push(" IS NOT NULL"),
        (Direction::Desc, Value::Null) => sql.push("FALSE"),
        (Direction::Asc, value) => push_value(sql.push(key).push(" > "), value),
        (Direction::Desc, value) => {
            push_value(sql.push("(").push(key).push(" < "), value);
            sql.push(" OR ").push(key).push(" IS NULL)")
        }
    };
}

fn push_not_before(
    sql: &mut QueryBuilder<Engine>,
    key: SortKey,
    direction: Direction,
    value: &Value,
) {
    match (key, direction, value) {
        // These are never null, so that a bound is one range of their index.
        (SortKey::CreatedAt | SortKey::Id, Direction::Desc, value) => {
            push_value(sql.push(key.as_str()).push(" <= "), value);
        }
        (_, Direction::Asc, value @ (Value::Text(_) | Value::Number(_))) => {
            push_value(sql.push(key.as_str()).push(" >= "), value);
        }
        (_, Direction::Asc, Value::Null) | (_, Direction::Desc, _) => {
            sql.push("TRUE");
        }
    }
}

fn push_same(sql: &mut QueryBuilder<Engine>, key: SortKey, value: &Value) {
    match value {
        Value::Null => sql.push(key.as_str()).push(" IS NULL"),
        value => push_value(sql.push(key.as_str()).push(" = "), value),
    };
}

fn push_value<'s>(
    sql: &'s mut QueryBuilder<Engine>,
    value: &Value,
) -> &'s mut QueryBuilder<Engine> {
    match value {
        Value::Null => sql.push("NULL"),
        Value::Text(text) => sql.push_bind(text.clone()),
        Value::Number(number) => sql.push_bind(*number),
    }
}

/// Where the marker is in the order. An administrator may go on from an image deleted meanwhile.
async fn marker_values(
    db: &mut Connection,
    marker: ImageId,
    query: &ImageQuery,
    order: &[(SortKey, Direction)],
) -> Result<Option<Vec<Value>>> {
    let mut sql = QueryBuilder::new(format!("SELECT {IMAGE_COLUMNS} FROM images WHERE id = "));
    sql.push_bind(marker.as_str());
    match query.viewer {
        Viewer::Administrator | Viewer::AdministratorOf(_) => {}
        Viewer::Project(_) | Viewer::Anonymous => {
            sql.push(" AND NOT deleted");
        }
    }
    let found = sql.build().fetch_optional(db).await?;
    found
        .map(|row| order.iter().map(|(key, _)| value(&row, *key)).collect())
        .transpose()
}

fn value(row: &Row, key: SortKey) -> Result<Value> {
    let column = key.as_str();
    Ok(match key {
        SortKey::Size => row
            .try_get::<Option<i64>, _>(column)?
            .map_or(Value::Null, Value::Number),
        SortKey::CreatedAt | SortKey::UpdatedAt => row
            .try_get::<Option<Stamp>, _>(column)?
            .map_or(Value::Null, Value::Text),
        SortKey::Name
        | SortKey::Status
        | SortKey::ContainerFormat
        | SortKey::DiskFormat
        | SortKey::Id => row
            .try_get::<Option<String>, _>(column)?
            .map_or(Value::Null, Value::Text),
    })
}

/// The ids in all of the sets. None where they are too many.
async fn gather(db: &mut Connection, sources: &[Source]) -> Result<Option<List>> {
    let row = gathering(sources).build().fetch_one(db).await?;
    let count: i64 = row.try_get(0)?;
    if count < FEW {
        Ok(Some(List::read(&row, 1)?))
    } else {
        Ok(None)
    }
}

pub fn gathering(sources: &[Source]) -> QueryBuilder<Engine> {
    let mut sql = QueryBuilder::new(format!("SELECT count(*), {} FROM (", List::OF_IDS));
    for (place, source) in sources.iter().enumerate() {
        if place > 0 {
            sql.push(" UNION ALL ");
        }
        source.push(&mut sql);
    }
    sql.push(" LIMIT ").push_bind(FEW).push(") AS found");
    sql
}
