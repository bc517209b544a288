//! The caching proxies that people put before a store: nginx and Varnish, each set up as well as we know how.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::Result;
use tempfile::TempDir;

use crate::{nginx, service};

/// A kind of proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `proxy_cache` in slices, one request for each of them at a time.
    Nginx,
    /// Varnish, which keeps objects in a file and lets followers read along.
    Varnish,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Nginx, Self::Varnish];

    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Varnish => "Varnish",
        }
    }
}

/// A running proxy with an empty cache. It ends when this is dropped.
pub struct Proxy {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Proxy {
    /// Starts one before `origin`; none where it is not installed.
    pub fn start(kind: Kind, origin: SocketAddr) -> Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        let address = service::free_address()?;
        let command = match kind {
            Kind::Nginx => nginx(&dir, address, origin)?,
            Kind::Varnish => varnish(&dir, address, origin),
        };
        let Some(mut command) = command else {
            return Ok(None);
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let proxy = Self {
            child,
            address,
            _dir: dir,
        };
        service::wait_until_open(address)?;
        Ok(Some(proxy))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        service::end(&mut self.child);
    }
}

fn nginx(dir: &TempDir, address: SocketAddr, origin: SocketAddr) -> Result<Option<Command>> {
    let Some(binary) = service::installed("nginx") else {
        return Ok(None);
    };
    let at = dir.path().display();
    let server = format!(
        "proxy_cache_path {at}/cache levels=1:2 keys_zone=images:10m max_size=100g inactive=1d;\n\
         server {{ listen {address} backlog=4096; location / {{\n\
         slice 4m; proxy_pass http://{origin}; proxy_http_version 1.1; proxy_set_header Range $slice_range;\n\
         proxy_cache images; proxy_cache_key $uri$slice_range; proxy_cache_valid 200 206 1d;\n\
         proxy_cache_lock on; proxy_cache_lock_timeout 1h; proxy_cache_lock_age 1h; }} }}\n"
    );
    nginx::command(&binary, dir.path(), &server).map(Some)
}

fn varnish(dir: &TempDir, address: SocketAddr, origin: SocketAddr) -> Option<Command> {
    let mut command = Command::new(service::installed("varnishd")?);
    let storage = dir.path().join("objects");
    command
        // Its own user could not enter the directory.
        .args(["-F", "-j", "none", "-n"])
        .arg(dir.path().join("varnish"))
        .args(["-a", &address.to_string(), "-b", &origin.to_string()])
        .args(["-s", &format!("file,{},4g", storage.display())])
        .args(["-T", "none", "-t", "86400", "-p", "listen_depth=4096"]);
    Some(command)
}
