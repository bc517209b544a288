//! Many clients, one image, nothing of it here: the store is read once.

use std::collections::HashSet;
use std::fs;
use std::sync::Barrier;
use std::thread;

use super::process::{Image, Node};
use super::site::Site;
use super::{KIB, MIB};
use crate::support::until;

const CLIENTS: usize = 50;

/// All of `nodes` are asked by so many clients at once, and answer right.
pub(super) fn stampede(nodes: &[&Node], image: &Image, clients: usize) {
    let start = Barrier::new(clients);
    thread::scope(|scope| {
        for client in 0..clients {
            let (start, node) = (&start, nodes[client % nodes.len()]);
            scope.spawn(move || {
                start.wait();
                node.serves(image);
            });
        }
    });
}

#[test]
fn fifty_clients_of_a_cold_image_are_one_fill_and_fifty_right_bodies() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(4 * MIB);
    stampede(&[&node], &image, CLIENTS);
    node.has_cached(&image);

    let path = image.file();
    let with = |part: &str| node.lines_with(&["method=GET", &path, "status=200", part]);
    // A client may have the last byte before the log tells of it.
    until("the log tells of all", || with("") >= CLIENTS);
    assert_eq!(with(""), CLIENTS, "{}", node.log());
    assert_eq!(with("source=store"), 0, "{}", node.log());
    assert_eq!(node.lines_with(&["cached image", &image.id]), 1);
    assert_eq!(node.lines_with(&["broke"]), 0, "{}", node.log());
    // Those who came when it was there are its hits.
    assert_eq!(node.listing()[&image.id], with("source=cache") as u64);
    node.stop();
}

#[test]
fn who_comes_while_an_image_is_brought_in_does_not_need_the_store() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(16 * MIB);
    let mut first = node.open(&image).unwrap();
    let beginning = first.read(MIB).unwrap();
    assert!(beginning == image.data[..MIB]);
    // The fill has it open; whoever would open it again now would find nothing.
    fs::remove_file(site.stored(&image)).unwrap();

    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| node.serves(&image)))
            .collect();
        // Who caused the fill leaves in its middle.
        drop(first);
        let done = clients.into_iter().map(|client| client.join().is_ok());
        assert_eq!(done.collect::<HashSet<_>>(), HashSet::from([true]));
    });
    node.caches(&image);
    node.serves(&image);
    node.stop();
    assert_eq!(site.copies(), [image.id]);
    assert_eq!(site.files("cache/incomplete"), [""; 0]);
}

#[test]
fn a_fill_goes_on_when_all_its_clients_have_left() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(8 * MIB);
    let mut only = node.open(&image).unwrap();
    only.read(1).unwrap();
    drop(only);
    node.caches(&image);
    fs::remove_file(site.stored(&image)).unwrap();
    node.serves(&image);
}

#[test]
fn who_reads_slowly_delays_nobody() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(32 * MIB);
    // More than sockets buffer: this one stands in the middle of it until it is asked to go on.
    let slow = node.open(&image).unwrap();
    node.serves(&image);
    node.caches(&image);
    fs::remove_file(site.stored(&image)).unwrap();
    assert!(slow.rest().unwrap() == image.data);
    node.stop();
}

#[test]
fn images_of_any_size_are_served_cold_and_warm() {
    let site = Site::new();
    let node = site.start();
    for size in [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB + 1] {
        let image = node.image(size);
        node.serves(&image);
        node.caches(&image);
        fs::remove_file(site.stored(&image)).unwrap();
        node.serves(&image);
        assert_eq!(node.listing()[&image.id], 1, "{size}");
    }
    node.stop();
}
