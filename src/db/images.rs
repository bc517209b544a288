//! Images one by one: made, read, changed, moved through their life, deleted.

use chrono::{DateTime, Utc};

use super::dialect::{BELONGINGS, Connection, FOR_UPDATE, Statement, query};
use super::row::{self, IMAGE_COLUMNS};
use super::{Db, Error, NewData, Result, bury, locations, properties, tags};
use crate::domain::checksum::{Checksums, HashAlgorithm};
use crate::domain::location::Moves;
use crate::domain::property::TASK_LOCK;
use crate::domain::{Image, ImageId, Location, Status};

impl Db {
    /// Adds an image with its properties, tags and locations, all or nothing.
    pub async fn create_image(&self, image: &Image) -> Result<()> {
        self.link
            .write(move |mut db| async move {
                insert(&mut db, image).await?;
                db.commit_with(()).await
            })
            .await
    }

    /// The image with everything that belongs to it, whoever asks; none where it does not exist or is deleted.
    pub async fn image(&self, id: ImageId) -> Result<Option<Image>> {
        let mut db = self.link.read().await?;
        read(&mut db, id).await
    }

    /// Whether `id` was ever used, by a deleted image too.
    pub async fn image_existed(&self, id: ImageId) -> Result<bool> {
        let mut db = self.link.read().await?;
        let found = query("SELECT id FROM images WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut db)
            .await?;
        Ok(found.is_some())
    }

    /// Writes `image`'s own columns, and what differs in properties and tags, where it is still as it `was`; as of
    /// `image.updated_at`. Locations have their own ways. Gives back what is there now.
    pub async fn update_image(&self, image: &Image, was: impl Into<Was<'_>>) -> Result<Image> {
        self.update_and_move(image, was, None).await
    }

    /// Does the same, and moves its data where that is where `moves` expects it.
    pub async fn update_and_move(
        &self,
        image: &Image,
        was: impl Into<Was<'_>>,
        moves: Option<&Moves>,
    ) -> Result<Image> {
        let was = was.into();
        self.link
            .write(move |mut db| async move {
                let written = write(&mut db, image, was, moves).await?;
                db.commit_with(written).await
            })
            .await
    }

    /// Moves an image from any of `from` to `to`, and says where it was.
    pub async fn set_status(
        &self,
        id: ImageId,
        from: &[Status],
        to: Status,
        now: DateTime<Utc>,
    ) -> Result<Status> {
        self.link
            .write(move |mut db| async move {
                let was = transit(&mut db, id, from, to, now).await?;
                db.commit_with(was).await
            })
            .await
    }

    /// Commits an upload: size, digests, locations and `active` in one transaction, from `saving` alone.
    pub async fn activate_image(
        &self,
        id: ImageId,
        data: &NewData,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let statement = query(
            "UPDATE images SET size = ?, virtual_size = ?, checksum = ?, os_hash_algo = ?, \
             os_hash_value = ?, status = ?, updated_at = ? WHERE id = ? AND status = ? AND NOT deleted",
        );
        let statement = statement
            .bind(size(Some(data.size))?)
            .bind(size(data.virtual_size)?);
        let statement = &bind_checksums(statement, &data.checksums)
            .bind(Status::Active.as_str())
            .bind(now)
            .bind(id)
            .bind(Status::Saving.as_str());
        self.link
            .write(move |mut db| async move {
                guarded(&mut db, statement, id).await?;
                locations::forget(&mut db, id, now).await?;
                locations::insert(&mut db, id, &data.locations, now).await?;
                db.commit_with(()).await
            })
            .await
    }

    /// Writes the hashes of data that is coming in beside an image in `saving`.
    pub async fn note_checksums(
        &self,
        id: ImageId,
        checksums: &Checksums,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let statement = query(
            "UPDATE images SET checksum = ?, os_hash_algo = ?, os_hash_value = ?, updated_at = ? \
             WHERE id = ? AND status = ? AND NOT deleted",
        );
        let statement = &bind_checksums(statement, checksums)
            .bind(now)
            .bind(id)
            .bind(Status::Saving.as_str());
        self.link
            .write(move |mut db| async move {
                statement.execute(&mut db).await?;
                db.commit_with(()).await
            })
            .await
    }

    /// Marks the image and all that belongs to it as deleted, and says what its locations were.
    pub async fn delete_image(&self, id: ImageId, now: DateTime<Utc>) -> Result<Vec<Location>> {
        self.delete(id, Status::Deleted, now).await
    }

    /// Does the same, but leaves image and locations as `pending_delete`, for their data to be deleted later
    /// (`delayed_delete`).
    pub async fn delete_image_later(
        &self,
        id: ImageId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Location>> {
        self.delete(id, Status::PendingDelete, now).await
    }

    async fn delete(
        &self,
        id: ImageId,
        status: Status,
        now: DateTime<Utc>,
    ) -> Result<Vec<Location>> {
        self.link
            .write(move |mut db| async move {
                hold(&mut db, id).await?;
                let image = read(&mut db, id).await?.ok_or(Error::Gone(id))?;
                query(
                    "UPDATE images SET status = ?, deleted = TRUE, deleted_at = ?, updated_at = ? WHERE id = ?",
                )
                .bind(status.as_str())
                .bind(now)
                .bind(now)
                .bind(id)
                .execute(&mut db)
                .await?;
                query("UPDATE image_locations SET status = ? WHERE image_id = ? AND NOT deleted")
                    .bind(status.as_str())
                    .bind(id)
                    .execute(&mut db)
                    .await?;
                bury::belongings(&mut db, id, now).await?;
                db.commit_with(image.locations).await
            })
            .await
    }
}

/// What a change to an image stands on.
#[derive(Debug, Clone, Copy)]
pub enum Was<'i> {
    /// It may have changed otherwise.
    InStatus(Status),
    /// Somebody looked at it, and decided by what was there.
    Image(&'i Image),
}

impl Was<'_> {
    fn status(self) -> Status {
        match self {
            Self::InStatus(status) => status,
            Self::Image(image) => image.status,
        }
    }
}

impl From<Status> for Was<'_> {
    fn from(status: Status) -> Self {
        Self::InStatus(status)
    }
}

impl<'i> From<&'i Image> for Was<'i> {
    fn from(image: &'i Image) -> Self {
        Self::Image(image)
    }
}

/// Adds an image with all that belongs to it.
pub async fn insert(db: &mut Connection, image: &Image) -> Result<()> {
    let now = image.created_at;
    let statement = query(
        "INSERT INTO images (name, status, visibility, owner, disk_format, container_format, size, \
         virtual_size, checksum, os_hash_algo, os_hash_value, min_disk, min_ram, protected, \
         os_hidden, updated_at, created_at, id, deleted) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, FALSE)",
    );
    let made = bind_columns(statement, image)?.bind(now).bind(image.id);
    made.execute(db).await.map_err(|error| match error {
        Error::Taken(_) => Error::Duplicate(image.id),
        error => error,
    })?;
    properties::insert(db, image.id, image.properties.iter(), now).await?;
    tags::insert(db, image.id, &image.tags, now).await?;
    locations::insert(db, image.id, &image.locations, now).await
}

/// Writes an image where it is still as it `was`, moves its data, and gives back what is there now.
pub async fn write(
    db: &mut Connection,
    image: &Image,
    was: Was<'_>,
    moves: Option<&Moves>,
) -> Result<Image> {
    let from = was.status();
    if let Was::Image(was) = was {
        unchanged(db, was).await?;
    }
    let statement = query(
        "UPDATE images SET name = ?, status = ?, visibility = ?, owner = ?, disk_format = ?, \
         container_format = ?, size = ?, virtual_size = ?, checksum = ?, os_hash_algo = ?, \
         os_hash_value = ?, min_disk = ?, min_ram = ?, protected = ?, os_hidden = ?, updated_at = ? \
         WHERE id = ? AND status = ? AND NOT deleted",
    );
    let statement = bind_columns(statement, image)?
        .bind(image.id)
        .bind(from.as_str());
    guarded(db, &statement, image.id).await?;
    properties::update(db, image).await?;
    tags::update(db, image).await?;
    if let Some(moves) = moves {
        locations::apply(db, image.id, from, moves, image.updated_at).await?;
    }
    read(db, image.id).await?.ok_or(Error::Gone(image.id))
}

/// Moves an image from any of `from` to `to`, and says where it was.
pub async fn transit(
    db: &mut Connection,
    id: ImageId,
    from: &[Status],
    to: Status,
    now: DateTime<Utc>,
) -> Result<Status> {
    let was = status(db, id).await?.ok_or(Error::Gone(id))?;
    if !from.contains(&was) {
        return Err(Error::Conflict { id, status: was });
    }
    let statement = query(
        "UPDATE images SET status = ?, updated_at = ? WHERE id = ? AND status = ? AND NOT deleted",
    )
    .bind(to.as_str())
    .bind(now)
    .bind(id)
    .bind(was.as_str());
    guarded(db, &statement, id).await?;
    Ok(was)
}

/// Holds an image that nobody has changed since it was read; otherwise [`Error::Conflict`]. Its locations, and
/// the lock of a task on it, are guarded where they are changed.
async fn unchanged(db: &mut Connection, was: &Image) -> Result<()> {
    hold(db, was.id).await?;
    let now = read(db, was.id).await?.ok_or(Error::Gone(was.id))?;
    let alike = |image: &Image| {
        let mut image = image.clone();
        image.properties.remove(TASK_LOCK);
        image.locations.clear();
        image.updated_at = was.updated_at;
        image
    };
    if alike(&now) == alike(was) {
        return Ok(());
    }
    Err(Error::Conflict {
        id: was.id,
        status: now.status,
    })
}

/// Keeps others from changing the live image `id`, and what belongs to it, until the transaction ends.
pub async fn hold(db: &mut Connection, id: ImageId) -> Result<()> {
    let found = query("SELECT id FROM images WHERE id = ? AND NOT deleted")
        .bind(id)
        .then(FOR_UPDATE)
        .fetch_optional(db)
        .await?;
    found.map(drop).ok_or(Error::Gone(id))
}

/// The live image `id` with everything that belongs to it.
async fn read(db: &mut Connection, id: ImageId) -> Result<Option<Image>> {
    let row = query(format!("SELECT {IMAGE_COLUMNS}, "))
        .then(BELONGINGS)
        .then(" FROM images WHERE NOT deleted AND id = ?")
        .bind(id)
        .fetch_optional(db)
        .await?;
    row.as_ref().map(row::image).transpose()
}

/// The status of the live image `id`.
async fn status(db: &mut Connection, id: ImageId) -> Result<Option<Status>> {
    let row = query("SELECT status FROM images WHERE id = ? AND NOT deleted")
        .bind(id)
        .fetch_optional(db)
        .await?;
    row.map(|row| row::parsed("images", &row.get::<String>("status")?))
        .transpose()
}

/// Runs a change of `id` that its own `WHERE` guards, and says why where it found no row.
async fn guarded(db: &mut Connection, change: &Statement, id: ImageId) -> Result<()> {
    if change.execute(db).await? > 0 {
        return Ok(());
    }
    Err(match status(db, id).await? {
        Some(status) => Error::Conflict { id, status },
        None => Error::Gone(id),
    })
}

/// Sets `updated_at`, for a change to what belongs to the image. Holds the image for the transaction.
pub async fn touch(db: &mut Connection, id: ImageId, now: DateTime<Utc>) -> Result<()> {
    let touched = query("UPDATE images SET updated_at = ? WHERE id = ? AND NOT deleted")
        .bind(now)
        .bind(id)
        .execute(db)
        .await?;
    match touched {
        0 => Err(Error::Gone(id)),
        _ => Ok(()),
    }
}

/// The columns that making and changing an image have in common, in the order of both statements.
fn bind_columns(statement: Statement, image: &Image) -> Result<Statement> {
    let statement = statement
        .bind(&image.name)
        .bind(image.status.as_str())
        .bind(image.visibility.as_str())
        .bind(&image.owner)
        .bind(&image.disk_format)
        .bind(&image.container_format)
        .bind(size(image.size)?)
        .bind(size(image.virtual_size)?);
    Ok(bind_checksums(statement, &image.checksums)
        .bind(image.min_disk)
        .bind(image.min_ram)
        .bind(image.protected)
        .bind(image.hidden)
        .bind(image.updated_at))
}

/// The columns `checksum`, `os_hash_algo`, `os_hash_value`.
fn bind_checksums(statement: Statement, checksums: &Checksums) -> Statement {
    let secure = checksums.secure.as_ref();
    statement
        .bind(&checksums.md5)
        .bind(checksums.algorithm().map(HashAlgorithm::as_str))
        .bind(secure.map(|hash| hash.value.as_str()))
}

fn size(size: Option<u64>) -> Result<Option<i64>> {
    size.map(i64::try_from)
        .transpose()
        .map_err(|_| Error::Failed("a size does not fit its column".to_owned()))
}
