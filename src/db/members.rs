//! The projects that images are shared with. A project that comes back gets the row it had, as the original
//! does it, and with it the time when it first came.

use chrono::{DateTime, Utc};

use super::dialect::{Connection, Statement, query};
use super::row::{self, MEMBER_COLUMNS};
use super::{Db, Result, images};
use crate::domain::{ImageId, Member, MemberStatus};

impl Db {
    /// The members of an image, in the order in which they came.
    pub async fn members(&self, id: ImageId) -> Result<Vec<Member>> {
        let mut db = self.link.read().await?;
        select(id)
            .then(" ORDER BY id")
            .fetch_all(&mut db)
            .await?
            .iter()
            .map(row::member)
            .collect()
    }

    pub async fn member(&self, id: ImageId, member: &str) -> Result<Option<Member>> {
        let mut db = self.link.read().await?;
        read(&mut db, id, member).await
    }

    /// Adds a member. `Ok(None)` where it is one already.
    pub async fn create_member(
        &self,
        id: ImageId,
        member: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Member>> {
        self.link
            .write(move |mut db| async move {
                // Nothing else keeps two from adding the same member at once.
                images::hold(&mut db, id).await?;
                if read(&mut db, id, member).await?.is_some() {
                    return Ok(None);
                }
                insert(&mut db, id, member, now).await?;
                let added = read(&mut db, id, member).await?;
                db.commit_with(added).await
            })
            .await
    }

    /// Notes what a member says to the image. None where it is no member.
    pub async fn set_member_status(
        &self,
        id: ImageId,
        member: &str,
        status: MemberStatus,
        now: DateTime<Utc>,
    ) -> Result<Option<Member>> {
        self.link
            .write(move |mut db| async move {
                query(
                    "UPDATE image_members SET status = ?, updated_at = ? \
                     WHERE image_id = ? AND member = ? AND NOT deleted",
                )
                .bind(status.as_str())
                .bind(now)
                .bind(id)
                .bind(member)
                .execute(&mut db)
                .await?;
                let changed = read(&mut db, id, member).await?;
                db.commit_with(changed).await
            })
            .await
    }

    /// Ends a membership. False where there was none.
    pub async fn delete_member(
        &self,
        id: ImageId,
        member: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        self.link
            .write(move |mut db| async move {
                let ended = query(
                    "UPDATE image_members SET deleted = TRUE, deleted_at = ?, updated_at = ? \
                     WHERE image_id = ? AND member = ? AND NOT deleted",
                )
                .bind(now)
                .bind(now)
                .bind(id)
                .bind(member)
                .execute(&mut db)
                .await?;
                db.commit_with(ended > 0).await
            })
            .await
    }
}

/// Gives a member the row it had, or one of its own.
async fn insert(db: &mut Connection, id: ImageId, member: &str, now: DateTime<Utc>) -> Result<()> {
    let had: Option<i64> =
        query("SELECT min(id) AS id FROM image_members WHERE image_id = ? AND member = ?")
            .bind(id)
            .bind(member)
            .fetch_one(db)
            .await?
            .get("id")?;
    let status = MemberStatus::Pending.as_str();
    let written = match had {
        Some(row) => query(
            "UPDATE image_members SET deleted = FALSE, status = ?, updated_at = ? WHERE id = ?",
        )
        .bind(status)
        .bind(now)
        .bind(row),
        None => query(
            "INSERT INTO image_members \
             (image_id, member, can_share, status, created_at, updated_at, deleted) VALUES ",
        )
        .rows([[
            id.into(),
            member.into(),
            false.into(),
            status.into(),
            now.into(),
            now.into(),
            false.into(),
        ]]),
    };
    written.execute(db).await?;
    Ok(())
}

async fn read(db: &mut Connection, id: ImageId, member: &str) -> Result<Option<Member>> {
    let row = select(id)
        .then(" AND member = ? ORDER BY id LIMIT 1")
        .bind(member)
        .fetch_optional(db)
        .await?;
    row.as_ref().map(row::member).transpose()
}

fn select(id: ImageId) -> Statement {
    query(format!(
        "SELECT {MEMBER_COLUMNS} FROM image_members WHERE NOT deleted AND image_id = ?"
    ))
    .bind(id)
}
