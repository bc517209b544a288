//! Bodies: JSON, or none.

use std::error::Error;
use std::io;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;

use super::constants;
use crate::server::fault::Fault;

/// The bytes that a document may have. Images with thousands of properties stay far below.
const LONGEST: usize = 4 * 1024 * 1024;

/// A JSON object or array.
#[derive(Debug, Clone)]
pub struct Json(pub Value);

/// A body that is not looked at; one that is no document is refused all the same.
#[derive(Debug, Clone, Copy)]
pub struct AnyBody;

/// There is no body: one that comes all the same is refused.
#[derive(Debug, Clone, Copy)]
pub struct NoBody;

impl<S: Sync> FromRequestParts<S> for NoBody {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        if has_body(&parts.method, &parts.headers) {
            return Err(bad("A body is not expected with this request."));
        }
        Ok(Self)
    }
}

impl<S: Sync> FromRequest<S> for Json {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        if !has_body(request.method(), request.headers()) {
            return Err(bad("Body expected in request."));
        }
        parse(&whole(request.into_body()).await?).map(Self)
    }
}

impl<S: Sync> FromRequest<S> for AnyBody {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        if has_body(request.method(), request.headers()) {
            Json::from_request(request, state).await?;
        }
        Ok(Self)
    }
}

/// Whether the head of a request announces a body that its method may have.
fn has_body(method: &Method, headers: &HeaderMap) -> bool {
    let chunked = headers.contains_key(TRANSFER_ENCODING)
        && [Method::POST, Method::PUT, Method::PATCH].contains(method);
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    chunked || length.is_some_and(|length| length > 0)
}

async fn whole(body: Body) -> Result<Vec<u8>, Fault> {
    match Limited::new(body, LONGEST).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Fault::of(StatusCode::PAYLOAD_TOO_LARGE))
        }
        Err(error) if is_overdue(error.as_ref()) => Err(Fault::of(StatusCode::REQUEST_TIMEOUT)),
        Err(_) => Err(bad("The request body did not come to its end.")),
    }
}

/// Whether a body broke because its sender took too long, however deep that is wrapped.
pub fn is_overdue(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let broken = error.downcast_ref::<io::Error>();
        if broken.is_some_and(|broken| broken.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn parse(body: &[u8]) -> Result<Value, Fault> {
    let document = serde_json::from_slice(body).or_else(|error| {
        let replaced = std::str::from_utf8(body).ok().and_then(constants::replaced);
        replaced.map_or(Err(error), |document| serde_json::from_str(&document))
    });
    match document {
        Ok(document @ (Value::Object(_) | Value::Array(_))) if !constants::is_one(body) => {
            Ok(document)
        }
        Ok(_) => Err(bad("Unexpected body type. Expected list/dict.")),
        Err(_) => Err(bad("Malformed JSON in request body.")),
    }
}

fn bad(sentence: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(body: &[u8]) -> String {
        parse(body).expect_err("it should be refused").sentence
    }

    #[test]
    fn objects_and_arrays_are_documents_and_nothing_else_is() {
        assert!(parse(b" {\"name\": \"a\"} ").is_ok());
        assert!(parse(b"[]").is_ok());
        for body in [&b"5"[..], b"null", b"\"text\"", b"NaN", b" -Infinity"] {
            assert_eq!(sentence(body), "Unexpected body type. Expected list/dict.");
        }
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in [
            &b"{"[..],
            b"{} trailing",
            b"{\"a\": \"\xff\"}",
            b"\xef\xbb\xbf{}",
        ] {
            assert_eq!(sentence(body), "Malformed JSON in request body.");
        }
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        let document = parse(br#"{"name": "a", "name": "b"}"#).expect("a document");
        assert_eq!(document["name"], "b");
    }

    #[test]
    fn a_body_is_announced_by_its_length_or_by_chunks() {
        let announced = |method: &Method, name, value: &str| {
            let headers = HeaderMap::from_iter([(name, value.parse().expect("a header value"))]);
            has_body(method, &headers)
        };
        assert!(announced(&Method::GET, CONTENT_LENGTH, "2"));
        assert!(!announced(&Method::POST, CONTENT_LENGTH, "0"));
        assert!(announced(&Method::PUT, TRANSFER_ENCODING, "chunked"));
        assert!(!announced(&Method::GET, TRANSFER_ENCODING, "chunked"));
    }
}
