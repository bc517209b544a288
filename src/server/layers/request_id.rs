//! A name for every request: the one that the caller's own service gave it, or a new one. It is on every
//! answer and every line of the access log.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::server::fault::Fault;

const NAME: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// The id of the request, `req-` in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The layer that gives the request its name.
pub async fn layer(mut request: Request, next: Next) -> Response {
    let id = match given(request.headers()) {
        Some(id) if id.starts_with("req-") => id.to_owned(),
        Some(id) => format!("req-{id}"),
        None => format!("req-{}", uuid::Uuid::new_v4()),
    };
    let value = HeaderValue::from_str(&id);
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    if let Ok(value) = value {
        response.headers_mut().entry(NAME).or_insert(value);
    }
    response
}

/// The layer that refuses names which are too long; its state is the length that they may have, 0 for any.
pub async fn limit(State(longest): State<usize>, request: Request, next: Next) -> Response {
    if longest > 0 && given(request.headers()).is_some_and(|id| id.len() > longest) {
        return Fault::of(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            .because(format!("{NAME} is too long, max size {longest}"))
            .into_response();
    }
    next.run(request).await
}

fn given(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(NAME)?.to_str().ok()?;
    Some(id).filter(|id| !id.is_empty())
}
