//! What differs between databases. The only file that knows which there are.
//!
//! The rest of this layer writes SQL that all of them read, and asks here for what they spell differently:
//! lists as one bound value, what belongs to an image as JSON, times, and which failures will pass.

mod sqlite;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;
use sqlx::query::Query;
use sqlx::{Database, QueryBuilder, Row as _};

use super::Error;

pub use sqlite::{Address, FileId};

/// The database engine.
pub type Engine = sqlx::Sqlite;
pub type Connection = sqlx::SqliteConnection;
pub type Pool = sqlx::SqlitePool;
pub type Row = sqlx::sqlite::SqliteRow;

/// Starts a transaction that will write: it waits for its turn at once, never halfway.
pub const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// Counts the tables that tell a database with a schema from an empty one.
pub const COUNT_TABLES: &str = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('images', 'alembic_version')";

/// The schema, in the order in which it is made.
pub const MIGRATIONS: [&str; 5] = [
    include_str!("../../migrations/sqlite/0001_images.sql"),
    include_str!("../../migrations/sqlite/0002_tasks.sql"),
    include_str!("../../migrations/sqlite/0003_metadefs.sql"),
    include_str!("../../migrations/sqlite/0004_cached_images.sql"),
    include_str!("../../migrations/sqlite/0005_alembic_version.sql"),
];

/// What belongs to the row of `images` that a query is at, as three columns of JSON.
pub const BELONGINGS: &str = "\
    (SELECT json_group_object(p.name, p.value) FROM image_properties AS p \
     WHERE p.image_id = images.id AND NOT p.deleted) AS properties, \
    (SELECT json_group_array(t.value ORDER BY t.id) FROM image_tags AS t \
     WHERE t.image_id = images.id AND NOT t.deleted) AS tags, \
    (SELECT json_group_array(json_object('url', l.value, 'metadata', l.meta_data, 'status', l.status) \
     ORDER BY l.id) FROM image_locations AS l \
     WHERE l.image_id = images.id AND NOT l.deleted) AS locations";

/// What `INSERT` does with a property that has a row already, usually a deleted one: the row lives again.
/// Its `deleted_at` stays, as the original leaves it.
pub const OR_REPLACE_PROPERTY: &str = " ON CONFLICT (image_id, name) DO UPDATE \
    SET value = excluded.value, updated_at = excluded.updated_at, deleted = FALSE";

/// A statement; each `?` in it stands for a bound value.
pub fn query(sql: &'static str) -> Query<'static, Engine, <Engine as Database>::Arguments> {
    sqlx::query(sql)
}

/// Texts or numbers for a statement, bound as one parameter: so it reads the same, and is prepared once,
/// however long the list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List(String);

impl List {
    /// Aggregates a column `id` of a query into a list.
    pub const OF_IDS: &str = "json_group_array(id)";

    pub fn new<T: Serialize>(values: &[T]) -> Self {
        Self(serde_json::json!(values).to_string())
    }

    /// The list that [`List::OF_IDS`] is in the column at `place`.
    pub fn read(row: &Row, place: usize) -> Result<Self, Error> {
        Ok(Self(row.try_get(place)?))
    }

    /// Adds `(value, value, ..)` to a statement.
    pub fn push(self, sql: &mut QueryBuilder<Engine>) {
        sql.push("(SELECT value FROM json_each(")
            .push_bind(self.0)
            .push("))");
    }
}

/// A time as the database keeps it.
pub type Stamp = String;

/// `time` as the original writes it, in microseconds; compared as text it is in the order of time.
pub fn stamp(time: DateTime<Utc>) -> Stamp {
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// Reads a time, with or without a fraction.
pub fn time(stamp: &Stamp) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S%.f")
        .ok()
        .map(|time| time.and_utc())
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) if will_pass(&*error) => {
                Error::Unavailable(error.message().to_owned())
            }
            sqlx::Error::Database(error) => Error::Failed(error.message().to_owned()),
            sqlx::Error::PoolTimedOut => Error::Unavailable("no connection came free".to_owned()),
            sqlx::Error::PoolClosed => Error::Unavailable("it is being closed".to_owned()),
            sqlx::Error::Io(error) => Error::Unavailable(error.to_string()),
            sqlx::Error::WorkerCrashed => Error::Unavailable("the connection broke".to_owned()),
            error => Error::Failed(error.to_string()),
        }
    }
}

/// Whether it is the way to the data that failed: held by others, unreadable, unwritable, full, not to be opened.
fn will_pass(error: &dyn sqlx::error::DatabaseError) -> bool {
    const PERM: i32 = 3;
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READONLY: i32 = 8;
    const IOERR: i32 = 10;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const PROTOCOL: i32 = 15;
    // The low byte is the kind; the rest says more of it.
    let kind = error
        .code()
        .and_then(|code| code.parse::<i32>().ok())
        .map(|code| code & 0xff);
    matches!(
        kind,
        Some(PERM | BUSY | LOCKED | READONLY | IOERR | FULL | CANTOPEN | PROTOCOL)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_original_writes_it() {
        let noon = time(&"2026-01-02 12:00:00".to_owned()).unwrap();
        assert_eq!(stamp(noon), "2026-01-02 12:00:00.000000");
        let later = noon + chrono::Duration::nanoseconds(1_234_567);
        assert_eq!(stamp(later), "2026-01-02 12:00:00.001234");
    }

    #[test]
    fn a_time_reads_back_in_microseconds() {
        for text in ["2026-01-02 12:00:00.001234", "1999-12-31 23:59:59.999999"] {
            assert_eq!(stamp(time(&text.to_owned()).unwrap()), text);
        }
        assert_eq!(time(&"yesterday".to_owned()), None);
        assert_eq!(time(&"2026-13-02 12:00:00".to_owned()), None);
    }
}
