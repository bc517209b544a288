//! Images that change while they are fetched and read, and clients that take their time.

use std::fs;
use std::thread;
use std::time::Duration;

use super::MIB;
use super::full::Disk;
use super::http;
use super::process::{Image, Node};
use super::site::Site;
use crate::support::until;

/// Begins a download that does not come to its end by itself.
fn begun(node: &Node, image: &Image) -> http::Opened {
    let mut opened = node.open(image).unwrap();
    assert!(opened.read(MIB).unwrap() == image.data[..MIB]);
    opened
}

/// What was begun comes to a right end, or breaks off.
#[track_caller]
fn ends_well(opened: http::Opened, image: &Image) {
    if let Ok(rest) = opened.rest() {
        assert!(rest == image.data[MIB..], "a wrong end");
    }
}

#[test]
fn an_image_that_is_deleted_while_it_is_fetched_and_read_leaves_nothing() {
    let site = Site::new();
    let other = Site::new();
    other.shares_with(&site);
    let (node, far) = (site.start(), other.start());
    for by in [&node, &far] {
        let image = node.image(24 * MIB);
        let downloads = [begun(&node, &image), begun(&node, &image)];
        let deleted = by.ask("DELETE", &format!("/v2/images/{}", image.id));
        assert_eq!(deleted.status, 204);
        for download in downloads {
            ends_well(download, &image);
        }
        assert_eq!(node.get(&image.file()).status, 404);
        assert_eq!(far.get(&image.file()).status, 404);
    }
    node.stop();
    far.stop();
}

#[test]
fn hundreds_who_read_a_byte_at_a_time_keep_nobody_waiting() {
    let site = Site::new();
    let node = site.start();
    let [cold, warm] = [node.image(8 * MIB), node.image(8 * MIB)];
    node.serves(&warm);
    node.caches(&warm);
    let mut slow: Vec<http::Opened> = (0..300)
        .map(|number| {
            node.open(if number % 2 == 0 { &cold } else { &warm })
                .unwrap()
        })
        .collect();
    node.caches(&cold);
    // Whoever had to wait for one of them would wait in vain: they read no more before this has come.
    for image in [&cold, &warm] {
        node.serves(image);
        for opened in &mut slow {
            opened.read(1).unwrap();
        }
    }
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = memory.and_then(|text| text.split_whitespace().next()?.parse::<usize>().ok());
    assert!(kib.is_some_and(|kib| kib < 500 * 1024), "{memory:?}");
    drop(slow);
    node.serves(&cold);
    node.stop();
}

#[test]
fn a_disk_that_becomes_read_only_is_served_from_and_past() {
    let site = Site::new();
    let Some(disk) = Disk::mount(site.path("cache"), 32) else {
        return;
    };
    let node = site.start();
    let [kept, new] = [node.image(5 * MIB), node.image(MIB)];
    node.serves(&kept);
    node.caches(&kept);
    node.stop();
    disk.remount("ro");
    let node = site.start();
    for _ in 0..2 {
        node.serves(&kept);
        node.serves(&new);
        assert_eq!(site.copies(), [kept.id.as_str()]);
    }
    assert_eq!(node.lines_with(&["images are served past the cache"]), 1);
    let stored = fs::read(site.stored(&kept)).unwrap();
    fs::remove_file(site.stored(&kept)).unwrap();
    node.serves(&kept);
    fs::write(site.stored(&kept), stored).unwrap();
    disk.remount("rw");
    until("it is cached again", || {
        node.serves(&new);
        thread::sleep(Duration::from_millis(200));
        site.copies().len() == 2
    });
    node.stop();
}
