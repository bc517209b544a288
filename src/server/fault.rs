//! An answer that says no, before anyone has decided how to spell it.
//!
//! A handler or a layer makes a [`Fault`]; `layers::faults` writes it as HTML, JSON or plain text, as the
//! `Accept` header wishes.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

/// A status, the sentence that clients show, and headers that belong to it.
#[derive(Debug, Clone)]
pub struct Fault {
    pub status: StatusCode,
    /// In place of the explanation that the status has of its own.
    pub sentence: String,
    /// `Allow`, `Accept-Patch`, `WWW-Authenticate`, ...
    pub headers: HeaderMap,
}

impl Fault {
    pub fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
            headers: HeaderMap::new(),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(self.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}
