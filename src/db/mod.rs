//! What we know about images, in the original's schema.
//!
//! The schema is shared with the original: either service opens what the other wrote, and sets nothing in it
//! that the other does not expect. A row is read into plain columns and proven on the way out, so nothing
//! half-true leaves this layer. Whether a change may happen is decided by the database, in the `WHERE` of the
//! statement that makes it: of two processes that want the same transition exactly one gets it.
//!
//! Nothing here asks a question per property, tag or location. An image with all that belongs to it is one
//! statement, and so is a page of them.

mod bury;
mod copies;
mod data;
mod dialect;
mod filter;
mod images;
mod link;
mod list;
mod locations;
mod members;
mod migrations;
mod properties;
mod quota;
mod row;
mod tags;
mod task_list;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::DatabaseConfig;
use crate::domain::checksum::Checksums;
use crate::domain::{ImageId, Location, Status};
pub use copies::{CopyRow, NodeRow};
pub use data::DataRow;
use dialect::query;
use link::Link;
pub use quota::{Gate, Judged, LEASE, Usage};

pub use migrations::{REVISION, State as SchemaState, make_schema, schema_state};

/// Why the database did not answer as asked. No variant carries the connection URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is away or too busy; the same call may work later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The id is taken, by a live image or a deleted one.
    #[error("image {0} exists")]
    Duplicate(ImageId),
    /// There is no such image, or not any more.
    #[error("image {0} is gone")]
    Gone(ImageId),
    /// The image is not in the state the change is for, but in `status`.
    #[error("image {id} is {status}")]
    Conflict { id: ImageId, status: Status },
    /// A row that makes no sense.
    #[error("inconsistent row in {table}: {what}")]
    Inconsistent { table: &'static str, what: String },
    /// It has no schema that we know, and the sentence says what to run.
    #[error("the database cannot be used: {0}")]
    Schema(String),
    /// Others changed the same rows at once, again and again; the same call may work later.
    #[error("the database is too busy: {0}")]
    Contended(String),
    /// A text that its column cannot hold: too long, or of characters that this database does not have.
    #[error("the database cannot keep this: {0}")]
    Unfit(String),
    /// There is such a row already.
    #[error("a row is there already: {0}")]
    Taken(String),
    #[error("database failure: {0}")]
    Failed(String),
}

pub type Result<T> = std::result::Result<T, Error>;

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    link: Arc<Link>,
}

/// What an upload that ended well found out.
#[derive(Debug, Clone)]
pub struct NewData {
    pub size: u64,
    pub virtual_size: Option<u64>,
    pub checksums: Checksums,
    pub locations: Vec<Location>,
}

impl Db {
    /// Opens the database, and creates an SQLite file with its schema where there is none; that of a server an
    /// operator makes ([`Schema`]). A database that is away is not an error here: each call tries again.
    pub async fn open(config: &DatabaseConfig) -> Result<Self> {
        let link = Link::new(config)?;
        match link.pool().await {
            Ok(_) => {}
            Err(Error::Unavailable(why)) => {
                tracing::warn!("the database is not available yet: {why}");
            }
            Err(error) => return Err(error),
        }
        Ok(Self {
            link: Arc::new(link),
        })
    }

    /// A cheap question, to know whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        let mut db = self.link.read().await?;
        query("SELECT id FROM images LIMIT 1")
            .fetch_optional(&mut db)
            .await?;
        Ok(())
    }

    /// Waits for the calls under way and ends. An SQLite file is whole afterwards, with nothing kept beside it.
    pub async fn close(&self) {
        self.link.close().await;
    }
}
