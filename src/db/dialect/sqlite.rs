//! SQLite: one file, which may be moved, replaced or gone while we run.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};

use super::{Connection, Pool};
use crate::db::{Error, Result};

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
    /// Reads an `SQLAlchemy` URL: `sqlite:////absolute/path` or `sqlite:///relative/path`, with `?timeout=30`.
    pub fn parse(url: &str) -> Result<Self> {
        let wrong = |what: &str| Err(Error::Failed(format!("[database] connection: {what}")));
        let Some((scheme, rest)) = url.split_once("://") else {
            return wrong("this is no database URL; sqlite:////path/to/glance.db is one");
        };
        if scheme.split('+').next() != Some("sqlite") {
            return wrong("only sqlite:// databases are supported");
        }
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        let Some(path) = path.strip_prefix('/') else {
            return wrong("a path follows sqlite:/// (three slashes, four for an absolute one)");
        };
        if path.is_empty() || path == ":memory:" || path.starts_with("file:") {
            return wrong("the database must be a file, named by its path");
        }
        let mut timeout = TIMEOUT;
        for (name, value) in options.split('&').filter_map(|pair| pair.split_once('=')) {
            if name == "timeout" {
                timeout = match value.parse().map(Duration::try_from_secs_f64) {
                    Ok(Ok(timeout)) if timeout < Duration::from_hours(24) => timeout,
                    _ => return wrong("timeout is a number of seconds"),
                };
            }
        }
        Ok(Self {
            file: path.into(),
            timeout,
        })
    }

    /// Which file is there now.
    pub async fn identify(&self) -> Result<FileId> {
        let found = tokio::fs::metadata(&self.file)
            .await
            .map_err(|error| unreachable(&error))?;
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
            Err(error) => return Err(unreachable(&error)),
        }
        Ok(())
    }

    /// A pool that connects when it is asked to. It never creates the file: one that went away is away.
    pub fn pool(&self, most_connections: u32) -> Pool {
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

    /// Lets readers and the writer work at once. The mode stays with the file.
    pub async fn tune(&self, db: &mut Connection) -> Result<()> {
        let start = Instant::now();
        loop {
            let changed = sqlx::query("PRAGMA journal_mode = WAL")
                .execute(&mut *db)
                .await;
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

/// A path may tell more than it should, so only the kind of failure is said.
fn unreachable(error: &io::Error) -> Error {
    Error::Unavailable(format!("its file cannot be reached: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_path_is_absolute_after_four_slashes() {
        let path = |url| Address::parse(url).unwrap().file;
        assert_eq!(path("sqlite:////var/lib/g.db"), Path::new("/var/lib/g.db"));
        assert_eq!(path("sqlite:///g.db"), Path::new("g.db"));
        assert_eq!(path("sqlite+pysqlite:////g.db?x=y"), Path::new("/g.db"));
    }

    #[test]
    fn the_timeout_of_the_url_counts() {
        let timeout = |url| Address::parse(url).unwrap().timeout;
        assert_eq!(timeout("sqlite:///g.db"), TIMEOUT);
        assert_eq!(
            timeout("sqlite:///g.db?timeout=30"),
            Duration::from_secs(30)
        );
        assert_eq!(
            timeout("sqlite:///g.db?check_same_thread=false&timeout=1.5"),
            Duration::from_millis(1500)
        );
    }

    #[test]
    fn a_url_that_cannot_work_is_refused_without_repeating_it() {
        for url in [
            "secret",
            "mysql+pymysql://glance:secret@db/glance",
            "sqlite://secret",
            "sqlite://",
            "sqlite:///:memory:",
            "sqlite:///secret.db?timeout=-1",
            "sqlite:///secret.db?timeout=soon",
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains("[database] connection"), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }
}
