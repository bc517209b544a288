//! Compresses answers for clients that take them so, chunk by chunk: an image is never held in memory. The
//! checksum of an image stays that of the image.

use std::io::{self, Write};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG};
use http::{HeaderMap, HeaderValue, Method};
use http_body::{Body as HttpBody, Frame};

/// The layer.
pub async fn layer(request: Request, next: Next) -> Response {
    let wanted = takes_gzip(request.headers()) && request.method() != Method::HEAD;
    let mut response = next.run(request).await;
    if !wanted
        || response.body().is_end_stream()
        || response.headers().contains_key(CONTENT_ENCODING)
    {
        return response;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    // Other bytes now, and the same image: parts of the one do not continue the other.
    if let Some(tag) = headers.get(ETAG)
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
    response.map(|body| {
        Body::new(Compressed {
            body,
            encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())),
        })
    })
}

/// Whether the word is in the header. Its weight does not matter, as it does not to the original.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let words = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    words.is_some_and(|words| {
        words
            .split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
            .any(|word| word == "gzip")
    })
}

/// A body on its way through the encoder.
struct Compressed {
    body: Body,
    /// None once its last bytes are out.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Compressed {
    /// What has come out of the encoder so far, which may be nothing.
    fn take_in(&mut self, data: Option<&Bytes>) -> io::Result<Vec<u8>> {
        match (self.encoder.take(), data) {
            (Some(mut encoder), Some(data)) => {
                encoder.write_all(data)?;
                let out = mem::take(encoder.get_mut());
                self.encoder = Some(encoder);
                Ok(out)
            }
            (Some(encoder), None) => encoder.finish(),
            (None, _) => Ok(Vec::new()),
        }
    }
}

impl HttpBody for Compressed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.encoder.is_some() {
            let data = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(data),
                    // Trailers: there are none in this service.
                    Err(_) => continue,
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => None,
            };
            match self.take_in(data.as_ref()) {
                Ok(out) if out.is_empty() => {}
                Ok(out) => return Poll::Ready(Some(Ok(Frame::data(out.into())))),
                Err(error) => return Poll::Ready(Some(Err(axum::Error::new(error)))),
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn ask(accept: &str) -> (Option<HeaderValue>, Vec<u8>) {
        let router = Router::new()
            .route("/", get(|| async { "again and ".repeat(50_000) }))
            .layer(from_fn(layer));
        let request = Request::builder()
            .uri("/")
            .header(ACCEPT_ENCODING, accept)
            .body(Body::empty())
            .unwrap();
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        (parts.headers.get(CONTENT_ENCODING).cloned(), bytes)
    }

    #[tokio::test]
    async fn a_client_that_takes_gzip_gets_it() {
        for accept in ["gzip", "deflate, gzip;q=0.5"] {
            let (encoding, bytes) = ask(accept).await;
            assert_eq!(encoding.unwrap(), "gzip");
            assert!(bytes.len() < 50_000);
            let mut text = String::new();
            GzDecoder::new(bytes.as_slice())
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, "again and ".repeat(50_000));
        }
    }

    #[tokio::test]
    async fn others_get_the_bytes_as_they_are() {
        for accept in ["identity", "x-notgzip2", ""] {
            let (encoding, bytes) = ask(accept).await;
            assert_eq!((encoding, bytes.len()), (None, 500_000));
        }
    }
}
