//! Images that are asked for ahead of time, by whichever way, with a service running and without.

use std::fs::{self, File};
use std::process::Command;

use serde_json::{Value, json};

use super::process::{Image, Node};
use super::site::Site;
use super::{MIB, eventually};
use crate::support::{CACHE_MANAGE, until};

/// That every one of them can be had without the store.
pub(super) fn are_cached(site: &Site, node: &Node, images: &[Image]) {
    for image in images {
        fs::remove_file(site.stored(image)).unwrap();
        node.serves(image);
    }
    assert_eq!(site.files("cache/queue"), [""; 0]);
}

pub(super) fn touch(site: &Site, image: &Image) {
    File::create(site.cache("queue").join(&image.id)).unwrap();
}

/// What a command says, after it has ended as it should.
#[track_caller]
pub(super) fn ran(mut command: Command, code: i32) -> (String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    (out, err)
}

/// `glance-cache-manage` towards the service.
fn manage(site: &Site, node: &Node, arguments: &[&str]) -> Command {
    let port = node.address.port().to_string();
    let mut command = site.plain(CACHE_MANAGE);
    command.args(["-f", "-H", "127.0.0.1", "-p", &port]);
    command.args(arguments);
    command
}

#[test]
fn an_image_is_fetched_whichever_way_it_is_asked_for() {
    let site = Site::new();
    let node = site.start();
    let [touched, put, at_once, waited] = [(); 4].map(|()| node.image(MIB));
    touch(&site, &touched);
    let queued = node.ask("PUT", &format!("/v2/queued_images/{}", put.id));
    assert_eq!(queued.status, 200, "{}", queued.text());
    let asked = node.ask("PUT", &format!("/v2/cache/{}", at_once.id));
    assert_eq!(asked.status, 202, "{}", asked.text());
    let waiting = manage(&site, &node, &["queue-image", "--wait", &waited.id]);
    assert_eq!(ran(waiting, 0), (String::new(), String::new()));

    for image in [&touched, &put, &at_once] {
        node.caches(image);
    }
    eventually(|| site.files("cache/queue").is_empty().then_some(()));
    let listing = ran(manage(&site, &node, &["list-cached", "--json"]), 0).0;
    let listing: Value = serde_json::from_str(&listing).unwrap();
    assert_eq!(listing["cached_images"].as_array().unwrap().len(), 4);
    assert_eq!(site.listed(), site.copies());
    are_cached(&site, &node, &[touched, put, at_once, waited]);
    assert_eq!(node.queued(), json!([]));
    node.stop();
}

#[test]
fn what_is_wanted_at_once_does_not_rest() {
    let site = Site::with("", "queue_settle = 3600");
    let node = site.start();
    let [resting, hurried] = [(); 2].map(|()| node.image(MIB));
    touch(&site, &resting);
    node.ask("PUT", &format!("/v2/cache/{}", hurried.id));
    // It leaves the queue after it has come.
    node.has_cached(&hurried);
    assert_eq!(node.queued(), json!([resting.id]));
    let taken_back = node.ask("DELETE", &format!("/v2/queued_images/{}", resting.id));
    assert_eq!(taken_back.status, 200);
    assert_eq!(site.files("cache/queue"), [""; 0]);
    node.stop();
}

#[test]
fn what_cannot_be_fetched_stays_queued_and_the_log_says_why() {
    let site = Site::new();
    let node = site.start();
    let (empty, lost, bad) = (node.create(), node.image(MIB), node.image(MIB));
    fs::remove_file(site.stored(&lost)).unwrap();
    fs::write(site.stored(&bad), vec![0; MIB]).unwrap();
    for image in [&empty, &lost, &bad] {
        touch(&site, image);
    }
    let nobody = uuid::Uuid::new_v4().to_string();
    File::create(site.cache("queue").join(&nobody)).unwrap();
    File::create(site.cache("queue/notes.txt")).unwrap();

    let stays = |image: &Image, why: &str| {
        node.says(&format!("image {} was not fetched: {why}", image.id));
    };
    stays(&empty, "it is queued");
    stays(&lost, "");
    stays(&bad, "expected sha512");
    node.says(&format!(
        "image {nobody} was not fetched: the database knows no such image"
    ));
    node.says("\"notes.txt\" in the queue of the cache is no image id");
    let mut queued = vec![empty.id.clone(), lost.id, bad.id.clone(), nobody];
    queued.sort_unstable();
    let mut listed: Vec<String> = serde_json::from_value(node.queued()).unwrap();
    listed.sort_unstable();
    assert_eq!(listed, queued);

    // Once it can be had, it is.
    fs::write(site.stored(&bad), &bad.data).unwrap();
    node.ask("PUT", &format!("/v2/cache/{}", bad.id));
    node.caches(&bad);
    node.stop();
}

#[test]
fn two_processes_share_a_queue_and_fetch_each_image_once() {
    let site = Site::new();
    let nodes = [site.start(), site.start()];
    let images: Vec<Image> = (0..8).map(|_| nodes[0].image(MIB)).collect();
    for image in &images {
        touch(&site, image);
    }
    for image in &images {
        nodes[1].caches(image);
    }
    eventually(|| site.files("cache/queue").is_empty().then_some(()));
    for image in &images {
        let cached = |node: &Node| node.lines_with(&["cached image", &image.id]);
        let cached = || nodes.iter().map(cached).sum::<usize>();
        // The line comes after the copy.
        until("one tells of it", || cached() > 0);
        assert_eq!(cached(), 1);
        assert_eq!(
            nodes
                .iter()
                .map(|node| node.lines_with(&["was not fetched"]))
                .sum::<usize>(),
            0
        );
    }
    are_cached(&site, &nodes[0], &images);
    nodes.into_iter().for_each(Node::stop);
}
