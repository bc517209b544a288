//! Many uploads at once, to several processes, where a project may not keep all of them.

use std::thread;

use super::http::{Upload, put_in_chunks};
use super::process::{Image, Node};
use super::site::Site;
use super::uploads::hidden;
use super::{MIB, eventually};

/// Uploads eight images of a mebibyte at once, by turns to each of the nodes, and says how many were taken.
fn taken(nodes: &[&Node], upload: impl Fn(&Node, &Image) -> u16 + Sync) -> usize {
    let images: Vec<_> = (0..8).map(|_| nodes[0].planned(MIB)).collect();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let uploads: Vec<_> = images
            .iter()
            .zip(nodes.iter().cycle())
            .map(|(image, node)| scope.spawn(|| upload(node, image)))
            .collect();
        uploads
            .into_iter()
            .map(|upload| upload.join().unwrap())
            .collect()
    });
    assert!(
        statuses.iter().all(|status| [204, 413].contains(status)),
        "{statuses:?}"
    );
    statuses.iter().filter(|status| **status == 204).count()
}

fn two(site: &Site) -> [Node; 2] {
    [site.start(), site.start()]
}

#[test]
fn of_eight_uploads_at_once_to_two_processes_exactly_those_pass_that_the_quota_has_room_for() {
    let site = Site::with("user_storage_quota = 4MiB", "");
    let [one, other] = two(&site);
    let count = taken(&[&one, &other], |node, image| {
        node.upload(image, &image.data).status
    });
    assert_eq!(count, 4);
    one.stop();
    other.stop();
}

#[test]
fn so_do_uploads_of_unknown_size() {
    let site = Site::with("user_storage_quota = 4MiB", "");
    let [one, other] = two(&site);
    let count = taken(&[&one, &other], |node, image| {
        let sent = put_in_chunks(node.address, &image.file(), &image.data);
        sent.unwrap().status
    });
    assert_eq!(count, 4);
    one.stop();
    other.stop();
}

#[test]
fn what_a_killed_process_held_is_free_again_for_the_next() {
    let site = Site::with("user_storage_quota = 2MiB", "");
    let node = site.start();
    let [lost, next] = [0; 2].map(|_| node.planned(2 * MIB));
    let mut upload = Upload::begin(node.address, &lost.file(), 2 * MIB).unwrap();
    upload.send(&lost.data[..MIB]).unwrap();
    eventually(|| hidden(&site, &lost));
    assert_eq!(node.upload(&next, &next.data).status, 413);
    node.kill();
    let node = site.start();
    eventually(|| (node.upload(&next, &next.data).status == 204).then_some(()));
    node.serves(&next);
    node.stop();
}
