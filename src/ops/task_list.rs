//! The work that goes on after its request, for those who may use the tasks API.

use super::{Glance, Result};
use crate::domain::Caller;
use crate::domain::task_stub::{NoTaskList, TaskListing, TaskStub};
use crate::policy::Target;

/// A page of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPage {
    pub tasks: Vec<TaskStub>,
    /// The task that the next page follows, where there may be one.
    pub next: Option<String>,
}

impl Glance {
    /// Whether the caller may use the tasks API. It is asked before anything that it says is looked at.
    pub async fn may_see_tasks(&self, caller: &Caller) -> Result<()> {
        self.permit_plainly(caller, "tasks_api_access", &Target::new())
            .await
    }

    /// A page of the tasks that the caller may see: its project's own, or everybody's.
    pub async fn list_tasks(&self, caller: &Caller, listing: &TaskListing) -> Result<TaskPage> {
        self.may_see_tasks(caller).await?;
        let limits = self.image_rules();
        let limit = listing.limit.unwrap_or(limits.page_default);
        let limit = limit.min(limits.page_max);
        let owner = (caller.project_id.as_deref()).filter(|_| !caller.is_admin);
        let tasks = self.db.task_stubs(listing, owner, limit).await?;
        let marker = || listing.marker.clone().unwrap_or_default();
        let tasks = tasks.ok_or_else(|| NoTaskList::NoSuchMarker(marker()))?;
        let full = u32::try_from(tasks.len()) == Ok(limit);
        let next = (tasks.last().filter(|_| full)).map(|task| task.id.clone());
        Ok(TaskPage { tasks, next })
    }
}
