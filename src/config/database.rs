//! `[database]`

mod url;

use std::time::Duration;

use super::error::Error;
use super::ini::Settings;

pub use url::{Server, Target, Tls, Url};

/// Where the metadata is, and how it is asked.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// `connection`, an `SQLAlchemy` URL; [`Url`] reads it. May hold a password.
    pub connection: String,
    /// `max_pool_size` and `max_overflow`, added.
    pub max_connections: u32,
    /// `connection_recycle_time`: no connection to a server gets older.
    pub recycle: Option<Duration>,
    /// `pool_timeout`: how long to wait for a connection while others have them all.
    pub patience: Duration,
    /// `max_retries`: how often a tool tries to reach a server that is away. Without an end where none.
    pub retries: Option<u32>,
    /// `retry_interval`: how long it waits in between.
    pub retry_interval: Duration,
    /// `mysql_sql_mode`, where it is not the server's own.
    pub mysql_sql_mode: Option<String>,
}

impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

/// How long to wait for a connection where nobody says.
const PATIENCE: Duration = Duration::from_secs(30);

impl DatabaseConfig {
    /// A database with the usual pool.
    pub fn at(connection: impl Into<String>) -> Self {
        Self {
            connection: connection.into(),
            max_connections: 55,
            recycle: None,
            patience: PATIENCE,
            retries: Some(0),
            retry_interval: Duration::from_secs(1),
            mysql_sql_mode: Some("TRADITIONAL".to_owned()),
        }
    }

    pub(super) fn from(settings: &Settings) -> Result<Self, Error> {
        let database = settings.section("database");
        let connection = database
            .read("connection", |url| Url::parse(url).map(|_| url.to_owned()))?
            .ok_or(Error::Missing {
                section: "database".to_owned(),
                option: "connection",
                must: "the URL of the database, such as sqlite:////var/lib/glance/glance.db",
            })?;
        // As in the original, a negative overflow is a pool without an end; ours needs one.
        let pool: u32 = database.number("max_pool_size")?;
        let overflow: i32 = database.number("max_overflow")?;
        let overflow = u32::try_from(overflow).unwrap_or(pool);
        let recycle: i64 = database.number("connection_recycle_time")?;
        let retries: i64 = database.number("max_retries")?;
        let patience: u32 = database.number("pool_timeout")?;
        Ok(Self {
            connection,
            max_connections: pool.saturating_add(overflow).max(1),
            recycle: u64::try_from(recycle).ok().map(Duration::from_secs),
            patience: match patience {
                0 => PATIENCE,
                seconds => Duration::from_secs(seconds.into()),
            },
            retries: u32::try_from(retries).ok(),
            retry_interval: database.seconds("retry_interval")?,
            mysql_sql_mode: database
                .read("mysql_sql_mode", mode)?
                .filter(|mode| !mode.is_empty()),
        })
    }
}

/// Names of modes become part of a statement.
fn mode(text: &str) -> Result<String, String> {
    if text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ','))
    {
        Ok(text.to_owned())
    } else {
        Err("names of SQL modes, separated by commas".to_owned())
    }
}
