//! A running `glance-api`, and images in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::http::{self, Answer, Opened};
use crate::support::{Running, eventually, wait_for};

/// An image, and what its data is in truth.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) data: Vec<u8>,
}

impl Image {
    pub(super) fn file(&self) -> String {
        format!("/v2/images/{}/file", self.id)
    }
}

/// Bytes that are like no others.
fn noise(size: usize) -> Vec<u8> {
    static SEED: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    let mut state = SEED.fetch_add(0x1234_5678_9abc_def1, Ordering::Relaxed) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A running `glance-api`. Dropped, it is killed.
pub(super) struct Node {
    child: Running,
    pub(super) address: SocketAddr,
    log: PathBuf,
}

impl Node {
    /// Waits until it is well. It writes its log to a file.
    pub(super) fn start(child: Running, log: PathBuf) -> Self {
        let mut node = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            log,
        };
        node.address = eventually(|| node.listening());
        assert_eq!(node.get("/healthcheck").status, 200);
        node
    }

    /// The number of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    fn listening(&mut self) -> Option<SocketAddr> {
        let log = self.log();
        let ended = self.child.ended();
        assert!(ended.is_none(), "it ended with {ended:?}: {log}");
        let (_, line) = log.split_once("listening on ")?;
        line.split_whitespace().next()?.parse().ok()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn ask(&self, method: &str, path: &str) -> Answer {
        http::ask(self.address, method, path, "", b"").unwrap()
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    /// Makes an image without data.
    pub(super) fn create(&self) -> Image {
        self.create_as(&json!({}))
    }

    /// Makes an image that is like this, without data.
    pub(super) fn create_as(&self, more: &Value) -> Image {
        let mut document = json!({"disk_format": "raw", "container_format": "bare"});
        let more = more.as_object().unwrap().clone();
        document.as_object_mut().unwrap().extend(more);
        let (kind, document) = ("application/json", document.to_string());
        let document = document.as_bytes();
        let made = http::ask(self.address, "POST", "/v2/images", kind, document).unwrap();
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let data = Vec::new();
        Image { id, data }
    }

    pub(super) fn upload(&self, image: &Image, data: &[u8]) -> Answer {
        let kind = "application/octet-stream";
        http::ask(self.address, "PUT", &image.file(), kind, data).unwrap()
    }

    /// Makes an image that waits for `size` bytes.
    pub(super) fn planned(&self, size: usize) -> Image {
        Image {
            data: noise(size),
            ..self.create()
        }
    }

    /// Makes an image of `size` bytes.
    pub(super) fn image(&self, size: usize) -> Image {
        self.image_as(size, &json!({}))
    }

    /// Makes an image of `size` bytes that is like this.
    pub(super) fn image_as(&self, size: usize, more: &Value) -> Image {
        let image = Image {
            data: noise(size),
            ..self.create_as(more)
        };
        let uploaded = self.upload(&image, &image.data);
        assert_eq!(uploaded.status, 204, "{}", uploaded.text());
        image
    }

    /// Begins a download.
    pub(super) fn open(&self, image: &Image) -> io::Result<Opened> {
        http::open(self.address, "GET", &image.file(), "", b"")
    }

    /// Downloads all of an image; an error where the connection breaks.
    pub(super) fn download(&self, image: &Image) -> io::Result<Vec<u8>> {
        let opened = self.open(image)?;
        assert_eq!(opened.status, 200);
        opened.rest()
    }

    /// Downloads a part of an image.
    pub(super) fn range(&self, image: &Image, range: &str) -> Answer {
        http::range(self.address, &image.file(), range).unwrap()
    }

    /// Downloads an image and compares it with the truth.
    #[track_caller]
    pub(super) fn serves(&self, image: &Image) {
        match self.download(image) {
            Ok(body) => assert!(body == image.data, "a wrong body of image {}", image.id),
            Err(error) => panic!("{error}: {}", self.log()),
        }
    }

    /// What the API says is cached, with the hits of each.
    pub(super) fn listing(&self) -> BTreeMap<String, u64> {
        let listing = self.get("/v2/cache").json();
        let rows = listing["cached_images"].as_array().unwrap();
        let entry = |row: &Value| {
            let id = row["image_id"].as_str().unwrap().to_owned();
            (id, row["hits"].as_u64().unwrap())
        };
        rows.iter().map(entry).collect()
    }

    /// What the API says is queued.
    pub(super) fn queued(&self) -> Value {
        self.get("/v2/cache").json()["queued_images"].clone()
    }

    /// Waits until the whole image is in the cache.
    #[track_caller]
    pub(super) fn caches(&self, image: &Image) {
        let listed = || self.listing().contains_key(&image.id).then_some(());
        wait_for(listed).unwrap_or_else(|| panic!("it was not cached: {}", self.log()));
    }

    /// Waits until the image is in the cache, and all is told and counted that goes with it: that comes after the
    /// copy.
    #[track_caller]
    pub(super) fn has_cached(&self, image: &Image) {
        self.caches(image);
        self.says(&format!("cached image {}", image.id));
    }

    /// The log, without what only looked.
    pub(super) fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap();
        // What is just being written counts when it is whole.
        let (log, _) = log.rsplit_once('\n').unwrap_or_default();
        let lines = log.lines().filter(|line| !line.contains("path=/v2/cache "));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    /// Waits until the log says it.
    #[track_caller]
    pub(super) fn says(&self, what: &str) {
        let said = || self.log().contains(what).then_some(());
        wait_for(said).unwrap_or_else(|| panic!("no {what:?} in {}", self.log()));
    }

    /// How many lines of the log have all of these.
    pub(super) fn lines_with(&self, parts: &[&str]) -> usize {
        let log = self.log();
        log.lines()
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .count()
    }

    pub(super) fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Sends SIGTERM.
    pub(super) fn end(&self) {
        self.child.signal(Signal::TERM);
    }

    /// Waits for the end.
    pub(super) fn ended(mut self) -> ExitStatus {
        self.child.wait()
    }

    /// Ends it with SIGTERM, and sees that it ends well.
    #[track_caller]
    pub(super) fn stop(self) {
        self.end();
        let log = self.log.clone();
        let status = self.ended();
        assert!(
            status.success(),
            "{status}: {}",
            fs::read_to_string(log).unwrap()
        );
    }

    /// Ends it with SIGKILL.
    pub(super) fn kill(self) {
        self.child.kill();
    }
}
