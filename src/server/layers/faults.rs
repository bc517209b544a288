//! Writes every [`Fault`] as the client wants it: an HTML page, a JSON object or plain text, byte by byte
//! as the original's library writes them.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::accept;
use super::page::{escape, html, json, strip_tags};
use crate::server::fault::{self, Fault};

/// The layer.
pub async fn layer(request: Request, next: Next) -> Response {
    let asked = Asked {
        method: request.method().clone(),
        content_type: request
            .headers()
            .get(CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        wish: accept::preferred(request.headers(), &["text/html", "application/json"]),
    };
    let mut response = next.run(request).await;
    let fault = response.extensions_mut().remove::<Fault>();
    match fault.or_else(|| unspoken(&mut response)) {
        Some(fault) => render(&fault, &asked, response),
        None => response,
    }
}

/// What a fault page says about its request.
struct Asked {
    method: Method,
    content_type: Option<String>,
    wish: Option<&'static str>,
}

/// The fault behind an answer that routing gave without a word.
fn unspoken(response: &mut Response) -> Option<Fault> {
    let status = response.status();
    if !matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ) || response.headers().contains_key(CONTENT_TYPE)
    {
        return None;
    }
    if let Some(allow) = response.headers().get(ALLOW).and_then(spaced) {
        response.headers_mut().insert(ALLOW, allow);
    }
    Some(Fault::of(status))
}

/// `GET,HEAD,POST` as `GET, POST`: there is no HEAD where the router would make one out of GET.
fn spaced(allow: &HeaderValue) -> Option<HeaderValue> {
    let methods: Vec<&str> = allow
        .to_str()
        .ok()?
        .split(',')
        .map(str::trim)
        .filter(|method| *method != "HEAD")
        .collect();
    HeaderValue::from_str(&methods.join(", ")).ok()
}

fn render(fault: &Fault, asked: &Asked, response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let status = format!("{} {}", fault.status.as_str(), fault::title(fault.status));
    let (kind, page) = match asked.wish {
        Some("text/html") => (
            "text/html; charset=UTF-8",
            html(&status, &body(fault, asked, escape)),
        ),
        Some(_) => (
            "application/json",
            json(
                &status,
                fault::title(fault.status),
                &body(fault, asked, str::to_owned),
            ),
        ),
        None => (
            "text/plain; charset=UTF-8",
            format!(
                "{status}\n\n{}",
                strip_tags(&body(fault, asked, str::to_owned))
            ),
        ),
    };
    set_type(&mut parts.headers, kind);
    let page = if asked.method == Method::HEAD {
        String::new()
    } else {
        page
    };
    Response::from_parts(parts, Body::from(page))
}

fn set_type(headers: &mut HeaderMap, kind: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
}

/// The text of a page. Two statuses name what the request had in it; where it had no type, the original's
/// page shows the name of its variable, and so do we.
fn body(fault: &Fault, asked: &Asked, escape: fn(&str) -> String) -> String {
    let detail = escape(&fault.detail);
    match fault.status {
        StatusCode::METHOD_NOT_ALLOWED if fault.sentence.is_empty() => format!(
            "The method {} is not allowed for this resource. <br /><br />\n{detail}",
            escape(asked.method.as_str()),
        ),
        StatusCode::METHOD_NOT_ALLOWED => escape(&fault.sentence),
        StatusCode::NOT_IMPLEMENTED if fault.sentence.is_empty() => format!(
            "\nThe request method {} is not implemented for this server. <br /><br />\n{detail}",
            escape(asked.method.as_str()),
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            let detail = if fault.detail.is_empty() {
                escape(&fault.sentence)
            } else {
                detail
            };
            let kind = asked.content_type.as_deref().unwrap_or("${CONTENT_TYPE}");
            format!(
                "The request media type {} is not supported by this server.\n<br /><br />\n{detail}",
                escape(kind),
            )
        }
        status => {
            let sentence = match fault.sentence.as_str() {
                "" => fault::explanation(status),
                sentence => sentence,
            };
            format!("{}<br /><br />\n{detail}\n\n", escape(sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::response::IntoResponse;
    use axum::routing::{get, put};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn answer(fault: Fault, accept: &'static str, method: Method) -> (Response<()>, String) {
        let router = Router::new()
            .route("/", axum::routing::any(move || async move { fault }))
            .layer(from_fn(layer));
        ask(router, accept, method).await
    }

    async fn ask(router: Router, accept: &'static str, method: Method) -> (Response<()>, String) {
        let request = http::Request::builder()
            .uri("/")
            .method(method)
            .header("accept", accept)
            .header("content-type", "text/plain")
            .body(Body::empty())
            .unwrap();
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (
            Response::from_parts(parts, ()),
            String::from_utf8(bytes.to_vec()).unwrap(),
        )
    }

    #[tokio::test]
    async fn an_html_page_is_escaped_and_keeps_its_blank_lines() {
        let fault = Fault::new(StatusCode::BAD_REQUEST, "'a' < \"b\" & \u{e9}");
        let (response, page) = answer(fault, "*/*", Method::GET).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=UTF-8");
        assert_eq!(
            page,
            "<html>\n <head>\n  <title>400 Bad Request</title>\n </head>\n <body>\n  \
             <h1>400 Bad Request</h1>\n  &#x27;a&#x27; &lt; &quot;b&quot; &amp; &#233;<br /><br />\n\n\n\n \
             </body>\n</html>"
        );
    }

    #[tokio::test]
    async fn a_json_page_is_ascii_and_keeps_the_line_breaks() {
        let fault = Fault::of(StatusCode::FORBIDDEN).because("no\u{e9}");
        let (response, page) = answer(fault, "application/json", Method::GET).await;
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(
            page,
            "{\"message\": \"Access was denied to this resource.<br /><br />\\nno\\u00e9\\n\\n\", \
             \"code\": \"403 Forbidden\", \"title\": \"Forbidden\"}"
        );
    }

    #[tokio::test]
    async fn plain_text_has_neither_tags_nor_escapes() {
        let fault = Fault::new(StatusCode::NOT_FOUND, "No image found with ID 'x'");
        let (response, page) = answer(fault, "image/png", Method::GET).await;
        assert_eq!(
            response.headers()[CONTENT_TYPE],
            "text/plain; charset=UTF-8"
        );
        assert_eq!(page, "404 Not Found\n\nNo image found with ID 'x'\n\n   ");
    }

    #[tokio::test]
    async fn a_refused_media_type_is_named() {
        let fault = Fault::of(StatusCode::UNSUPPORTED_MEDIA_TYPE).because("Use another one");
        let (_, page) = answer(fault, "text/plain", Method::PATCH).await;
        assert_eq!(
            page,
            "415 Unsupported Media Type\n\nThe request media type text/plain is not supported by this \
             server. \n\n Use another one"
        );
    }

    #[tokio::test]
    async fn a_method_that_routing_refused_is_named_and_head_is_not_offered() {
        let inner = Router::new().route("/", get(|| async {}).merge(put(|| async {})));
        let router = Router::new().fallback_service(inner).layer(from_fn(layer));
        let (response, page) = ask(router, "text/plain", Method::POST).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET, PUT");
        assert_eq!(
            page,
            "405 Method Not Allowed\n\nThe method POST is not allowed for this resource. \n\n "
        );
    }

    #[tokio::test]
    async fn head_has_headers_and_no_page() {
        let fault = fault::method_not_allowed("GET, POST");
        let (response, page) = answer(fault, "*/*", Method::HEAD).await;
        assert_eq!(response.headers()[ALLOW], "GET, POST");
        assert_eq!(page, "");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_fault_stays_as_it_is() {
        let router = Router::new()
            .route(
                "/",
                get(|| async { (StatusCode::NOT_FOUND, "mine").into_response() }),
            )
            .layer(from_fn(layer));
        assert_eq!(ask(router, "*/*", Method::GET).await.1, "mine");
    }
}
