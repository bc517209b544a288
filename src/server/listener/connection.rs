//! One connection, from its first request to its last byte.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;

use super::pace::{Busy, Pace, Paced};
use super::upload::Upload;
use super::{Ending, Limits};
use crate::server::layers::Peer;
use crate::server::watched::{Part, Watch, Watched};

/// Read and write buffers of a connection grow up to this: more than a chunk at a time makes system calls few.
const BUFFER: usize = 256 << 10;
/// In a crowd they grow up to a chunk: of what is on its way to thousands of slow clients there is to be little.
const SMALL_BUFFER: usize = 64 << 10;
/// So many have them whole: what a crowd wants at once is in memory once for all of it.
const WHOLE: usize = 256;
/// How long a client whose upload was given up may go on sending, so that it can read our answer.
const LINGER: Duration = Duration::from_secs(2);

/// How far the buffers of a connection may grow that comes to so many others.
pub fn buffer_among(others: usize) -> usize {
    if others < WHOLE { BUFFER } else { SMALL_BUFFER }
}

/// Serves requests until the client leaves, is too slow, or the service ends and nothing runs.
pub async fn serve<Io>(
    io: Io,
    peer: Peer,
    router: Router,
    (limits, buffer): (Limits, usize),
    ending: Ending,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Arc::new(Pace::new(limits));
    let requests = Requests {
        router,
        peer,
        limits,
        pace: Arc::clone(&pace),
        ending: ending.clone(),
    };
    let mut connection = http1::Builder::new()
        // A client that has said all it has to say still gets its answer, and what was begun is finished.
        .half_close(true)
        .max_header_size(limits.head_size)
        .max_buf_size(limits.head_size.max(buffer))
        .serve_connection(TokioIo::new(Paced::new(io, Arc::clone(&pace))), requests);

    let mut stopping = false;
    let ended = {
        let mut overdue = pin!(pace.overdue());
        loop {
            tokio::select! {
                biased;
                ended = &mut connection => break ended,
                what = &mut overdue => {
                    tracing::debug!(client = %peer.client, ?what, "client too slow, connection cut");
                    return;
                }
                () = ending.over.cancelled(), if !stopping => {
                    stopping = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
    };
    if let Err(error) = &ended {
        tracing::debug!(client = %peer.client, %error, "connection broke");
    }
    if ended.is_err() || pace.abandoned() {
        linger(connection.into_parts().io.into_inner()).await;
    }
}

/// Closes our side and reads on for a moment: a socket that is closed on unread bytes resets the connection,
/// and the client would lose the answer that is on its way.
async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let mut scratch = vec![0; 64 << 10];
    let until_it_leaves = async {
        io.shutdown().await?;
        while io.read(&mut scratch).await? > 0 {}
        std::io::Result::Ok(())
    };
    if let Ok(Err(error)) = timeout(LINGER, until_it_leaves).await {
        tracing::debug!(%error, "client left early");
    }
}

/// The service as one connection sees it.
struct Requests {
    router: Router,
    peer: Peer,
    limits: Limits,
    pace: Arc<Pace>,
    ending: Ending,
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<Watched<Occupied>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let busy = self.pace.busy();
        let running = self.ending.requests.token();
        let ends = self.ending.begun.clone();
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(self.peer);
        let body = if body.is_end_stream() {
            Body::empty()
        } else {
            let patience = self.limits.body;
            Body::new(Upload::new(body, &parts.headers, &self.pace, patience))
        };
        let answer = self
            .router
            .clone()
            .oneshot(Request::from_parts(parts, body));
        Box::pin(async move {
            let mut response = answer.await?;
            if ends.is_cancelled() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            let occupied = Occupied {
                _busy: busy,
                _running: running,
            };
            Ok(response.map(|body| Watched::new(body, occupied)))
        })
    }
}

/// What goes on with an answer: the connection is busy as long as its body is there, and the request runs.
struct Occupied {
    _busy: Busy,
    _running: TaskTrackerToken,
}

impl Watch for Occupied {
    fn asked(&mut self, _: &Poll<Part>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_have_their_buffers_whole_and_who_comes_to_more_has_a_chunk() {
        assert_eq!(buffer_among(WHOLE - 1), BUFFER);
        assert_eq!(buffer_among(WHOLE), SMALL_BUFFER);
    }
}
