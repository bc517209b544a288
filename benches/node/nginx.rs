//! nginx with one file to serve, as fast as it can.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Result;
use tempfile::TempDir;

use crate::service;

/// A running nginx. It ends when this is dropped.
pub struct Nginx {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Nginx {
    /// Serves `file` under every path; none where nginx is not installed.
    pub fn start(file: &Path) -> Result<Option<Self>> {
        let Some(binary) = service::installed("nginx") else {
            return Ok(None);
        };
        let dir = tempfile::tempdir()?;
        let address = service::free_address()?;
        let file = file.display();
        let child = command(
            &binary,
            dir.path(),
            &format!(
                "server {{ listen {address}; location / {{ root /; try_files {file} =404; }} }}"
            ),
        )?
        .stdin(Stdio::null())
        .spawn()?;
        let nginx = Self {
            child,
            address,
            _dir: dir,
        };
        service::wait_for(address, "/")?;
        Ok(Some(nginx))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        service::end(&mut self.child);
    }
}

/// What runs nginx in the foreground with everything in `dir`, and these servers.
pub fn command(binary: &Path, dir: &Path, servers: &str) -> Result<Command> {
    let at = dir.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
        .join("\n");
    let user = if rustix::process::geteuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    let conf = dir.join("nginx.conf");
    fs::write(
        &conf,
        format!(
            "daemon off;\nworker_processes auto;\npid {at}/pid;\nerror_log {at}/error.log;\n\
             {user}worker_rlimit_nofile 16384;\nevents {{ worker_connections 8192; }}\n\
             http {{\naccess_log off;\nsendfile on;\ntcp_nopush on;\n{temporary}\n{servers}\n}}\n"
        ),
    )?;
    let mut command = Command::new(binary);
    command.arg("-c").arg(conf);
    command.arg("-e").arg(dir.join("error.log"));
    Ok(command)
}
