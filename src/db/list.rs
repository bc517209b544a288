//! Pages of images.
//!
//! A page is one statement: its rows first, then what belongs to each of them. A marker, and a list that does
//! not have the whole table in it, cost one small statement each before it; never more, however long the page.
//!
//! The work is proportional to the page, not to the table. Sorted by a time or the id, an index has all images
//! in order and is walked from the marker until the page is full. Where few images are visible that walk would
//! be long, but then the indexes that find them find them quickly: so they are gathered first, and where
//! there turn out to be [`FEW`] or more of them the walk is short after all.

use super::dialect::{
    BELONGINGS, Connection, IDS, List, MATERIALIZED, NULLS_FIRST, NULLS_LAST, Row, Statement,
    Value, query,
};
use super::filter::{self, Source};
use super::row::{self, IMAGE_COLUMNS};
use super::{Db, Error, Result};
use crate::domain::query::{Direction, ImageQuery, SortKey, Viewer, total_order};
use crate::domain::{Image, ImageId};

/// A walk finds a page among a hundred thousand images sooner than that many are gathered and sorted.
const FEW: i64 = 1000;

/// What a page is cut out of.
#[derive(Debug, Clone)]
pub struct Order(Vec<(SortKey, Direction)>);

impl Db {
    /// A page of images. None where there is no such marker.
    pub async fn images(&self, wanted: &ImageQuery) -> Result<Option<Vec<Image>>> {
        let mut db = self.link.read().await?;
        let order = Order::of(wanted);
        let after = match wanted.marker {
            None => Vec::new(),
            Some(marker) => match marker_values(&mut db, marker, wanted, &order).await? {
                Some(values) => values,
                None => return Ok(None),
            },
        };
        let few = match filter::sources(wanted) {
            Some(sources) => gather(&mut db, &sources).await?,
            None => None,
        };
        let mut sql = query("WITH page AS").then(MATERIALIZED).then("(");
        sql.append(page(wanted, &order, &after, few)?)
            .push(format!(") SELECT {IMAGE_COLUMNS}, "))
            .push(BELONGINGS)
            .push(" FROM page AS images");
        order.push(&mut sql);
        let rows = sql.fetch_all(&mut db).await?;
        rows.iter().map(row::image).collect::<Result<_>>().map(Some)
    }
}

/// The rows of a page.
pub fn page(
    wanted: &ImageQuery,
    order: &Order,
    after: &[Value],
    few: Option<List>,
) -> Result<Statement> {
    let mut sql = query(format!("SELECT {IMAGE_COLUMNS} FROM images WHERE "));
    filter::push_conditions(&mut sql, wanted)?;
    if let Some(few) = few {
        sql.push(" AND id IN ").push_bind(few);
    }
    if !after.is_empty() {
        order.push_after(&mut sql, after);
    }
    order.push(&mut sql);
    sql.push(" LIMIT ").push_bind(wanted.limit);
    Ok(sql)
}

impl Order {
    pub fn of(wanted: &ImageQuery) -> Self {
        Self(total_order(&wanted.sort, Direction::Desc))
    }

    fn push(&self, sql: &mut Statement) {
        sql.push(" ORDER BY ");
        for (place, (key, direction)) in self.0.iter().enumerate() {
            if place > 0 {
                sql.push(", ");
            }
            let (word, nulls) = match direction {
                Direction::Asc => (" ASC", NULLS_FIRST),
                Direction::Desc => (" DESC", NULLS_LAST),
            };
            sql.push(key.as_str()).push(word);
            // No index has its nulls where an engine would not put them by itself.
            if !is_never_null(*key) {
                sql.push(nulls);
            }
        }
    }

    /// Only what comes after the marker: the first key is beyond the marker's, or equal and the second is beyond
    /// it, and so on.
    fn push_after(&self, sql: &mut Statement, after: &[Value]) {
        if let Some(((key, direction), value)) = self.0.iter().zip(after).next() {
            // Follows from the rest, but this is what an index can begin its walk with.
            sql.push(" AND ");
            push_not_before(sql, *key, *direction, value);
        }
        sql.push(" AND (");
        for last in 0..self.0.len() {
            if last > 0 {
                sql.push(" OR ");
            }
            for ((key, _), value) in self.0.iter().zip(after).take(last) {
                push_same(sql, *key, value);
                sql.push(" AND ");
            }
            if let Some(((key, direction), value)) = self.0.iter().zip(after).nth(last) {
                push_beyond(sql, *key, *direction, value);
            }
        }
        sql.push(")");
    }
}

/// Nulls are smaller than everything.
fn push_beyond(sql: &mut Statement, key: SortKey, direction: Direction, value: &Value) {
    let key = key.as_str();
    match (direction, value.is_null()) {
        (Direction::Desc, true) => sql.push("FALSE"),
        (Direction::Asc, true) => sql.push(key).push(" IS NOT NULL"),
        (Direction::Desc, false) => sql
            .push("(")
            .push(key)
            .push(beyond(direction))
            .push_bind(value.clone())
            .push(" OR ")
            .push(key)
            .push(" IS NULL)"),
        (Direction::Asc, false) => sql
            .push(key)
            .push(beyond(direction))
            .push_bind(value.clone()),
    };
}

fn push_not_before(sql: &mut Statement, key: SortKey, direction: Direction, value: &Value) {
    // Of a column that is never null a bound is one range of its index.
    if value.is_null() || (direction == Direction::Desc && !is_never_null(key)) {
        sql.push("TRUE");
    } else {
        sql.push(key.as_str())
            .push(match direction {
                Direction::Asc => " >= ",
                Direction::Desc => " <= ",
            })
            .push_bind(value.clone());
    }
}

fn is_never_null(key: SortKey) -> bool {
    matches!(key, SortKey::CreatedAt | SortKey::Id)
}

fn beyond(direction: Direction) -> &'static str {
    match direction {
        Direction::Asc => " > ",
        Direction::Desc => " < ",
    }
}

fn push_same(sql: &mut Statement, key: SortKey, value: &Value) {
    sql.push(key.as_str());
    if value.is_null() {
        sql.push(" IS NULL");
    } else {
        sql.push(" = ").push_bind(value.clone());
    }
}

/// Where the marker is in the order. An administrator may go on from an image deleted meanwhile.
async fn marker_values(
    db: &mut Connection,
    marker: ImageId,
    wanted: &ImageQuery,
    order: &Order,
) -> Result<Option<Vec<Value>>> {
    let mut sql = query(format!("SELECT {IMAGE_COLUMNS} FROM images WHERE id = ?")).bind(marker);
    match wanted.viewer {
        Viewer::Administrator | Viewer::AdministratorOf(_) => {}
        Viewer::Project(_) | Viewer::Anonymous => {
            sql.push(" AND NOT deleted");
        }
    }
    let found = sql.fetch_optional(db).await?;
    found
        .map(|row| order.0.iter().map(|(key, _)| value(&row, *key)).collect())
        .transpose()
}

fn value(row: &Row, key: SortKey) -> Result<Value> {
    let column = key.as_str();
    Ok(match key {
        SortKey::Size => Value::Number(row.get(column)?),
        SortKey::CreatedAt | SortKey::UpdatedAt => Value::Time(row.get(column)?),
        SortKey::Name
        | SortKey::Status
        | SortKey::ContainerFormat
        | SortKey::DiskFormat
        | SortKey::Id => Value::Text(row.get(column)?),
    })
}

/// The ids in all of the sets. None where they are too many, which the indexes tell without a look at a row.
async fn gather(db: &mut Connection, sources: &[Source]) -> Result<Option<List>> {
    let count: i64 = counting(sources).fetch_one(db).await?.get("count")?;
    if count >= FEW {
        return Ok(None);
    }
    let mut sql = query("SELECT ").then(IDS).then(" AS ids FROM (");
    push_all(&mut sql, sources, Source::id);
    sql.push(") AS found");
    let ids: String = sql.fetch_one(db).await?.get("ids")?;
    let ids = serde_json::from_str(&ids);
    ids.map(|ids| Some(List::Texts(ids)))
        .map_err(|error| Error::Failed(error.to_string()))
}

/// How many rows the sets have, counted no further than [`FEW`].
pub fn counting(sources: &[Source]) -> Statement {
    let mut sql = query("SELECT count(*) AS count FROM (");
    push_all(&mut sql, sources, |_| "1");
    sql.push(" LIMIT ").push_bind(FEW).push(") AS found");
    sql
}

fn push_all(sql: &mut Statement, sources: &[Source], column: impl Fn(&Source) -> &'static str) {
    for (place, source) in sources.iter().enumerate() {
        if place > 0 {
            sql.push(" UNION ALL ");
        }
        sql.push("SELECT ").push(column(source)).push(" AS id");
        source.push(sql);
    }
}
