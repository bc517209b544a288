//! One command for all nodes of a database, some of which are away.

mod callers;
mod original;
mod siblings;

use std::net::TcpListener;

use serde_json::{Value, json};

use super::process::{Image, Node};
use super::site::Site;
use super::{KIB, eventually};
use crate::support::{CACHE_MANAGE, Ended, run, unused_port};

const MISSING: &str = "00000000-0000-4000-8000-000000000404";

/// A node on the database and store of the first, under an address that it keeps.
fn site_of(first: Option<&Site>) -> (Site, String) {
    let port = unused_port();
    let name = format!("http://127.0.0.1:{port}");
    let site = Site::with(
        &format!(
            "bind_port = {port}\nimage_cache_driver = centralized_db\nworker_self_reference_url = {name}"
        ),
        "",
    );
    if let Some(first) = first {
        site.shares_with(first);
    }
    (site, name)
}

/// Two nodes that answer.
struct Pair {
    sites: [Site; 2],
    nodes: [Node; 2],
    /// By which they are known, sorted.
    names: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        let (one, first) = site_of(None);
        let (two, second) = site_of(Some(&one));
        let nodes = [one.start(), two.start()];
        let mut names = vec![first, second];
        names.sort();
        let pair = Self {
            sites: [one, two],
            nodes,
            names,
        };
        pair.knows(2);
        pair
    }

    /// With one that is known, and has been killed.
    fn and_a_dead_one() -> (Self, String) {
        let pair = Self::new();
        let (site, name) = site_of(Some(&pair.sites[0]));
        let node = site.start();
        pair.knows(3);
        node.kill();
        (pair, name)
    }

    /// Waits until so many nodes are known.
    fn knows(&self, count: usize) {
        eventually(|| {
            let nodes = self.nodes[0].get("/v2/cache_nodes").json();
            (nodes["nodes"].as_array()?.len() == count).then_some(())
        });
    }

    /// Makes one known that is not one of ours; they are so many then.
    fn meets(&self, name: &str, count: usize) {
        let known = "INSERT INTO node_reference (node_reference_url) VALUES";
        self.sites[0].database().run(&format!("{known} ('{name}')"));
        self.knows(count);
    }

    fn port(&self) -> String {
        self.nodes[0].address.port().to_string()
    }

    /// An image with a tag.
    fn tagged(&self, tag: &str) -> Image {
        self.nodes[0].image_as(64 * KIB, &json!({ "tags": [tag] }))
    }

    /// `glance-cache-manage` through the API of the first.
    fn manage(&self, arguments: &[&str]) -> Ended {
        run(self.sites[0]
            .plain(CACHE_MANAGE)
            .args(["-f", "-p", &self.port()])
            .args(arguments))
    }
}

fn read(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("no JSON: {ended:?}"))
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// The lines of the results, without how long it took.
fn lines(ended: &Ended) -> Vec<String> {
    let lines = ended.out.lines();
    let told = lines.filter(|line| !line.starts_with("Completed in "));
    sorted(told.map(str::to_owned).collect())
}

#[track_caller]
fn names_alone(ended: &Ended, dead: &str) {
    assert_eq!(ended.code, 1, "{ended:?}");
    let about: Vec<_> = ended.err.lines().collect();
    assert_eq!(about.len(), 1, "{ended:?}");
    assert!(
        about[0].starts_with(&format!("{dead}: No API answers on ")),
        "{ended:?}"
    );
}

#[test]
fn an_image_is_brought_to_all_nodes_by_its_tag_and_one_that_is_dead_is_named() {
    let (pair, dead) = Pair::and_a_dead_one();
    let image = pair.tagged("edge");
    pair.tagged("core");

    let queue = ["queue-image", "--all-nodes", "--tag", "edge"];
    let would = pair.manage(&[&queue[..], &["--dry-run"]].concat());
    names_alone(&would, &dead);
    let each = |what: &str| -> Vec<String> {
        let line = |name| format!("{what} {} on {name}", image.id);
        pair.names.iter().map(line).collect()
    };
    assert_eq!(lines(&would), each("Would queue image"));
    assert!(pair.nodes.iter().all(|node| node.listing().is_empty()));

    let done = pair.manage(&[&queue[..], &["--wait", "--verbose"]].concat());
    names_alone(&done, &dead);
    assert_eq!(lines(&done), each("Cached image"));
    for node in &pair.nodes {
        assert_eq!(node.listing().into_keys().collect::<Vec<_>>(), [&*image.id]);
    }

    let listed = pair.manage(&["list-cached", "--all-nodes", "--json"]);
    names_alone(&listed, &dead);
    let listed = read(&listed);
    let rows = listed["cached_images"].as_array().unwrap();
    let row = |row: &Value| format!("{} {}", row["node"], row["image_id"]);
    let expected = |name: &String| format!("{:?} {:?}", name, image.id);
    assert_eq!(
        rows.iter().map(row).collect::<Vec<_>>(),
        pair.names.iter().map(expected).collect::<Vec<_>>()
    );
    assert_eq!(listed["failed"][0]["node"], dead);
    let table = pair.manage(&[
        "list-cached",
        "--all-nodes",
        "--limit",
        "1",
        "--sort",
        "size",
    ]);
    assert!(
        table.out.starts_with("Found 1 of 2 cached images...\n"),
        "{table:?}"
    );
    assert!(
        table
            .out
            .contains(&format!("| {} | {} |", pair.names[0], image.id)),
        "{table:?}"
    );

    // What was told comes a moment later.
    let told = |row: &Value| row["copies"] == 1 && row["bytes"] == 64 * KIB;
    eventually(|| {
        let nodes = pair.nodes[1].get("/v2/cache_nodes").json();
        let rows = nodes["nodes"].as_array().unwrap().clone();
        (rows.iter().filter(|row| told(row)).count() == 2).then_some(())
    });
    let nodes = pair.manage(&["list-nodes", "--json"]);
    names_alone(&nodes, &dead);
    for row in read(&nodes)["nodes"].as_array().unwrap() {
        assert_eq!(row["answers"], row["address"] != dead, "{row}");
        assert_eq!(told(row), row["address"] != dead, "{row}");
        assert_eq!(row["reason"].is_string(), row["address"] == dead, "{row}");
    }
    let table = pair.manage(&["list-nodes", "--human"]);
    assert!(table.out.starts_with("Found 3 nodes...\n+--"), "{table:?}");
    assert!(table.out.contains("| 64.0 KiB |   yes   |"), "{table:?}");
    assert!(table.out.contains("|    no   |"), "{table:?}");

    let delete = ["delete-cached-image", "--all-nodes", "-v", &image.id];
    let deleted = pair.manage(&delete);
    names_alone(&deleted, &dead);
    assert_eq!(lines(&deleted), each("Deleted cached image"));
    assert!(pair.nodes.iter().all(|node| node.listing().is_empty()));
}

#[test]
fn wishes_copies_and_pins_of_all_nodes_are_changed_at_once() {
    let pair = Pair::new();
    let (image, other) = (pair.tagged("golden"), pair.tagged("other"));
    for node in &pair.nodes {
        node.serves(&image);
        node.caches(&image);
    }
    let pinned = |node: &Node| node.get("/v2/cache/pins").json();
    pair.manage(&["pin", "--all-nodes", "--tag", "golden", &other.id])
        .quietly();
    for node in &pair.nodes {
        let pins = pinned(node);
        assert_eq!(pins["pinned_images"].as_array().unwrap().len(), 2);
        assert_eq!(pins["pinned_by"], json!({ &*image.id: "tag golden" }));
    }
    let unpin = ["unpin", "--all-nodes", "--json", "--tag", "golden"];
    let unpinned = read(&pair.manage(&unpin));
    for (row, name) in unpinned["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&pair.names)
    {
        assert_eq!(
            row,
            &json!({ "node": name, "unpinned": [image.id], "failed": [] })
        );
    }
    assert_eq!(unpinned["failed"], json!([]));
    let again = pair.manage(&unpin);
    assert_eq!(again.code, 0);
    assert_eq!(again.err, "None of these images is pinned on any node.\n");
    assert!(pinned(&pair.nodes[1])["pinned_images"] == json!([other.id]));

    let refused = pair.manage(&["pin", "--all-nodes", MISSING]).failing(1);
    let each = |name: &String| format!("{name}: {MISSING}: No image found with ID {MISSING}\n");
    assert_eq!(refused, pair.names.iter().map(each).collect::<String>());
    let unfetchable = pair.manage(&["queue-image", "--all-nodes", "--wait", MISSING]);
    assert!(unfetchable.failing(1).contains("it would never be cached"));

    // No settle time is so short that these are fetched before they are taken back.
    for site in &pair.sites {
        site.adds("[image_cache]\nqueue_settle = 600");
    }
    let Pair {
        sites,
        nodes,
        names,
    } = pair;
    nodes.into_iter().for_each(Node::stop);
    let nodes = sites.each_ref().map(Site::start);
    let pair = Pair {
        sites,
        nodes,
        names,
    };
    let queue = ["queue-image", "--all-nodes", &image.id, &other.id];
    pair.manage(&["delete-all-cached-images", "--all-nodes"])
        .quietly();
    assert!(pair.nodes.iter().all(|node| node.listing().is_empty()));
    pair.manage(&queue).quietly();
    let queued = read(&pair.manage(&["list-queued", "--all-nodes", "--json"]));
    assert_eq!(queued["queued_images"].as_array().unwrap().len(), 4);
    assert_eq!(queued["queued_images"][3]["node"], *pair.names[1]);
    pair.manage(&["delete-queued-image", "--all-nodes", &image.id])
        .quietly();
    for node in &pair.nodes {
        assert_eq!(node.queued(), json!([other.id]));
    }
    let dry = ["delete-all-queued-images", "--all-nodes", "--dry-run"];
    let each = |name| format!("Would delete queued image {} on {name}", other.id);
    let expected: Vec<_> = pair.names.iter().map(each).collect();
    assert_eq!(lines(&pair.manage(&dry)), expected);
    let all = pair.manage(&["delete-all-queued-images", "--all-nodes", "-v"]);
    let each = |name| format!("Deleted 1 queued images on {name}");
    assert_eq!(lines(&all), pair.names.iter().map(each).collect::<Vec<_>>());
}

#[test]
fn a_node_that_says_nothing_is_given_up_in_time() {
    let pair = Pair::new();
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let name = format!("http://{}", silent.local_addr().unwrap());
    pair.meets(&name, 3);
    let image = pair.tagged("edge");
    let queue = [
        "queue-image",
        "--all-nodes",
        "--node-timeout",
        "10",
        "--wait",
    ];
    let queued = pair.manage(&[&queue[..], &[&image.id]].concat());
    assert_eq!(
        queued.failing(1),
        format!("{name}: It has not answered for 10 seconds\n")
    );
    assert!(pair.nodes.iter().all(|node| node.listing().len() == 1));
}

#[test]
fn a_node_that_tells_nobody_says_what_it_takes() {
    let site = Site::new();
    let node = site.start();
    let port = node.address.port().to_string();
    let manage =
        |arguments: &[&str]| run(site.plain(CACHE_MANAGE).args(["-p", &port]).args(arguments));
    let refused = manage(&["list-cached", "--all-nodes"]).failing(1);
    for option in [
        "image_cache_driver = centralized_db",
        "worker_self_reference_url",
    ] {
        assert!(refused.contains(option), "{refused}");
    }
    let directory = site.path("cache").display().to_string();
    let alone = manage(&["list-cached", "--all-nodes", "--cache-dir", &directory]);
    assert!(alone.failing(1).contains("leave out --cache-dir"));
    node.stop();
}
