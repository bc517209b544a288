//! The database as the tools of the cache need it: there, and never made by accident.

use std::path::PathBuf;

use crate::config::ToolConfig;
use crate::db::Db;

/// Opens the configured database, or says why it cannot be asked.
pub async fn open(config: &ToolConfig) -> Result<Db, String> {
    let database = config
        .database
        .as_ref()
        .ok_or("the configuration names no database that this build can ask")?;
    // To open one that is not there would create it.
    if let Some(file) = sqlite_file(&database.connection)
        && !file.exists()
    {
        return Err(format!("there is no database {}", file.display()));
    }
    let db = Db::open(database)
        .await
        .map_err(|error| error.to_string())?;
    db.ping().await.map_err(|error| error.to_string())?;
    Ok(db)
}

/// The file of an SQLite database, `sqlite:///relative` or `sqlite:////absolute`.
fn sqlite_file(connection: &str) -> Option<PathBuf> {
    let (scheme, rest) = connection.split_once(":///")?;
    let dialect = scheme.split('+').next().unwrap_or(scheme);
    let file = rest.split('?').next().unwrap_or(rest);
    (dialect == "sqlite").then(|| PathBuf::from(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_database_is_known_by_its_file() {
        let file = |connection| sqlite_file(connection).map(|path| path.display().to_string());
        let glance = Some("/var/lib/glance/glance.sqlite".to_owned());
        assert_eq!(file("sqlite:////var/lib/glance/glance.sqlite"), glance);
        assert_eq!(
            file("sqlite+pysqlite:////var/lib/glance/glance.sqlite?timeout=5"),
            glance
        );
        assert_eq!(file("mysql+pymysql://glance:secret@db/glance"), None);
    }
}
