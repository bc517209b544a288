//! `/v2/images/{id}/locations`

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde_json::Value;

use crate::domain::Caller;
use crate::ops::Glance;
use crate::server::error::Result;
use crate::server::extract::{Json, NoBody, Path};
use crate::server::view::{self, Document, Empty};

/// `GET /v2/images/{id}/locations`
pub async fn list(
    State(glance): State<Glance>,
    _: NoBody,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<impl IntoResponse> {
    let locations = glance.locations(&caller, &id).await?;
    let locations: Value = locations.iter().map(view::location).collect();
    Ok(Document(locations))
}

/// `POST /v2/images/{id}/locations`
pub async fn add(
    State(glance): State<Glance>,
    caller: Caller,
    Path(id): Path<String>,
    Json(document): Json,
) -> Result<impl IntoResponse> {
    glance.add_location(&caller, &id, &document).await?;
    Ok(Empty(StatusCode::ACCEPTED))
}
