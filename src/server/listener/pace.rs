//! Whether a connection keeps up: when what it does now was begun, and when that has taken too long.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::Limits;
use super::target::RequestLine;

/// The state of one connection, as its socket, its requests and its answers report it.
#[derive(Debug)]
pub struct Pace {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Bodies of requests and answers that are not done.
    busy: usize,
    idle_since: Instant,
    /// The first bytes of a request have come, the whole head has not.
    head_since: Option<Instant>,
    /// The client takes nothing.
    blocked_since: Option<Instant>,
    /// The client may be sending what nobody will read.
    abandoned: bool,
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    Idle,
    Head,
    Taking,
}

/// Something is going on; dropped when it is done.
#[derive(Debug)]
pub struct Busy(Arc<Pace>);

impl Pace {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::new(State {
                busy: 0,
                idle_since: Instant::now(),
                head_since: None,
                blocked_since: None,
                abandoned: false,
            }),
        }
    }

    /// A request's head is complete, or another part of the same request begins.
    pub fn busy(self: &Arc<Self>) -> Busy {
        let mut state = self.state();
        state.busy += 1;
        state.head_since = None;
        Busy(Arc::clone(self))
    }

    /// Nobody will read the rest of a request.
    pub fn abandon(&self) {
        self.state().abandoned = true;
    }

    pub fn abandoned(&self) -> bool {
        self.state().abandoned
    }

    /// Returns when something takes too long. It looks only now and then: no timeout is shorter than the
    /// pause between two looks, so none is missed, and a busy connection pays nothing for its timers.
    pub async fn overdue(&self) -> Overdue {
        let pause = self
            .limits
            .header
            .min(self.limits.idle)
            .min(self.limits.body);
        loop {
            let now = Instant::now();
            let mut wake = now + pause.max(Duration::from_millis(1));
            if let Some((deadline, what)) = self.deadline() {
                if deadline <= now {
                    return what;
                }
                wake = wake.min(deadline);
            }
            sleep_until(wake).await;
        }
    }

    fn deadline(&self) -> Option<(Instant, Overdue)> {
        let state = self.state();
        if let Some(since) = state.blocked_since {
            return Some((since + self.limits.body, Overdue::Taking));
        }
        if state.busy > 0 {
            return None;
        }
        Some(match state.head_since {
            Some(since) => (since + self.limits.header, Overdue::Head),
            None => (state.idle_since + self.limits.idle, Overdue::Idle),
        })
    }

    /// Whether a request begins with what was read.
    fn read_some(&self) -> bool {
        let mut state = self.state();
        let begins = state.busy == 0 && state.head_since.is_none();
        if begins {
            state.head_since = Some(Instant::now());
        }
        begins
    }

    fn wrote(&self, ready: bool) {
        let mut state = self.state();
        if ready {
            state.blocked_since = None;
        } else if state.blocked_since.is_none() {
            state.blocked_since = Some(Instant::now());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and the state is whole between any two lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy -= 1;
        state.idle_since = Instant::now();
        state.head_since = None;
    }
}

/// A connection that reports to its [`Pace`].
#[derive(Debug)]
pub struct Paced<Io> {
    io: Io,
    pace: Arc<Pace>,
    line: RequestLine,
    /// What was read and had no room, for its escapes are longer than what they stand for.
    left: VecDeque<u8>,
}

impl<Io> Paced<Io> {
    pub fn new(io: Io, pace: Arc<Pace>) -> Self {
        Self {
            io,
            pace,
            line: RequestLine::default(),
            left: VecDeque::new(),
        }
    }
}

impl<Io> Paced<Io> {
    fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) {
        let fits = self.left.len().min(buffer.remaining());
        let bytes: Vec<u8> = self.left.drain(..fits).collect();
        buffer.put_slice(&bytes);
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Paced<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.left.is_empty() {
            self.hand_out(buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            if self.pace.read_some() {
                self.line.begin();
            }
            let read = &buffer.filled()[before..];
            if let Some(escaped) = self.line.escaped(read) {
                buffer.set_filled(before);
                self.left.extend(escaped);
                self.hand_out(buffer);
            }
        }
        polled
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Paced<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.pace.wrote(polled.is_ready());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.pace.wrote(polled.is_ready());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.pace.wrote(polled.is_ready());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
