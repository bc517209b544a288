//! The tally is what is there, whoever changes it.

use std::path::Path;

use super::super::lock::SpaceLock;
use super::*;
use crate::domain::ImageId;

fn layout() -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path(), Path::new("cache.db"));
    layout.prepare().unwrap();
    (dir, layout)
}

fn now() -> DateTime<Utc> {
    crate::clock::Clock::system().now()
}

/// When no tally of now is believed any more that ends, however long the counting took.
fn later() -> DateTime<Utc> {
    now() + TimeDelta::seconds(LONGEST + 3)
}

fn copies(layout: &Layout) -> (u64, u64) {
    let lock = SpaceLock::take(layout).unwrap();
    let copies = lock.tally(layout, now()).unwrap().copies;
    (copies.files, copies.bytes)
}

#[test]
fn bad_data_takes_the_place_of_what_was_bad_before() {
    let (_dir, layout) = layout();
    let id = ImageId::random();
    let invalid = |lock: &SpaceLock| {
        let invalid = lock.tally(&layout, now()).unwrap().invalid;
        (invalid.files, invalid.bytes)
    };
    for size in [5, 7, 3] {
        let lock = SpaceLock::take(&layout).unwrap();
        invalid(&lock);
        fs::write(layout.image(id), vec![0; size]).unwrap();
        lock.put_aside(&layout, id, &layout.image(id)).unwrap();
        assert!(lock.known().invalid.is_known());
        assert_eq!(invalid(&lock), (1, size as u64));
    }
}

#[test]
fn what_others_put_there_or_take_away_is_counted_at_once() {
    let (_dir, layout) = layout();
    assert_eq!(copies(&layout), (0, 0));
    let path = layout.image(ImageId::random());
    fs::write(&path, [7; 30]).unwrap();
    assert_eq!(copies(&layout), (1, 30));
    fs::remove_file(path).unwrap();
    assert_eq!(copies(&layout), (0, 0));
}

#[test]
fn what_was_said_is_believed_by_the_next_and_swept_in_the_end() {
    let (_dir, layout) = layout();
    assert_eq!(copies(&layout), (0, 0));
    {
        let lock = SpaceLock::take(&layout).unwrap();
        lock.came(&layout, Area::Copies, 2, 50);
        lock.went(&layout, Area::Copies, 1, 20);
    }
    assert_eq!(copies(&layout), (1, 30));
    sweep(&layout, now()).unwrap();
    assert_eq!(copies(&layout), (0, 0));
}

#[test]
fn a_file_that_grows_in_place_is_noticed() {
    let (_dir, layout) = layout();
    let path = layout.image(ImageId::random());
    fs::write(&path, [7; 30]).unwrap();
    assert_eq!(copies(&layout), (1, 30));
    fs::write(&path, [7; 60]).unwrap();
    let lock = SpaceLock::take(&layout).unwrap();
    assert_eq!(lock.tally(&layout, later()).unwrap().copies.bytes, 60);
}

#[test]
fn a_file_that_is_no_copy_is_noticed_when_it_grows_after_a_long_rest() {
    let (_dir, layout) = layout();
    let path = layout.root().join("notes.txt");
    fs::write(&path, [7; 30]).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let old = now() - TimeDelta::seconds(1000);
    file.set_modified(old.into()).unwrap();
    assert_eq!(copies(&layout), (0, 0));
    fs::write(&path, [7; 60]).unwrap();
    let lock = SpaceLock::take(&layout).unwrap();
    assert_eq!(lock.tally(&layout, later()).unwrap().strange, 60);
}

#[test]
fn numbers_survive_the_file() {
    let (_dir, layout) = layout();
    let file = tempfile::tempfile().unwrap();
    assert_eq!(Tally::read(&file), Tally::default());
    let tally = Tally::default().completed(&layout, now()).unwrap();
    tally.write(&file).unwrap();
    assert_eq!(Tally::read(&file), tally);
    assert_eq!(tally.believed(&layout), tally);
}
