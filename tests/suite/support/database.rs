//! A database for one test: a file of its own, or one of its own on the server that `GLANCE_TEST_DATABASE` names
//! (`mysql://root@127.0.0.1:3306`, `postgresql://postgres@127.0.0.1:5432`).
//!
//! It is dropped with its value. What a process leaves that was killed, the next one drops.

use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, Row as _};

use super::{DatabaseConfig, make_schema};

const PREFIX: &str = "glance_test_";

pub(crate) struct Database {
    url: String,
    server: Option<Server>,
}

/// A database on a server.
struct Server {
    url: String,
    name: String,
}

impl Database {
    /// A database with its schema, in `dir` where it is a file.
    pub(crate) fn beside(dir: &Path) -> Self {
        match std::env::var("GLANCE_TEST_DATABASE") {
            Ok(url) if !url.is_empty() => Self::on(&url),
            _ => Self::file(&dir.join("glance.db")),
        }
    }

    /// A file that is not there yet.
    pub(crate) fn file(path: &Path) -> Self {
        Self {
            url: format!("sqlite:///{}", path.display()),
            server: None,
        }
    }

    fn on(server: &str) -> Self {
        let database = Self::empty_on(server);
        let config = DatabaseConfig::at(database.url());
        aside(async move { make_schema(&config).await.expect("a schema") });
        database
    }

    /// A database without a schema on a server.
    pub(crate) fn empty_on(server: &str) -> Self {
        static SWEPT: Once = Once::new();
        static MADE: AtomicU32 = AtomicU32::new(0);
        let server = server.trim_end_matches('/').to_owned();
        SWEPT.call_once(|| sweep(&server));
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{number}", std::process::id());
        run(&server, format!("CREATE DATABASE {name}"));
        Self {
            url: format!("{server}/{name}"),
            server: Some(Server { url: server, name }),
        }
    }

    /// Whether it is on a server.
    pub(crate) fn is_served(&self) -> bool {
        self.server.is_some()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(Server { url, name }) = &self.server {
            // Whoever still has it open is of this test, too.
            let force = if is_postgres(url) {
                " WITH (FORCE)"
            } else {
                ""
            };
            run(url, format!("DROP DATABASE {name}{force}"));
        }
    }
}

/// Drops what processes left that are no more.
fn sweep(server: &str) {
    let names = if is_postgres(server) {
        "SELECT datname::text AS name FROM pg_database"
    } else {
        "SELECT CAST(schema_name AS CHAR) AS name FROM information_schema.schemata"
    };
    for name in run(server, names.to_owned()) {
        let process = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('_').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            run(server, format!("DROP DATABASE IF EXISTS {name}"));
        }
    }
}

/// Runs a statement, and gives back the names in its rows.
fn run(server: &str, sql: String) -> Vec<String> {
    let postgres = is_postgres(server);
    let address = if postgres {
        format!("{server}/postgres")
    } else {
        server.to_owned()
    };
    aside(async move {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        if postgres {
            let mut db = PgConnection::connect(&address).await.expect("a server");
            let rows = sql
                .fetch_all(&mut db)
                .await
                .expect("a statement that works");
            rows.iter().map(|row| row.get("name")).collect()
        } else {
            let mut db = MySqlConnection::connect(&address).await.expect("a server");
            let rows = sql
                .fetch_all(&mut db)
                .await
                .expect("a statement that works");
            rows.iter().map(|row| row.get("name")).collect()
        }
    })
}

fn is_postgres(server: &str) -> bool {
    server.starts_with("postgres")
}

/// Runs to the end on a thread of its own, wherever it is asked for.
fn aside<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|threads| {
        let running = threads.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(work)
        });
        running.join().expect("it ended")
    })
}
