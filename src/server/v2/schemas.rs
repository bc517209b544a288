//! `/v2/schemas`: what documents are like.

use std::future::{Future, ready};

use axum::extract::State;
use axum::response::IntoResponse;

use crate::domain::Caller;
use crate::domain::schema::documents;
use crate::ops::Glance;
use crate::server::extract::NoBody;
use crate::server::view::{Document, Text};

/// `GET /v2/schemas/image`
pub async fn image(State(glance): State<Glance>, _: NoBody, _: Caller) -> impl IntoResponse {
    Document(glance.image_schema().document().clone())
}

/// `GET /v2/schemas/images`
pub async fn images(State(glance): State<Glance>, _: NoBody, _: Caller) -> impl IntoResponse {
    Document(documents::images(glance.image_schema()))
}

/// `GET /v2/schemas/...`, where the document is the same at every site.
pub fn fixed(document: &'static str) -> impl Future<Output = impl IntoResponse> + Send {
    ready(Text(document))
}
