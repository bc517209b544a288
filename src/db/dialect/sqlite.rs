//! SQLite: one file, which may be moved, replaced or gone while we run.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments as _, ConnectOptions as _, Row as _, Sqlite, SqlitePool};

use super::fault::Fault;
use super::value::refused;
use super::{Dialect, Schema, Value, Word};
use crate::db::{Error, Result};

/// Starts a transaction that will write: it waits for its turn at once, never halfway.
pub const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

pub const SCHEMA: Schema = Schema {
    statements: [
        include_str!("../../../migrations/sqlite/0001_images.sql"),
        include_str!("../../../migrations/sqlite/0002_tasks.sql"),
        include_str!("../../../migrations/sqlite/0003_metadefs.sql"),
        include_str!("../../../migrations/sqlite/0004_cached_images.sql"),
        include_str!("../../../migrations/sqlite/0005_alembic_version.sql"),
    ],
    lock: "",
    unlock: "",
    made_at_once: true,
};

/// Each connection is a thread, and more of them do not read faster.
const MOST_CONNECTIONS: u32 = 8;
/// How long to wait for other processes where the URL says nothing.
const TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection gives its memory back.
const IDLE: Duration = Duration::from_mins(1);

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    file: PathBuf,
    timeout: Duration,
}

/// Which file a pool has open, whatever is called by its name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl Address {
    pub fn new(file: PathBuf, timeout: Option<Duration>) -> Self {
        Self {
            file,
            timeout: timeout.unwrap_or(TIMEOUT),
        }
    }

    /// Which file is there now.
    pub async fn identify(&self) -> Result<FileId> {
        let found = tokio::fs::metadata(&self.file)
            .await
            .map_err(|error| self.unreachable(&error))?;
        Ok(FileId {
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Makes an empty database where there is none. Its directory must be there: one that is not may be a
    /// disk that is not mounted.
    pub async fn create(&self) -> Result<()> {
        let created = tokio::fs::OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&self.file)
            .await;
        match created {
            Ok(_) => tracing::info!("made a new, empty database, {}", self.file.display()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(self.unreachable(&error)),
        }
        Ok(())
    }

    /// Whether there is a file. Its directory must be there, as for making one.
    pub async fn is_made(&self) -> Result<bool> {
        let Err(missing) = tokio::fs::metadata(&self.file).await else {
            return Ok(true);
        };
        let directory = self
            .file
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        if missing.kind() == io::ErrorKind::NotFound && tokio::fs::metadata(directory).await.is_ok()
        {
            return Ok(false);
        }
        Err(self.unreachable(&missing))
    }

    /// A pool that connects when it is asked to. It never creates the file: one that went away is away.
    pub fn pool(&self, most_connections: u32) -> SqlitePool {
        let options = SqliteConnectOptions::new()
            .filename(&self.file)
            .create_if_missing(false)
            .busy_timeout(self.timeout)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", "-1024")
            .disable_statement_logging();
        SqlitePoolOptions::new()
            .max_connections(most_connections.clamp(1, MOST_CONNECTIONS))
            .acquire_timeout(self.timeout.max(Duration::from_secs(1)))
            .idle_timeout(IDLE)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options)
    }

    fn unreachable(&self, error: &io::Error) -> Error {
        Error::Unavailable(format!("{}: {error}", self.file.display()))
    }

    /// Lets readers and the writer work at once. The mode stays with the file.
    pub async fn tune(&self, pool: &SqlitePool) -> Result<()> {
        let start = Instant::now();
        loop {
            let changed = sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await;
            match changed.map_err(Error::from) {
                // SQLite does not wait here as it does elsewhere: two processes that start at once collide.
                Err(Error::Unavailable(_)) if start.elapsed() < self.timeout => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                result => return result.map(drop),
            }
        }
    }
}

impl Dialect for Sqlite {
    fn spell(word: &Word) -> &'static str {
        word.sqlite
    }

    fn add(sql: &mut String, arguments: &mut SqliteArguments, value: &Value) -> Result<()> {
        sql.push_str(match value {
            Value::List(_) => "(SELECT value FROM json_each(?))",
            _ => "?",
        });
        match value {
            Value::Text(text) => arguments.add(text.clone()),
            Value::Number(number) => arguments.add(*number),
            Value::Flag(flag) => arguments.add(*flag),
            Value::Time(time) => arguments.add(time.map(stamp)),
            Value::List(list) => arguments.add(list.to_json()),
        }
        .map_err(refused)
    }
}

/// `time` as the original writes it, in microseconds; compared as text it is in the order of time.
fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// Reads a time, with or without a fraction.
fn moment(stamp: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S%.f")
        .ok()
        .map(|time| time.and_utc())
}

pub fn text(row: &SqliteRow, column: &str) -> sqlx::Result<Option<String>> {
    row.try_get(column)
}

pub fn number(row: &SqliteRow, column: &str) -> sqlx::Result<Option<i64>> {
    row.try_get(column)
}

pub fn flag(row: &SqliteRow, column: &str) -> sqlx::Result<Option<bool>> {
    row.try_get(column)
}

pub fn time(row: &SqliteRow, column: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    let stamp: Option<&str> = row.try_get(column)?;
    let time = stamp.map(|stamp| moment(stamp).ok_or("not a time"));
    time.transpose()
        .map_err(|what| sqlx::Error::Decode(what.into()))
}

/// What to think of an error by its code: whether it is the way to the data that failed, held by others,
/// unreadable, unwritable, full, not to be opened.
pub fn judge(code: Option<i32>) -> Fault {
    const PERM: i32 = 3;
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READONLY: i32 = 8;
    const IOERR: i32 = 10;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const PROTOCOL: i32 = 15;
    // The low byte is the kind; the rest says more of it.
    match code.map(|code| code & 0xff) {
        Some(PERM | BUSY | LOCKED | READONLY | IOERR | FULL | CANTOPEN | PROTOCOL) => Fault::Away,
        _ => Fault::Lasting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_original_writes_it() {
        let noon = moment("2026-01-02 12:00:00").unwrap();
        assert_eq!(stamp(noon), "2026-01-02 12:00:00.000000");
        let later = noon + chrono::Duration::nanoseconds(1_234_567);
        assert_eq!(stamp(later), "2026-01-02 12:00:00.001234");
    }

    #[test]
    fn a_time_reads_back_in_microseconds() {
        for text in ["2026-01-02 12:00:00.001234", "1999-12-31 23:59:59.999999"] {
            assert_eq!(stamp(moment(text).unwrap()), text);
        }
        assert_eq!(moment("yesterday"), None);
        assert_eq!(moment("2026-13-02 12:00:00"), None);
    }
}
