//! `[database]`

use super::error::Error;
use super::ini::Settings;

/// Where the metadata is.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// `connection`, an `SQLAlchemy` URL (`sqlite:////path`, drivers after `+` ignored). May hold a password.
    pub connection: String,
    /// `max_pool_size` and `max_overflow`, added.
    pub max_connections: u32,
}

impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

impl DatabaseConfig {
    pub(super) fn from(settings: &Settings) -> Result<Self, Error> {
        let database = settings.section("database");
        let connection = database.read("connection", served)?.ok_or(Error::Missing {
            section: "database",
            option: "connection",
            must: "the URL of the database, such as sqlite:////var/lib/glance/glance.db",
        })?;
        // As in the original, a negative overflow is a pool without an end; ours needs one.
        let pool: u32 = database.number("max_pool_size")?;
        let overflow: i32 = database.number("max_overflow")?;
        let overflow = u32::try_from(overflow).unwrap_or(pool);
        Ok(Self {
            connection,
            max_connections: pool.saturating_add(overflow).max(1),
        })
    }
}

/// Takes the URLs of databases that this build serves.
fn served(url: &str) -> Result<String, String> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme.split('+').next() {
        Some("sqlite") => Ok(url.to_owned()),
        Some("mysql" | "mariadb" | "postgresql" | "postgres") => Err(
            "an sqlite:/// URL: this build serves SQLite only for now, not MySQL or PostgreSQL"
                .to_owned(),
        ),
        _ => Err("a database URL, such as sqlite:////var/lib/glance/glance.db".to_owned()),
    }
}
