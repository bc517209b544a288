//! One task, and those of an image.

use serde_json::Value;

use super::{Error, Glance, Result};
use crate::domain::Caller;
use crate::domain::schema::documents;
use crate::domain::task::{self, Task};

impl Glance {
    /// A task, for those who may use the tasks API: their project's, or anybody's.
    pub async fn task(&self, caller: &Caller, id: &str) -> Result<Task> {
        self.may_see_tasks(caller).await?;
        let task = self.db.task(id).await?;
        task.filter(|task| may_see(caller, task))
            .ok_or_else(|| Error::NoSuchTask(id.to_owned()))
    }

    /// The tasks of an image, for all who may see the image.
    pub async fn tasks_of(&self, caller: &Caller, id: &str) -> Result<Vec<Task>> {
        let image = self.authorized(caller, id, "get_image").await;
        let image = image.map_err(|error| match error {
            Error::NoSuchImage(_) => Error::Hidden,
            other => other,
        })?;
        let mut tasks = self.db.tasks_of(image.id, self.clock.now()).await?;
        tasks.retain(|task| may_see(caller, task));
        Ok(tasks)
    }

    /// Nobody deletes a task.
    pub async fn delete_task(&self, caller: &Caller) -> Result<()> {
        self.may_see_tasks(caller).await?;
        Err(Error::TasksExpire)
    }

    /// Refuses what cannot become a task.
    pub fn check_task(&self, document: &Value) -> Result<()> {
        Ok(task::check(document, &documents::task())?)
    }
}

fn may_see(caller: &Caller, task: &Task) -> bool {
    caller.is_admin || caller.project_id.as_deref() == Some(&task.stub.owner)
}
