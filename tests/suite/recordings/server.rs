//! The real server with the configuration of a profile, on throw-away state.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::callers::Caller;
use super::scenario::Scenario;
use super::wire::{Answer, Request, exchange};
use super::{recordings, web};
use crate::support::{API, Running};

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    _child: Running,
    dir: TempDir,
    address: SocketAddr,
    profile: String,
    /// What is left of a scenario could disturb the next one.
    used_up: bool,
}

/// Directories that configurations name.
const DIRS: [&str; 9] = [
    "images", "fast", "cheap", "slow", "staging", "tasks", "cache", "lock", "convert",
];

impl Server {
    /// Starts one; an error says why there is none, with its log.
    fn start(profile: &str) -> Result<Self, String> {
        let dir = tempfile::tempdir().expect("a directory");
        for name in DIRS {
            fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        // The socket is handed over, as systemd does: no other test can get its port in between, and whoever
        // connects waits until the server accepts.
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        write_files(profile, dir.path(), &values(dir.path(), address));
        let log = dir.path().join("server.log");
        let child = spawn(listener, &dir.path().join("glance-api.conf"), &log);
        let server = Self {
            _child: child,
            dir,
            address,
            profile: profile.to_owned(),
            used_up: false,
        };
        match server.ask(Caller::Nobody, "GET", "/healthcheck", &[]) {
            Ok(_) => Ok(server),
            Err(error) => {
                let log = fs::read_to_string(log).unwrap_or_default();
                Err(format!(
                    "the server of {profile} does not answer: {error}\n{log}"
                ))
            }
        }
    }

    /// A server for `scenario`: the one before, where that will do.
    pub(super) fn ready_for(scenario: &Scenario, before: Option<Self>) -> Result<Self, String> {
        let before = before.filter(|server| {
            !scenario.fresh && !server.used_up && server.profile == scenario.profile
        });
        before.map_or_else(|| Self::start(&scenario.profile), Ok)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What configurations and steps call its places, and where these are.
    pub(super) fn values(&self) -> Vec<(&'static str, String)> {
        values(self.dir.path(), self.address)
    }

    fn ask(
        &self,
        caller: Caller,
        method: &str,
        path: &str,
        change: &[u8],
    ) -> std::io::Result<Answer> {
        let mut headers = caller.headers();
        let kind = "application/openstack-images-v2.1-json-patch";
        headers.push(("Accept".to_owned(), "*/*".to_owned()));
        headers.push(("Content-Type".to_owned(), kind.to_owned()));
        let request = Request {
            method,
            path,
            headers: &headers,
            body: (!change.is_empty()).then_some(change),
            chunked: false,
        };
        exchange(self.address, &request)
    }

    /// Takes away what a scenario left, where it went well. Otherwise nobody gets the server any more.
    pub(super) fn tidy(&mut self, went_well: bool) {
        let clean = || {
            let listings = ["visibility=all", "visibility=all&os_hidden=true"];
            listings
                .iter()
                .all(|query| self.delete_all(query).unwrap_or(false))
        };
        self.used_up = !(went_well && clean());
    }

    /// Deletes every image of a listing; true where nothing is left.
    fn delete_all(&self, query: &str) -> std::io::Result<bool> {
        let ask = |method, path: &str, change| self.ask(Caller::Admin, method, path, change);
        let listing = ask("GET", &format!("/v2/images?limit=1000&{query}"), b"")?.json();
        let images = listing
            .as_ref()
            .and_then(|listing| listing["images"].as_array());
        let Some(images) = images else {
            return Ok(false);
        };
        for image in images {
            let path = format!("/v2/images/{}", image["id"].as_str().unwrap_or_default());
            if image["protected"] == true {
                let change = br#"[{"op": "replace", "path": "/protected", "value": false}]"#;
                ask("PATCH", &path, change)?;
            }
            if ask("DELETE", &path, b"")?.status != 204 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn values(dir: &Path, address: SocketAddr) -> Vec<(&'static str, String)> {
    let web = web::address();
    vec![
        ("workdir", dir.display().to_string()),
        ("port", address.port().to_string()),
        ("host", address.to_string()),
        ("endpoint", format!("http://{address}")),
        ("web_port", web.port().to_string()),
        ("web_host", web.to_string()),
        ("web", format!("http://{web}")),
    ]
}

/// Writes the files of a profile, with values in the places of names.
fn write_files(profile: &str, dir: &Path, values: &[(&'static str, String)]) {
    let copy = |source: &Path, name: &str| {
        let mut text = fs::read_to_string(source).expect("a file of the profile");
        for (name, value) in values {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        fs::write(dir.join(name), text).expect("a file");
    };
    let profiles = recordings().join("profiles");
    copy(&profiles.join(format!("{profile}.conf")), "glance-api.conf");
    copy(&recordings().join("paste.ini"), "paste.ini");
    let more = fs::read_dir(profiles.join(format!("{profile}.files")));
    for file in more.into_iter().flatten() {
        let file = file.expect("a file of the profile").path();
        let name = file.file_name().and_then(|name| name.to_str());
        copy(&file, name.expect("a name"));
    }
}

fn spawn(listener: TcpListener, config: &Path, log: &Path) -> Running {
    let log = File::create(log).expect("a log");
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "export LISTEN_PID=$$; exec \"$@\" 3<&0 </dev/null",
            "sh",
        ])
        .arg(API)
        .arg("--config-file")
        .arg(config)
        .env_clear()
        .env("LISTEN_FDS", "1")
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(log.try_clone().expect("a log"))
        .stderr(log);
    Running::start(&mut command)
}
