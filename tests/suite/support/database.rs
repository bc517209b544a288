//! A database for one test: a file of its own, or one of its own on the server that `GLANCE_TEST_DATABASE` names
//! (`mysql://root@127.0.0.1:3306`, `postgresql://postgres@127.0.0.1:5432`).
//!
//! It is dropped with its value. What a process leaves that was killed, the next one drops.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use sqlx::{
    AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, Row as _, SqliteConnection,
};

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
        static SWEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());
        static MADE: AtomicU32 = AtomicU32::new(0);
        let server = server.trim_end_matches('/').to_owned();
        let mut swept = SWEPT.lock().expect("nobody fails here");
        if !swept.contains(&server) {
            sweep(&server);
            swept.push(server.clone());
        }
        drop(swept);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{number}", std::process::id());
        about(&server, format!("CREATE DATABASE {name}"));
        Self {
            url: format!("{server}/{name}"),
            server: Some(Server { url: server, name }),
        }
    }

    /// Runs a statement.
    pub(crate) fn run(&self, sql: &str) {
        run(&self.url, sql.to_owned(), "name");
    }

    /// Texts, from a column.
    pub(crate) fn ask(&self, sql: &str, column: &'static str) -> Vec<String> {
        run(&self.url, sql.to_owned(), column)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Keeps everybody else from writing to an image that is there.
    pub(crate) fn hold(&self) -> Held {
        let url = self.url.clone();
        let (held, holds) = channel();
        let (release, released) = channel::<()>();
        let holder = thread::spawn(move || {
            // On a server nobody may be kept waiting who only wants to log in.
            let lock = if url.starts_with("sqlite:") {
                "BEGIN IMMEDIATE"
            } else {
                "BEGIN; SELECT id AS name FROM images FOR UPDATE"
            };
            let wait = move || {
                held.send(()).expect("somebody waits for it");
                // It is dropped, not sent.
                let _ = released.recv();
            };
            tried_and(&url, lock.to_owned(), "name", wait).expect("a lock");
        });
        holds.recv().expect("a lock");
        Held {
            release: Some(release),
            holder: Some(holder),
        }
    }
}

/// A lock on images. It ends with its value.
pub(crate) struct Held {
    release: Option<Sender<()>>,
    holder: Option<JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.release.take());
        let ended = self.holder.take().map(JoinHandle::join);
        assert!(ended.is_some_and(|ended| ended.is_ok()) || thread::panicking());
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(Server { url, name }) = &self.server {
            // Whoever still has it open is of this test, too.
            if is_postgres(url) {
                about(url, format!("DROP DATABASE {name} WITH (FORCE)"));
                return;
            }
            let open = format!(
                "SELECT CAST(id AS CHAR) AS name FROM information_schema.processlist WHERE db = '{name}'"
            );
            for connection in about(url, open) {
                // It may have ended by itself.
                let _ = tried(url, format!("KILL {connection}"), "name");
            }
            about(url, format!("DROP DATABASE {name}"));
        }
    }
}

/// The `MariaDB` or MySQL of this machine, where one answers.
pub(crate) fn mysql() -> Option<String> {
    answering("GLANCE_TEST_MYSQL", "mysql://root@127.0.0.1:3306")
}

/// The PostgreSQL of this machine, where one answers.
pub(crate) fn postgres() -> Option<String> {
    answering(
        "GLANCE_TEST_POSTGRES",
        "postgresql://postgres@127.0.0.1:5432",
    )
}

fn answering(variable: &str, usual: &str) -> Option<String> {
    let server = std::env::var(variable).unwrap_or_else(|_| usual.to_owned());
    let address = server.rsplit('@').next()?;
    match TcpStream::connect(address) {
        Ok(_) => Some(server),
        Err(error) => {
            println!("skipped: no server at {address} ({variable} names another): {error}");
            None
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
    for name in about(server, names.to_owned()) {
        let process = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('_').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            about(server, format!("DROP DATABASE IF EXISTS {name}"));
        }
    }
}

/// Runs a statement, and gives back a column of its rows.
fn run(url: &str, sql: String, column: &'static str) -> Vec<String> {
    tried(url, sql, column).expect("a server, and a statement that works")
}

fn tried(url: &str, sql: String, column: &'static str) -> sqlx::Result<Vec<String>> {
    tried_and(url, sql, column, || {})
}

/// The same, and does something else before the connection ends.
fn tried_and(
    url: &str,
    sql: String,
    column: &'static str,
    then: impl FnOnce() + Send,
) -> sqlx::Result<Vec<String>> {
    aside(async move {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        if url.starts_with("sqlite:") {
            let mut db =
                SqliteConnection::connect(&url.replacen("sqlite:///", "sqlite://", 1)).await?;
            let rows = sql.fetch_all(&mut db).await?;
            then();
            rows.iter().map(|row| row.try_get(column)).collect()
        } else if is_postgres(url) {
            let mut db = PgConnection::connect(url).await?;
            let rows = sql.fetch_all(&mut db).await?;
            then();
            rows.iter().map(|row| row.try_get(column)).collect()
        } else {
            let mut db = MySqlConnection::connect(url).await?;
            let rows = sql.fetch_all(&mut db).await?;
            then();
            rows.iter().map(|row| row.try_get(column)).collect()
        }
    })
}

/// Runs a statement about databases, and gives back the names in its rows.
fn about(server: &str, sql: String) -> Vec<String> {
    if is_postgres(server) {
        run(&format!("{server}/postgres"), sql, "name")
    } else {
        run(server, sql, "name")
    }
}

fn is_postgres(server: &str) -> bool {
    server.starts_with("postgres")
}

/// Runs to the end on a thread of its own, wherever it is asked for.
fn aside<T: Send>(work: impl Future<Output = T> + Send) -> T {
    thread::scope(|threads| {
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
