//! Lives of a node: clients ask, and then it is killed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use glance::domain::checksum::HashAlgorithm;

use crate::answer::{Answer, Image, SHOWN};
use crate::chance::Chance;
use crate::client::Client;
use crate::flips::Flips;
use crate::notes::Notes;
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

/// All there is.
#[derive(Debug)]
pub struct World {
    site: Site,
    store: Store,
    images: Vec<Image>,
    /// Others wrote into the directory since it was last repaired.
    harmed: bool,
    /// What they did last.
    harm: &'static str,
    notes: Notes,
}

impl World {
    pub fn make(chance: &mut Chance) -> Result<Self, String> {
        let mut kept = Vec::new();
        for (number, size) in SIZES.iter().enumerate() {
            let data = chance.bytes(*size);
            let liar = number % 3 == 1;
            let flips = Flips::default();
            kept.push(Arc::new(Kept { data, liar, flips }));
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
        let notes = Notes::default();
        notes.count(SHOWN, 0);
        Ok(Self {
            site,
            store,
            images,
            harmed: false,
            harm: "",
            notes,
        })
    }

    /// What was seen so far.
    pub fn told(&self) -> String {
        self.notes.told()
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
            self.notes.saw("full disks");
        }
        let ended = AtomicBool::new(false);
        let until = Duration::from_millis(20 + chance.below(900) as u64);
        let gently = chance.percent(8);
        // It is written down while clients still read, so that repairs and reads meet.
        let mut harm = chance.percent(12).then(|| chance.branch());
        let harmed = thread::scope(|scope| {
            for _ in 0..2 + chance.below(6) {
                let (node, chance) = (chance.below(nodes.len()), chance.branch());
                let client = Client {
                    address: nodes[node].address,
                    images: &self.images,
                    notes: &self.notes,
                    chance,
                };
                let ended = &ended;
                scope.spawn(move || client.ask_until(ended));
            }
            scope.spawn(|| watch::limit(&self.site, &ended, &self.notes));
            thread::sleep(until / 2);
            let harmed = harm
                .as_mut()
                .map(|chance| damage::do_some(&self.site, &self.images, chance));
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
        self.notes.saw(if gently { "good ends" } else { "kills" });
        self.site.disk.relieve();
        if let Some(wrong) = self.notes.complaint() {
            return Err(wrong);
        }
        if let Some(what) = harmed {
            self.harmed = true;
            self.harm = what.unwrap_or("harm that was not done");
            self.notes.saw(self.harm);
        }
        if self.harmed {
            self.repair()?;
            self.site.fsck(&["--verify"])?;
        }
        if chance.percent(15) {
            // There may be nothing of the kind.
            let what = damage::do_some(&self.site, &self.images, chance)
                .unwrap_or("harm that was not done");
            self.notes.saw(what);
            self.harmed = true;
            if chance.percent(50) {
                self.repair()?;
            }
        }
        Ok(())
    }

    /// Undoes what others have done to the directory.
    fn repair(&mut self) -> Result<(), String> {
        self.site.fsck(&["--verify", "--repair"])?;
        let flips = self.images.iter().map(|image| &image.kept.flips);
        flips.for_each(Flips::repaired);
        self.harmed = false;
        Ok(())
    }

    /// What the services said is kept beside what is wrong.
    fn with_logs(&self, wrong: &str) -> String {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos.log");
        // Without it there is still the seed.
        let _ = std::fs::write(&path, self.site.logs());
        let harm = self.harm;
        format!(
            "{wrong}\n(the last harm: {harm:?}; the services' logs: {})",
            path.display()
        )
    }

    /// In the end every image can be had, twice, and nothing is wrong.
    pub fn last_judgement(&mut self) -> Result<(), String> {
        self.store.set_moody(false);
        let node = self.site.start()?;
        for image in self.images.iter().chain(&self.images) {
            let mut attempts = 0;
            loop {
                let asked = Answer::ask(node.address, image, None, &self.notes);
                let came = asked.and_then(|answer| answer.map_or(Ok(false), all_of));
                match came {
                    Ok(true) => break,
                    other if attempts == ATTEMPTS => {
                        let told = format!("image {} is not served: {other:?}", image.id);
                        return Err(self.with_logs(&told));
                    }
                    _ => attempts += 1,
                }
            }
        }
        if let Some(wrong) = self.notes.complaint() {
            return Err(self.with_logs(&wrong));
        }
        node.stop()?;
        if self.harmed {
            self.site.fsck(&["--verify", "--repair"])?;
        }
        self.site.fsck(&["--verify"])
    }
}

/// Takes all of an answer. True where there is one.
fn all_of(mut answer: Answer) -> io::Result<bool> {
    answer.take_all().map(|()| true)
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
