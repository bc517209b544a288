//! Finds the version that a request is for: in its path (`/v2`, `/v2.9`) or in its `Accept` header
//! (`application/vnd.openstack.images-v2`, and then the path has none). Behind this layer every path begins
//! with `/v2`; a request for nothing in particular gets the list of versions.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::ACCEPT;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, StatusCode};

use super::proxy_headers::BaseUrl;
use crate::server::versions::Versions;

const MEDIA_TYPE: &str = "application/vnd.openstack.images-";

/// The layer.
pub async fn layer(
    State(versions): State<Arc<Versions>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = unescaped(request.uri().path());
    match negotiate(&versions, &path, request.headers()) {
        Negotiated::Path(path) => {
            if let Some(uri) = with_path(request.uri(), &path) {
                *request.uri_mut() = uri;
            }
            next.run(request).await
        }
        Negotiated::List(status) => {
            let base = request.extensions().get::<BaseUrl>();
            versions.answer(status, base.map_or("", |BaseUrl(base)| base))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Negotiated {
    /// Go on with this path.
    Path(String),
    /// The list of versions, with this status.
    List(StatusCode),
}

fn negotiate(versions: &Versions, path: &str, headers: &HeaderMap) -> Negotiated {
    let relative = path.trim_start_matches('/');
    let (first, rest) = match relative.find('/') {
        Some(slash) => relative.split_at(slash),
        None => (relative, ""),
    };
    if first == "versions" {
        return Negotiated::List(StatusCode::OK);
    }
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let (version, rest) = match accept.and_then(|accept| accept.strip_prefix(MEDIA_TYPE)) {
        Some(version) => (version, path),
        None => (first, rest),
    };
    if versions.allows(version) {
        Negotiated::Path(format!("/v2{rest}"))
    } else {
        Negotiated::List(StatusCode::MULTIPLE_CHOICES)
    }
}

/// The path without escapes that stand for what needs none.
fn unescaped(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let byte = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let needless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
        if let Some(byte) = byte.filter(needless) {
            plain.push(char::from(byte));
            rest = &after[2..];
        } else {
            plain.push('%');
            rest = after;
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn outcome(path: &str, accept: &'static str) -> Negotiated {
        let versions = Versions {
            cache: false,
            stores: false,
            endpoint: None,
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        negotiate(&versions, path, &headers)
    }

    fn path(path: &str) -> Negotiated {
        Negotiated::Path(path.to_owned())
    }

    #[test]
    fn every_minor_version_is_v2() {
        assert_eq!(outcome("/v2/images", "*/*"), path("/v2/images"));
        assert_eq!(outcome("/v2.9/images/", "*/*"), path("/v2/images/"));
        assert_eq!(outcome("//v2", "*/*"), path("/v2"));
    }

    #[test]
    fn needless_escapes_are_undone() {
        assert_eq!(unescaped("/%76%32%2Fimages"), "/v2/images");
        assert_eq!(unescaped("/v2/%20%C3%A9%zz%2"), "/v2/%20%C3%A9%zz%2");
    }

    #[test]
    fn a_media_type_stands_for_the_version_in_the_path() {
        let v2 = "application/vnd.openstack.images-v2";
        assert_eq!(outcome("/images", v2), path("/v2/images"));
        assert_eq!(outcome("/v2/images", v2), path("/v2/v2/images"));
        assert_eq!(
            outcome("/images", "application/vnd.openstack.images-v3"),
            Negotiated::List(StatusCode::MULTIPLE_CHOICES)
        );
    }

    #[test]
    fn anything_else_leads_to_the_list() {
        for path in ["/", "//", "/v1", "/v2.8/images", "/V2/images", "/nothing"] {
            assert_eq!(
                outcome(path, "*/*"),
                Negotiated::List(StatusCode::MULTIPLE_CHOICES),
                "{path}"
            );
        }
        for path in ["/versions", "/versions/", "/versions/more"] {
            assert_eq!(
                outcome(path, "*/*"),
                Negotiated::List(StatusCode::OK),
                "{path}"
            );
        }
    }

    #[test]
    fn the_query_stays() {
        let uri = Uri::from_static("/v2.1/images?limit=3");
        assert_eq!(
            with_path(&uri, "/v2/images").unwrap(),
            Uri::from_static("/v2/images?limit=3")
        );
    }
}
