//! Tasks one by one: written down, begun, ended; and the lock that a task has on its image.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::dialect::{Connection, Row, Statement, query};
use super::{Db, Error, Result, task_list};
use crate::domain::ImageId;
use crate::domain::property::TASK_LOCK;
use crate::domain::task::{Task, TaskEnd};

const TASK: &str = "SELECT id, type, status, owner, created_at, updated_at, expires_at, image_id, request_id, \
    user_id, input, result, message FROM tasks LEFT JOIN task_info ON task_id = id WHERE NOT deleted";

impl Db {
    /// Writes a task down, and locks its image for it. False where another task has the lock.
    pub async fn create_task_with_lock(&self, image: ImageId, task: &Task) -> Result<bool> {
        let made = self
            .link
            .write(move |mut db| async move {
                lock(&mut db, image, task).await?;
                insert(&mut db, task).await?;
                db.commit_with(true).await
            })
            .await;
        match made {
            Err(Error::Taken(_)) => Ok(false),
            made => made,
        }
    }

    /// Gives the lock of a task back, where it has it.
    pub async fn unlock_image(&self, image: ImageId, task: &str) -> Result<bool> {
        let unlocked = query(
            "DELETE FROM image_properties \
             WHERE image_id = ? AND name = ? AND value = ? AND NOT deleted",
        );
        self.write_one(unlocked.bind(image).bind(TASK_LOCK).bind(task))
            .await
    }

    /// Moves a task from `pending` to `processing`. False where somebody else did, or ended it.
    pub async fn begin_task(&self, task: &str, now: DateTime<Utc>) -> Result<bool> {
        let begun = query(
            "UPDATE tasks SET status = 'processing', updated_at = ? \
             WHERE id = ? AND status = 'pending' AND NOT deleted",
        );
        self.write_one(begun.bind(now).bind(task)).await
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
            TaskEnd::Success(result) => (&result.to_string(), ""),
            TaskEnd::Failure(why) => (&Value::Null.to_string(), why.as_str()),
        };
        self.link
            .write(move |mut db| async move {
                let ended = query(
                    "UPDATE tasks SET status = ?, updated_at = ?, expires_at = ? \
                     WHERE id = ? AND status IN ('pending', 'processing') AND NOT deleted",
                )
                .bind(end.status())
                .bind(now)
                .bind(expires)
                .bind(task)
                .execute(&mut db)
                .await?;
                if ended > 0 {
                    query("UPDATE task_info SET result = ?, message = ? WHERE task_id = ?")
                        .bind(result)
                        .bind(message)
                        .bind(task)
                        .execute(&mut db)
                        .await?;
                }
                db.commit_with(()).await
            })
            .await
    }

    /// The task of that id.
    pub async fn task(&self, id: &str) -> Result<Option<Task>> {
        let mut db = self.link.read().await?;
        let row = query(TASK)
            .then(" AND id = ?")
            .bind(id)
            .fetch_optional(&mut db)
            .await?;
        row.as_ref().map(task).transpose()
    }

    /// The tasks about an image that are not to be forgotten yet, in the order in which they came.
    pub async fn tasks_of(&self, image: ImageId, now: DateTime<Utc>) -> Result<Vec<Task>> {
        let mut db = self.link.read().await?;
        query(TASK)
            .then(" AND image_id = ? AND (expires_at IS NULL OR expires_at >= ?) ORDER BY created_at, id")
            .bind(image)
            .bind(now)
            .fetch_all(&mut db)
            .await?
            .iter()
            .map(task)
            .collect()
    }

    /// Does what changes one row, or none: false.
    async fn write_one(&self, statement: Statement) -> Result<bool> {
        let statement = &statement;
        self.link
            .write(move |mut db| async move {
                let changed = statement.execute(&mut db).await?;
                db.commit_with(changed > 0).await
            })
            .await
    }
}

/// Takes the lock on an image; [`Error::Taken`] where it is held.
async fn lock(db: &mut Connection, image: ImageId, task: &Task) -> Result<()> {
    let now = task.stub.created_at;
    // A lock that was given back may have left its row.
    let revived = query(
        "UPDATE image_properties SET value = ?, updated_at = ?, deleted = FALSE \
         WHERE image_id = ? AND name = ? AND deleted",
    )
    .bind(&task.stub.id)
    .bind(now)
    .bind(image)
    .bind(TASK_LOCK)
    .execute(db)
    .await?;
    if revived == 0 {
        let row = [
            image.into(),
            TASK_LOCK.into(),
            (&task.stub.id).into(),
            now.into(),
            now.into(),
            false.into(),
        ];
        query(
            "INSERT INTO image_properties \
             (image_id, name, value, created_at, updated_at, deleted) VALUES ",
        )
        .rows([row])
        .execute(db)
        .await?;
    }
    Ok(())
}

async fn insert(db: &mut Connection, task: &Task) -> Result<()> {
    let stub = &task.stub;
    let row = [
        (&stub.id).into(),
        (&stub.kind).into(),
        (&stub.status).into(),
        (&stub.owner).into(),
        stub.created_at.into(),
        stub.created_at.into(),
        false.into(),
        (&task.image_id).into(),
        (&task.request_id).into(),
        (&task.user_id).into(),
    ];
    query(
        "INSERT INTO tasks (id, type, status, owner, created_at, updated_at, deleted, image_id, \
         request_id, user_id) VALUES ",
    )
    .rows([row])
    .execute(db)
    .await?;
    let info = [
        (&stub.id).into(),
        (&text(task.input.as_ref())).into(),
        (&text(task.result.as_ref())).into(),
        (&task.message).into(),
    ];
    query("INSERT INTO task_info (task_id, input, result, message) VALUES ")
        .rows([info])
        .execute(db)
        .await?;
    Ok(())
}

/// A document as its column has it.
fn text(document: Option<&Value>) -> Option<String> {
    document.map(ToString::to_string)
}

fn task(row: &Row) -> Result<Task> {
    let document = |column: &str| -> Result<Option<Value>> {
        let text: Option<String> = row.get(column)?;
        let read = text.map(|text| serde_json::from_str(&text)).transpose();
        read.map_err(|error| Error::Inconsistent {
            table: "task_info",
            what: format!("{column}: {error}"),
        })
    };
    Ok(Task {
        stub: task_list::stub(row)?,
        image_id: row.get("image_id")?,
        request_id: row.get("request_id")?,
        user_id: row.get("user_id")?,
        input: document("input")?,
        result: document("result")?,
        message: row.get("message")?,
        changed_at: row.get("updated_at")?,
    })
}
