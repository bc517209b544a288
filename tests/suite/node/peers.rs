//! Nodes that ask each other for copies before they read a store.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use rustix::process::Signal;

use super::MIB;
use super::http;
use super::process::{Image, Node};
use super::site::Site;
use crate::support::{until, unused_port};

/// A node with a cache of its own, on the database and store of the first.
fn node_beside(first: Option<&Site>, image_cache: &str) -> (Site, Node) {
    let site = site_beside(first, image_cache);
    let node = site.start();
    (site, node)
}

/// The site of such a node. It waits for others as long as a busy machine takes.
pub(super) fn site_beside(first: Option<&Site>, image_cache: &str) -> Site {
    let port = unused_port();
    let site = Site::with(
        &format!(
            "image_cache_driver = centralized_db\nworker_self_reference_url = http://127.0.0.1:{port}\n\
             bind_port = {port}"
        ),
        &format!("peers = true\npeer_timeout = 60\n{image_cache}"),
    );
    if let Some(first) = first {
        site.shares_with(first);
    }
    site
}

/// Brings the image in, and waits until the others can know of it.
fn has_told(node: &Node, site: &Site, image: &Image) {
    node.serves(image);
    node.caches(image);
    let told = format!(
        "SELECT image_id AS found FROM cached_images AS c JOIN node_reference AS n \
         ON n.node_reference_id = c.node_reference_id \
         WHERE n.node_reference_url = 'http://{}' AND image_id = '{}'",
        node.address, image.id
    );
    until("it is told", || {
        !site.database().ask(&told, "found").is_empty()
    });
}

/// Asks for an image that only another node has until it comes: on a busy machine that one may take so long to answer
/// that it is left alone for a while.
#[track_caller]
fn comes(node: &Node, image: &Image) {
    until("it comes from the other node", || {
        let opened = node.open(image).unwrap();
        opened.status == 200 && opened.rest().is_ok_and(|data| data == image.data)
    });
}

#[test]
fn who_brings_an_image_in_asks_the_nodes_that_have_it_and_the_store_last() {
    let (first, one) = node_beside(None, "");
    let (_second, two) = node_beside(Some(&first), "");
    let (third, three) = node_beside(Some(&first), "");
    let image = one.image(9 * MIB + 5);
    has_told(&one, &first, &image);
    // Of three, a part is here already.
    assert_eq!(three.range(&image, "bytes=0-9").status, 206);
    let (stored, away) = (first.stored(&image), first.path("away"));
    fs::rename(&stored, &away).unwrap();

    comes(&two, &image);
    has_told(&two, &first, &image);
    two.says(&format!("comes from the copy at http://{}", one.address));
    two.says(&format!("cached image {}", image.id));
    assert_eq!(
        two.lines_with(&["store=peer", "outcome=cached"]),
        1,
        "{}",
        two.log()
    );
    one.kill();
    comes(&three, &image);
    has_told(&three, &first, &image);
    three.says(&format!("comes from the copy at http://{}", two.address));
    two.kill();

    // Nobody of whom it is known that they have it is there any more.
    fs::rename(&away, &stored).unwrap();
    three.ask("DELETE", &format!("/v2/cache/{}", image.id));
    three.serves(&image);
    three.caches(&image);
    three.says("is not asked for copies for");
    three.says("store=file outcome=cached");
    assert!(third.copies().contains(&image.id));
    three.stop();
}

#[test]
fn what_another_node_has_wrong_is_nobodys_image() {
    let (first, one) = node_beside(None, "verify = off");
    let (_second, two) = node_beside(Some(&first), "");
    let image = one.image(9 * MIB);
    has_told(&one, &first, &image);
    let copy = first.cache(&image.id);
    let mut rotten = fs::read(&copy).unwrap();
    rotten[5 * MIB] ^= 1;
    fs::write(&copy, rotten).unwrap();

    assert!(two.download(&image).is_err(), "{}", two.log());
    two.serves(&image);
    two.caches(&image);
    assert_eq!(
        two.lines_with(&["store=peer", "outcome=wrong"]),
        1,
        "{}",
        two.log()
    );
    two.says("store=file outcome=cached");
    two.says("is not asked for copies for 600s: its data was not the image's");
    two.stop();
    one.stop();
}

#[test]
fn a_node_that_stands_still_is_not_waited_for() {
    let (first, one) = node_beside(None, "");
    let (_second, two) = node_beside(Some(&first), "peer_timeout = 1");
    let image = one.image(MIB);
    has_told(&one, &first, &image);
    one.signal(Signal::STOP);
    // Who waited for it would wait as long as it stands.
    two.serves(&image);
    two.says("is not asked for copies for");
    one.signal(Signal::CONT);
    two.stop();
    one.stop();
}

/// A node that has half of what it says it has. Tells the first request that it got.
fn half(image: &Image) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let data = image.data.clone();
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", data.len());
        (&stream).write_all(answer.as_bytes()).unwrap();
        (&stream).write_all(&data[..data.len() / 2]).unwrap();
        head.join("\n")
    });
    (address, serving)
}

#[test]
fn a_node_that_breaks_off_is_gone_on_with_from_the_store() {
    let (first, one) = node_beside(None, "");
    let image = one.image(9 * MIB);
    let (address, serving) = half(&image);
    let database = first.database();
    database.run(&format!(
        "INSERT INTO node_reference (node_reference_id, node_reference_url) VALUES (77, 'http://{address}')"
    ));
    database.run(&format!(
        "INSERT INTO cached_images (image_id, last_accessed, last_modified, size, hits, checksum, node_reference_id) \
         VALUES ('{}', '2030-01-02 03:04:05', '2030-01-02 03:04:05', {}, 0, '', 77)",
        image.id,
        image.data.len()
    ));
    one.serves(&image);
    let asked = serving.join().unwrap().to_lowercase();
    assert!(asked.contains("cache-control: only-if-cached"), "{asked}");
    one.says("reading on at byte");
    one.caches(&image);
    one.stop();
}

#[test]
fn who_wants_a_copy_or_nothing_gets_no_more() {
    let (first, one) = node_beside(None, "");
    let image = one.image(MIB);
    let wants = |more: &[(&str, String)]| {
        let mut headers = vec![("Cache-Control", "no-transform, Only-If-Cached".to_owned())];
        headers.extend_from_slice(more);
        http::get(one.address, &image.file(), &headers).unwrap()
    };
    assert_eq!(wants(&[]).status, 504);
    // It is an answer, and no failure.
    assert_eq!(one.lines_with(&["request failed"]), 0, "{}", one.log());
    assert!(first.copies().is_empty());

    has_told(&one, &first, &image);
    assert!(wants(&[]).body == image.data);
    let some = wants(&[("Range", "bytes=5-9".to_owned())]);
    assert_eq!((some.status, &some.body[..]), (206, &image.data[5..10]));
    let beyond = wants(&[("Range", format!("bytes={MIB}-"))]);
    assert_eq!(beyond.status, 416);
    one.stop();
}

#[test]
fn peers_without_rows_to_know_them_by_are_told_to_be_nobody() {
    let site = Site::with("", "peers = true");
    let node = site.start();
    node.says("[image_cache] peers asks nobody");
    let image = node.image(MIB);
    node.serves(&image);
    node.stop();
}

#[test]
fn of_nodes_that_are_to_have_the_same_images_one_reads_the_store_for_each() {
    let (first, one) = node_beside(None, "");
    let (_second, two) = node_beside(Some(&first), "");
    let (_third, three) = node_beside(Some(&first), "");
    let nodes = [&one, &two, &three];
    let images = [9 * MIB, MIB, 3 * MIB].map(|size| one.image(size));
    for image in &images {
        for node in nodes {
            let queued = node.ask("PUT", &format!("/v2/queued_images/{}", image.id));
            assert_eq!(queued.status, 200, "{}", queued.text());
        }
    }
    for image in &images {
        let brought = |store| {
            let line = [&image.id[..], store, "outcome=cached"];
            let lines = nodes.map(|node| node.lines_with(&line));
            lines.iter().sum::<usize>()
        };
        for node in nodes {
            node.caches(image);
        }
        // The line in the log comes after the copy.
        until("all is told", || brought("outcome=cached") == 3);
        let logs = || nodes.map(Node::log).concat();
        assert_eq!(
            (brought("store=file"), brought("store=peer")),
            (1, 2),
            "{}",
            logs()
        );
    }
    for node in [one, two, three] {
        node.stop();
    }
}

#[test]
fn who_would_be_first_and_is_gone_is_not_waited_for() {
    let (first, one) = node_beside(None, "");
    let images = [1, 2, 3].map(|size| one.image(size * MIB));
    // Of so many some come before this node.
    for number in 1..=200 {
        first.database().run(&format!(
            "INSERT INTO node_reference (node_reference_id, node_reference_url) \
             VALUES ({}, 'http://127.0.0.1:{number}')",
            1000 + number
        ));
    }
    for image in &images {
        let queued = one.ask("PUT", &format!("/v2/queued_images/{}", image.id));
        assert_eq!(queued.status, 200, "{}", queued.text());
        one.caches(image);
    }
    one.says("is not asked for copies for");
    one.stop();
}

#[test]
fn where_one_node_breaks_off_another_is_asked_before_the_store() {
    let (first, one) = node_beside(None, "");
    let (_second, two) = node_beside(Some(&first), "");
    let images = [one.image(9 * MIB), one.image(9 * MIB)];
    let database = first.database();
    for (number, image) in std::iter::zip(70.., &images) {
        let (address, _) = half(image);
        has_told(&one, &first, image);
        database.run(&format!(
            "INSERT INTO node_reference (node_reference_id, node_reference_url) \
             VALUES ({number}, 'http://{address}')"
        ));
        database.run(&format!(
            "INSERT INTO cached_images (image_id, last_accessed, last_modified, size, hits, \
             checksum, node_reference_id) \
             VALUES ('{}', '2030-01-02 03:04:05', '2030-01-02 03:04:05', {}, 0, '', {number})",
            image.id,
            image.data.len()
        ));
        fs::remove_file(first.stored(image)).unwrap();
        two.serves(image);
        two.caches(image);
    }
    assert_eq!(two.lines_with(&["reading on at byte"]), 0, "{}", two.log());
    two.stop();
    one.stop();
}
