//! `/v2/tasks`

use axum::extract::State;
use axum::response::IntoResponse;

use crate::domain::Caller;
use crate::domain::task_stub::TaskListing;
use crate::ops::{Error, Glance};
use crate::server::error::Result;
use crate::server::extract::{AnyBody, Query};
use crate::server::view::{self, Document};

/// `GET /v2/tasks`
pub async fn list(
    State(glance): State<Glance>,
    caller: Caller,
    query: Query,
    _: AnyBody,
) -> Result<impl IntoResponse> {
    glance.may_see_tasks(&caller).await?;
    let listing = TaskListing::read(&query.0).map_err(Error::from)?;
    let page = glance.list_tasks(&caller, &listing).await?;
    Ok(Document(view::task_page(&page, &query)))
}
