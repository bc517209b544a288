//! The listener and its limits: `[DEFAULT]` and our own `[server]`.

use std::net::IpAddr;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// `bind_host`; 0.0.0.0 with a configuration file, as the original had it.
    pub bind_host: IpAddr,
    /// `bind_port`
    pub bind_port: u16,
    /// `backlog`
    pub backlog: u32,
    /// `public_endpoint`: what the version list says where the service is.
    pub public_endpoint: Option<String>,
    /// `worker_self_reference_url`: this node, as its siblings call it.
    pub self_reference_url: Option<String>,
    /// `max_request_id_length`
    pub max_request_id_length: usize,
    /// `allow_anonymous_access`
    pub allow_anonymous_access: bool,
    /// `[oslo_middleware] enable_proxy_headers_parsing`, or the paste filter's own.
    pub proxy_headers: bool,
    /// `[server] header_timeout`: seconds for a request's headers to arrive.
    pub header_timeout: Duration,
    /// `[server] idle_timeout`: seconds a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// `[server] body_timeout`: seconds in which a body must make some progress, either way.
    pub body_timeout: Duration,
    /// `[server] drain_timeout`: seconds that running requests get after SIGTERM.
    pub drain_timeout: Duration,
    /// `[server] max_header_size`: bytes of a request's head.
    pub max_header_size: usize,
    /// `[server] max_connections`: more wait in the backlog.
    pub max_connections: usize,
}
