//! A cache that is smaller than what is asked of it never gets larger than it may.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::KIB;
use super::process::Image;
use super::site::Site;

const LIMIT: u64 = 2048 * KIB as u64;

/// Bytes of all that is in the cache directory. Held still meanwhile, or a copy that moves from one place
/// to another would be seen in both, or in none.
fn taken(site: &Site) -> u64 {
    let lock = File::open(site.cache(".glance/space.lock")).unwrap();
    lock.lock_shared().unwrap();
    let mut taken = 0;
    for dir in ["cache", "cache/incomplete", "cache/invalid"] {
        for name in site.files(dir) {
            if !name.starts_with("cache.db") {
                // A fill may end without its commit at any time.
                let found = fs::metadata(site.path(dir).join(name));
                taken += found.map_or(0, |found| found.len());
            }
        }
    }
    taken
}

#[test]
fn two_processes_under_load_never_exceed_the_limit() {
    let site = Site::with(&format!("image_cache_max_size = {LIMIT}"), "");
    let nodes = [site.start(), site.start()];
    let sizes = [10, 60, 130, 200, 300, 400, 500, 600, 700, 900, 1200, 3000];
    let images = sizes.map(|kib| nodes[0].image(kib * KIB));
    let bad = nodes[0].image(400 * KIB);
    let mut wrong = bad.data.clone();
    wrong[7] ^= 1;
    fs::write(site.stored(&bad), wrong).unwrap();

    let done = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(taken(&site));
                thread::yield_now();
            }
            most
        });
        let clients: Vec<_> = (0..8)
            .map(|client: usize| {
                let (images, bad, node) = (&images, &bad, &nodes[client % 2]);
                scope.spawn(move || {
                    let mut at = client;
                    for round in 0..30 {
                        at = (at * 7 + round + 3) % (images.len() + 1);
                        match images.get(at) {
                            Some(image) => node.serves(image),
                            // Past the cache nobody looks whether the store has the right bytes.
                            None => drop(node.download(bad)),
                        }
                    }
                })
            })
            .collect();
        let ends: Vec<_> = clients
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        done.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(Result::is_ok));
        sampler.join().unwrap()
    });
    assert!(most <= LIMIT, "{most} bytes in place of {LIMIT}");
    // The load was worth its name: the cache was full, and much had to leave.
    assert!(most > LIMIT / 2, "only {most} bytes");
    let evicted: usize = nodes
        .iter()
        .map(|node| node.lines_with(&["evicted image"]))
        .sum();
    assert!(evicted > 10, "only {evicted} left");
    let [one, other] = nodes;
    let pruned = one.ask("POST", "/v2/cache/prune").json();
    assert_eq!(pruned["total_files_pruned"], 0);
    one.stop();
    other.stop();
    assert_copies_are_right(&site, &images);
}

fn assert_copies_are_right(site: &Site, images: &[Image]) {
    for id in site.copies() {
        let image = images.iter().find(|image| image.id == id).unwrap();
        assert!(fs::read(site.cache(&id)).unwrap() == image.data);
    }
    assert_eq!(site.files("cache/incomplete"), [""; 0]);
}
