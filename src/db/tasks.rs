//! Tasks as a whole.

use serde_json::Value;
use sqlx::Row as _;

use super::dialect::{self, Row};
use super::task_list::{stub, time};
use super::{Db, Error, Result};
use crate::domain::ImageId;
use crate::domain::task::Task;

impl Db {
    /// The task of this id, whoever's it is.
    pub async fn task(&self, id: &str) -> Result<Option<Task>> {
        let mut db = self.link.read().await?;
        let row = dialect::query(
            "SELECT id, type, status, owner, created_at, updated_at, expires_at, image_id, \
             request_id, user_id, input, result, message FROM tasks \
             LEFT JOIN task_info ON task_id = id WHERE id = ? AND NOT deleted",
        )
        .bind(id)
        .fetch_optional(&mut *db)
        .await?;
        row.as_ref().map(task).transpose()
    }

    /// The tasks of an image that have not expired, oldest first.
    pub async fn tasks_of(
        &self,
        image: ImageId,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<Task>> {
        let mut db = self.link.read().await?;
        let rows = dialect::query(
            "SELECT id, type, status, owner, created_at, updated_at, expires_at, image_id, \
             request_id, user_id, input, result, message FROM tasks \
             LEFT JOIN task_info ON task_id = id WHERE image_id = ? AND NOT deleted \
             AND (expires_at IS NULL OR expires_at >= ?) ORDER BY created_at, id",
        )
        .bind(image.to_string())
        .bind(dialect::stamp(now))
        .fetch_all(&mut *db)
        .await?;
        rows.iter().map(task).collect()
    }
}

fn task(row: &Row) -> Result<Task> {
    let document = |column: &str| -> Result<Option<Value>> {
        let text: Option<String> = row.try_get(column)?;
        let read = text.map(|text| serde_json::from_str(&text)).transpose();
        read.map_err(|error| Error::Inconsistent {
            table: "task_info",
            what: format!("{column}: {error}"),
        })
    };
    Ok(Task {
        stub: stub(row)?,
        image_id: row.try_get("image_id")?,
        request_id: row.try_get("request_id")?,
        user_id: row.try_get("user_id")?,
        input: document("input")?,
        result: document("result")?,
        message: row.try_get("message")?,
        changed_at: time(row, "updated_at")?,
    })
}
