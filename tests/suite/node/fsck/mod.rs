//! `glance-cache-manage fsck` on directories that services use, died in, and that others wrote into.

mod away;
mod tables;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::process::Image;
use super::site::Site;
use super::{MIB, eventually};
use crate::support::{CACHE_MANAGE, CLEANER, Ended, PRUNER, run};

const SPAN: usize = 4 * MIB;

/// What `fsck` says, with the configuration of the site.
pub(super) fn fsck(site: &Site, arguments: &[&str]) -> Ended {
    let mut command = site.plain(CACHE_MANAGE);
    command.args(["fsck", "--config-file"]);
    run(command.arg(site.path("glance-api.conf")).args(arguments))
}

#[track_caller]
pub(super) fn is_clean(site: &Site) {
    let ended = fsck(site, &["--verify"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.ends_with(": nothing is wrong\n"), "{ended:?}");
}

/// Finds all of it, repairs it, and finds nothing more.
#[track_caller]
fn are_mended(site: &Site, told: &[&str]) {
    let found = fsck(site, &["--verify"]);
    let repaired = fsck(site, &["--verify", "--repair"]);
    assert_eq!(
        (found.code, repaired.code),
        (1, 0),
        "{found:?}, {repaired:?}"
    );
    for told in told {
        assert!(found.out.contains(told), "{told}: {found:?}");
        assert!(repaired.out.contains(told), "{told}: {repaired:?}");
    }
    is_clean(site);
}

#[track_caller]
pub(super) fn is_mended(site: &Site, told: &str) {
    are_mended(site, &[told]);
}

pub(super) fn flip(path: impl AsRef<std::path::Path>, at: usize) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
}

/// A site whose service has stopped, with these images cached.
pub(super) fn stopped(sizes: &[usize]) -> (Site, Vec<Image>) {
    let site = Site::new();
    let node = site.start();
    let images: Vec<Image> = sizes.iter().map(|size| node.image(*size)).collect();
    for image in &images {
        node.serves(image);
        node.caches(image);
    }
    node.stop();
    is_clean(&site);
    (site, images)
}

#[test]
fn a_copy_that_was_emptied_is_told_of_once() {
    let (site, images) = stopped(&[2 * SPAN]);
    let copy = File::options().write(true).open(site.cache(&images[0].id));
    copy.unwrap().set_len(0).unwrap();
    let found = fsck(&site, &["--verify"]);
    assert!(!found.out.contains("bad bytes"), "{found:?}");
    is_mended(&site, "has 0 bytes, and the image");
}

#[test]
fn a_directory_that_was_killed_and_started_again_is_clean() {
    let site = Site::new();
    let mut node = site.start();
    for round in 0..8 {
        let image = node.image(3 * SPAN);
        let address = node.address;
        thread::scope(|scope| {
            scope.spawn(|| {
                // Whether they are answered is up to chance.
                let _ = super::http::range(address, &image.file(), "bytes=5000000-5000010");
                let _ = super::http::ask(address, "GET", &image.file(), "", b"");
            });
            thread::sleep(Duration::from_millis(round * 12));
            node.kill();
        });
        node = site.start();
        is_clean(&site);
    }
    node.stop();
    is_clean(&site);
}

#[test]
fn beside_a_service_at_work_there_are_no_false_alarms() {
    let site = Site::with(&format!("image_cache_max_size = {}", 5 * MIB), "");
    let node = site.start();
    let images: Vec<Image> = (0..4).map(|_| node.image(2 * MIB)).collect();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for image in &images {
            let (node, ended) = (&node, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    node.serves(image);
                    let part = node.range(image, "bytes=9-99");
                    assert_eq!(part.body, image.data[9..100]);
                }
            });
        }
        let looks: Vec<Ended> = (0..6).map(|_| fsck(&site, &["--verify"])).collect();
        ended.store(true, Ordering::Relaxed);
        for look in looks {
            assert_eq!(look.code, 0, "{look:?}");
        }
    });
    node.stop();
}

/// The copy of an image becomes what a process has left that died before its commit.
fn died_before_its_commit(site: &Site, image: &Image) {
    let copy = site.cache(&image.id);
    let inode = fs::metadata(&copy).unwrap().ino();
    let promise = site.cache(format!(".glance/fills/{}.{inode}", image.id));
    fs::write(promise, format!("{}\n", image.data.len())).unwrap();
    let growing = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&copy, growing).unwrap();
    fs::rename(&copy, site.cache(format!("incomplete/{}", image.id))).unwrap();
}

#[test]
fn what_a_dead_fill_leaves_is_put_aside_by_the_cleaner_as_well() {
    let (site, images) = stopped(&[3 * SPAN]);
    died_before_its_commit(&site, &images[0]);
    assert_eq!(run(&mut site.job(CLEANER, None, &[])).quietly(), "");
    assert_eq!(site.files("cache/incomplete"), [""; 0]);
    assert_eq!(site.files("cache/.glance/partial"), [&*images[0].id]);
    // All of it is there, so that no store is needed.
    fs::remove_file(site.stored(&images[0])).unwrap();
    let node = site.start();
    node.serves(&images[0]);
    node.caches(&images[0]);
    node.stop();
}

#[test]
fn what_a_dead_fill_leaves_is_put_aside_without_its_bad_spans() {
    let (site, images) = stopped(&[3 * SPAN]);
    let image = &images[0];
    flip(site.cache(&image.id), SPAN + 9);
    died_before_its_commit(&site, image);
    let told = [
        "was being filled by a process that died",
        "has 1 spans with bad bytes",
    ];
    are_mended(&site, &told);
    let node = site.start();
    node.serves(image);
    node.stop();
}

#[test]
fn each_thing_that_breaks_a_rule_is_named_and_repaired() {
    let (site, images) = stopped(&[MIB, MIB, MIB]);
    let id = |number: usize| images[number].id.as_str();
    let [other, link, dir] =
        [1, 2, 3].map(|last| format!("0f6dd1b4-9b0d-4a3e-8e0a-11111111111{last}"));
    let put = |path: &str, bytes: &[u8]| fs::write(site.cache(path), bytes).unwrap();
    put(&format!(".glance/spans/{}", id(2)), b"no table");
    put(&format!(".glance/spans/{link}"), b"no table");
    put(&format!(".glance/partial/{other}"), b"12345");
    put(&format!(".glance/fills/{other}.77"), b"5\n");
    put(".glance/format", b"");
    put("queue/hello", b"");
    put(".glance/pins/hello", b"");
    put(&format!(".glance/pins/{}", id(2)), b"");
    put(&format!(".glance/wish-{other}"), b"gold\n");
    fs::create_dir(site.cache(format!(".glance/pins/{dir}"))).unwrap();
    symlink("/etc/hostname", site.cache(&link)).unwrap();
    fs::create_dir(site.cache(format!("incomplete/{dir}"))).unwrap();
    let copy = File::options().write(true).open(site.cache(id(0)));
    copy.unwrap().set_len(77).unwrap();
    fs::remove_file(site.cache(id(1))).unwrap();
    are_mended(
        &site,
        &[
            &format!("{}: has a table of spans that is of another file", id(2)),
            &format!("spans/{link}: is the table of spans of no file"),
            &format!("partial/{other}: has spans that nobody can go on with"),
            "promises room to no fill",
            "is no mark of a format",
            "queue/hello: has no image's name",
            "pins/hello: has no image's name",
            &format!("pins/{dir}: is a directory with an image's name"),
            &format!("wish-{other}: is a wish or a note of a rule that was not written to its end"),
            &format!("{link}: is a link, a device or the like, and has an image's name"),
            &format!("incomplete/{dir}: is a directory with an image's name"),
            &format!("{}: has 77 bytes, and", id(0)),
            &format!("{}: is not there, and has a row in the index", id(1)),
        ],
    );
    assert!(fs::exists("/etc/hostname").unwrap());
    assert_eq!(site.copies(), [id(2)]);
    assert_eq!(site.files("cache/.glance/pins"), [id(2)]);

    put("cache.db", &[7; 5000]);
    are_mended(&site, &["is no index"]);
    put("cache.db", b"");
    are_mended(
        &site,
        &["cache.db: is empty, and there are copies: the index is lost"],
    );
    fs::remove_file(site.cache("cache.db")).unwrap();
    are_mended(&site, &["is not there, and there are copies"]);
}

#[test]
fn the_locks_that_the_original_leaves_are_no_offence() {
    let (site, images) = stopped(&[MIB]);
    let locks = [
        "glance-cache-prune",
        "glance_store-5a0f4c1d",
        "image_cache_db_init",
    ];
    for lock in locks {
        File::create(site.cache(lock)).unwrap();
    }
    is_clean(&site);
    for job in [CLEANER, PRUNER] {
        assert_eq!(run(&mut site.job(job, None, &[])).quietly(), "", "{job}");
    }
    let mut expected = [&[images[0].id.as_str()][..], &locks].concat();
    expected.sort_unstable();
    assert_eq!(site.copies(), expected);

    // With something in it, it is no lock.
    fs::write(site.cache("glance-cache"), b"mine").unwrap();
    let found = fsck(&site, &[]);
    assert_eq!(found.code, 0, "{found:?}");
    let told = "note: glance-cache: is no image's";
    assert!(found.out.contains(told), "{found:?}");
}

#[test]
fn what_is_nobodys_is_named_and_kept() {
    let (site, images) = stopped(&[MIB]);
    let other = "0f6dd1b4-9b0d-4a3e-8e0a-111111111111";
    fs::write(site.cache("notes.txt"), b"mine").unwrap();
    fs::create_dir(site.cache("lost+found")).unwrap();
    let in_the_way = site.cache(other).join("mine");
    fs::create_dir(site.cache(other)).unwrap();
    fs::write(&in_the_way, b"mine").unwrap();
    for arguments in [&[][..], &["--repair", "--dry-run"]] {
        let found = fsck(&site, arguments);
        assert_eq!(found.code, 1, "{found:?}");
        let told = format!("{other}: is a directory with an image's name, where a file belongs");
        assert!(found.out.contains(&told), "{found:?}");
        assert!(
            found.out.contains("note: notes.txt: is no image's"),
            "{found:?}"
        );
        assert!(!found.out.contains("lost+found"), "{found:?}");
    }
    assert!(in_the_way.exists());
    let repaired = fsck(&site, &["--repair"]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert!(
        repaired.out.contains("was moved into invalid/"),
        "{repaired:?}"
    );
    let moved = format!("invalid/{other}.moved-1");
    assert_eq!(fs::read(site.cache(&moved).join("mine")).unwrap(), b"mine");
    let told = fsck(&site, &[]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains(&format!("note: {moved}: is a directory")),
        "{told:?}"
    );

    // Neither a cleaner takes it away nor a start.
    assert_eq!(run(&mut site.job(CLEANER, None, &[])).quietly(), "");
    let node = site.start();
    node.serves(&images[0]);
    node.stop();
    assert!(site.cache(moved).join("mine").exists());
    assert_eq!(fs::read(site.cache("notes.txt")).unwrap(), b"mine");
    assert_eq!(site.copies(), [images[0].id.as_str(), "notes.txt"]);
}

#[test]
fn copies_are_held_against_the_records_of_their_images() {
    let (site, images) = stopped(&[MIB, MIB]);
    let other = Site::new();
    other.shares_with(&site);
    let far = other.start();
    for site in [&site, &other] {
        for image in &images {
            fs::write(site.cache(".glance/pins").join(&image.id), b"").unwrap();
        }
    }
    let image = format!("/v2/images/{}", images[0].id);
    assert_eq!(far.ask("DELETE", &image).status, 204);
    far.stop();
    is_mended(
        &site,
        &format!("pins/{}: is of an image that was deleted", images[0].id),
    );
    // The node that deleted it has forgotten the pin by itself.
    for site in [&site, &other] {
        assert_eq!(site.files("cache/.glance/pins"), [images[1].id.as_str()]);
    }
    assert_eq!(site.copies(), [images[1].id.as_str()]);

    // A copy without a table is proven by its digest.
    fs::remove_file(site.cache(".glance/spans").join(&images[1].id)).unwrap();
    is_clean(&site);
    flip(site.cache(&images[1].id), 5);
    is_mended(&site, "does not have the digest of the image");
    assert_eq!(site.copies(), [""; 0]);
}

#[test]
fn rows_that_tell_other_nodes_of_no_copy_go() {
    let name = "worker_self_reference_url = http://one.example";
    let site = Site::with(name, "");
    let conf = fs::read_to_string(site.path("glance-api.conf")).unwrap();
    let conf = conf.replace(
        "image_cache_driver = sqlite",
        "image_cache_driver = centralized_db",
    );
    fs::write(site.path("glance-api.conf"), conf).unwrap();
    let node = site.start();
    let image = node.image(MIB);
    node.serves(&image);
    node.caches(&image);
    node.stop();
    is_clean(&site);
    fs::remove_file(site.cache(&image.id)).unwrap();
    is_mended(
        &site,
        "is not there, and the database tells other nodes that it is",
    );
}

#[test]
fn a_directory_of_a_newer_program_is_left_alone() {
    let (site, images) = stopped(&[MIB, MIB]);
    fs::write(site.cache(".glance/format"), "2\n").unwrap();
    let refused = fsck(&site, &["--repair"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.err.contains("format 2 of a newer program"),
        "{refused:?}"
    );

    let node = site.start();
    let new = node.image(MIB);
    node.serves(&images[0]);
    node.serves(&new);
    node.says("it has format 2 of a newer program");
    node.stop();
    assert_eq!(site.copies().len(), 2);
    assert!(site.files("cache/incomplete").is_empty());
    fs::write(site.cache(".glance/format"), "1\n").unwrap();
    is_clean(&site);
}
