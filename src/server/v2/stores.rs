//! `/v2/stores`: the data of an image in one store among several.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::{NoBody, Path};
use crate::server::view::Empty;

/// `DELETE /v2/stores/{store}/{id}`
pub async fn remove(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path((store, id)): Path<(String, String)>,
) -> Result<impl IntoResponse> {
    glance.remove_from_store(&caller, &store, &id).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}
