//! `/v2/stores`: the data of an image in one store among several.

use axum::extract::State;
use http::StatusCode;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::{NoBody, Path};

/// `DELETE /v2/stores/{store}/{id}`
pub async fn remove(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path((store, id)): Path<(String, String)>,
) -> Result<StatusCode> {
    glance.remove_from_store(&caller, &store, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
