//! The listener and its limits: `[DEFAULT]` and our own `[server]`.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

use super::error::Error;
use super::ini::Settings;

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
    /// `[server] drain_notice`: seconds after SIGTERM in which new connections still come in, so that who
    /// asks for our health learns of the end.
    pub drain_notice: Duration,
    /// `[server] drain_timeout`: seconds that running requests get after that.
    pub drain_timeout: Duration,
    /// `[server] max_header_size`: bytes of a request's head.
    pub max_header_size: usize,
    /// `[server] max_connections`: more wait in the backlog.
    pub max_connections: usize,
}

impl ApiConfig {
    pub(super) fn from(settings: &Settings) -> Result<Self, Error> {
        let default = settings.section("DEFAULT");
        let server = settings.section("server");
        let address_of = |host: &str| {
            let must =
                || "an address of this machine, such as 127.0.0.1, or a name of one".to_owned();
            let host = host.trim_start_matches('[').trim_end_matches(']');
            // Names are looked up here, once: whoever reads the configuration need not.
            let mut addresses = (host, 0).to_socket_addrs().map_err(|_| must())?;
            addresses
                .next()
                .map(|address| address.ip())
                .ok_or_else(must)
        };
        let unset = || default.refuse("bind_host", "an address of this machine");
        Ok(Self {
            bind_host: default.read("bind_host", address_of)?.ok_or_else(unset)?,
            bind_port: default.number("bind_port")?,
            backlog: default.number("backlog")?,
            public_endpoint: default.text("public_endpoint")?,
            self_reference_url: default.text("worker_self_reference_url")?,
            max_request_id_length: default.number("max_request_id_length")?,
            allow_anonymous_access: default.flag("allow_anonymous_access")?,
            proxy_headers: settings
                .section("oslo_middleware")
                .flag("enable_proxy_headers_parsing")?,
            header_timeout: server.seconds("header_timeout")?,
            idle_timeout: server.seconds("idle_timeout")?,
            body_timeout: server.seconds("body_timeout")?,
            drain_notice: server.seconds("drain_notice")?,
            drain_timeout: server.seconds("drain_timeout")?,
            max_header_size: server.number_of_bytes("max_header_size")?,
            max_connections: server.number("max_connections")?,
        })
    }
}
