//! The rows of the index, read and written.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::eviction::Standing;
use super::layout::{Layout, Placed};
use super::marks;
use super::standings;
use crate::domain::ImageId;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    pub number: i64,
    pub hits: u64,
    pub last_accessed: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
}

pub type Rows = HashMap<ImageId, Row>;

/// How long a copy may stay unused, where that is its own.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Life(pub Option<Duration>);

/// What happened to an image and is not in the index yet.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Change {
    /// It was put into its place.
    pub committed: Option<DateTime<Utc>>,
    pub hits: u64,
    pub last_accessed: Option<DateTime<Utc>>,
    /// Where it stands in the order in which copies leave, as far as that changed.
    pub standing: Option<Standing>,
    /// How long it may stay unused, as far as that changed.
    pub life: Option<Life>,
}

/// What others have counted of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub id: ImageId,
    pub hits: u64,
    pub last_accessed: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
}

/// Clocks that write down the same moment may be so many seconds apart, by rounding.
const ROUNDING: f64 = 2.0;

pub type Changes = BTreeMap<ImageId, Change>;

/// The images that have a row, and whatever else has one.
pub fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT CAST(image_id AS TEXT) FROM cached_images WHERE image_id IS NOT NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// Whatever others have put there is read as what it should be: SQLite holds no column to its type.
const COLUMNS: &str = "rowid, CAST(image_id AS TEXT), CAST(hits AS INTEGER), CAST(last_accessed AS REAL), \
                       CAST(last_modified AS REAL)";

/// Every row of an image.
pub fn read(connection: &Connection) -> rusqlite::Result<Rows> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM cached_images WHERE image_id IS NOT NULL"
    ))?;
    let rows = statement.query_map([], |row| {
        let name: String = row.get(1)?;
        let found = found(row)?;
        Ok(name.parse::<ImageId>().ok().map(|id| (id, found)))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// The row of one image.
pub fn read_one(connection: &Connection, id: ImageId) -> rusqlite::Result<Option<Row>> {
    let query = format!("SELECT {COLUMNS} FROM cached_images WHERE image_id = ?");
    let mut statement = connection.prepare_cached(&query)?;
    statement.query_row([id.as_str()], found).optional()
}

fn found(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let hits: Option<i64> = row.get(2)?;
    let accessed: Option<f64> = row.get(3)?;
    let modified: Option<f64> = row.get(4)?;
    Ok(Row {
        number: row.get(0)?,
        hits: hits.and_then(|hits| hits.try_into().ok()).unwrap_or(0),
        last_accessed: time(accessed.unwrap_or(0.0)),
        last_modified: time(modified.unwrap_or(0.0)),
    })
}

/// Writes down what happened to an image.
pub fn write(
    connection: &Connection,
    layout: &Layout,
    id: ImageId,
    change: &Change,
) -> rusqlite::Result<()> {
    let found = fs::symlink_metadata(layout.image(id));
    standings::write(connection, id, change, found.is_ok())?;
    let Ok(found) = found else {
        connection
            .prepare_cached("DELETE FROM cached_images WHERE image_id = ?")?
            .execute([id.as_str()])?;
        return Ok(());
    };
    let size = found.len();
    if let Some(at) = change.committed {
        let written = found.modified().map_or(at, DateTime::from);
        // Another process may have counted a hit of this very copy before this one could write.
        connection
            .prepare_cached(
                "INSERT INTO cached_images (image_id, last_accessed, last_modified, hits, size)
                 VALUES (?1, ?2, ?2, 0, ?3)
                 ON CONFLICT (image_id) DO UPDATE SET
                     last_accessed = iif(last_modified < ?4, ?2, max(last_accessed, ?2)),
                     hits = iif(last_modified < ?4, 0, hits), last_modified = ?2, size = ?3",
            )?
            .execute(params![
                id.as_str(),
                seconds(at),
                integer(size),
                seconds(written)
            ])?;
    }
    if let Some(at) = change.last_accessed {
        connection
            .prepare_cached(
                "INSERT INTO cached_images (image_id, last_accessed, last_modified, hits, size)
                 VALUES (?1, ?2, ?2, ?3, ?4)
                 ON CONFLICT (image_id) DO UPDATE SET
                     last_accessed = max(last_accessed, ?2), hits = hits + ?3",
            )?
            .execute(params![
                id.as_str(),
                seconds(at),
                integer(change.hits),
                integer(size)
            ])?;
    }
    Ok(())
}

/// Takes over what others have counted, as far as it is more, and says how many hits more that is. A copy that
/// came later is another one, and begins anew: of it nothing is taken over.
pub fn adopt(connection: &Connection, known: &Known) -> rusqlite::Result<Option<u64>> {
    let (name, made) = (known.id.as_str(), seconds(known.last_modified) + ROUNDING);
    let hits = connection
        .prepare_cached(
            "SELECT CAST(coalesce(hits, 0) AS INTEGER) FROM cached_images WHERE image_id = ? AND last_modified <= ?",
        )?
        .query_row(params![name, made], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(hits) = hits else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "UPDATE cached_images
             SET hits = max(hits, ?2), last_accessed = max(last_accessed, ?3)
             WHERE image_id = ?1",
        )?
        .execute(params![
            name,
            integer(known.hits),
            seconds(known.last_accessed)
        ])?;
    let hits = hits.try_into().unwrap_or(0);
    Ok(Some(known.hits.saturating_sub(hits)))
}

/// Makes a row for a file that somebody else has put there. The original's `xattr` driver counts its hits
/// on the file itself.
pub fn insert(connection: &Connection, layout: &Layout, image: &Placed) -> rusqlite::Result<()> {
    let hits = marks::hits(layout, image.id).unwrap_or(0);
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO cached_images (image_id, last_accessed, last_modified, hits, size)
             VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![
            image.id.as_str(),
            seconds(image.accessed.max(image.modified)),
            seconds(image.modified),
            integer(hits),
            integer(image.size)
        ])?;
    Ok(())
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the original keeps times as floating-point seconds"
)]
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of what is out of range ends at the limits, which are no times"
)]
fn time(seconds: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64).unwrap_or(DateTime::UNIX_EPOCH)
}
