//! Lets web pages of other origins use the API, as far as the operator allows.
//!
//! Whatever lies below answers first. An `OPTIONS` request always ends well: a page that asks whether it
//! may is told by the headers, not by the status.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::config::paste::CorsConfig;

/// Headers that every page may send.
const SIMPLE_HEADERS: [&str; 8] = [
    "Accept",
    "Accept-Language",
    "Content-Type",
    "Cache-Control",
    "Content-Language",
    "Expires",
    "Last-Modified",
    "Pragma",
];

/// The layer.
pub async fn layer(
    State(config): State<Arc<CorsConfig>>,
    request: Request,
    next: Next,
) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let asked = Asked::of(request.headers());
    let mut response = next.run(request).await;
    if response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return response;
    }
    if preflight && !response.status().is_success() {
        response = Response::new(Body::empty());
    }
    let Some(origin) = asked
        .origin
        .as_deref()
        .and_then(|origin| allowed(&config, origin))
    else {
        return response;
    };
    if preflight {
        allow_later(&config, &asked, origin, response.headers_mut());
    } else {
        allow(&config, origin, response.headers_mut());
    }
    response
}

/// What the browser asks.
struct Asked {
    origin: Option<String>,
    method: Option<String>,
    headers: Vec<String>,
}

impl Asked {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Self {
            origin: text(ORIGIN),
            method: text(ACCESS_CONTROL_REQUEST_METHOD),
            headers: text(ACCESS_CONTROL_REQUEST_HEADERS)
                .unwrap_or_default()
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
        }
    }
}

/// The origin as the answer names it, if it is one of those that may.
fn allowed<'o>(config: &CorsConfig, origin: &'o str) -> Option<&'o str> {
    let listed = |name: &str| config.allowed_origin.iter().any(|allowed| allowed == name);
    if listed(origin) {
        return Some(origin);
    }
    listed("*").then_some("*")
}

/// The answer to a request itself.
fn allow(config: &CorsConfig, origin: &str, headers: &mut HeaderMap) {
    let vary = match headers.get(VARY).and_then(|vary| vary.to_str().ok()) {
        Some(vary) => format!("{vary},Origin"),
        None => "Origin".to_owned(),
    };
    set(headers, VARY, &vary);
    set(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if config.allow_credentials {
        set(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    if !config.expose_headers.is_empty() {
        let exposed = config.expose_headers.join(",");
        set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &exposed);
    }
}

/// The answer to the question whether a request may come.
fn allow_later(config: &CorsConfig, asked: &Asked, origin: &str, headers: &mut HeaderMap) {
    let Some(method) = &asked.method else {
        return;
    };
    let may_send = |name: &String| {
        SIMPLE_HEADERS
            .into_iter()
            .chain(config.allow_headers.iter().map(String::as_str))
            .any(|allowed| allowed.eq_ignore_ascii_case(name))
    };
    if !config.allow_methods.contains(method) || !asked.headers.iter().all(may_send) {
        return;
    }
    set(headers, VARY, "Origin");
    set(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if config.allow_credentials {
        set(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    if let Some(seconds) = config.max_age.filter(|seconds| *seconds > 0) {
        set(headers, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    set(headers, ACCESS_CONTROL_ALLOW_METHODS, method);
    if !asked.headers.is_empty() {
        set(
            headers,
            ACCESS_CONTROL_ALLOW_HEADERS,
            &asked.headers.join(","),
        );
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use http::StatusCode;
    use tower::ServiceExt;

    async fn ask(method: Method, headers: &[(&str, &str)]) -> Response {
        let config = CorsConfig {
            allowed_origin: vec!["http://page.example".to_owned()],
            allow_credentials: true,
            expose_headers: vec!["X-Id".to_owned(), "X-More".to_owned()],
            max_age: Some(600),
            allow_methods: vec!["GET".to_owned(), "PATCH".to_owned()],
            allow_headers: vec!["X-Auth-Token".to_owned()],
        };
        let router = Router::new()
            .route("/", get(|| async { "body" }))
            .layer(from_fn_with_state(Arc::new(config), layer));
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_known_origin_may_read_the_answer() {
        let response = ask(Method::GET, &[("origin", "http://page.example")]).await;
        let headers = response.headers();
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "http://page.example");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "X-Id,X-More");
        assert_eq!(headers[VARY], "Origin");
    }

    #[tokio::test]
    async fn an_unknown_origin_is_told_nothing() {
        let response = ask(Method::GET, &[("origin", "http://evil.example")]).await;
        assert!(!response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert!(!response.headers().contains_key(VARY));
    }

    #[tokio::test]
    async fn a_preflight_is_200_and_its_headers_say_yes() {
        let response = ask(
            Method::OPTIONS,
            &[
                ("origin", "http://page.example"),
                ("access-control-request-method", "PATCH"),
                (
                    "access-control-request-headers",
                    "x-auth-token, Content-Type",
                ),
            ],
        )
        .await;
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers();
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_METHODS], "PATCH");
        assert_eq!(
            headers[ACCESS_CONTROL_ALLOW_HEADERS],
            "x-auth-token,Content-Type"
        );
        assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "600");
    }

    #[tokio::test]
    async fn a_preflight_for_more_than_is_allowed_is_200_and_says_nothing() {
        for (method, wanted) in [("DELETE", "Accept"), ("GET", "X-Strange")] {
            let response = ask(
                Method::OPTIONS,
                &[
                    ("origin", "http://page.example"),
                    ("access-control-request-method", method),
                    ("access-control-request-headers", wanted),
                ],
            )
            .await;
            assert_eq!(response.status(), StatusCode::OK);
            assert!(!response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        }
    }

    #[tokio::test]
    async fn options_without_an_origin_is_200() {
        assert_eq!(ask(Method::OPTIONS, &[]).await.status(), StatusCode::OK);
    }
}
