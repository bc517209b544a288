//! What a connection passes before its first request.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Turns an accepted socket into something that speaks HTTP.
pub trait Stage: Send + Sync + 'static {
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Enters; the header timeout bounds it.
    fn enter(&self, socket: TcpStream) -> impl Future<Output = io::Result<Self::Io>> + Send;
}

/// HTTP on the socket itself.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Stage for Plain {
    type Io = TcpStream;

    async fn enter(&self, socket: TcpStream) -> io::Result<TcpStream> {
        Ok(socket)
    }
}
