//! A download as it leaves: counted as open until its end, and its bytes by where they came from.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;

use super::download::Source;
use crate::stream::{Blob, ByteStream};
use crate::telemetry::counters::{Asked, Counter, Counters, Found, Served};

/// How a download was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// From a copy, or from spans that are here.
    Hit,
    /// Along with a fill that had begun before.
    Follow,
    /// Along with a fill that it began.
    Fill,
    /// From spans, some of which it had to fetch.
    Fetch,
    /// From the store, past the cache.
    Past,
    /// From the store, for this node does not cache: nothing is found there, and nothing missed.
    NoCache,
}

impl Answer {
    pub(super) fn source(self) -> Source {
        match self {
            Answer::Hit => Source::Cache,
            Answer::Follow | Answer::Fill => Source::Along,
            Answer::Fetch | Answer::Past | Answer::NoCache => Source::Store,
        }
    }

    fn found(self) -> Option<Found> {
        Some(match self {
            Answer::Hit => Found::Hit,
            Answer::Follow => Found::Follower,
            Answer::Fill | Answer::Fetch => Found::Miss,
            Answer::Past => Found::Bypass,
            Answer::NoCache => return None,
        })
    }
}

/// The download, counted.
pub(super) fn measured(counters: &Counters, answer: Answer, asked: Asked, blob: Blob) -> Blob {
    if let Some(found) = answer.found() {
        counters.downloaded(found, asked);
    }
    counters.open_downloads.inc();
    let served = counters.served(match answer.source() {
        Source::Cache => Served::Cache,
        Source::Along => Served::Along,
        Source::Store => Served::Store,
    });
    let saves = matches!(answer, Answer::Hit | Answer::Follow);
    Blob {
        size: blob.size,
        bytes: Box::pin(Measured {
            bytes: blob.bytes,
            served,
            saved: saves.then(|| counters.saved_bytes.clone()),
            counters: counters.clone(),
        }),
    }
}

struct Measured {
    bytes: ByteStream,
    served: Counter,
    saved: Option<Counter>,
    counters: Counters,
}

impl Stream for Measured {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.bytes.as_mut().poll_next(cx));
        if let Some(Ok(chunk)) = &next {
            let bytes = chunk.len() as u64;
            self.served.inc_by(bytes);
            if let Some(saved) = &self.saved {
                saved.inc_by(bytes);
            }
        }
        Poll::Ready(next)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.counters.open_downloads.dec();
    }
}
