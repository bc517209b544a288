//! The database as the layers above use it, on a real file.

mod away;
mod images;
mod listing;
mod locations;
mod members;
mod original;
mod paging;
mod plans;
mod races;
mod tasks;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use tempfile::TempDir;

use super::{Db, NewData};
use crate::config::DatabaseConfig;
use crate::domain::checksum::{Checksums, HashAlgorithm, SecureHash};
use crate::domain::{Image, ImageId, Location, Status, Visibility};

const ALICE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const BOB: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A database in a directory of its own.
struct Scratch {
    dir: TempDir,
    db: Db,
}

impl std::ops::Deref for Scratch {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Scratch {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("state")).unwrap();
        let db = Db::open(&config(&dir.path().join("state/glance.db")))
            .await
            .unwrap();
        Self { dir, db }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("state/glance.db")
    }

    /// A second handle on the same file, as another process has it.
    async fn other(&self) -> Db {
        Db::open(&config(&self.file())).await.unwrap()
    }

    async fn add(&self, image: Image) -> Image {
        self.db.create_image(&image).await.unwrap();
        image
    }

    /// Runs SQL as it stands.
    async fn run(&self, sql: String) {
        let mut db = self.db.link.write().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut *db)
            .await
            .unwrap();
        db.commit().await.unwrap();
    }

    /// The first column of a query as text, with "null" for null.
    async fn ask(&self, sql: &'static str) -> Vec<String> {
        let mut db = self.db.link.read().await.unwrap();
        sqlx::query_scalar::<_, Option<String>>(sql)
            .fetch_all(&mut *db)
            .await
            .unwrap()
            .into_iter()
            .map(|text| text.unwrap_or_else(|| "null".to_owned()))
            .collect()
    }
}

fn config(file: &Path) -> DatabaseConfig {
    DatabaseConfig {
        connection: format!("sqlite:///{}?timeout=10", file.display()),
        max_connections: 55,
    }
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
        },
        locations: vec![location("one")],
    }
}
