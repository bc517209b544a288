//! The projects that images are shared with. A project that comes back gets the row it had, as the original
//! does it, and with it the time when it first came.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::dialect::{self, Connection, Engine, stamp};
use super::row::{self, MEMBER_COLUMNS};
use super::{Db, Error, Result};
use crate::domain::{ImageId, Member, MemberStatus};

impl Db {
    /// The members of an image, in the order in which they came.
    pub async fn members(&self, id: ImageId) -> Result<Vec<Member>> {
        let mut db = self.link.read().await?;
        select(id)
            .push(" ORDER BY id")
            .build()
            .fetch_all(&mut *db)
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
        let mut db = self.link.write().await?;
        if read(&mut db, id, member).await?.is_some() {
            return Ok(None);
        }
        let done = dialect::query(
            "UPDATE image_members SET deleted = FALSE, status = ?, updated_at = ? WHERE id = \
             (SELECT min(id) FROM image_members WHERE image_id = ? AND member = ?) \
             AND EXISTS (SELECT 1 FROM images WHERE images.id = image_id AND NOT images.deleted)",
        )
        .bind(MemberStatus::Pending.as_str())
        .bind(stamp(now))
        .bind(id.as_str())
        .bind(member)
        .execute(&mut *db)
        .await?;
        if done.rows_affected() == 0 {
            let done = dialect::query(
                "INSERT INTO image_members \
                 (image_id, member, can_share, status, created_at, updated_at, deleted) \
                 SELECT id, ?, FALSE, ?, ?, ?, FALSE FROM images WHERE id = ? AND NOT deleted",
            )
            .bind(member)
            .bind(MemberStatus::Pending.as_str())
            .bind(stamp(now))
            .bind(stamp(now))
            .bind(id.as_str())
            .execute(&mut *db)
            .await?;
            if done.rows_affected() == 0 {
                return Err(Error::Gone(id));
            }
        }
        let created = read(&mut db, id, member).await?;
        db.commit().await?;
        Ok(created)
    }

    /// Notes what a member says to the image. None where it is no member.
    pub async fn set_member_status(
        &self,
        id: ImageId,
        member: &str,
        status: MemberStatus,
        now: DateTime<Utc>,
    ) -> Result<Option<Member>> {
        let mut db = self.link.write().await?;
        dialect::query(
            "UPDATE image_members SET status = ?, updated_at = ? \
             WHERE image_id = ? AND member = ? AND NOT deleted",
        )
        .bind(status.as_str())
        .bind(stamp(now))
        .bind(id.as_str())
        .bind(member)
        .execute(&mut *db)
        .await?;
        let changed = read(&mut db, id, member).await?;
        db.commit().await?;
        Ok(changed)
    }

    /// Ends a membership. False where there was none.
    pub async fn delete_member(
        &self,
        id: ImageId,
        member: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let mut db = self.link.write().await?;
        let done = dialect::query(
            "UPDATE image_members SET deleted = TRUE, deleted_at = ?, updated_at = ? \
             WHERE image_id = ? AND member = ? AND NOT deleted",
        )
        .bind(stamp(now))
        .bind(stamp(now))
        .bind(id.as_str())
        .bind(member)
        .execute(&mut *db)
        .await?;
        db.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

async fn read(db: &mut Connection, id: ImageId, member: &str) -> Result<Option<Member>> {
    let row = select(id)
        .push(" AND member = ")
        .push_bind(member.to_owned())
        .push(" ORDER BY id LIMIT 1")
        .build()
        .fetch_optional(db)
        .await?;
    row.as_ref().map(row::member).transpose()
}

fn select(id: ImageId) -> QueryBuilder<Engine> {
    let mut sql = QueryBuilder::new(format!(
        "SELECT {MEMBER_COLUMNS} FROM image_members WHERE NOT deleted AND image_id = "
    ));
    sql.push_bind(id.as_str().to_owned());
    sql
}
