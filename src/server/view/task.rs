//! A task as clients see it: by itself, and among those of its image, where it looks like its row.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::task_list;
use crate::domain::task::Task;

/// A task by itself.
pub(in crate::server) fn task(task: &Task) -> Value {
    let mut view = task_list::stub(&task.stub);
    view["input"] = json!(task.input);
    view["result"] = json!(task.result);
    view["message"] = json!(task.message);
    for (name, value) in [
        ("image_id", &task.image_id),
        ("request_id", &task.request_id),
        ("user_id", &task.user_id),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            view[name] = json!(value);
        }
    }
    view
}

/// The tasks of an image.
pub(in crate::server) fn image_tasks(tasks: &[Task]) -> Value {
    json!({"tasks": tasks.iter().map(row).collect::<Vec<_>>()})
}

fn row(task: &Task) -> Value {
    let stub = &task.stub;
    json!({
        "id": stub.id,
        "type": stub.kind,
        "status": stub.status,
        "owner": stub.owner,
        "expires_at": stub.expires_at.map(precise),
        "created_at": precise(stub.created_at),
        "updated_at": task.changed_at.map(precise),
        // Those that are deleted are not shown.
        "deleted_at": null,
        "deleted": false,
        "image_id": task.image_id,
        "request_id": task.request_id,
        "user_id": task.user_id,
        "input": task.input,
        "result": task.result,
        "message": task.message,
    })
}

fn precise(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}
