//! A running service, with everything it has in one directory.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::http::{self, Body};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running service. It ends when this is dropped.
pub struct Service {
    child: Child,
    address: SocketAddr,
    dir: PathBuf,
}

impl Service {
    /// Starts `command`, which takes a configuration as `glance-api` does.
    pub fn start(command: &mut Command, dir: &Path) -> Result<Self> {
        Self::with(command, dir, "")
    }

    /// The same with `more` in its configuration. What works in `dir` already shares everything with it.
    pub fn with(command: &mut Command, dir: &Path, more: &str) -> Result<Self> {
        let address = free_address()?;
        let conf = configure(dir, address, more)?;
        let log = dir.join(format!("log-{}", address.port()));
        let output = fs::File::create(&log)?;
        let child = command
            .arg("--config-file")
            .arg(&conf)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{command:?} cannot be started"))?;
        let service = Self {
            child,
            address,
            dir: dir.to_owned(),
        };
        if wait_for(address, "/healthcheck").is_err() {
            bail!("the server does not start: {}", fs::read_to_string(log)?);
        }
        Ok(service)
    }

    /// Starts `binary` without any configuration, and says how long it takes to its first answer.
    pub fn first_answer(binary: &Path) -> Result<Duration> {
        let dir = tempfile::tempdir()?;
        let address = free_address()?;
        let mut command = Command::new(binary);
        command
            .args(["--bind-port", &address.port().to_string()])
            .env("HOME", dir.path())
            .env("GLANCE_STATE_DIR", dir.path().join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn()?;
        let answered = wait_for(address, "/healthcheck");
        let taken = start.elapsed();
        end(&mut child);
        answered.map(|()| taken)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new image of `size` bytes.
    pub fn image(&self, size: u64) -> Result<String> {
        let image = self.record()?;
        self.put(&image, &http::noise(8 * crate::MIB), size)?;
        Ok(image)
    }

    /// A new image without data.
    pub fn record(&self) -> Result<String> {
        let body = Body::Json(r#"{"disk_format": "raw", "container_format": "bare"}"#);
        let answer = http::call(self.address, "POST", "/v2/images", &body)?;
        let image: serde_json::Value = serde_json::from_slice(&answer)?;
        let id = image["id"].as_str().context("an image without an id")?;
        Ok(id.to_owned())
    }

    /// Uploads `size` bytes of `piece` after `piece`.
    pub fn put(&self, image: &str, piece: &[u8], size: u64) -> Result<()> {
        let path = format!("/v2/images/{image}/file");
        http::call(self.address, "PUT", &path, &Body::Data(piece, size)).map(drop)
    }

    pub fn delete(&self, image: &str) -> Result<()> {
        let path = format!("/v2/images/{image}");
        http::call(self.address, "DELETE", &path, &Body::None).map(drop)
    }

    /// The file of a cached image, once it is one.
    pub fn cached(&self, image: &str) -> Result<PathBuf> {
        let file = self.dir.join("cache").join(image);
        let start = Instant::now();
        while !file.exists() {
            if start.elapsed() > PATIENCE {
                bail!("{image} does not get into the cache");
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(file)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Writes a configuration under which nobody is asked who it is, and everybody is the administrator.
fn configure(dir: &Path, address: SocketAddr, more: &str) -> Result<PathBuf> {
    let (at, port) = (dir.display(), address.port());
    for name in ["images", "cache", "staging"] {
        fs::create_dir_all(dir.join(name))?;
    }
    fs::write(dir.join("policy.yaml"), "context_is_admin: '@'\n")?;
    let conf = dir.join(format!("glance-api-{port}.conf"));
    fs::write(
        &conf,
        format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\n\
             worker_self_reference_url = http://{address}\n\
             image_cache_dir = {at}/cache\nimage_cache_max_size = 107374182400\n\
             image_cache_driver = sqlite\nnode_staging_uri = file://{at}/staging\n\
             [paste_deploy]\nflavor = caching\n\
             [database]\nconnection = sqlite:///{at}/glance.db\n\
             [glance_store]\nstores = file\ndefault_store = file\n\
             filesystem_store_datadir = {at}/images\n\
             [oslo_policy]\npolicy_file = {at}/policy.yaml\n{more}"
        ),
    )?;
    Ok(conf)
}

/// An address that nobody listens on.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The binary of this name, where there is one.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|binary| binary.is_file())
}

/// Waits until somebody answers.
pub fn wait_for(address: SocketAddr, path: &str) -> Result<()> {
    let start = Instant::now();
    while let Err(error) = http::download(address, path) {
        if start.elapsed() > PATIENCE {
            return Err(error);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Waits until somebody listens.
pub fn wait_until_open(address: SocketAddr) -> Result<()> {
    let start = Instant::now();
    while let Err(error) = TcpStream::connect(address) {
        if start.elapsed() > PATIENCE {
            return Err(error.into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Ends a child the polite way, and waits for it.
pub fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if pid.is_none_or(|pid| kill_process(pid, Signal::TERM).is_err()) {
        let _ = child.kill();
    }
    if let Err(error) = child.wait() {
        eprintln!("a child was lost: {error}");
    }
}
