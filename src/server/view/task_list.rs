//! Lists of tasks as clients see them.

use serde_json::{Value, json};

use crate::domain::isotime;
use crate::domain::task_stub::TaskStub;
use crate::ops::task_list::TaskPage;
use crate::server::extract::Query;

/// A page of a list, with links to the first and the next one.
pub(in crate::server) fn task_page(page: &TaskPage, query: &Query) -> Value {
    let mut links = query.for_links();
    let tasks: Vec<Value> = page.tasks.iter().map(stub).collect();
    let mut view = json!({
        "tasks": tasks,
        "first": links.link("/v2/tasks"),
        "schema": "/v2/schemas/tasks",
    });
    if let Some(next) = &page.next {
        links.0.push(("marker".to_owned(), next.clone()));
        view["next"] = links.link("/v2/tasks").into();
    }
    view
}

pub(super) fn stub(task: &TaskStub) -> Value {
    let mut view = json!({
        "id": task.id,
        "type": task.kind,
        "status": task.status,
        "owner": task.owner,
        "created_at": isotime::format(task.created_at),
        "updated_at": isotime::format(task.updated_at),
        "self": format!("/v2/tasks/{}", task.id),
        "schema": "/v2/schemas/task",
    });
    if let Some(expires) = task.expires_at {
        view["expires_at"] = isotime::format(expires).into();
    }
    view
}
