//! The jobs: one-shot tools beside a service and without one, and the schedules of the service.

use std::fs;

use serde_json::Value;

use super::queue::{are_cached, ran, touch};
use super::site::Site;
use super::{MIB, eventually};
use crate::support::{CLEANER, PREFETCHER, PRUNER};

#[test]
fn the_jobs_run_beside_a_service() {
    let limit = format!("image_cache_max_size = {}", 3 * MIB);
    let site = Site::with(&limit, "queue_settle = 3600");
    let node = site.start();
    let images = [(); 2].map(|()| node.image(MIB));
    for image in &images {
        touch(&site, image);
    }
    let fetched = |timeout: &str, code: i32| {
        let job = ["--json", "--timeout", timeout];
        let (out, err) = ran(site.job(PREFETCHER, Some(&node), &job), code);
        let report: Value = serde_json::from_str(&out).unwrap();
        (report["cached"].as_array().unwrap().len(), err)
    };
    assert_eq!(fetched("60", 0), (2, String::new()));

    let lost = node.image(MIB);
    fs::remove_file(site.stored(&lost)).unwrap();
    touch(&site, &lost);
    let (cached, err) = fetched("2", 1);
    assert_eq!(cached, 0);
    assert!(
        err.contains(&lost.id) && err.contains("still queued"),
        "{err}"
    );
    assert_eq!(site.files("cache/queue"), [lost.id]);

    // Somebody puts more there than there may be.
    let stray = uuid::Uuid::new_v4().to_string();
    fs::write(site.cache(&stray), vec![0; 2 * MIB]).unwrap();
    fs::write(site.cache("invalid").join(&stray), b"bad").unwrap();
    ran(site.job(PRUNER, Some(&node), &[]), 0);
    ran(site.job(CLEANER, Some(&node), &[]), 0);
    assert_eq!(site.files("cache/invalid"), [""; 0]);
    assert_eq!(node.listing().len(), 2);
    node.stop();
}

#[test]
fn the_jobs_need_no_service() {
    let site = Site::new();
    let node = site.start();
    let images = [(); 3].map(|()| node.image(MIB));
    node.stop();
    for image in &images {
        touch(&site, image);
    }
    let fetch = || site.job(PREFETCHER, None, &[]);
    // Two at once do no harm: each fetches some, and waits for the other's.
    let twice = [(); 2].map(|()| fetch().spawn().unwrap());
    for mut child in twice {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(site.files("cache/queue"), [""; 0]);
    ran(site.job(PRUNER, None, &[]), 0);
    ran(site.job(CLEANER, None, &[]), 0);

    let node = site.start();
    are_cached(&site, &node, &images);
    node.stop();
}

#[test]
fn the_schedules_of_a_service_do_the_same() {
    let often = "prune_schedule = * * * * * *\nclean_schedule = * * * * * *";
    let site = Site::with(&format!("image_cache_max_size = {MIB}"), often);
    let node = site.start();
    let image = node.image(MIB / 2);
    node.serves(&image);
    node.caches(&image);
    let stray = uuid::Uuid::new_v4().to_string();
    fs::write(site.cache("invalid").join(&stray), b"bad").unwrap();
    fs::write(site.cache(&stray), vec![0; 2 * MIB]).unwrap();
    eventually(|| site.files("cache/invalid").is_empty().then_some(()));
    eventually(|| (!site.copies().contains(&stray)).then_some(()));
    node.stop();
}
