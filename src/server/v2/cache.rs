//! `/v2/cache`: the copies on this node.

use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::domain::Caller;
use crate::ops::cached::Clear;
use crate::ops::{Error, Glance};
use crate::server::error::Result;
use crate::server::extract::{Json, NoBody, Path, Query};
use crate::server::fault::Fault;
use crate::server::view::{self, Document, Empty, Listing};

/// `GET /v2/cache`
pub async fn show(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
) -> Result<impl IntoResponse> {
    let holdings = glance.holdings(&caller).await?;
    let listing = Listing::of(Some(&holdings.cached), Some(&holdings.queued));
    view::written(&listing)
}

/// `DELETE /v2/cache`
pub async fn clear(
    State(glance): State<Glance>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<impl IntoResponse> {
    glance.may_clear_cache(&caller).await?;
    let target = headers.get("x-image-cache-clear-target");
    let target = target.map_or("", |target| target.to_str().unwrap_or("?"));
    let what = match target.to_ascii_lowercase().as_str() {
        "" => Clear::Both,
        "cache" => Clear::Cached,
        "queue" => Clear::Queued,
        _ => {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.",
            ));
        }
    };
    glance.clear_cache(&caller, what).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}

/// `PUT /v2/cache/{id}`
pub async fn fetch(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    glance.cache_image(&caller, &id).await?;
    Ok(Empty(StatusCode::ACCEPTED))
}

/// `DELETE /v2/cache/{id}`
pub async fn remove(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    glance.uncache_image(&caller, &id).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}

/// `GET /v2/cache/pins`, a call of our own
pub async fn pins(State(glance): State<Glance>, caller: Caller) -> Result<impl IntoResponse> {
    let pins = glance.pinned_images(&caller).await?;
    Ok(Document(json!(pins)))
}

/// `PUT /v2/cache/pins/{id}`, a call of our own; `?by=` says by what the image was found.
pub async fn pin(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query,
) -> Result<StatusCode> {
    let by = query.iter().find(|(name, _)| name == "by");
    let by = by.map_or("", |(_, by)| by.as_str());
    glance.pin_image(&caller, &id, by).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v2/cache/pins/{id}`, a call of our own
pub async fn unpin(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    glance.unpin_image(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v2/cache/nodes/{id}`
pub async fn nodes(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    let nodes = glance.nodes_caching(&caller, &id).await?;
    Ok(Document(json!(nodes)))
}

/// `GET /v2/cache_nodes`, a call of our own
pub async fn all_nodes(State(glance): State<Glance>, caller: Caller) -> Result<impl IntoResponse> {
    view::written(&glance.cache_nodes(&caller).await?)
}

/// `PUT /v2/cache_node/{id}/lead`, a call of our own, which nodes make
pub async fn lead(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
    Json(wish): Json,
) -> Result<impl IntoResponse> {
    let id = (id.parse()).map_err(|_| Error::NoSuchImage(id))?;
    let asker = wish["node"].as_str().ok_or(Error::UnknownNode)?;
    let instead_of = wish["instead_of"].as_str();
    let node = glance.lead(&caller, id, asker, instead_of).await?;
    Ok(Document(json!({"node": node})))
}

/// `POST /v2/cache/clean`
pub async fn clean(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
) -> Result<impl IntoResponse> {
    glance.clean_cache(&caller).await?;
    Ok(Empty(StatusCode::OK))
}

/// `POST /v2/cache/prune`
pub async fn prune(State(glance): State<Glance>, caller: Caller) -> Result<impl IntoResponse> {
    let pruned = glance.prune_cache(&caller).await?;
    Ok(Document(json!({
        "total_files_pruned": pruned.files,
        "total_bytes_pruned": pruned.bytes,
    })))
}
