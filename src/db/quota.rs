//! What projects have, and room that is held for data on its way to them.
//!
//! Whoever adds something asks first, and the answer counts only if nobody else can get the same one for the same
//! room. So there is a lock that all nodes know: a row that each of them changes before it counts. It is kept among
//! the tasks, marked as deleted, where nobody is shown it and `db purge` may take it away.
//!
//! Held room is a row as well, a property of the image, and marked as deleted from the start: no image shows it.
//! It counts as long as the image takes its data in, and as long as somebody renews it. So nothing is left of it
//! where a process dies: its image goes back to waiting, or nobody renews the row.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::dialect::{BIGINT, Connection, List, Statement, query};
use super::{Db, Error, Result, images};
use crate::domain::location::Moves;
use crate::domain::property::{HELD_ROOM, IMPORTING_TO};
use crate::domain::{Image, ImageId, Status};

/// Held room that was not renewed for so long is held no more. It covers clocks of nodes that go differently.
pub const LEASE: Duration = Duration::from_mins(10);

/// Projects share this many locks: each is held for a moment only, and none for a project alone.
const LOCKS: u8 = 32;

/// What some projects have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in stores, each place of an image counted.
    pub stored: u64,
    /// Bytes that wait for their import, or are copied.
    pub staged: u64,
    /// Room that is held for data on its way to a store.
    pub held: u64,
    /// Room that is held for data that will wait for its import.
    pub held_for_staging: u64,
    pub images: u64,
    /// Images that take data in, or are copied.
    pub uploading: u64,
}

/// Whom to ask before something is added, with the lock that makes the answer count.
pub struct Gate<'g, R> {
    /// Who has the same key waits for the other.
    pub key: &'g str,
    /// Projects that are counted together. A group without a project is about images that belong to nobody.
    pub groups: &'g [Vec<String>],
    /// Its bytes and its room are not counted.
    pub besides: Option<ImageId>,
    /// Says how many bytes to hold, or why not; it hears what each group has, with the change already made.
    pub judge: &'g (dyn Fn(&[Usage]) -> std::result::Result<u64, R> + Sync),
}

impl<R> fmt::Debug for Gate<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("groups", &self.groups)
            .field("besides", &self.besides)
            .finish_non_exhaustive()
    }
}

/// What a gate said: bytes that are held now, or a refusal, by which nothing has changed.
pub type Judged<R> = Result<std::result::Result<u64, R>>;

impl Db {
    /// What the projects of a group have together.
    pub async fn usage(
        &self,
        group: &[String],
        besides: Option<ImageId>,
        now: DateTime<Utc>,
    ) -> Result<Usage> {
        count(&mut self.link.read().await?, group, besides, now).await
    }

    /// Adds an image where the gate lets it.
    pub async fn create_image_within<R: Send>(
        &self,
        image: &Image,
        gate: &Gate<'_, R>,
    ) -> Judged<R> {
        self.link
            .write(move |mut db| async move {
                lock(&mut db, gate.key, image.created_at).await?;
                images::insert(&mut db, image).await?;
                match judge(&mut db, gate, image.created_at).await? {
                    Ok(bytes) => db.commit_with(Ok(bytes)).await,
                    refused => Ok(refused),
                }
            })
            .await
    }

    /// Writes an image and moves its data as [`Db::update_and_move`] does, where the gate lets it.
    pub async fn move_within<R: Send>(
        &self,
        image: &Image,
        was: &Image,
        moves: &Moves,
        gate: &Gate<'_, R>,
    ) -> Result<std::result::Result<Image, R>> {
        self.link
            .write(move |mut db| async move {
                lock(&mut db, gate.key, image.updated_at).await?;
                let written = images::write(&mut db, image, was.into(), Some(moves)).await?;
                match judge(&mut db, gate, image.updated_at).await? {
                    Ok(_) => db.commit_with(Ok(written)).await,
                    Err(refused) => Ok(Err(refused)),
                }
            })
            .await
    }

    /// Lets an image take its data in, from `queued` to `during`, and holds room for it, where the gate lets it.
    pub async fn begin_within<R: Send>(
        &self,
        id: ImageId,
        during: Status,
        gate: &Gate<'_, R>,
        now: DateTime<Utc>,
    ) -> Judged<R> {
        self.link
            .write(move |mut db| async move {
                lock(&mut db, gate.key, now).await?;
                images::transit(&mut db, id, &[Status::Queued], during, now).await?;
                held(db, id, gate, now).await
            })
            .await
    }

    /// Holds as much room for an image as the gate says now.
    pub async fn hold_within<R: Send>(
        &self,
        id: ImageId,
        gate: &Gate<'_, R>,
        now: DateTime<Utc>,
    ) -> Judged<R> {
        self.link
            .write(move |mut db| async move {
                lock(&mut db, gate.key, now).await?;
                held(db, id, gate, now).await
            })
            .await
    }

    /// Renews the room that is held for an image. False where it was not renewed for too long before: it is held no
    /// more then, and others may have got it.
    pub async fn renew_room(&self, id: ImageId, now: DateTime<Utc>) -> Result<bool> {
        // A row that was deleted long ago would be purged.
        let renewed = query(
            "UPDATE image_properties SET updated_at = ?, deleted_at = ? \
             WHERE image_id = ? AND name = ? AND updated_at > ?",
        );
        let renewed = renewed.bind(now).bind(now).bind(id).bind(HELD_ROOM);
        let rows = self.change_room(&renewed.bind(now - LEASE)).await?;
        Ok(rows > 0)
    }

    /// Holds no more room for an image.
    pub async fn release_room(&self, id: ImageId) -> Result<()> {
        let released = query("DELETE FROM image_properties WHERE image_id = ? AND name = ?");
        let released = released.bind(id).bind(HELD_ROOM);
        self.change_room(&released).await.map(drop)
    }

    async fn change_room(&self, change: &Statement) -> Result<u64> {
        self.link
            .write(move |mut db| async move {
                let rows = change.execute(&mut db).await?;
                db.commit_with(rows).await
            })
            .await
    }
}

/// Ends a transaction with what the gate says; what was done in it before happens only if that is yes.
async fn held<R>(
    mut db: Connection,
    id: ImageId,
    gate: &Gate<'_, R>,
    now: DateTime<Utc>,
) -> Judged<R> {
    let bytes = match judge(&mut db, gate, now).await? {
        Ok(bytes) => bytes,
        refused => return Ok(refused),
    };
    let changed = query(
        "UPDATE image_properties SET value = ?, updated_at = ?, deleted_at = ?, deleted = TRUE \
         WHERE image_id = ? AND name = ?",
    )
    .bind(bytes.to_string())
    .bind(now)
    .bind(now)
    .bind(id)
    .bind(HELD_ROOM)
    .execute(&mut db)
    .await?;
    if changed == 0 {
        let row = [
            id.into(),
            HELD_ROOM.into(),
            bytes.to_string().into(),
            now.into(),
            now.into(),
            now.into(),
            true.into(),
        ];
        query(
            "INSERT INTO image_properties \
             (image_id, name, value, created_at, updated_at, deleted_at, deleted) VALUES ",
        )
        .rows([row])
        .execute(&mut db)
        .await?;
    }
    db.commit_with(Ok(bytes)).await
}

async fn judge<R>(db: &mut Connection, gate: &Gate<'_, R>, now: DateTime<Utc>) -> Judged<R> {
    let mut usage = Vec::with_capacity(gate.groups.len());
    for group in gate.groups {
        usage.push(count(db, group, gate.besides, now).await?);
    }
    Ok((gate.judge)(&usage))
}

/// Keeps everybody else with the same key waiting until the transaction ends. The row really changes, or clusters
/// whose nodes all write would not see that two of them did.
async fn lock(db: &mut Connection, key: &str, now: DateTime<Utc>) -> Result<()> {
    let number = key.bytes().fold(0, u8::wrapping_add) % LOCKS;
    let id = format!("os_glance_quota_{number:02}");
    let turn = uuid::Uuid::new_v4().to_string();
    let locked = query("UPDATE tasks SET request_id = ?, updated_at = ? WHERE id = ?")
        .bind(&turn)
        .bind(now)
        .bind(&id)
        .execute(db)
        .await?;
    if locked > 0 {
        return Ok(());
    }
    let row = [
        (&id).into(),
        "os_glance_quota".into(),
        "success".into(),
        "".into(),
        now.into(),
        now.into(),
        now.into(),
        true.into(),
        (&turn).into(),
    ];
    let made = query(
        "INSERT INTO tasks (id, type, status, owner, created_at, updated_at, deleted_at, deleted, \
         request_id) VALUES ",
    )
    .rows([row])
    .execute(db)
    .await;
    match made {
        Ok(_) => Ok(()),
        // Somebody was quicker to make the row: to wait for it takes another transaction.
        Err(Error::Taken(why)) => Err(Error::Contended(why)),
        Err(error) => Err(error),
    }
}

/// What a group has, in one statement.
async fn count(
    db: &mut Connection,
    group: &[String],
    besides: Option<ImageId>,
    now: DateTime<Utc>,
) -> Result<Usage> {
    // No image has this id.
    let besides = besides.map_or_else(String::new, |id| id.to_string());
    let row = counting(group, &besides, now).fetch_one(db).await?;
    let natural = |column| Ok::<_, Error>(u64::try_from(row.get::<i64>(column)?).unwrap_or(0));
    Ok(Usage {
        stored: natural("stored")?,
        staged: natural("staged")?,
        held: natural("held")?,
        held_for_staging: natural("held_for_staging")?,
        images: natural("images")?,
        uploading: natural("uploading")?,
    })
}

/// What [`Usage`] is made of, as sums over images.
const SUMS: [(&str, &str); 6] = [
    ("stored", "CASE WHEN counts THEN size * places ELSE 0 END"),
    (
        "staged",
        "CASE WHEN status IN ('uploading', 'importing') OR copied THEN size ELSE 0 END",
    ),
    ("held", "CASE WHEN status = 'saving' THEN room ELSE 0 END"),
    (
        "held_for_staging",
        "CASE WHEN status = 'uploading' AND size = 0 THEN room ELSE 0 END",
    ),
    ("images", "1"),
    (
        "uploading",
        "CASE WHEN status IN ('saving', 'uploading', 'importing') OR copied THEN 1 ELSE 0 END",
    ),
];

fn counting(group: &[String], besides: &str, now: DateTime<Utc>) -> Statement {
    let mut sums = query("SELECT ");
    for (at, (name, sum)) in SUMS.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        sums.push(format!("{comma}CAST(COALESCE(SUM({sum}), 0) AS "))
            .push(BIGINT)
            .push(format!(") AS {name}"));
    }
    let each = query(
        " FROM (SELECT images.status, images.id <> ? AS counts, \
         CASE WHEN images.size > 0 THEN images.size ELSE 0 END AS size, \
         (SELECT COUNT(*) FROM image_locations AS l \
          WHERE l.image_id = images.id AND l.status <> 'deleted') AS places, \
         EXISTS (SELECT 1 FROM image_properties AS p \
          WHERE p.image_id = images.id AND p.name = ? AND p.value <> '' AND NOT p.deleted) AS copied, \
         CASE WHEN images.id <> ? AND images.status IN ('saving', 'uploading') THEN \
          COALESCE((SELECT CAST(p.value AS ",
    )
    .bind(besides)
    .bind(IMPORTING_TO)
    .bind(besides)
    .then(BIGINT)
    .then(
        ") FROM image_properties AS p \
          WHERE p.image_id = images.id AND p.name = ? AND p.updated_at > ?), 0) ELSE 0 END AS room \
         FROM images WHERE images.status NOT IN ('killed', 'deleted', 'pending_delete') AND ",
    )
    .bind(HELD_ROOM)
    .bind(now - LEASE);
    sums.append(each);
    match group {
        [] => sums.push("images.owner IS NULL"),
        [owner] => sums.push("images.owner = ").push_bind(owner),
        several => sums
            .push("images.owner IN ")
            .push_bind(List::texts(several)),
    };
    sums.push(") AS mine");
    sums
}
