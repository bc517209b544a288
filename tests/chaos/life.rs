//! Lives of a node: clients ask, and then it is killed.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use glance::domain::checksum::HashAlgorithm;

use crate::chance::Chance;
use crate::site::{Node, Site};
use crate::store::{Kept, Store};
use crate::{damage, http, watch};

const MIB: usize = 1 << 20;

/// More than fit into the cache together, around all sizes that mean something to it.
const SIZES: [usize; 14] = [
    1,
    64 * 1024,
    MIB,
    4 * MIB - 1,
    4 * MIB,
    4 * MIB + 1,
    5 * MIB,
    9 * MIB,
    13 * MIB,
    2 * MIB + 77,
    8 * MIB,
    MIB - 1,
    6 * MIB,
    3 * MIB,
];

/// How often the last judgement asks for an image that does not come.
const ATTEMPTS: u32 = 5;

/// An image of the service.
#[derive(Debug)]
struct Image {
    id: String,
    kept: Arc<Kept>,
    /// The service itself keeps it, in files: then parts of it can be had.
    in_files: bool,
}

/// All there is.
#[derive(Debug)]
pub struct World {
    site: Site,
    store: Store,
    images: Vec<Image>,
    /// Others wrote into the directory since it was last repaired.
    harmed: bool,
    seen: Mutex<BTreeMap<String, u64>>,
    wrong: Mutex<Vec<String>>,
}

impl World {
    pub fn make(chance: &mut Chance) -> Result<Self, String> {
        let mut kept = Vec::new();
        for (number, size) in SIZES.iter().enumerate() {
            let data = chance.bytes(*size);
            let liar = number % 3 == 1;
            kept.push(Arc::new(Kept { data, liar }));
        }
        let store =
            Store::open(kept.clone(), chance.branch()).map_err(|error| error.to_string())?;
        let mut site = Site::make(store.address)?;
        let node = site.start()?;
        let mut images = Vec::new();
        for (number, kept) in kept.into_iter().enumerate() {
            let in_files = number % 2 == 0;
            let place = (!in_files).then(|| format!("http://{}/{number}", store.address));
            let made = create(node.address, &kept, place.as_deref());
            let id = made.map_err(|error| format!("image {number}: {error}"))?;
            images.push(Image { id, kept, in_files });
        }
        node.stop()?;
        Ok(Self {
            site,
            store,
            images,
            harmed: false,
            seen: Mutex::default(),
            wrong: Mutex::default(),
        })
    }

    /// What was seen so far.
    pub fn told(&self) -> String {
        let seen = self.seen.lock().expect("no thread died");
        let told: Vec<String> = seen
            .iter()
            .map(|(what, times)| format!("{what}: {times}"))
            .collect();
        told.join(", ")
    }

    fn saw(&self, what: &str) {
        let mut seen = self.seen.lock().expect("no thread died");
        *seen.entry(what.to_owned()).or_default() += 1;
    }

    /// One life, from its start to its end and what comes after.
    pub fn live(&mut self, chance: &mut Chance) -> Result<(), String> {
        let mut nodes = vec![self.site.start()?];
        if chance.percent(25) {
            nodes.push(self.site.start()?);
        }
        let lived = self.try_to_live(nodes, chance);
        lived.map_err(|wrong| self.with_logs(&wrong))
    }

    fn try_to_live(&mut self, nodes: Vec<Node>, chance: &mut Chance) -> Result<(), String> {
        if !self.harmed {
            self.site.fsck(&["--verify"])?;
        }
        self.store.set_moody(chance.percent(60));
        if chance.percent(10) {
            self.site.disk.fill();
            self.saw("full disks");
        }
        let ended = AtomicBool::new(false);
        let until = Duration::from_millis(20 + chance.below(900) as u64);
        let gently = chance.percent(8);
        // It is written down while clients still read, so that repairs and reads meet.
        let mut harm = chance.percent(12).then(|| chance.branch());
        let harmed = thread::scope(|scope| {
            for _ in 0..2 + chance.below(6) {
                let (node, chance) = (chance.below(nodes.len()), chance.branch());
                let (world, address, ended) = (&*self, nodes[node].address, &ended);
                scope.spawn(move || world.be_a_client(address, chance, ended));
            }
            scope.spawn(|| watch::limit(&self.site, &ended, &self.wrong));
            thread::sleep(until / 2);
            let harmed = harm
                .as_mut()
                .map(|chance| damage::do_some(&self.site, chance));
            thread::sleep(until / 2);
            let mut ends = Vec::new();
            for node in nodes {
                ends.push(if gently { node.stop() } else { node.kill() });
                thread::sleep(Duration::from_millis(5));
            }
            ended.store(true, Ordering::Relaxed);
            ends.into_iter()
                .collect::<Result<Vec<()>, String>>()
                .map(|_| harmed)
        })?;
        self.saw(if gently { "good ends" } else { "kills" });
        self.site.disk.relieve();
        if let Some(wrong) = self.wrong.lock().expect("no thread died").pop() {
            return Err(wrong);
        }
        if let Some(what) = harmed {
            self.harmed = true;
            self.saw(what.unwrap_or("harm that was not done"));
        }
        if self.harmed {
            self.site.fsck(&["--verify", "--repair"])?;
            self.site.fsck(&["--verify"])?;
            self.harmed = false;
        }
        if chance.percent(15) {
            // There may be nothing of the kind.
            let what = damage::do_some(&self.site, chance).unwrap_or("harm that was not done");
            self.saw(what);
            self.harmed = true;
            if chance.percent(50) {
                self.site.fsck(&["--verify", "--repair"])?;
                self.harmed = false;
            }
        }
        Ok(())
    }

    /// What the services said is kept beside what is wrong.
    fn with_logs(&self, wrong: &str) -> String {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos.log");
        // Without it there is still the seed.
        let _ = std::fs::write(&path, self.site.logs());
        format!("{wrong}\n(the services' logs: {})", path.display())
    }

    /// In the end every image can be had, twice, and nothing is wrong.
    pub fn last_judgement(&mut self) -> Result<(), String> {
        self.store.set_moody(false);
        let node = self.site.start()?;
        for image in self.images.iter().chain(&self.images) {
            let mut attempts = 0;
            loop {
                let path = format!("/v2/images/{}/file", image.id);
                match http::ask(node.address, "GET", &path, "", b"") {
                    Ok((200, body)) if body == image.kept.data => break,
                    Ok((200, _)) => return Err(format!("a wrong body of image {}", image.id)),
                    other if attempts == ATTEMPTS => {
                        let what = other.map(|(status, _)| status);
                        let told = format!("image {} is not served: {what:?}", image.id);
                        return Err(self.with_logs(&told));
                    }
                    _ => attempts += 1,
                }
            }
        }
        node.stop()?;
        if self.harmed {
            self.site.fsck(&["--verify", "--repair"])?;
        }
        self.site.fsck(&["--verify"])
    }

    /// Asks for this and that until the end. What breaks off is forgiven.
    fn be_a_client(&self, address: SocketAddr, mut chance: Chance, ended: &AtomicBool) {
        while !ended.load(Ordering::Relaxed) {
            let what = match chance.below(100) {
                0..40 => self.download(address, &mut chance, false),
                40..50 => self.download(address, &mut chance, true),
                50..78 => self.part(address, &mut chance),
                78..84 => self.leave_early(address, &mut chance),
                84..90 => self.plain(address, "DELETE", &mut chance),
                90..96 => self.plain(address, "PUT", &mut chance),
                96 => http::ask(address, "POST", "/v2/cache/prune", "", b"").map(|_| "prunes"),
                97 => http::ask(address, "POST", "/v2/cache/clean", "", b"").map(|_| "cleans"),
                _ => http::ask(address, "GET", "/v2/cache", "", b"").map(|_| "listings"),
            };
            match what {
                Ok(what) => self.saw(what),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let told = "a client waited in vain for half a minute".to_owned();
                    self.wrong.lock().expect("no thread died").push(told);
                }
                Err(_) => {
                    self.saw("broken connections");
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    fn some_image(&self, chance: &mut Chance) -> &Image {
        &self.images[chance.below(self.images.len())]
    }

    fn compare(&self, image: &Image, what: &str, got: &[u8], right: &[u8]) {
        if got != right {
            let at = std::iter::zip(got, right).position(|(got, right)| got != right);
            let (id, size) = (&image.id, right.len());
            let told = format!(
                "{what} of image {id}: {} of {size} bytes, wrong at {at:?}",
                got.len()
            );
            self.wrong.lock().expect("no thread died").push(told);
        }
    }

    fn download(
        &self,
        address: SocketAddr,
        chance: &mut Chance,
        slow: bool,
    ) -> io::Result<&'static str> {
        let image = self.some_image(chance);
        let path = format!("/v2/images/{}/file", image.id);
        let mut opened = http::open(address, "GET", &path, "", b"")?;
        if opened.status != 200 {
            return Ok("refused downloads");
        }
        let mut body = Vec::new();
        while slow && opened.length > 0 && body.len() < 40 * 4096 {
            body.extend(opened.some(4096)?);
            thread::sleep(Duration::from_millis(4));
        }
        body.extend(opened.rest()?);
        self.compare(image, "a download", &body, &image.kept.data);
        Ok("downloads")
    }

    fn part(&self, address: SocketAddr, chance: &mut Chance) -> io::Result<&'static str> {
        let image = self.some_image(chance);
        let size = image.kept.data.len();
        if image.kept.liar && !image.in_files {
            return Ok("parts that nobody can prove");
        }
        let start = chance.below(size);
        let end = start + 1 + chance.below((size - start).min(6 * MIB));
        let asked = format!("Range: bytes={start}-{}\r\n", end - 1);
        let path = format!("/v2/images/{}/file", image.id);
        let (status, body) = http::ask(address, "GET", &path, &asked, b"")?;
        if status != 206 {
            return Ok("refused parts");
        }
        let right = &image.kept.data[start..end.min(size)];
        self.compare(image, "a part", &body, right);
        Ok("parts")
    }

    fn leave_early(&self, address: SocketAddr, chance: &mut Chance) -> io::Result<&'static str> {
        let image = self.some_image(chance);
        let path = format!("/v2/images/{}/file", image.id);
        let mut opened = http::open(address, "GET", &path, "", b"")?;
        opened.some(chance.below(opened.length))?;
        Ok("clients that left")
    }

    fn plain(
        &self,
        address: SocketAddr,
        method: &str,
        chance: &mut Chance,
    ) -> io::Result<&'static str> {
        let path = format!("/v2/cache/{}", self.some_image(chance).id);
        http::ask(address, method, &path, "", b"")?;
        Ok(if method == "PUT" {
            "wishes"
        } else {
            "evictions"
        })
    }
}

/// Makes an image of this data, in the service's own store or at an address.
fn create(address: SocketAddr, kept: &Kept, place: Option<&str>) -> Result<String, String> {
    let say = |error: io::Error| error.to_string();
    let formats = br#"{"disk_format": "raw", "container_format": "bare"}"#;
    let json = "Content-Type: application/json\r\n";
    let (status, made) = http::ask(address, "POST", "/v2/images", json, formats).map_err(say)?;
    let made: serde_json::Value =
        serde_json::from_slice(&made).map_err(|error| error.to_string())?;
    let id = made["id"]
        .as_str()
        .ok_or(format!("{status}: {made}"))?
        .to_owned();
    let path = format!("/v2/images/{id}");
    let (status, answer) = match place {
        None => {
            let kind = "Content-Type: application/octet-stream\r\n";
            http::ask(address, "PUT", &format!("{path}/file"), kind, &kept.data)
        }
        Some(url) => {
            let mut hasher = HashAlgorithm::Sha512.hasher();
            hasher.update(&kept.data);
            let digest = hasher.finish();
            let place = serde_json::json!([{"op": "add", "path": "/locations/-", "value": {
                "url": url, "metadata": {},
                "validation_data": {"os_hash_algo": "sha512", "os_hash_value": digest},
            }}]);
            let kind = "Content-Type: application/openstack-images-v2.1-json-patch\r\n";
            http::ask(address, "PATCH", &path, kind, place.to_string().as_bytes())
        }
    }
    .map_err(say)?;
    if status / 100 == 2 {
        Ok(id)
    } else {
        Err(format!("{status}: {}", String::from_utf8_lossy(&answer)))
    }
}
