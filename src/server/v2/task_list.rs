//! `/v2/tasks`

use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::domain::Caller;
use crate::domain::task_stub::TaskListing;
use crate::ops::{Error, Glance};
use crate::server::error::Result;
use crate::server::extract::{NoBody, Path, Query};
use crate::server::view::{self, Document};

/// `GET /v2/tasks`
pub async fn list(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    query: Query,
) -> Result<impl IntoResponse> {
    glance.may_see_tasks(&caller)?;
    let listing = TaskListing::read(&query.0).map_err(Error::from)?;
    let page = glance.list_tasks(&caller, &listing).await?;
    Ok(Document(view::task_page(&page, &query)))
}

/// `GET /v2/images/{id}/tasks`
pub async fn of_image(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    let tasks = glance.tasks_of_image(&caller, &id).await?;
    let tasks: Value = tasks.iter().map(view::task_of_image).collect();
    Ok(Document(json!({ "tasks": tasks })))
}
