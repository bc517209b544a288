//! nginx with one file to serve, as fast as it can.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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
        let Some(binary) = binary() else {
            return Ok(None);
        };
        let dir = tempfile::tempdir()?;
        let address = service::free_address()?;
        let (at, file) = (dir.path().display(), file.display());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
            .join("\n");
        let conf = dir.path().join("nginx.conf");
        fs::write(
            &conf,
            format!(
                "daemon off;\nworker_processes auto;\npid {at}/pid;\nerror_log {at}/error.log;\n\
                 {user}events {{ worker_connections 1024; }}\n\
                 http {{\naccess_log off;\nsendfile on;\ntcp_nopush on;\n{temporary}\n\
                 server {{ listen {address}; location / {{ root /; try_files {file} =404; }} }}\n}}\n",
                user = if rustix::process::geteuid().is_root() {
                    "user root;\n"
                } else {
                    ""
                },
            ),
        )?;
        let child = Command::new(binary)
            .arg("-c")
            .arg(&conf)
            .arg("-e")
            .arg(dir.path().join("error.log"))
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

fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|dir| dir.join("nginx"))
        .find(|binary| binary.is_file())
}
