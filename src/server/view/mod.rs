//! The JSON that clients see.

mod cached;
mod image;
mod member;
mod store;
mod task;
mod task_list;

pub(super) use cached::Listing;
pub(super) use image::{image, location, page};
pub(super) use member::{member, members};
pub(super) use store::{store, store_in_detail};
pub(super) use task::{image_tasks, task};
pub(super) use task_list::task_page;

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::error::Result;
use super::fault::Fault;

/// A JSON document as an answer.
#[derive(Debug)]
pub(super) struct Document(pub(super) Value);

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        Text(self.0.to_string()).into_response()
    }
}

/// A value as a JSON document, without a tree of it in memory.
pub(super) fn written(value: &impl Serialize) -> Result<Text<String>> {
    let text = serde_json::to_string(value)
        .map_err(|error| Fault::of(StatusCode::INTERNAL_SERVER_ERROR).because(error.to_string()))?;
    Ok(Text(text))
}

/// A status and nothing else. The original types even that: as a page.
#[derive(Debug)]
pub(super) struct Empty(pub(super) StatusCode);

impl IntoResponse for Empty {
    fn into_response(self) -> Response {
        (self.0, [(CONTENT_TYPE, "text/html; charset=UTF-8")]).into_response()
    }
}

/// A JSON document that is text already.
#[derive(Debug)]
pub(super) struct Text<T>(pub(super) T);

impl<T: IntoResponse> IntoResponse for Text<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}
