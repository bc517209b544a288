use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FileType, Mode};

use super::*;

const IMAGE: &str = "0f6dd1b4-9b0d-4a3e-8e0a-111111111111";

/// A directory in which a service has been, and one to check it.
fn prepared() -> (tempfile::TempDir, Layout, Fsck) {
    let dir = tempfile::tempdir().unwrap();
    let config = CacheConfig::at(dir.path().to_owned());
    let layout = Layout::new(&config.dir, &config.index_file);
    layout.prepare().unwrap();
    let fsck = Fsck::open(&config, Clock::system()).unwrap();
    (dir, layout, fsck)
}

fn check(fsck: &Fsck) -> Vec<Finding> {
    fsck.check(&Records::new(), Scope::Rules).unwrap()
}

fn pipe(path: &PathBuf) {
    let mode = Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0).unwrap();
}

/// Finds these things, repairs what is wrong, and finds no more than the notes that are left.
#[track_caller]
fn are_told(fsck: &Fsck, told: &[String], left: &[String]) {
    let lines = |findings: &[Finding]| {
        let lines = findings.iter().map(|finding| {
            let weight = finding.weight();
            format!("{weight:?} {finding}; {}", finding.repair.words(false))
        });
        let mut lines: Vec<String> = lines.collect();
        lines.sort_unstable();
        lines
    };
    let found = check(fsck);
    let mut expected = told.to_vec();
    expected.sort_unstable();
    assert_eq!(lines(&found), expected);
    for (finding, outcome) in fsck.repair(found, &Records::new()).unwrap() {
        assert!(
            outcome == Outcome::Done || !finding.is_wrong(),
            "{finding}: {outcome:?}"
        );
    }
    let mut expected = left.to_vec();
    expected.sort_unstable();
    assert_eq!(lines(&check(fsck)), expected);
}

#[test]
fn what_no_service_makes_is_looked_at_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
    let config = CacheConfig::at(dir.path().to_owned());
    // Every look asks for the time.
    let looks = Arc::new(AtomicU32::new(0));
    let clock = {
        let looks = Arc::clone(&looks);
        Clock::from_fn(move || {
            looks.fetch_add(1, Ordering::Relaxed);
            Clock::system().now()
        })
    };
    let fsck = Fsck::open(&config, clock).unwrap();
    let found = check(&fsck);
    assert!(found.iter().any(|finding| finding.what == What::Foreign));
    assert_eq!(looks.load(Ordering::Relaxed), 1, "{found:?}");
}

#[test]
fn junk_of_every_kind_is_named_in_every_directory() {
    let (dir, layout, fsck) = prepared();
    let mut told = Vec::new();
    let mut left = Vec::new();
    let rooms = [
        "incomplete",
        "invalid",
        "queue",
        ".glance/fills",
        ".glance/partial",
        ".glance/spans",
        ".glance/pins",
    ];
    for room in rooms {
        let path = dir.path().join(room);
        symlink("/etc/hostname", path.join("link")).unwrap();
        pipe(&path.join("pipe"));
        std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
        fs::create_dir(path.join("empty")).unwrap();
        fs::create_dir(path.join("full")).unwrap();
        fs::write(path.join("full/mine"), b"mine").unwrap();
        for (name, kind) in [
            ("link", "a link"),
            ("pipe", "a named pipe"),
            ("socket", "a socket"),
            ("empty", "a directory"),
        ] {
            told.push(format!(
                "Wrong {room}/{name}: is {kind} where the cache has files alone; would be removed"
            ));
        }
        left.push(format!(
            "Note {room}/full: is a directory that is not the cache's; left alone: it may be somebody's, and is in \
             nobody's way"
        ));
    }
    told.extend(left.clone());
    are_told(&fsck, &told, &left);
    for room in rooms {
        let full = dir.path().join(room).join("full/mine");
        assert_eq!(fs::read(full).unwrap(), b"mine", "{room}");
    }
    assert!(fs::exists("/etc/hostname").unwrap());
    layout.prepare().unwrap();
}

#[test]
fn what_has_no_images_name_is_named_where_it_lies() {
    let (dir, _, fsck) = prepared();
    for room in ["queue", "invalid", "incomplete", ".glance", "."] {
        fs::write(dir.path().join(room).join("file"), b"mine").unwrap();
    }
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    fs::create_dir(dir.path().join("dir")).unwrap();
    symlink("/nowhere", dir.path().join("link")).unwrap();
    for name in [".glance/wanted.77", ".glance/ways.77"] {
        fs::write(dir.path().join(name), b"").unwrap();
    }
    for lock in [
        "glance-cache-prune",
        "cache.db-journal",
        ".glance/broken-index.db-journal",
    ] {
        fs::write(dir.path().join(lock), b"").unwrap();
    }
    let draft = "is a wish or a note of a rule that was not written to its end; would be removed";
    let alien = "that is not the cache's; left alone: it may be somebody's, and is in nobody's way";
    let left = [
        "Note file: is no image's and no file of the cache, and takes room; left alone: it may be somebody's; its bytes \
         count against the limit"
            .to_owned(),
        format!("Note dir: is a directory {alien}"),
        format!("Note link: is a link {alien}"),
        "Note .glance/file: is a file that is not the cache's; left alone: a newer program may know it, or somebody"
            .to_owned(),
        "Note invalid/file: was not the image's data, and waits for the cleaner; left alone: glance-cache-cleaner \
         removes it"
            .to_owned(),
        "Note incomplete/file: has no image's name, and is younger than the stall time; left alone: it goes when nobody \
         has written to it for the stall time"
            .to_owned(),
    ];
    let told = [
        "Wrong queue/file: has no image's name; would be removed".to_owned(),
        format!("Wrong .glance/wanted.77: {draft}"),
        format!("Wrong .glance/ways.77: {draft}"),
    ];
    are_told(&fsck, &[&told[..], &left].concat(), &left);
}

#[test]
fn what_is_in_the_place_of_a_file_goes_out_of_its_way() {
    let (dir, layout, fsck) = prepared();
    let aside = "it is not empty, and would be moved into invalid/, where it stays";
    let mut told = Vec::new();
    let places = [
        "",
        "incomplete/",
        "queue/",
        "invalid/",
        ".glance/spans/",
        ".glance/pins/",
    ];
    for place in places {
        let path = dir.path().join(format!("{place}{IMAGE}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine"), place).unwrap();
        told.push(format!(
            "Wrong {place}{IMAGE}: is a directory with an image's name, where a file belongs; {aside}"
        ));
    }
    for (name, kind) in [
        ("space.lock", "a directory"),
        ("wanted", "a directory"),
        ("ways", "a named pipe"),
    ] {
        let path = layout.own().join(name);
        match kind {
            "a directory" => {
                let _ = fs::remove_file(&path);
                fs::create_dir(path).unwrap();
            }
            _ => pipe(&path),
        }
        told.push(format!(
            "Wrong .glance/{name}: is {kind} in the place of a file of the cache; would be removed"
        ));
    }
    fs::remove_file(layout.format()).unwrap();
    pipe(&layout.format());
    told.push("Wrong .glance/format: is no mark of a format; would be written anew".to_owned());
    let left: Vec<String> = (1..=places.len())
        .map(|number| {
            format!(
                "Note invalid/{IMAGE}.moved-{number}: is a directory that is not the cache's; left alone: it may be \
                 somebody's, and is in nobody's way"
            )
        })
        .collect();
    are_told(&fsck, &told, &left);
    let kept = (1..=places.len()).map(|number| {
        let moved = layout.invalid().join(format!("{IMAGE}.moved-{number}"));
        fs::read_to_string(moved.join("mine")).unwrap()
    });
    let mut kept: Vec<String> = kept.collect();
    kept.sort_unstable();
    let mut places = places.map(str::to_owned);
    places.sort_unstable();
    assert_eq!(kept, places);
}
