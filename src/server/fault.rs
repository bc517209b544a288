//! An answer that says no, before anyone has decided how to spell it.
//!
//! A handler or a layer makes a [`Fault`]; [`layers::faults`](super::layers) writes it as HTML, JSON or
//! plain text, as the `Accept` header wishes. A page has two parts: an explanation, of which every status
//! has one of its own, and a detail below it. Clients show both.

use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// A status, the sentences that clients show, and headers that belong to it.
#[derive(Debug, Clone)]
pub struct Fault {
    pub status: StatusCode,
    /// In place of the explanation that the status has of its own; empty keeps that one.
    pub sentence: String,
    /// What comes below the explanation.
    pub detail: String,
    /// `Allow`, `Accept-Patch`, `WWW-Authenticate`, ...
    pub headers: Box<HeaderMap>,
}

impl Fault {
    /// A fault with a sentence of its own.
    pub fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
            detail: String::new(),
            headers: Box::default(),
        }
    }

    /// A fault that says what its status says.
    pub fn of(status: StatusCode) -> Self {
        Self::new(status, "")
    }

    /// Adds what comes below the explanation.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(self.headers.as_ref().clone());
        response.extensions_mut().insert(self);
        response
    }
}

/// No such path.
pub fn not_found() -> Fault {
    Fault::of(StatusCode::NOT_FOUND)
}

/// No such path: a method that nobody has heard of comes first.
pub fn unrouted(method: &Method) -> Fault {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
    ];
    if known.contains(method) {
        not_found()
    } else {
        Fault::of(StatusCode::NOT_IMPLEMENTED)
    }
}

/// The path is there, the method is not. `allow` lists those that are: `GET, POST`.
pub fn method_not_allowed(allow: &'static str) -> Fault {
    Fault::of(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, HeaderValue::from_static(allow))
}

/// The explanation that a status has of its own.
pub(super) fn explanation(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => {
            "This server could not verify that you are authorized to access the document you requested. \
             Either you supplied the wrong credentials (e.g., bad password), or your browser does not \
             understand how to supply the credentials required."
        }
        403 => "Access was denied to this resource.",
        404 => "The resource could not be found.",
        408 => "The server has waited too long for the request to be sent by the client.",
        409 => "There was a conflict when trying to complete your request.",
        410 => "This resource is no longer available. No forwarding address is given.",
        411 => "Content-Length header required.",
        412 => "Request precondition failed.",
        413 => "The body of your request was too large for this server.",
        414 => "The request URI was too long for this server.",
        416 => "The Range requested is not available.",
        422 => "Unable to process the contained instructions",
        429 => "The client has sent too many requests in a given amount of time",
        431 => "The request header fields were too large",
        400..=499 => {
            "The server could not comply with the request since it is either malformed or otherwise incorrect."
        }
        502 => "Bad gateway.",
        503 => "The server is currently unavailable. Please try again at a later time.",
        504 => "The gateway has timed out.",
        507 => "There was not enough space to save the resource",
        _ => "The server has either erred or is incapable of performing the requested operation.",
    }
}

/// What a status is called on a page: some names are older than the ones that HTTP has today.
pub(super) fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        416 => "Request Range Not Satisfiable",
        _ => status.canonical_reason().unwrap_or("Unknown"),
    }
}
