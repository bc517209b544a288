//! Images one by one: made, read, changed, moved through their life, deleted.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use sqlx::query::Query;
use sqlx::{Database, Row as _};

use super::dialect::{self, BELONGINGS, Connection, Engine, stamp};
use super::row::{self, IMAGE_COLUMNS};
use super::{Db, Error, NewData, Result, bury, locations, properties, tags};
use crate::domain::checksum::Checksums;
use crate::domain::location::Moves;
use crate::domain::{Image, ImageId, Location, Status};

/// A statement with values bound to it.
type Statement<'q> = Query<'q, Engine, <Engine as Database>::Arguments>;

impl Db {
    /// Adds an image with its properties, tags and locations, all or nothing.
    pub async fn create_image(&self, image: &Image) -> Result<()> {
        let statement = dialect::query(
            "INSERT INTO images (name, status, visibility, owner, disk_format, container_format, size, \
             virtual_size, checksum, os_hash_algo, os_hash_value, min_disk, min_ram, protected, \
             os_hidden, updated_at, created_at, id, deleted) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, FALSE)",
        );
        let mut db = self.link.write().await?;
        bind_columns(statement, image)?
            .bind(stamp(image.created_at))
            .bind(image.id.as_str())
            .execute(&mut *db)
            .await
            .map_err(|error| match error.as_database_error() {
                Some(taken) if taken.is_unique_violation() => Error::Duplicate(image.id),
                _ => error.into(),
            })?;
        let now = image.created_at;
        properties::insert(&mut db, image.id, image.properties.iter(), now).await?;
        tags::insert(&mut db, image.id, &image.tags, now).await?;
        locations::insert(&mut db, image.id, &image.locations, now).await?;
        db.commit().await
    }

    /// The image with everything that belongs to it, whoever asks; none where it does not exist or is deleted.
    pub async fn image(&self, id: ImageId) -> Result<Option<Image>> {
        let mut db = self.link.read().await?;
        read(&mut db, id).await
    }

    /// Whether `id` was ever used, by a deleted image too.
    pub async fn image_existed(&self, id: ImageId) -> Result<bool> {
        let mut db = self.link.read().await?;
        let found = dialect::query("SELECT 1 FROM images WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&mut *db)
            .await?;
        Ok(found.is_some())
    }

    /// Writes `image`'s own columns, and what differs in properties and tags, where its row is still in
    /// `from`; as of `image.updated_at`. Locations have their own ways. Gives back what is there now.
    pub async fn update_image(&self, image: &Image, from: Status) -> Result<Image> {
        self.update_and_move(image, from, None).await
    }

    /// Does the same, and moves its data where that is where `moves` expects it.
    pub async fn update_and_move(
        &self,
        image: &Image,
        from: Status,
        moves: Option<&Moves>,
    ) -> Result<Image> {
        let statement = dialect::query(
            "UPDATE images SET name = ?, status = ?, visibility = ?, owner = ?, disk_format = ?, \
             container_format = ?, size = ?, virtual_size = ?, checksum = ?, os_hash_algo = ?, \
             os_hash_value = ?, min_disk = ?, min_ram = ?, protected = ?, os_hidden = ?, updated_at = ? \
             WHERE id = ? AND status = ? AND NOT deleted",
        );
        let mut db = self.link.write().await?;
        let done = bind_columns(statement, image)?
            .bind(image.id.as_str())
            .bind(from.as_str())
            .execute(&mut *db)
            .await?;
        if done.rows_affected() == 0 {
            return Err(refusal(&mut db, image.id).await?);
        }
        properties::update(&mut db, image).await?;
        tags::update(&mut db, image).await?;
        if let Some(moves) = moves {
            locations::apply(&mut db, image.id, from, moves, image.updated_at).await?;
        }
        let written = read(&mut db, image.id).await?;
        db.commit().await?;
        written.ok_or(Error::Gone(image.id))
    }

    /// Moves an image from any of `from` to `to`, and says where it was.
    pub async fn set_status(
        &self,
        id: ImageId,
        from: &[Status],
        to: Status,
        now: DateTime<Utc>,
    ) -> Result<Status> {
        let mut db = self.link.write().await?;
        let was = status(&mut db, id).await?.ok_or(Error::Gone(id))?;
        if !from.contains(&was) {
            return Err(Error::Conflict { id, status: was });
        }
        let done = dialect::query(
            "UPDATE images SET status = ?, updated_at = ? WHERE id = ? AND status = ? AND NOT deleted",
        )
        .bind(to.as_str())
        .bind(stamp(now))
        .bind(id.as_str())
        .bind(was.as_str())
        .execute(&mut *db)
        .await?;
        if done.rows_affected() == 0 {
            return Err(refusal(&mut db, id).await?);
        }
        db.commit().await?;
        Ok(was)
    }

    /// Commits an upload: size, digests, locations and `active` in one transaction, from `saving` alone.
    pub async fn activate_image(
        &self,
        id: ImageId,
        data: &NewData,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let statement = dialect::query(
            "UPDATE images SET size = ?, virtual_size = ?, checksum = ?, os_hash_algo = ?, \
             os_hash_value = ?, status = ?, updated_at = ? WHERE id = ? AND status = ? AND NOT deleted",
        );
        let statement = bind_size(statement, Some(data.size))?;
        let statement = bind_size(statement, data.virtual_size)?;
        let mut db = self.link.write().await?;
        let done = bind_checksums(statement, &data.checksums)
            .bind(Status::Active.as_str())
            .bind(stamp(now))
            .bind(id.as_str())
            .bind(Status::Saving.as_str())
            .execute(&mut *db)
            .await?;
        if done.rows_affected() == 0 {
            return Err(refusal(&mut db, id).await?);
        }
        locations::insert(&mut db, id, &data.locations, now).await?;
        db.commit().await
    }

    /// Writes the hashes of data that is coming in beside an image in `saving`.
    pub async fn note_checksums(
        &self,
        id: ImageId,
        checksums: &Checksums,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let statement = dialect::query(
            "UPDATE images SET checksum = ?, os_hash_algo = ?, os_hash_value = ?, updated_at = ? \
             WHERE id = ? AND status = ? AND NOT deleted",
        );
        let mut db = self.link.write().await?;
        bind_checksums(statement, checksums)
            .bind(stamp(now))
            .bind(id.as_str())
            .bind(Status::Saving.as_str())
            .execute(&mut *db)
            .await?;
        db.commit().await
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
        let mut db = self.link.write().await?;
        let image = read(&mut db, id).await?.ok_or(Error::Gone(id))?;
        let done = dialect::query(
            "UPDATE images SET status = ?, deleted = TRUE, deleted_at = ?, updated_at = ? \
             WHERE id = ? AND NOT deleted",
        )
        .bind(status.as_str())
        .bind(stamp(now))
        .bind(stamp(now))
        .bind(id.as_str())
        .execute(&mut *db)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Gone(id));
        }
        dialect::query("UPDATE image_locations SET status = ? WHERE image_id = ? AND NOT deleted")
            .bind(status.as_str())
            .bind(id.as_str())
            .execute(&mut *db)
            .await?;
        bury::belongings(&mut db, id, now).await?;
        db.commit().await?;
        Ok(image.locations)
    }
}

/// The live image `id` with everything that belongs to it.
async fn read(db: &mut Connection, id: ImageId) -> Result<Option<Image>> {
    let row = QueryBuilder::new(format!(
        "SELECT {IMAGE_COLUMNS}, {BELONGINGS} FROM images WHERE NOT deleted AND id = "
    ))
    .push_bind(id.as_str())
    .build()
    .fetch_optional(db)
    .await?;
    row.as_ref().map(row::image).transpose()
}

/// The status of the live image `id`.
async fn status(db: &mut Connection, id: ImageId) -> Result<Option<Status>> {
    let row = dialect::query("SELECT status FROM images WHERE id = ? AND NOT deleted")
        .bind(id.as_str())
        .fetch_optional(db)
        .await?;
    row.map(|row| row::parsed("images", row.try_get(0)?))
        .transpose()
}

/// Why a guarded change of `id` found no row.
async fn refusal(db: &mut Connection, id: ImageId) -> Result<Error> {
    Ok(match status(db, id).await? {
        Some(status) => Error::Conflict { id, status },
        None => Error::Gone(id),
    })
}

/// Sets `updated_at`, for a change to what belongs to the image.
pub async fn touch(db: &mut Connection, id: ImageId, now: DateTime<Utc>) -> Result<()> {
    let done = dialect::query("UPDATE images SET updated_at = ? WHERE id = ? AND NOT deleted")
        .bind(stamp(now))
        .bind(id.as_str())
        .execute(db)
        .await?;
    match done.rows_affected() {
        0 => Err(Error::Gone(id)),
        _ => Ok(()),
    }
}

/// The columns that making and changing an image have in common, in the order of both statements.
fn bind_columns<'q>(statement: Statement<'q>, image: &'q Image) -> Result<Statement<'q>> {
    let statement = statement
        .bind(&image.name)
        .bind(image.status.as_str())
        .bind(image.visibility.as_str())
        .bind(&image.owner)
        .bind(&image.disk_format)
        .bind(&image.container_format);
    let statement = bind_size(statement, image.size)?;
    let statement = bind_size(statement, image.virtual_size)?;
    Ok(bind_checksums(statement, &image.checksums)
        .bind(i64::from(image.min_disk))
        .bind(i64::from(image.min_ram))
        .bind(image.protected)
        .bind(image.hidden)
        .bind(stamp(image.updated_at)))
}

/// The columns `checksum`, `os_hash_algo`, `os_hash_value`.
fn bind_checksums<'q>(statement: Statement<'q>, checksums: &'q Checksums) -> Statement<'q> {
    let secure = checksums.secure.as_ref();
    statement
        .bind(&checksums.md5)
        .bind(secure.map(|hash| hash.algorithm.as_str()))
        .bind(secure.map(|hash| &hash.value))
}

fn bind_size(statement: Statement<'_>, size: Option<u64>) -> Result<Statement<'_>> {
    let size = size
        .map(i64::try_from)
        .transpose()
        .map_err(|_| Error::Failed("a size does not fit its column".to_owned()))?;
    Ok(statement.bind(size))
}
