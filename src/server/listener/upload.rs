//! The body of a request, with patience for slow clients and manners for refused ones.
//!
//! Many clients read no answer before they have sent everything. Were the connection closed on one whose
//! upload is refused, it would see a reset in place of the answer. So a body that its handler drops is read
//! on and thrown away while the answer goes out: up to [`MOST`] bytes and [`LONGEST`], which lets a client
//! that watches for early answers see this one, and a short upload end as it began, with the connection
//! still good for the next request. What is longer is given up; then [`connection`](super::connection)
//! closes our side first and reads a moment longer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use http::header::EXPECT;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep, timeout};

use super::pace::{Busy, Pace};

/// The most that is read of a body nobody wants.
const MOST: usize = 256 << 20;
/// The longest that it is read.
const LONGEST: Duration = Duration::from_secs(10);

/// The body of one request.
#[derive(Debug)]
pub struct Upload {
    /// None once it has ended.
    body: Option<Incoming>,
    pace: Arc<Pace>,
    busy: Option<Busy>,
    patience: Duration,
    /// Runs while we wait for bytes.
    timer: Option<Pin<Box<Sleep>>>,
    /// The client sends nothing before it is asked to, and so far it has not been.
    unasked: bool,
}

impl Upload {
    pub fn new(body: Incoming, headers: &HeaderMap, pace: &Arc<Pace>, patience: Duration) -> Self {
        let continues = HeaderValue::from_static("100-continue");
        Self {
            body: Some(body),
            pace: Arc::clone(pace),
            busy: Some(pace.busy()),
            patience,
            timer: None,
            unasked: headers.get(EXPECT) == Some(&continues),
        }
    }

    fn end(&mut self) {
        self.body = None;
        self.busy = None;
        self.timer = None;
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.unasked = false;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.timer = None;
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.end();
                let kind = io::ErrorKind::UnexpectedEof;
                Poll::Ready(Some(Err(io::Error::new(kind, error))))
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let patience = self.patience;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
                ready!(timer.as_mut().poll(cx));
                self.pace.abandon();
                self.end();
                Poll::Ready(Some(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no bytes of the request came for {patience:?}"),
                ))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            // To read would be to ask for what we do not want.
            Ok(runtime) if !self.unasked => {
                let (pace, busy) = (Arc::clone(&self.pace), self.busy.take());
                runtime.spawn(async move {
                    if !matches!(timeout(LONGEST, discard(body)).await, Ok(true)) {
                        pace.abandon();
                    }
                    drop(busy);
                });
            }
            _ => self.pace.abandon(),
        }
    }
}

/// Whether the body came to its end.
async fn discard(mut body: Incoming) -> bool {
    let mut seen = 0;
    while seen <= MOST {
        match body.frame().await {
            Some(Ok(frame)) => seen += frame.data_ref().map_or(0, Bytes::len),
            // A client that has left reads no answer either.
            Some(Err(_)) | None => return true,
        }
    }
    false
}
