//! `/v2/cached_images` and `/v2/queued_images`: the calls that the cache's tools make, where the pipeline
//! offers them; beside them `/v2/cache_node`, which is ours.

use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::Path;
use crate::server::view::{self, Document, Listing};

/// `GET /v2/cached_images`
pub async fn list(State(glance): State<Glance>, caller: Caller) -> Result<impl IntoResponse> {
    let entries = glance.cached_images(&caller).await?;
    view::written(&Listing::of(Some(&entries), None))
}

/// `DELETE /v2/cached_images`
pub async fn clear(State(glance): State<Glance>, caller: Caller) -> Result<impl IntoResponse> {
    let count = glance.drop_cached_images(&caller).await?;
    Ok(Document(json!({"num_deleted": count})))
}

/// `DELETE /v2/cached_images/{id}`
pub async fn remove(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    glance.drop_cached_image(&caller, &id).await?;
    Ok(Document(Value::Null))
}

/// `GET /v2/queued_images`
pub async fn queue(State(glance): State<Glance>, caller: Caller) -> Result<impl IntoResponse> {
    let ids = glance.queued_images(&caller).await?;
    view::written(&Listing::of(None, Some(&ids)))
}

/// `DELETE /v2/queued_images`
pub async fn clear_queue(
    State(glance): State<Glance>,
    caller: Caller,
) -> Result<impl IntoResponse> {
    let count = glance.drop_queued_images(&caller).await?;
    Ok(Document(json!({"num_deleted": count})))
}

/// `PUT /v2/queued_images/{id}`
pub async fn enqueue(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    glance.queue_image(&caller, &id).await?;
    Ok(Document(Value::Null))
}

/// `DELETE /v2/queued_images/{id}`
pub async fn dequeue(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    glance.drop_queued_image(&caller, &id).await?;
    Ok(Document(Value::Null))
}

/// How many of the copies with the most hits are told.
const HOT: usize = 100;

/// `GET /v2/cache_node`
pub async fn overview(State(glance): State<Glance>, caller: Caller) -> Result<impl IntoResponse> {
    view::written(&glance.overview(&caller, HOT).await?)
}

/// `GET /v2/cache_node/{id}`
pub async fn profile(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    view::written(&glance.profile(&caller, &id).await?)
}
