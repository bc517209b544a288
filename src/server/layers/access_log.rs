//! One line per request, written when the last byte of its answer is out or has been given up.

use std::task::Poll;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;

use super::proxy_headers::Client;
use super::request_id::RequestId;
use crate::domain::Caller;
use crate::ops::download::Source;
use crate::server::watched::{Part, Watch, Watched};

/// The layer. What inner layers know of the request they put on the answer.
pub async fn layer(request: Request, next: Next) -> Response {
    let line = Line::begin(&request);
    let response = next.run(request).await;
    line.on(response)
}

/// A line of the log, written when it is dropped.
struct Line {
    begun: Instant,
    client: String,
    method: Method,
    path: String,
    request_id: String,
    status: Option<StatusCode>,
    source: Option<Source>,
    user: Option<String>,
    project: Option<String>,
    bytes: u64,
    /// What the body is long, where that is known: nobody asks for the end of it then.
    expected: Option<u64>,
    whole: bool,
}

impl Line {
    fn begin(request: &Request) -> Self {
        let uri = request.uri();
        let known = request.extensions();
        Self {
            begun: Instant::now(),
            client: known
                .get()
                .map_or_else(String::new, |Client(client)| client.clone()),
            method: request.method().clone(),
            path: uri
                .path_and_query()
                .map_or_else(|| uri.path().to_owned(), ToString::to_string),
            request_id: known
                .get()
                .map_or_else(String::new, |RequestId(id)| id.clone()),
            status: None,
            source: None,
            user: None,
            project: None,
            bytes: 0,
            expected: None,
            whole: false,
        }
    }

    /// Goes on with the body of the answer.
    fn on(mut self, mut response: Response) -> Response {
        self.status = Some(response.status());
        self.source = response.extensions().get().copied();
        if let Some(caller) = response.extensions_mut().remove::<Caller>() {
            self.user = caller.user_id;
            self.project = caller.project_id;
        }
        let silent = self.method == Method::HEAD;
        let announced = announced(response.headers());
        response.map(|body| {
            let expected = body.size_hint().exact().or(announced);
            // Of nothing nobody waits for the end.
            self.whole = silent || body.is_end_stream() || expected == Some(0);
            self.expected = expected;
            Body::new(Watched::new(body, self))
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let outcome = if self.whole { "answered" } else { "given up" };
        tracing::info!(
            target: "glance.access",
            client = self.client,
            request.id = self.request_id,
            method = %self.method,
            path = self.path,
            // As other servers have it: 499, the client left before there was an answer.
            status = self.status.map_or(499, |status| status.as_u16()),
            bytes = self.bytes,
            seconds = format_args!("{:.3}", self.begun.elapsed().as_secs_f64()),
            source = self.source.map(name),
            user = self.user,
            project = self.project,
            "{outcome}"
        );
    }
}

/// What a stream is long by its header, for such a body does not know.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn name(source: Source) -> &'static str {
    match source {
        Source::Cache => "cache",
        Source::Along => "along",
        Source::Store => "store",
    }
}

impl Watch for Line {
    fn asked(&mut self, part: &Poll<Part>) {
        match part {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.bytes += u64::try_from(length).unwrap_or(u64::MAX);
                self.whole = self.expected == Some(self.bytes);
            }
            Poll::Ready(None) => self.whole = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use tracing::subscriber::DefaultGuard;

    /// The log of this thread.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        fn begin() -> (Self, DefaultGuard) {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            (log, tracing::subscriber::set_default(subscriber))
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    async fn two_chunks() -> Response {
        let chunks = ["first", "second"].map(|chunk| io::Result::Ok(Bytes::from(chunk)));
        let mut response = Response::new(Body::from_stream(stream::iter(chunks).boxed()));
        response.extensions_mut().insert(Source::Along);
        response.extensions_mut().insert(Caller {
            user_id: Some("alice".to_owned()),
            ..Caller::default()
        });
        response
    }

    async fn ask() -> Response {
        let router = Router::new()
            .route("/file", get(two_chunks))
            .layer(from_fn(layer));
        let request = Request::builder()
            .uri("/file?x=1")
            .header("x-auth-token", "a-secret-token")
            .body(Body::empty())
            .unwrap();
        router.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn the_line_comes_when_the_last_byte_is_out() {
        let (log, _guard) = Log::begin();
        let response = ask().await;
        assert_eq!(log.text(), "");
        response.into_body().collect().await.unwrap();
        let line = log.text();
        assert_eq!(line.lines().count(), 1, "{line}");
        for part in [
            "glance.access: answered ",
            "method=GET",
            "path=\"/file?x=1\"",
            "status=200",
            "bytes=11",
            "source=\"along\"",
            "user=\"alice\"",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains("secret"), "{line}");
    }

    #[tokio::test]
    async fn a_body_that_is_dropped_halfway_is_given_up() {
        let (log, _guard) = Log::begin();
        let mut body = ask().await.into_body();
        body.frame().await.unwrap().unwrap();
        drop(body);
        let line = log.text();
        assert!(line.contains("glance.access: given up "), "{line}");
        assert!(line.contains("bytes=5"), "{line}");
    }

    #[tokio::test]
    async fn a_stream_whose_length_was_announced_needs_no_end() {
        let (log, _guard) = Log::begin();
        let announced = async || ([(CONTENT_LENGTH, "11")], two_chunks().await);
        let router = Router::new()
            .route("/file", get(announced))
            .layer(from_fn(layer));
        let request = Request::builder().uri("/file").body(Body::empty()).unwrap();
        let mut body = router.oneshot(request).await.unwrap().into_body();
        for _ in 0..2 {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        let line = log.text();
        assert!(line.contains("glance.access: answered "), "{line}");
    }

    #[tokio::test]
    async fn an_empty_stream_is_an_answer() {
        let (log, _guard) = Log::begin();
        let empty = async || {
            let nothing = futures_util::stream::empty::<Result<Bytes, std::io::Error>>();
            ([(CONTENT_LENGTH, "0")], Body::from_stream(nothing))
        };
        let router = Router::new()
            .route("/file", get(empty))
            .layer(from_fn(layer));
        let request = Request::builder().uri("/file").body(Body::empty()).unwrap();
        drop(router.oneshot(request).await.unwrap());
        let line = log.text();
        assert!(line.contains("glance.access: answered "), "{line}");
    }

    #[tokio::test]
    async fn a_client_that_leaves_before_the_answer_has_a_line_too() {
        let (log, _guard) = Log::begin();
        let router = Router::new()
            .route("/file", get(std::future::pending::<()>))
            .layer(from_fn(layer));
        let request = Request::builder().uri("/file").body(Body::empty()).unwrap();
        let mut asked = Box::pin(router.oneshot(request));
        assert!(futures_util::poll!(asked.as_mut()).is_pending());
        drop(asked);
        assert!(log.text().contains("status=499"), "{}", log.text());
    }
}
