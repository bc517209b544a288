//! The socket to listen on: systemd's, where it hands one over, or one of our own.

use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket};

use crate::config::ApiConfig;

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "{address} is in use: is another glance-api running? Set bind_port (and bind_host) to a free address"
    )]
    InUse { address: SocketAddr },
    #[error(
        "not allowed to listen on {address}: ports below 1024 need a privilege. Set bind_port to a higher one"
    )]
    Denied { address: SocketAddr },
    #[error(
        "{address} is no address of this machine: set bind_host to one that is, or to 0.0.0.0 for all"
    )]
    NotHere { address: SocketAddr },
    #[error("cannot listen on {address}")]
    Other {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot listen on {address} for [metrics] listen")]
    Metrics {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot use the socket that systemd handed over: {0}")]
    HandedOver(io::Error),
}

/// Listens where the configuration says, unless systemd has done so already.
pub fn bind(config: &ApiConfig) -> Result<TcpListener, BindError> {
    let mut handed_over = ListenFd::from_env();
    if handed_over.len() > 0 {
        return take(&mut handed_over).map_err(BindError::HandedOver);
    }
    let address = SocketAddr::new(config.bind_host, config.bind_port);
    open(address, config.backlog).map_err(|error| explain(address, error))
}

/// Listens for those who read the metrics.
pub fn bind_metrics(address: SocketAddr) -> Result<TcpListener, BindError> {
    /// More need not wait.
    const BACKLOG: u32 = 16;
    open(address, BACKLOG).map_err(|source| BindError::Metrics { address, source })
}

fn explain(address: SocketAddr, source: io::Error) -> BindError {
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        io::ErrorKind::PermissionDenied => BindError::Denied { address },
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { address },
        _ => BindError::Other { address, source },
    }
}

fn take(handed_over: &mut ListenFd) -> io::Result<TcpListener> {
    let listener = handed_over
        .take_tcp_listener(0)?
        .ok_or_else(|| io::Error::other("it was taken before"))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn open(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restart need not wait for the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16, host: &str) -> io::Result<TcpListener> {
        open(SocketAddr::new(host.parse().unwrap(), port), 16)
    }

    #[tokio::test]
    async fn both_families_can_be_listened_on() {
        assert!(at(0, "127.0.0.1").is_ok());
        match at(0, "::1") {
            Ok(listener) => assert!(listener.local_addr().unwrap().is_ipv6()),
            // A machine without IPv6 has no such address.
            Err(error) => assert_ne!(error.kind(), io::ErrorKind::AddrInUse),
        }
    }

    #[tokio::test]
    async fn an_address_in_use_is_named_with_what_to_do() {
        let first = at(0, "127.0.0.1").unwrap();
        let address = first.local_addr().unwrap();
        let error = at(address.port(), "127.0.0.1").unwrap_err();
        let told = explain(address, error).to_string();
        assert!(told.starts_with(&format!("{address} is in use")), "{told}");
        assert!(told.contains("bind_port"), "{told}");
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_named_with_what_to_do() {
        let address: SocketAddr = "192.0.2.1:0".parse().unwrap();
        let error = at(0, "192.0.2.1").unwrap_err();
        let told = explain(address, error).to_string();
        assert!(told.contains("set bind_host"), "{told}");
    }
}
