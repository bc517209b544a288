//! `/v2/tasks/{id}`, and what begins a task.

use axum::extract::{FromRequest as _, Request, State};
use axum::response::IntoResponse;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::{AnyBody, Json, NoBody, Path};
use crate::server::fault::Fault;
use crate::server::methods::not_offered;
use crate::server::view::{self, Document};

/// `GET /v2/tasks/{id}`
pub async fn show(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
    _: AnyBody,
) -> Result<impl IntoResponse> {
    let task = glance.task(&caller, &id).await?;
    Ok(Document(view::task(&task)))
}

/// `DELETE /v2/tasks/{id}`
pub async fn delete(State(glance): State<Glance>, caller: Caller, _: AnyBody) -> Result<()> {
    Ok(glance.delete_task(&caller).await?)
}

/// `POST /v2/tasks`: who may not is told so before anything that it says is looked at.
pub async fn create(
    State(glance): State<Glance>,
    caller: Caller,
    request: Request,
) -> Result<Fault> {
    glance.may_see_tasks(&caller).await?;
    let Json(document) = Json::from_request(request, &()).await?;
    glance.check_task(&document)?;
    Ok(not_offered())
}

/// `GET /v2/images/{id}/tasks`
pub async fn of_image(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    let tasks = glance.tasks_of(&caller, &id).await?;
    Ok(Document(view::image_tasks(&tasks)))
}
