//! The body of an answer that somebody watches on its way out.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};

/// A part of a body; none at its end.
pub type Part = Option<Result<Frame<Bytes>, axum::Error>>;

/// Who watches a body. It is dropped with it: when its last byte is out, or it has been given up.
pub trait Watch: Send + Unpin + 'static {
    /// A part has been asked for.
    fn asked(&mut self, part: &Poll<Part>);
}

/// A body, and who watches it.
pub struct Watched<W> {
    body: Body,
    watch: W,
}

impl<W: Watch> Watched<W> {
    pub fn new(body: Body, watch: W) -> Self {
        Self { body, watch }
    }
}

impl<W: Watch> HttpBody for Watched<W> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Part> {
        let part = Pin::new(&mut self.body).poll_frame(cx);
        self.watch.asked(&part);
        part
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
