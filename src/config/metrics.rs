//! Where Prometheus reads numbers: our own `[metrics]`.

use std::net::{SocketAddr, ToSocketAddrs as _};

use super::error::Error;
use super::ini::Settings;

/// The path on an address of its own.
pub const PATH: &str = "/metrics";

#[derive(Debug, Clone, Default)]
pub struct MetricsConfig {
    /// `[metrics] listen`: an address of its own, on which [`PATH`] has the numbers.
    pub listen: Option<SocketAddr>,
    /// `[metrics] path`: where on the address of the API the numbers are.
    pub path: Option<String>,
    /// `[metrics] authenticate`: only callers of the API who may list the cache get them.
    pub authenticate: bool,
}

impl MetricsConfig {
    pub(super) fn from(settings: &Settings) -> Result<Self, Error> {
        let section = settings.section("metrics");
        let address = |text: &str| {
            let must =
                || "an address of this machine with a port, such as 127.0.0.1:9095".to_owned();
            let mut addresses = text.trim().to_socket_addrs().map_err(|_| must())?;
            addresses.next().ok_or_else(must)
        };
        let path = |text: &str| {
            let path = text.trim();
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
            // Below these the API answers.
            let first = path.split('/').nth(1).unwrap_or_default();
            let taken = ["", "v1", "v2", "versions", "healthcheck"].contains(&first);
            if path.starts_with('/') && path.chars().all(plain) && !taken {
                Ok(path.to_owned())
            } else {
                Err("a path beside those of the API, such as /metrics".to_owned())
            }
        };
        Ok(Self {
            listen: section.read("listen", address)?,
            path: section.read("path", path)?,
            authenticate: section.flag("authenticate")?,
        })
    }
}
