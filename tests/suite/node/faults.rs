//! What befalls a node from outside: another time, other users, locks of others, and images that are taken away from
//! those who read them.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant, SystemTime};

use glance::clock::Clock;
use rusqlite::Connection;
use serde_json::json;

use super::fsck::is_clean;
use super::http;
use super::process::{Image, Node};
use super::site::Site;
use super::{MIB, eventually};
use crate::support::until;

const DAY: Duration = Duration::from_hours(24);
/// A user without rights.
const NOBODY: u32 = 65534;

/// What a directory looks like whose clock has gone back by a day since it was last used.
fn a_day_ahead(site: &Site) {
    let then = SystemTime::from(Clock::system().now()) + DAY;
    let times = FileTimes::new().set_modified(then).set_accessed(then);
    for dir in [
        "cache",
        "cache/queue",
        "cache/incomplete",
        "cache/.glance",
        "cache/.glance/spans",
    ] {
        for name in site.files(dir) {
            let path = site.path(dir).join(name);
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_times(times)
                .unwrap();
        }
    }
    let index = Connection::open(site.cache("cache.db")).unwrap();
    let (seconds, micros) = (DAY.as_secs(), DAY.as_micros());
    index
        .execute_batch(&format!(
            "UPDATE cached_images SET last_accessed = last_accessed + {seconds},
                 last_modified = last_modified + {seconds};
             UPDATE glance_standings SET since = since + {micros}, used = used + {micros};"
        ))
        .unwrap();
}

#[test]
fn a_directory_from_before_the_clock_went_back_is_used_like_any_other() {
    for order in ["s3-fifo", "lru"] {
        let limit = format!("image_cache_max_size = {}", 4 * MIB);
        let site = Site::with(&limit, &format!("eviction = {order}"));
        let node = site.start();
        let [one, two, wished, new] = [(); 4].map(|()| node.image(2 * MIB));
        for image in [&one, &two] {
            node.serves(image);
            node.caches(image);
            node.serves(image);
        }
        node.stop();
        File::create(site.cache("queue").join(&wished.id)).unwrap();
        fs::write(site.cache("incomplete").join(&new.id), b"half").unwrap();
        a_day_ahead(&site);

        let node = site.start();
        // A wish need not wait for a day, and what was last used tomorrow leaves all the same.
        node.caches(&wished);
        for image in [&new, &one, &two, &new] {
            node.serves(image);
            until("it is cached, and one has left for it", || {
                site.copies().len() == 2 && site.copies().contains(&image.id)
            });
        }
        let before = node.listing()[&new.id];
        node.serves(&new);
        eventually(|| (node.listing()[&new.id] > before).then_some(()));
        for what in ["prune", "clean"] {
            assert_eq!(node.ask("POST", &format!("/v2/cache/{what}")).status, 200);
        }
        node.stop();
        is_clean(&site);
    }
}

#[test]
fn files_of_other_users_in_the_cache_directory_keep_nobody_from_it() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root makes files of other users");
        return;
    }
    let site = Site::new();
    site.give_to(Some(NOBODY));
    let node = site.start_as(Some(NOBODY));
    let [copy, fill, part, wish, table] = [(); 5].map(|()| node.image(MIB));
    let put = |dir: &str, image: &Image| {
        let path = site.cache(dir).join(&image.id);
        fs::write(&path, &image.data).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    };
    put("", &copy);
    put("incomplete", &fill);
    put(".glance/partial", &part);
    put(".glance/spans", &table);
    put("queue", &wish);

    let serves_all = |node: &Node| {
        assert!(node.range(&part, "bytes=5-9").body == part.data[5..10]);
        for image in [&copy, &fill, &part, &wish, &table] {
            node.serves(image);
            node.serves(image);
        }
        for image in [&part, &wish, &table] {
            node.caches(image);
        }
        let free = node.image(MIB);
        node.serves(&free);
        node.caches(&free);
        assert_eq!(node.ask("POST", "/v2/cache/clean").status, 200);
        assert_eq!(node.ask("POST", "/v2/cache/prune").status, 200);
        let told = node.lines_with(&["images are served past the cache"]);
        assert_eq!(told, 0, "{}", node.log());
    };
    serves_all(&node);
    node.stop();
    let node = site.start_as(Some(NOBODY));
    serves_all(&node);
    node.stop();
}

/// Downloads an image until that takes less time than anybody waits for an index, a second, and says how often it was
/// downloaded. On a busy machine this may be one of many; where each waits for the index it is none.
#[track_caller]
fn undelayed(node: &Node, image: &Image) -> u64 {
    let mut downloads = 0;
    until("a download is not delayed", || {
        let begun = Instant::now();
        node.serves(image);
        downloads += 1;
        begun.elapsed() < Duration::from_millis(900)
    });
    downloads
}

#[test]
fn an_index_that_a_foreign_process_holds_delays_no_download_and_loses_no_hit() {
    let site = Site::new();
    let node = site.start();
    let [known, new] = [(); 2].map(|()| node.image(MIB));
    node.serves(&known);
    node.caches(&known);
    let holder = Connection::open(site.cache("cache.db")).unwrap();
    let hold = || {
        holder
            .execute_batch("BEGIN EXCLUSIVE")
            .is_ok()
            .then_some(())
    };
    eventually(hold);

    let mut hits = undelayed(&node, &known);
    node.serves(&new);
    until("it is cached", || site.copies().contains(&new.id));
    // Who asks what there is is answered, and so is a process that starts now.
    let listing = node.listing();
    assert_eq!((listing[&known.id], listing[&new.id]), (hits, 0));
    let other = site.start();
    hits += undelayed(&other, &known);
    other.serves(&new);
    assert_eq!(other.listing().len(), 2);

    holder.execute_batch("ROLLBACK").unwrap();
    eventually(|| (node.listing()[&known.id] == hits).then_some(()));
    node.stop();
    other.stop();
    let node = site.start();
    let listing = node.listing();
    assert_eq!((listing[&known.id], listing[&new.id]), (hits, 1));
    node.stop();
    is_clean(&site);
}

#[test]
fn an_index_that_somebody_cuts_off_or_zeroes_costs_counts_and_no_copy() {
    let site = Site::new();
    let mut node = site.start();
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    fs::remove_file(site.stored(&image)).unwrap();
    let index = site.cache("cache.db");
    for spoil in [
        |index: &File| index.set_len(100),
        |index: &File| index.set_len(5000),
        |index: &File| index.set_len(0).and_then(|()| index.set_len(20_000)),
    ] {
        let spoil = || spoil(&File::options().write(true).open(&index).unwrap()).unwrap();
        spoil();
        node.serves(&image);
        eventually(|| node.listing().contains_key(&image.id).then_some(()));
        node.serves(&image);
        node.stop();
        is_clean(&site);

        spoil();
        node = site.start();
        node.serves(&image);
        node.caches(&image);
        eventually(|| (node.listing()[&image.id] == 1).then_some(()));
    }
    node.stop();
}

const MEMBER: &str = "X-Identity-Status: Confirmed\r\nX-User-Id: u\r\nX-Project-Id: p\r\n\
                      X-Roles: member\r\n";

/// A node whose callers are who their headers say.
fn with_identities(site: &Site) {
    let paste = fs::read_to_string("tests/recordings/paste.ini").unwrap();
    let dir = site.path("");
    let paste = paste.replace("${workdir}", &dir.display().to_string());
    fs::write(site.path("paste.ini"), paste).unwrap();
    site.adds(&format!(
        "[paste_deploy]\nconfig_file = {}",
        site.path("paste.ini").display()
    ));
}

#[test]
fn who_reads_an_image_that_is_taken_from_them_reads_to_the_end_and_not_again() {
    let (site, other) = (Site::new(), Site::new());
    other.shares_with(&site);
    with_identities(&site);
    for site in [&site, &other] {
        let path = site.path("policy.yaml");
        let rules = fs::read_to_string(&path).unwrap();
        let more = "publicize_image: \"\"\ndeactivate: \"\"\nreactivate: \"\"\n";
        fs::write(path, format!("{rules}{more}")).unwrap();
    }
    // The owner works at another node, and all that this one hears of it is in the database.
    let (node, far) = (site.start(), other.start());
    let begin =
        |image: &Image| http::exchange(node.address, "GET", &image.file(), MEMBER, b"").unwrap();
    let shown = |image: &Image, how: &str| {
        let kind = "application/openstack-images-v2.1-json-patch";
        let change = json!([{"op": "replace", "path": "/visibility", "value": how}]);
        let (path, change) = (format!("/v2/images/{}", image.id), change.to_string());
        let done = http::ask(far.address, "PATCH", &path, kind, change.as_bytes()).unwrap();
        assert_eq!(done.status, 200, "{}", done.text());
    };
    let acted = |image: &Image, what: &str| {
        let path = format!("/v2/images/{}/actions/{what}", image.id);
        let done = far.ask("POST", &path);
        assert_eq!(done.status, 204, "{}", done.text());
    };
    let hidden = |image: &Image| shown(image, "private");
    let seen = |image: &Image| shown(image, "public");
    let off = |image: &Image| acted(image, "deactivate");
    let on = |image: &Image| acted(image, "reactivate");
    let is_taken = |status: u16, take: &dyn Fn(&Image), give: &dyn Fn(&Image)| {
        let image = far.image_as(24 * MIB, &json!({"visibility": "public", "owner": "q"}));
        // In the middle of its fill, and of a read from the copy.
        for warm in [false, true] {
            let mut reads = [begin(&image), begin(&image)];
            for read in &mut reads {
                assert_eq!(read.status, 200);
                assert!(read.read(MIB).unwrap() == image.data[..MIB]);
            }
            take(&image);
            for read in reads {
                assert!(read.rest().unwrap() == image.data[MIB..], "{}", node.log());
            }
            assert_eq!(begin(&image).status, status, "{warm}");
            let part = format!("{MEMBER}Range: bytes=0-9\r\n");
            let part = http::exchange(node.address, "GET", &image.file(), &part, b"").unwrap();
            assert_eq!(part.status, status, "{warm}");
            give(&image);
            assert!(begin(&image).rest().unwrap() == image.data);
            node.says(&format!("cached image {}", image.id));
            assert!(site.copies().contains(&image.id));
        }
        assert_eq!(node.lines_with(&["cached image", &image.id]), 1);
    };
    is_taken(404, &hidden, &seen);
    is_taken(403, &off, &on);
    node.stop();
    far.stop();
}
