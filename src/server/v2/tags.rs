//! `/v2/images/{id}/tags`

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::{NoBody, Path};
use crate::server::view::Empty;

/// `PUT /v2/images/{id}/tags/{tag}`
pub async fn add(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result<impl IntoResponse> {
    glance.add_tag(&caller, &id, &tag).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}

/// `DELETE /v2/images/{id}/tags/{tag}`
pub async fn remove(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Result<impl IntoResponse> {
    glance.remove_tag(&caller, &id, &tag).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}
