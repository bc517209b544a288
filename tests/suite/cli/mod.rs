//! The companion tools as a shell sees them: streams, exit codes, and what is in the directory afterwards.

mod completion;
mod jobs;
mod live;
mod manage;
mod many;
mod pins;
mod policy;
mod show;
mod tls;
mod top;
mod twice;

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::support::{
    CACHE_MANAGE, CLEANER, Ended, PREFETCHER, PRUNER, plain as tool, run, unused_port,
};

const IMAGE: &str = "6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9";
const OTHER: &str = "7b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9";

/// A cache directory and a configuration that names it.
struct Node {
    home: TempDir,
}

impl Node {
    fn new() -> Self {
        let node = Self {
            home: tempfile::tempdir().unwrap(),
        };
        for dir in ["incomplete", "invalid", "queue"] {
            fs::create_dir_all(node.cache().join(dir)).unwrap();
        }
        node.configure("");
        node
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    /// Writes the configuration: the cache, a port on which nobody listens, no database, and `more` of
    /// `[DEFAULT]`.
    fn configure(&self, more: &str) {
        let text = format!(
            "[DEFAULT]\nimage_cache_dir = {}\nimage_cache_driver = sqlite\nbind_host = 127.0.0.1\n\
             bind_port = {}\n{more}\n[glance_store]\nfilesystem_store_datadir = {}\n",
            self.cache().display(),
            unused_port(),
            self.home.path().join("images").display(),
        );
        fs::write(self.conf(), text).unwrap();
    }

    fn conf(&self) -> PathBuf {
        self.home.path().join("glance-cache.conf")
    }

    /// Puts a whole image there, last used `age` seconds after a fixed moment.
    fn holding(self, id: &str, size: u64, age: u64) -> Self {
        let file = File::create(self.cache().join(id)).unwrap();
        file.set_len(size).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + age);
        file.set_times(FileTimes::new().set_accessed(time).set_modified(time))
            .unwrap();
        self
    }

    fn has(&self, path: impl AsRef<Path>) -> bool {
        self.cache().join(path).exists()
    }

    /// `glance-cache-manage` on the directory.
    fn manage(&self, arguments: &[&str]) -> Ended {
        let mut command = tool(CACHE_MANAGE);
        command.args(arguments).arg("--cache-dir").arg(self.cache());
        run(&mut command)
    }

    /// One of the jobs, with the configuration of this node.
    fn job(&self, program: &str, arguments: &[&str]) -> Ended {
        run(self.job_command(program).args(arguments))
    }

    fn job_command(&self, program: &str) -> Command {
        let mut command = tool(program);
        command.arg("--config-file").arg(self.conf());
        command
    }
}
