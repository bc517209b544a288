//! Clients of many nodes that want an image in the same moment: one node reads the store, the others read along.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;
use serde_json::json;
use tokio::runtime::Runtime;

use super::MIB;
use super::http::{self, Opened};
use super::peers::site_beside;
use super::process::{Image, Node};
use super::site::Site;
use super::stores::{SIZE, located, reading};
use crate::support::{Origin, until};

/// Three nodes, with caches of their own, that read from `origin` when they have to, and wait for it so many seconds.
fn three(origin: &Origin, patience: u32) -> ([Site; 3], [Node; 3]) {
    let first = site_beside(None, "");
    let (second, third) = (site_beside(Some(&first), ""), site_beside(Some(&first), ""));
    let sites = [first, second, third];
    for site in &sites {
        site.adds(&format!(
            "[DEFAULT]\nshow_multiple_locations = true\n{}\n[server]\nstore_timeout = {patience}",
            reading(origin)
        ));
    }
    let nodes = sites.each_ref().map(Site::start);
    // Each knows the others by their rows.
    let names = "SELECT node_reference_url AS name FROM node_reference";
    until("all are known", || {
        sites[0].database().ask(names, "name").len() == 3
    });
    (sites, nodes)
}

/// Begins a download, and sees its first bytes.
fn begin(node: &Node, image: &Image) -> Opened {
    let mut opened = node.open(image).unwrap();
    assert_eq!(opened.status, 200);
    assert!(opened.read(1000).unwrap() == image.data[..1000]);
    opened
}

fn is_right(opened: Opened, image: &Image, node: &Node) {
    let rest = opened
        .rest()
        .unwrap_or_else(|error| panic!("{error} {}", node.log()));
    assert!(rest == image.data[1000..]);
}

/// Puts a node into the database.
fn is_there(site: &Site, number: usize, name: &str) {
    site.database().run(&format!(
        "INSERT INTO node_reference (node_reference_id, node_reference_url) VALUES ({number}, '{name}')"
    ));
}

fn reads(origin: &Origin) -> usize {
    let asked = origin.asked();
    asked
        .iter()
        .filter(|asked| asked.starts_with("GET"))
        .count()
}

#[test]
fn of_nodes_whose_clients_want_an_image_at_once_one_reads_the_store() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::new());
    let (_sites, nodes) = three(&origin, 5);
    // It falls silent in the middle, and is asked once more when it was waited for.
    let image = located(&nodes[0], &origin, &[format!("/rests/{SIZE}")]);
    thread::scope(|scope| {
        let downloads = nodes.each_ref().map(|node| {
            let image = &image;
            scope.spawn(move || is_right(begin(node, image), image, node))
        });
        for download in downloads {
            download.join().unwrap();
        }
    });
    assert_eq!(
        reads(&origin),
        2,
        "{}",
        nodes.each_ref().map(Node::log).concat()
    );
    for node in &nodes {
        node.caches(&image);
        node.serves(&image);
    }
    let along = nodes.each_ref().map(|node| {
        node.says(&format!("cached image {}", image.id));
        node.lines_with(&["store=peer", "outcome=cached"])
    });
    assert_eq!(along.iter().sum::<usize>(), 2);
    assert_eq!(reads(&origin), 2);
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn where_the_node_that_reads_the_store_dies_another_goes_on_for_all() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::new());
    let (_sites, [one, two, three]) = three(&origin, 60);
    let image = located(&one, &origin, &[format!("/rests/{SIZE}")]);
    let dying = begin(&one, &image);
    let left = [&two, &three];
    let opened = left.map(|node| begin(node, &image));
    assert_eq!(reads(&origin), 1);
    one.kill();
    drop(dying);
    for (opened, node) in std::iter::zip(opened, left) {
        is_right(opened, &image, node);
    }
    let logs = || left.map(Node::log).concat();
    assert_eq!(reads(&origin), 2, "{}", logs());
    for node in left {
        node.caches(&image);
    }
    two.stop();
    three.stop();
}

#[test]
fn where_the_node_that_reads_the_store_stands_still_another_goes_on() {
    let runtime = Runtime::new().unwrap();
    let origin = runtime.block_on(Origin::new());
    let first = site_beside(None, "peer_timeout = 1");
    let second = site_beside(Some(&first), "peer_timeout = 1");
    // A store may be silent for longer than anybody here waits.
    let nodes = [&first, &second].map(|site| {
        site.adds(&format!(
            "[DEFAULT]\nshow_multiple_locations = true\n{}\n[server]\nstore_timeout = 600",
            reading(&origin)
        ));
        site.start()
    });
    let [one, two] = &nodes;
    let image = located(one, &origin, &[format!("/rests/{SIZE}")]);
    let waiting = begin(one, &image);
    let opened = begin(two, &image);
    one.signal(Signal::STOP);
    is_right(opened, &image, two);
    two.caches(&image);
    one.signal(Signal::CONT);
    drop(waiting);
    nodes.into_iter().for_each(Node::kill);
}

#[test]
fn who_asks_for_the_lead_says_who_it_is() {
    let site = site_beside(None, "");
    let node = site.start();
    let image = node.image(1000);
    let ask = |id: &str, wish: &str| {
        let path = format!("/v2/cache_node/{id}/lead");
        http::ask(
            node.address,
            "PUT",
            &path,
            "application/json",
            wish.as_bytes(),
        )
        .unwrap()
    };
    let wish = json!({"node": "http://127.0.0.1:1"}).to_string();
    assert_eq!(ask(&image.id, "{}").status, 400);
    assert_eq!(ask(&image.id, "").status, 400);
    assert_eq!(ask("nonsense", &wish).status, 404);
    // Nobody is remembered who is no node.
    assert_eq!(ask(&image.id, &wish).status, 400);
    is_there(&site, 77, "http://127.0.0.1:1");
    let leads = || ask(&image.id, &wish).json()["node"].clone();
    assert_eq!(leads(), "http://127.0.0.1:1");
    // Nobody is there, so this node brings it in, and has it from then on.
    node.serves(&image);
    node.caches(&image);
    assert_eq!(leads(), format!("http://{}", node.address));
    node.stop();

    let alone = Site::new();
    let node = alone.start();
    let image = node.image(1000);
    let path = format!("/v2/cache_node/{}/lead", image.id);
    let answer = http::ask(
        node.address,
        "PUT",
        &path,
        "application/json",
        wish.as_bytes(),
    );
    assert_eq!(answer.unwrap().status, 404);
    node.stop();
}

#[test]
fn a_node_that_talks_without_end_is_not_listened_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // How much it was able to say.
    let said = Arc::<AtomicUsize>::default();
    let saying = Arc::clone(&said);
    thread::spawn(move || {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"node\":\"\r\n";
        let chunk = format!("10000\r\n{}\r\n", "n".repeat(0x10000));
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut text = head;
            while stream.write_all(text.as_bytes()).is_ok() {
                saying.fetch_add(text.len(), Ordering::Relaxed);
                text = &chunk;
            }
        }
    });
    let site = site_beside(None, "");
    let node = site.start();
    // One of so many comes before this node.
    for number in 100..200 {
        is_there(&site, number, &format!("http://{address}/{number}"));
    }
    let image = node.image(MIB);
    node.serves(&image);
    node.stop();
    let said = said.load(Ordering::Relaxed);
    assert!((1..32 * MIB).contains(&said), "{said}");
}
