//! A handler that panics costs its own request and no other.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::StatusCode;

use crate::server::fault::Fault;

/// The layer. Nothing of the handler is looked at after the panic, so nothing can be seen half-done.
pub async fn layer(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(
                path,
                panic = what(panic.as_ref()),
                "a request handler panicked"
            );
            Fault::of(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
    }
}

fn what(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
