//! What we know about images, in the original's schema.

use chrono::{DateTime, Utc};

use crate::config::DatabaseConfig;
use crate::domain::checksum::Checksums;
use crate::domain::query::ImageQuery;
use crate::domain::{Image, ImageId, Location, Member, MemberStatus, Status};

/// Why the database did not answer as asked.
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
    #[error("database failure: {0}")]
    Failed(String),
}

pub type Result<T> = std::result::Result<T, Error>;

/// The database.
#[derive(Debug, Clone)]
pub struct Db {}

/// What an upload that ended well found out.
#[derive(Debug, Clone)]
pub struct NewData {
    pub size: u64,
    pub virtual_size: Option<u64>,
    pub checksums: Checksums,
    pub locations: Vec<Location>,
}

#[expect(unused_variables, reason = "outline")]
impl Db {
    /// Opens the pool. Creates and migrates the schema of an SQLite file; a database that is away is not
    /// an error here: each call tries again.
    pub async fn open(config: &DatabaseConfig) -> Result<Self> {
        todo!()
    }

    /// A cheap question, to know whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        todo!()
    }

    /// Writes what SQLite keeps beside the file back into it.
    pub async fn close(&self) {
        todo!()
    }

    /// Adds an image with its properties and tags, all or nothing.
    pub async fn create_image(&self, image: &Image) -> Result<()> {
        todo!()
    }

    /// The image with everything that belongs to it, whoever asks; none where it does not exist or is deleted.
    pub async fn image(&self, id: ImageId) -> Result<Option<Image>> {
        todo!()
    }

    /// Whether `id` was ever used, by a deleted image too.
    pub async fn image_existed(&self, id: ImageId) -> Result<bool> {
        todo!()
    }

    /// A page of images in a fixed number of statements. `Conflict("marker ...")`-free: an unknown marker is
    /// `Ok(None)`.
    pub async fn images(&self, query: &ImageQuery) -> Result<Option<Vec<Image>>> {
        todo!()
    }

    /// Writes `image`'s own columns, properties and tags where its row is still in `from`.
    pub async fn update_image(&self, image: &Image, from: Status) -> Result<Image> {
        todo!()
    }

    /// Moves an image from any of `from` to `to`, and says where it was.
    pub async fn set_status(
        &self,
        id: ImageId,
        from: &[Status],
        to: Status,
        now: DateTime<Utc>,
    ) -> Result<Status> {
        todo!()
    }

    /// Commits an upload: size, digests, locations and `active` in one transaction, from `saving` alone.
    pub async fn activate_image(
        &self,
        id: ImageId,
        data: &NewData,
        now: DateTime<Utc>,
    ) -> Result<()> {
        todo!()
    }

    /// Marks the image and all that belongs to it as deleted, and says what its locations were.
    pub async fn delete_image(&self, id: ImageId, now: DateTime<Utc>) -> Result<Vec<Location>> {
        todo!()
    }

    pub async fn members(&self, id: ImageId) -> Result<Vec<Member>> {
        todo!()
    }

    pub async fn member(&self, id: ImageId, member: &str) -> Result<Option<Member>> {
        todo!()
    }

    /// Adds a member. `Ok(None)` where it is one already.
    pub async fn create_member(
        &self,
        id: ImageId,
        member: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Member>> {
        todo!()
    }

    pub async fn set_member_status(
        &self,
        id: ImageId,
        member: &str,
        status: MemberStatus,
        now: DateTime<Utc>,
    ) -> Result<Option<Member>> {
        todo!()
    }

    pub async fn delete_member(
        &self,
        id: ImageId,
        member: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        todo!()
    }
}
