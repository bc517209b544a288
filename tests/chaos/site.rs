//! The state of a node, its processes, and what `fsck` says of its cache directory.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::disk::Disk;

const API: &str = env!("CARGO_BIN_EXE_glance-api");
const MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");

/// Bytes that the cache may take. All images together have more, and the disk has a little more.
pub const LIMIT: u64 = 28 << 20;
const DISK_MEBIBYTES: usize = 36;

/// Long for a machine that has nothing else to do.
const PATIENCE: Duration = Duration::from_mins(1);

const RULES: [&str; 15] = [
    "add_image",
    "upload_image",
    "get_image",
    "get_images",
    "modify_image",
    "set_image_location",
    "download_image",
    "delete_image",
    "manage_image_cache",
    "cache_image",
    "cache_list",
    "cache_delete",
    "cache_prune",
    "cache_clean",
    "get_image_location",
];

/// What the processes of a node share.
#[derive(Debug)]
pub struct Site {
    pub disk: Disk,
    home: TempDir,
    started: u64,
}

/// A running `glance-api`. Dropped, it is killed.
#[derive(Debug)]
pub struct Node {
    child: Child,
    pub address: SocketAddr,
}

impl Site {
    pub fn make(store: SocketAddr) -> Result<Self, String> {
        let home = tempfile::tempdir().map_err(|error| error.to_string())?;
        let disk = Disk::mount(home.path().join("disk"), DISK_MEBIBYTES);
        let site = Self {
            disk: disk.map_err(|error| error.to_string())?,
            home,
            started: 0,
        };
        let dir = site.home.path().display();
        let configuration = format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = 0\nimage_cache_dir = {dir}/disk/cache\n\
             image_cache_driver = sqlite\nimage_cache_max_size = {LIMIT}\n\
             show_multiple_locations = true\nenabled_import_methods = []\n\
             [image_cache]\nmin_free_space = 0\nqueue_settle = 0.2\n\
             [database]\nconnection = sqlite:///{dir}/glance.sqlite\n\
             [glance_store]\nstores = file, http\ndefault_store = file\n\
             filesystem_store_datadir = {dir}/images\n\
             [import_filtering_opts]\nallowed_ports = [{}]\nallowed_hosts = [127.0.0.1]\n\
             [oslo_policy]\npolicy_file = {dir}/policy.yaml\n\
             [paste_deploy]\nflavor = cachemanagement\n",
            store.port()
        );
        let rules = RULES.map(|rule| format!("{rule}: \"\"\n")).concat();
        let written = fs::write(site.path("glance-api.conf"), configuration)
            .and_then(|()| fs::write(site.path("policy.yaml"), rules));
        written.map_err(|error| error.to_string())?;
        Ok(site)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A path in the cache directory.
    pub fn cache(&self, name: &str) -> PathBuf {
        self.disk.path().join("cache").join(name)
    }

    /// The names of the files in a directory of the cache.
    pub fn files(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.cache(dir));
        let entries = entries.into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let mut names: Vec<String> = files
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// Starts `glance-api`, and waits until it is well.
    pub fn start(&mut self) -> Result<Node, String> {
        self.started += 1;
        let log = self.path(&format!("log-{}", self.started % 4));
        let child = self
            .command(API)
            .arg("--config-file")
            .arg(self.path("glance-api.conf"))
            .stdout(Stdio::null())
            .stderr(File::create(&log).map_err(|error| error.to_string())?)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut node = Node {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let said = text.split_once("listening on ");
            let address = said.and_then(|(_, line)| line.split_whitespace().next());
            if let Some(address) = address.and_then(|address| address.parse().ok()) {
                node.address = address;
                return Ok(node);
            }
            if let Ok(Some(status)) = node.child.try_wait() {
                return Err(format!(
                    "a service ended with {status} at its start: {text}"
                ));
            }
            thread::sleep(Duration::from_millis(3));
        }
        Err("a service does not start".to_owned())
    }

    /// What the last services said.
    pub fn logs(&self) -> String {
        let texts = (0..4)
            .filter_map(|number| fs::read_to_string(self.path(&format!("log-{number}"))).ok());
        texts.collect::<Vec<_>>().join("\n----\n")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs `fsck`, which is to succeed.
    pub fn fsck(&self, arguments: &[&str]) -> Result<(), String> {
        let output = self
            .command(MANAGE)
            .args(["fsck", "--config-file"])
            .arg(self.path("glance-api.conf"))
            .args(arguments)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "fsck {arguments:?} ends with {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        ))
    }
}

impl Node {
    fn signal(&self, signal: Signal) {
        // It may have ended by itself, which its status tells.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// SIGKILL. An error where it had ended by itself.
    pub fn kill(mut self) -> Result<(), String> {
        self.signal(Signal::KILL);
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.signal() == Some(9) {
            return Ok(());
        }
        Err(format!("a service had ended with {status}"))
    }

    /// SIGTERM, and a good end.
    pub fn stop(mut self) -> Result<(), String> {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.child.try_wait() {
                Ok(Some(status)) => return ended(status),
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err("a service does not end".to_owned())
    }
}

fn ended(status: ExitStatus) -> Result<(), String> {
    if status.success() {
        Ok(())
    } else {
        Err(format!("a service that was stopped ended with {status}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
