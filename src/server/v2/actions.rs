//! `/v2/images/{id}/actions`

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::{NoBody, Path};
use crate::server::view::Empty;

/// `POST /v2/images/{id}/actions/deactivate`
pub async fn deactivate(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    glance.deactivate_image(&caller, &id).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}

/// `POST /v2/images/{id}/actions/reactivate`
pub async fn reactivate(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    glance.reactivate_image(&caller, &id).await?;
    Ok(Empty(StatusCode::NO_CONTENT))
}
