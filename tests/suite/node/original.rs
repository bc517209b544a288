//! A node that goes back to the original: it finds its cache as it would have left it.

use std::path::Path;

use serde_json::Value;

use super::KIB;
use super::site::Site;

/// A virtual environment with the original in it.
const VENV: &str = "GLANCE_ORIGINAL_VENV";

const LISTING: &str = "\
import json, sys
from oslo_config import cfg
import glance.image_cache
cfg.CONF([], project='glance', default_config_files=[])
cfg.CONF.set_override('image_cache_dir', sys.argv[1])
cfg.CONF.set_override('image_cache_driver', 'sqlite')
cache = glance.image_cache.ImageCache()
print(json.dumps({
    'cached': cache.get_cached_images(),
    'queued': cache.get_queued_images(),
    'size': cache.get_cache_size(),
}))
for image in cache.get_cached_images():
    with cache.open_for_read(image['image_id']) as data:
        assert len(data.read()) == image['size']
    assert cache.get_hit_count(image['image_id']) == image['hits'] + 1
cache.prune()
cache.clean()
cache.delete_cached_image(sys.argv[2])
";

#[test]
fn the_original_reads_what_we_leave() {
    let Some(venv) = std::env::var_os(VENV) else {
        eprintln!("skipped: {VENV} names no environment with the original");
        return;
    };
    let site = Site::with("", "queue_settle = 3600");
    let node = site.start();
    let [dropped, kept, queued] = [10, 20, 30].map(|kib| node.image(kib * KIB));
    for image in [&dropped, &kept, &kept] {
        node.serves(image);
        node.caches(image);
    }
    node.ask("PUT", &format!("/v2/queued_images/{}", queued.id));
    node.stop();

    let mut python = site.plain(Path::new(&venv).join("bin/python"));
    python
        .args(["-c", LISTING])
        .arg(site.path("cache"))
        .arg(&dropped.id);
    let output = python.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["queued"], serde_json::json!([queued.id]), "{err}");
    assert_eq!(seen["size"], 30 * KIB);
    let hits = |id: &str| {
        let rows = seen["cached"].as_array().unwrap();
        let row = rows.iter().find(|row| row["image_id"] == id).unwrap();
        row["hits"].as_u64().unwrap()
    };
    assert_eq!((hits(&dropped.id), hits(&kept.id)), (0, 1));

    // And we what it leaves.
    let node = site.start();
    let listing = node.listing();
    assert_eq!(listing.len(), 1);
    assert_eq!(listing[&kept.id], 2);
    node.serves(&kept);
    node.stop();
}
