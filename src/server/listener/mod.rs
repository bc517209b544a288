//! Brings requests from sockets to the service: our own accept loop around hyper's HTTP/1.
//!
//! It is our own for three reasons. Limits: a client that is slow with its headers, its body or its reading
//! is cut, and only so many may be connected, the rest waits in the kernel's backlog. Manners: who is
//! refused in the middle of an upload gets to read why ([`upload`], [`connection`]). And room: a
//! [`Stage`] between a connection and its first request is where TLS goes.

mod bind;
mod connection;
mod pace;
mod stage;
mod target;
mod upload;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use bind::{BindError, bind, bind_metrics};
pub use stage::{Plain, Stage};

use super::layers::Peer;
use crate::config::ApiConfig;

/// Bytes that the kernel holds for a client which does not take them, beyond what it has on its way to it. It would hold
/// megabytes, and where thousands are slow it would run out of memory for TCP and break connections of all.
const UNSENT: u32 = 256 << 10;

/// What clients may take of our time and memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a request's head to arrive.
    pub header: Duration,
    /// For a connection to wait for its next request.
    pub idle: Duration,
    /// In which a body must make some progress, either way.
    pub body: Duration,
    /// In which the service, once it is to end, is still found by those who ask for its health.
    pub notice: Duration,
    /// For running requests, once nobody new is let in.
    pub drain: Duration,
    /// Bytes of a request's head.
    pub head_size: usize,
    pub connections: usize,
}

impl Limits {
    /// The limits that the operator set. A timeout of 0 is none.
    pub fn of(config: &ApiConfig) -> Self {
        /// Longer than any connection.
        const NEVER: Duration = Duration::from_hours(365 * 24);
        let or_never = |timeout: Duration| if timeout.is_zero() { NEVER } else { timeout };
        Self {
            header: or_never(config.header_timeout),
            idle: or_never(config.idle_timeout),
            body: or_never(config.body_timeout),
            notice: config.drain_notice,
            drain: config.drain_timeout,
            head_size: config.max_header_size,
            connections: config.max_connections,
        }
    }

    /// The same, where nobody is waited for at the end.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self {
            notice: Duration::ZERO,
            drain: Duration::ZERO,
            ..self
        }
    }
}

/// How the service ends, as a connection sees it.
#[derive(Debug, Clone, Default)]
struct Ending {
    /// Cancelled when the end begins: from now on every answer is the last one of its connection.
    begun: CancellationToken,
    /// The requests that run. As long as there are any, open connections are answered.
    requests: TaskTracker,
    /// Cancelled when none of them is left: connections that wait for one are closed.
    over: CancellationToken,
}

/// Serves until `stop` is cancelled and the notice is over, then closes the socket and waits for the requests
/// that run. What still runs after the drain timeout is cut.
pub async fn serve(
    listener: TcpListener,
    stage: impl Stage,
    service: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let stage = Arc::new(stage);
    let places = Arc::new(Semaphore::new(
        limits.connections.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let running = TaskTracker::new();
    let cut = CancellationToken::new();
    let ending = Ending {
        begun: stop,
        ..Ending::default()
    };
    let mut noticed = pin!(noticed(&ending.begun, limits.notice));
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut noticed => break,
            accepted = next(&listener, &places) => accepted,
        };
        let (socket, client, place) = accepted;
        let (stage, service) = (Arc::clone(&stage), service.clone());
        let (ending, cut) = (ending.clone(), cut.clone());
        let buffer = connection::buffer_among(running.len());
        running.spawn(async move {
            let served = one(
                socket,
                client,
                stage.as_ref(),
                service,
                (limits, buffer),
                ending,
            );
            cut.run_until_cancelled(served).await;
            drop(place);
        });
    }
    drop(listener);
    running.close();
    ending.requests.close();
    let drained = async {
        ending.requests.wait().await;
        ending.over.cancel();
        running.wait().await;
    };
    if timeout(limits.drain, drained).await.is_err() {
        tracing::warn!(
            connections = running.len(),
            "requests still run after {:?}: cutting them",
            limits.drain
        );
        cut.cancel();
        running.wait().await;
    }
}

/// Returns when everybody who wanted to know could learn that the service ends.
async fn noticed(begun: &CancellationToken, notice: Duration) {
    begun.cancelled().await;
    if !notice.is_zero() {
        tokio::time::sleep(notice).await;
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is a place for it.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, Place) {
    /// Out of file descriptors or memory: others must end first.
    const PAUSE: Duration = Duration::from_millis(100);
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            // Nobody closes the semaphore; were it closed, nobody could come in.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((socket, client)) => return (socket, client, place),
            // The client left before we looked.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections, trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn one(
    socket: TcpStream,
    client: SocketAddr,
    stage: &impl Stage,
    service: Router,
    (limits, buffer): (Limits, usize),
    ending: Ending,
) {
    let Ok(local) = socket.local_addr() else {
        return;
    };
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off Nagle's algorithm");
    }
    if let Err(error) = SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "cannot keep the kernel from buffering");
    }
    match timeout(limits.header, stage.enter(socket)).await {
        Ok(Ok(io)) => {
            let peer = Peer { client, local };
            connection::serve(io, peer, service, (limits, buffer), ending).await;
        }
        Ok(Err(error)) => tracing::debug!(%client, %error, "connection refused"),
        Err(_) => tracing::debug!(%client, "connection took too long to begin"),
    }
}
