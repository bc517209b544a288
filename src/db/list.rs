//! Pages of images.
//!
//! A page is one statement: its rows first, then what belongs to each of them. A marker, and a list that does
//! not have the whole table in it, cost one small statement each before it; never more, however long the page.
//!
//! The work is proportional to the page, not to the table. Sorted by a time or the id, an index has all images
//! in order and is walked from the marker until the page is full. Where few images are visible that walk would
//! be long, but then they are quickly gathered by the indexes that find them, and sorted. So the visible ones
//! are counted first, up to [`FEW`].

use sqlx::{QueryBuilder, Row as _};

use super::dialect::{BELONGINGS, Connection, Engine, Row, Stamp};
use super::filter::{self, Source};
use super::row::{self, IMAGE_COLUMNS};
use super::{Db, Result};
use crate::domain::query::{Direction, ImageQuery, SortKey, Viewer, total_order};
use crate::domain::{Image, ImageId};

/// So many images are gathered and sorted sooner than a walk finds a page of them among a hundred thousand.
const FEW: u32 = 2000;

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
            Some(sources) if are_few(&mut db, &sources).await? => sources,
            _ => Vec::new(),
        };
        let mut sql = QueryBuilder::new("WITH page AS MATERIALIZED (");
        push_page(&mut sql, query, &order, &after, &few)?;
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
    few: &[Source],
) -> Result<()> {
    sql.push(format_args!("SELECT {IMAGE_COLUMNS} FROM images WHERE "));
    filter::push_conditions(sql, query)?;
    if !few.is_empty() {
        sql.push(" AND id IN (");
        push_sources(sql, few, " UNION ");
        sql.push(")");
    }
    if !after.is_empty() {
        push_after(sql, order, after);
    }
    push_order(sql, order);
    sql.push(" LIMIT ").push_bind(i64::from(query.limit));
    Ok(())
}

fn push_sources(sql: &mut QueryBuilder<Engine>, sources: &[Source], between: &'static str) {
    for (place, source) in sources.iter().enumerate() {
        if place > 0 {
            sql.push(between);
        }
        source.push(sql);
    }
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

/// Whether the sets have fewer than [`FEW`] images in all.
async fn are_few(db: &mut Connection, sources: &[Source]) -> Result<bool> {
    let mut sql = QueryBuilder::new("SELECT count(*) FROM (");
    push_sources(&mut sql, sources, " UNION ALL ");
    sql.push(" LIMIT ")
        .push_bind(i64::from(FEW))
        .push(") AS some");
    let count: i64 = sql.build_query_scalar().fetch_one(db).await?;
    Ok(count < i64::from(FEW))
}
