//! `kill -9` wherever it hits: what is served afterwards is right, and nothing is in the way.

use std::fs::{self, File, FileTimes};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::http;
use super::process::{Image, Node};
use super::site::Site;
use super::{KIB, MIB, eventually};
use crate::support::PRUNER;

/// When a process is killed, as seen by a client of its.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The request was sent so long ago.
    Asked(Duration),
    /// So many bytes have come.
    Read(usize),
    /// All have come, so long ago: now the copy is made durable and put into its place.
    Whole(Duration),
}

const SIZE: usize = 4 * MIB;

/// Whatever lies in the cache directory is right, and the tool lists just that.
#[track_caller]
fn assert_all_is_right(site: &Site, images: &[Image]) {
    let copies = site.copies();
    for image in images.iter().filter(|image| copies.contains(&image.id)) {
        let copy = fs::read(site.cache(&image.id)).unwrap();
        assert!(copy == image.data, "a wrong copy of image {}", image.id);
    }
    assert_eq!(site.listed(), copies);
    assert_eq!(site.files("cache/invalid"), [""; 0]);
}

#[track_caller]
fn assert_nothing_is_left_of_fills(site: &Site) {
    assert_eq!(site.files("cache/incomplete"), [""; 0]);
    assert_eq!(site.files("cache/.glance/fills"), [""; 0]);
}

fn kill_at(moment: Moment, node: Node, image: &Image) {
    match moment {
        Moment::Asked(later) => {
            let address = node.address;
            let path = image.file();
            thread::scope(|scope| {
                // Whether it is answered is up to chance.
                scope.spawn(move || drop(http::open(address, "GET", &path, "", b"")));
                thread::sleep(later);
                node.kill();
            });
        }
        Moment::Read(bytes) => {
            let mut opened = node.open(image).unwrap();
            assert!(opened.read(bytes).unwrap() == image.data[..bytes]);
            node.kill();
            // What was under way may still come, but no end of it that is wrong.
            if let Ok(rest) = opened.rest() {
                assert!(rest == image.data[bytes..]);
            }
        }
        Moment::Whole(later) => {
            assert!(node.download(image).unwrap() == image.data);
            thread::sleep(later);
            node.kill();
        }
    }
}

#[test]
fn killed_during_a_fill_or_its_commit_a_node_starts_again_as_if_nothing_had_been() {
    let asked = [0, 1, 2, 4, 8].map(|ms| Moment::Asked(Duration::from_millis(ms)));
    let read = [1, SIZE / 4, SIZE / 2, SIZE - 65 * KIB, SIZE - 1, SIZE].map(Moment::Read);
    let whole = [0, 1, 2, 3, 5, 8, 20].map(|ms| Moment::Whole(Duration::from_millis(ms)));
    let site = Site::new();
    let mut images = Vec::new();
    let mut node = site.start();
    for moment in asked.into_iter().chain(read).chain(whole) {
        let image = node.image(SIZE);
        images.push(image.clone());
        kill_at(moment, node, &image);
        assert_all_is_right(&site, &images);

        node = site.start();
        assert_nothing_is_left_of_fills(&site);
        node.serves(&image);
        node.caches(&image);
        assert_all_is_right(&site, &images);
    }
    // All of them are copies now.
    for image in &images {
        fs::remove_file(site.stored(image)).unwrap();
        node.serves(image);
    }
    node.stop();
    assert_nothing_is_left_of_fills(&site);
}

#[test]
fn killed_while_the_queue_is_fetched_a_node_goes_on_with_it() {
    let site = Site::new();
    let mut node = site.start();
    let images: Vec<Image> = (0..8).map(|_| node.image(MIB)).collect();
    fs::create_dir_all(site.cache("queue")).unwrap();
    for image in &images {
        File::create(site.cache("queue").join(&image.id)).unwrap();
    }
    for round in 0..4 {
        // Each life gets a little further than the one before.
        eventually(|| (site.copies().len() >= round).then_some(()));
        thread::sleep(Duration::from_millis(round as u64 * 3));
        node.kill();
        assert_all_is_right(&site, &images);
        let left = site.files("cache/queue");
        for image in &images {
            let there = site.copies().contains(&image.id) || left.contains(&image.id);
            assert!(there, "image {} is neither cached nor queued", image.id);
        }
        node = site.start();
    }
    eventually(|| site.files("cache/queue").is_empty().then_some(()));
    assert_eq!(site.copies().len(), images.len());
    for image in &images {
        fs::remove_file(site.stored(image)).unwrap();
        node.serves(image);
    }
    node.stop();
    assert_all_is_right(&site, &images);
    assert_nothing_is_left_of_fills(&site);
}

#[test]
fn a_prune_that_is_killed_has_taken_the_oldest_and_the_next_takes_the_rest() {
    const COPIES: usize = 300;
    const KEPT: usize = 20;
    let site = Site::with(&format!("image_cache_max_size = {}", KEPT * KIB), "");
    // It makes the directories, and an index that does not know yet of what comes.
    site.start().stop();
    let mut ids: Vec<String> = (0..COPIES)
        .map(|_| uuid::Uuid::new_v4().to_string())
        .collect();
    for (age, id) in ids.iter().rev().enumerate() {
        let file = File::create(site.cache(id)).unwrap();
        file.set_len(KIB as u64).unwrap();
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000 - age as u64);
        file.set_times(FileTimes::new().set_modified(used).set_accessed(used))
            .unwrap();
    }
    for round in 0..8 {
        let mut prune = site.job(PRUNER, None, &[]).spawn().unwrap();
        thread::sleep(Duration::from_millis(round * 4));
        prune.kill().unwrap();
        prune.wait().unwrap();
        let copies = site.copies();
        let mut newest = ids.split_off(ids.len() - copies.len());
        newest.sort_unstable();
        assert_eq!(copies, newest, "the least recently used leave first");
        assert_eq!(site.listed(), copies);
        ids = by_age(&site, copies);
    }
    assert!(site.job(PRUNER, None, &[]).status().unwrap().success());
    let node = site.start();
    assert_eq!(node.listing().len(), KEPT);
    let pruned = node.ask("POST", "/v2/cache/prune");
    assert_eq!(pruned.json(), nothing_pruned());
}

fn nothing_pruned() -> Value {
    serde_json::json!({"total_files_pruned": 0, "total_bytes_pruned": 0})
}

/// Oldest first.
fn by_age(site: &Site, mut copies: Vec<String>) -> Vec<String> {
    copies.sort_by_key(|id| fs::metadata(site.cache(id)).unwrap().modified().unwrap());
    copies
}
