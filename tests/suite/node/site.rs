//! A state directory, and processes on it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, API, CACHE_MANAGE, Database, Running};

use super::process::{Image, Node};

/// Everybody may do what the tests do.
const ALLOWED: [&str; 17] = [
    "add_image",
    "modify_image",
    "set_image_location",
    "get_image_location",
    "delete_image_location",
    "upload_image",
    "get_image",
    "get_images",
    "download_image",
    "delete_image",
    "manage_image_cache",
    "cache_image",
    "cache_list",
    "cache_delete",
    "cache_prune",
    "cache_clean",
    "list_cached_nodes",
];

/// What any number of processes of a node share: a database, a store and a cache directory.
pub(super) struct Site {
    home: TempDir,
    processes: AtomicU64,
    database: Database,
}

impl Site {
    pub(super) fn new() -> Self {
        Self::with("", "")
    }

    /// With options of `[DEFAULT]` and of `[image_cache]` over those that suit most tests.
    pub(super) fn with(default: &str, image_cache: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let database = Database::beside(home.path());
        // On a busy machine others may have the file for long.
        let patience = if database.url().starts_with("sqlite:") {
            "?timeout=60"
        } else {
            ""
        };
        let url = format!("{}{patience}", database.url());
        let site = Self {
            home,
            processes: AtomicU64::new(0),
            database,
        };
        let home = site.path("");
        let dir = home.display();
        let configuration = format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = 0\nimage_cache_dir = {dir}/cache\n\
             image_cache_driver = sqlite\nenabled_import_methods = []\n{default}\n\
             [image_cache]\nmin_free_space = 0\nqueue_settle = 0.2\n{image_cache}\n\
             [database]\nconnection = {url}\nmax_pool_size = 2\nmax_overflow = 2\n\
             [glance_store]\nstores = file\ndefault_store = file\n\
             filesystem_store_datadir = {dir}/images\n\
             [oslo_policy]\npolicy_file = {dir}/policy.yaml\n\
             [paste_deploy]\nflavor = cachemanagement\n"
        );
        let rules: String = ALLOWED.map(|rule| format!("{rule}: \"\"\n")).concat();
        fs::write(site.path("glance-api.conf"), configuration).unwrap();
        fs::write(site.path("policy.yaml"), rules).unwrap();
        site
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Has its database and its store where `other` has them, and a cache of its own.
    pub(super) fn shares_with(&self, other: &Self) {
        let conf = fs::read_to_string(self.path("glance-api.conf")).unwrap();
        let images = |site: &Self| site.path("images").display().to_string();
        let shared = conf
            .replace(&images(self), &images(other))
            .replace(self.database.url(), other.database.url());
        fs::write(self.path("glance-api.conf"), shared).unwrap();
    }

    /// Goes by these lines of a configuration as well.
    pub(super) fn adds(&self, options: &str) {
        let path = self.path("glance-api.conf");
        let conf = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{conf}{options}\n")).unwrap();
    }

    /// A path in the cache directory.
    pub(super) fn cache(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path("cache").join(name)
    }

    /// Where the store has the data of an image.
    pub(super) fn stored(&self, image: &Image) -> PathBuf {
        self.path("images").join(&image.id)
    }

    /// The files in a directory, sorted.
    pub(super) fn files(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(dir)).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        let mut names: Vec<_> = files
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The copies that lie in the cache directory.
    pub(super) fn copies(&self) -> Vec<String> {
        let mut files = self.files("cache");
        files.retain(|name| !name.starts_with("cache.db"));
        files
    }

    /// Starts `glance-api`, and waits until it is well.
    pub(super) fn start(&self) -> Node {
        self.start_as(None)
    }

    /// The same as another user.
    pub(super) fn start_as(&self, user: Option<u32>) -> Node {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        let log = self.path(&format!("api-{number}.log"));
        let mut command = self.plain(API);
        command
            .arg("--config-file")
            .arg(self.path("glance-api.conf"))
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        Node::start(Running::start(&mut command), log)
    }

    /// Gives all of it to a user, who can then start a process in it.
    pub(super) fn give_to(&self, user: Option<u32>) {
        let dir = self.home.path();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(dir, user, user).unwrap();
    }

    /// Sets the mode of the cache directory and those in it.
    pub(super) fn close_cache(&self, mode: u32) {
        let mut dirs = [
            "",
            "incomplete",
            "invalid",
            "queue",
            ".glance",
            ".glance/fills",
        ];
        // Each is reached only while the one above it is open.
        if mode & 0o100 == 0 {
            dirs.reverse();
        }
        for dir in dirs {
            fs::set_permissions(self.cache(dir), fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// A command without what the shell of the tests may have set.
    pub(super) fn plain(&self, program: impl AsRef<Path>) -> Command {
        let mut command = support::plain(program.as_ref());
        command.env("HOME", self.path(""));
        command
    }

    /// One of the jobs with a configuration that leads to `node`, or to no API at all.
    pub(super) fn job(&self, program: &str, node: Option<&Node>, arguments: &[&str]) -> Command {
        let conf = fs::read_to_string(self.path("glance-api.conf")).unwrap();
        // Nobody listens on port 1.
        let port = node.map_or(1, |node| node.address.port());
        let conf = conf.replace("bind_port = 0", &format!("bind_port = {port}"));
        fs::write(self.path("glance-cache.conf"), conf).unwrap();
        let mut command = self.plain(program);
        command
            .arg("--config-file")
            .arg(self.path("glance-cache.conf"));
        command.args(arguments);
        command
    }

    /// What `glance-cache-manage` finds in the directory, sorted.
    #[track_caller]
    pub(super) fn listed(&self) -> Vec<String> {
        let mut list = self.plain(CACHE_MANAGE);
        list.args(["list-cached", "--json", "--cache-dir"]);
        let output = list.arg(self.path("cache")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let listing: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = listing["cached_images"].as_array().unwrap().iter();
        let ids = rows.map(|row| row["image_id"].as_str().unwrap().to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.sort_unstable();
        ids
    }
}
