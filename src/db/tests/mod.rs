//! The database as the layers above use it, on a real file.

mod away;
#[expect(dead_code, reason = "the suite asks more of it")]
#[path = "../../../tests/suite/support/database.rs"]
mod database;
mod images;
mod listing;
mod locations;
mod members;
mod original;
mod paging;
mod plans;
mod properties;
mod quota;
mod races;
mod tasks;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use tempfile::TempDir;

use super::dialect::{Connection, Row, query};
use super::{Db, NewData, make_schema};
use crate::config::DatabaseConfig;
use crate::domain::checksum::{Checksums, HashAlgorithm, SecureHash};
use crate::domain::{Image, ImageId, Location, Status, Visibility};
use database::Database;

const ALICE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const BOB: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Sqlite,
    MySql,
    Postgres,
}

/// A database of its own, of the kind that `GLANCE_TEST_DATABASE` names.
struct Scratch {
    dir: TempDir,
    // Ends before its database.
    db: Db,
    database: Database,
}

impl std::ops::Deref for Scratch {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Scratch {
    async fn new() -> Self {
        Self::over(Database::beside).await
    }

    /// A file, whatever the others are.
    async fn file() -> Self {
        Self::over(|dir| Database::file(&dir.join("glance.db"))).await
    }

    async fn over(database: impl FnOnce(&Path) -> Database) -> Self {
        let dir = TempDir::new().unwrap();
        let state = dir.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let database = database(&state);
        Self::in_dir(dir, database).await
    }

    async fn in_dir(dir: TempDir, database: Database) -> Self {
        let db = Db::open(&few(&database)).await.unwrap();
        Self { dir, db, database }
    }

    async fn engine(&self) -> Engine {
        match self.link.read().await.unwrap() {
            Connection::Sqlite(_) => Engine::Sqlite,
            Connection::MySql(_) => Engine::MySql,
            Connection::Postgres(_) => Engine::Postgres,
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("state/glance.db")
    }

    /// A second handle on the same database, as another process has it.
    async fn other(&self) -> Db {
        Db::open(&few(&self.database)).await.unwrap()
    }

    async fn add(&self, image: Image) -> Image {
        self.db.create_image(&image).await.unwrap();
        image
    }

    /// Runs SQL as it stands.
    async fn run(&self, sql: String) {
        self.try_run(sql).await.unwrap();
    }

    async fn try_run(&self, sql: String) -> crate::db::Result<u64> {
        let mut db = self.db.link.read().await?;
        query(sql).execute(&mut db).await
    }

    /// The column `answer` of a query as text, with "null" for null.
    async fn ask(&self, sql: &'static str) -> Vec<String> {
        let mut db = self.db.link.read().await.unwrap();
        let rows = query(sql).fetch_all(&mut db).await.unwrap();
        let text = |row: &Row| row.get::<Option<String>>("answer").unwrap();
        rows.iter()
            .map(|row| text(row).unwrap_or_else(|| "null".to_owned()))
            .collect()
    }
}

/// With few connections: servers have few to give, and all tests want some.
fn few(database: &Database) -> DatabaseConfig {
    DatabaseConfig {
        max_connections: 5,
        ..DatabaseConfig::at(database.url())
    }
}

fn config(path: &Path) -> DatabaseConfig {
    DatabaseConfig::at(format!("sqlite:///{}?timeout=10", path.display()))
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::seconds(seconds)
}

fn id(number: u32) -> ImageId {
    format!("00000000-0000-4000-8000-{number:012}")
        .parse()
        .unwrap()
}

/// A new image of Alice's, made in second `number`.
fn image(number: u32) -> Image {
    Image {
        id: id(number),
        name: Some(format!("image {number}")),
        status: Status::Queued,
        visibility: Visibility::Shared,
        owner: Some(ALICE.to_owned()),
        disk_format: None,
        container_format: None,
        size: None,
        virtual_size: None,
        checksums: Checksums::default(),
        min_disk: 0,
        min_ram: 0,
        protected: false,
        hidden: false,
        created_at: at(number.into()),
        updated_at: at(number.into()),
        properties: [].into(),
        tags: Vec::new(),
        locations: Vec::new(),
    }
}

fn location(name: &str) -> Location {
    Location::active(
        format!("file:///images/{name}"),
        [("store".to_owned(), "fast".into())].into(),
    )
}

fn data() -> NewData {
    NewData {
        size: 1000,
        virtual_size: Some(2000),
        checksums: Checksums {
            md5: Some("ab".repeat(16)),
            secure: Some(SecureHash {
                algorithm: HashAlgorithm::Sha512,
                value: "cd".repeat(64),
            }),
            announced: None,
        },
        locations: vec![location("one")],
    }
}
