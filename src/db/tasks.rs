//! Tasks one by one: written down, begun, ended; and the lock that a task has on its image.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row as _;

use super::dialect::{self, Row, stamp};
use super::{Db, Error, Result, task_list};
use crate::domain::ImageId;
use crate::domain::property::TASK_LOCK;
use crate::domain::task_record::{TaskEnd, TaskRecord};

impl Db {
    /// Writes a task down, and locks its image for it. False where another task has the lock.
    pub async fn create_task_with_lock(&self, image: ImageId, task: &TaskRecord) -> Result<bool> {
        let now = task.stub.created_at;
        let mut db = self.link.write().await?;
        // A lock that was given back may have left its row.
        let revived = dialect::query(
            "UPDATE image_properties SET value = ?, updated_at = ?, deleted = FALSE \
             WHERE image_id = ? AND name = ? AND deleted",
        )
        .bind(&task.stub.id)
        .bind(stamp(now))
        .bind(image.as_str())
        .bind(TASK_LOCK)
        .execute(&mut *db)
        .await?;
        if revived.rows_affected() == 0 {
            let locked = dialect::query(
                "INSERT INTO image_properties \
                 (image_id, name, value, created_at, updated_at, deleted) \
                 VALUES (?, ?, ?, ?, ?, FALSE)",
            )
            .bind(image.as_str())
            .bind(TASK_LOCK)
            .bind(&task.stub.id)
            .bind(stamp(now))
            .bind(stamp(now))
            .execute(&mut *db)
            .await;
            if let Err(error) = locked {
                return match error.as_database_error() {
                    Some(taken) if taken.is_unique_violation() => Ok(false),
                    _ => Err(error.into()),
                };
            }
        }
        dialect::query(
            "INSERT INTO tasks (id, type, status, owner, created_at, updated_at, deleted, image_id, \
             request_id, user_id) VALUES (?, ?, ?, ?, ?, ?, FALSE, ?, ?, ?)",
        )
        .bind(&task.stub.id)
        .bind(&task.stub.kind)
        .bind(&task.stub.status)
        .bind(&task.stub.owner)
        .bind(stamp(now))
        .bind(stamp(now))
        .bind(&task.image)
        .bind(&task.request)
        .bind(&task.user)
        .execute(&mut *db)
        .await?;
        dialect::query(
            "INSERT INTO task_info (task_id, input, result, message) VALUES (?, ?, ?, ?)",
        )
        .bind(&task.stub.id)
        .bind(task.input.to_string())
        .bind(task.result.to_string())
        .bind(&task.message)
        .execute(&mut *db)
        .await?;
        db.commit().await?;
        Ok(true)
    }

    /// Gives the lock of a task back, where it has it.
    pub async fn unlock_image(&self, image: ImageId, task: &str) -> Result<bool> {
        let mut db = self.link.write().await?;
        let done = dialect::query(
            "DELETE FROM image_properties \
             WHERE image_id = ? AND name = ? AND value = ? AND NOT deleted",
        )
        .bind(image.as_str())
        .bind(TASK_LOCK)
        .bind(task)
        .execute(&mut *db)
        .await?;
        db.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Moves a task from `pending` to `processing`. False where somebody else did, or ended it.
    pub async fn begin_task(&self, task: &str, now: DateTime<Utc>) -> Result<bool> {
        let mut db = self.link.write().await?;
        let done = dialect::query(
            "UPDATE tasks SET status = 'processing', updated_at = ? \
             WHERE id = ? AND status = 'pending' AND NOT deleted",
        )
        .bind(stamp(now))
        .bind(task)
        .execute(&mut *db)
        .await?;
        db.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Ends a task that has not ended, and lets its record be forgotten later.
    pub async fn end_task(
        &self,
        task: &str,
        end: &TaskEnd,
        now: DateTime<Utc>,
        expires: DateTime<Utc>,
    ) -> Result<()> {
        let (result, message) = match end {
            TaskEnd::Success(result) => (result.to_string(), ""),
            TaskEnd::Failure(why) => (Value::Null.to_string(), why.as_str()),
        };
        let mut db = self.link.write().await?;
        let done = dialect::query(
            "UPDATE tasks SET status = ?, updated_at = ?, expires_at = ? \
             WHERE id = ? AND status IN ('pending', 'processing') AND NOT deleted",
        )
        .bind(end.status())
        .bind(stamp(now))
        .bind(stamp(expires))
        .bind(task)
        .execute(&mut *db)
        .await?;
        if done.rows_affected() > 0 {
            dialect::query("UPDATE task_info SET result = ?, message = ? WHERE task_id = ?")
                .bind(result)
                .bind(message)
                .bind(task)
                .execute(&mut *db)
                .await?;
        }
        db.commit().await
    }

    /// The task of that id.
    pub async fn task(&self, id: &str) -> Result<Option<TaskRecord>> {
        let mut db = self.link.read().await?;
        let row = dialect::query(
            "SELECT id, type, status, owner, created_at, updated_at, expires_at, image_id, request_id, \
             user_id, input, result, message FROM tasks LEFT JOIN task_info ON task_id = id \
             WHERE id = ? AND NOT deleted",
        )
        .bind(id)
        .fetch_optional(&mut *db)
        .await?;
        row.as_ref().map(record).transpose()
    }

    /// The tasks about an image that are not to be forgotten yet, in the order in which they came.
    pub async fn tasks_of_image(
        &self,
        image: ImageId,
        now: DateTime<Utc>,
    ) -> Result<Vec<TaskRecord>> {
        let mut db = self.link.read().await?;
        let rows = dialect::query(
            "SELECT id, type, status, owner, created_at, updated_at, expires_at, image_id, request_id, \
             user_id, input, result, message FROM tasks LEFT JOIN task_info ON task_id = id \
             WHERE image_id = ? AND NOT deleted AND (expires_at IS NULL OR expires_at >= ?) \
             ORDER BY created_at, id",
        )
        .bind(image.as_str())
        .bind(stamp(now))
        .fetch_all(&mut *db)
        .await?;
        rows.iter().map(record).collect()
    }
}

fn record(row: &Row) -> Result<TaskRecord> {
    let json = |column: &'static str| {
        let text: Option<String> = row.try_get(column)?;
        text.map_or(Ok(Value::Null), |text| {
            serde_json::from_str(&text).map_err(|error| Error::Inconsistent {
                table: "task_info",
                what: format!("{column}: {error}"),
            })
        })
    };
    Ok(TaskRecord {
        stub: task_list::stub(row)?,
        image: row.try_get("image_id")?,
        user: row.try_get("user_id")?,
        request: row.try_get("request_id")?,
        input: json("input")?,
        result: json("result")?,
        message: row
            .try_get::<Option<String>, _>("message")?
            .unwrap_or_default(),
    })
}
