//! Copies that lie in other files than those that their tables were made for: a restored backup, another disk.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use glance::config::Verify;
use glance::domain::report::Verifier;

use super::super::support::{Image, Shelf};
use super::checks::verifier;
use super::{SPAN, Store, flip, part, whole};

const ALL: [Verify; 3] = [Verify::Always, Verify::Changed, Verify::Sweep];

/// The same bytes in another file, as a copy of the directory has them.
fn moves(path: PathBuf) {
    let other = path.with_extension("other");
    fs::copy(&path, &other).unwrap();
    fs::rename(other, path).unwrap();
}

/// A cache directory that was copied after a service had brought an image of three spans in.
async fn copied(verify: Verify) -> (Shelf, Store) {
    let mut shelf = Shelf::new();
    shelf.config.verify = verify;
    let cache = shelf.open().await;
    let store = Store::of(&Image::of(2 * SPAN + 100));
    store.image.fill(&cache).await;
    cache.close().await;
    moves(shelf.path(store.image.id.as_str()));
    (shelf, store)
}

/// The inode that a table of spans speaks for.
fn bound(shelf: &Shelf, store: &Store) -> u64 {
    let table = fs::read(shelf.path(format!(".glance/spans/{}", store.image.id))).unwrap();
    u64::from_le_bytes(table[16..24].try_into().unwrap())
}

fn inode(shelf: &Shelf, name: &str) -> u64 {
    fs::metadata(shelf.path(name)).unwrap().ino()
}

#[tokio::test]
async fn a_copy_that_was_moved_keeps_its_table() {
    for verify in ALL {
        let (shelf, store) = copied(verify).await;
        let id = store.image.id.as_str();
        let table = format!(".glance/spans/{id}");
        let (first, of_before) = (inode(&shelf, &table), bound(&shelf, &store));
        let cache = shelf.open().await;
        let bytes = &store.image.bytes;
        // As long as not all of it was compared, the table stays as it is.
        assert!(part(&cache, &store, 5, SPAN + 10).await == bytes[5..SPAN + 10]);
        assert_eq!(bound(&shelf, &store), of_before, "{verify:?}");
        cache.close().await;

        let cache = shelf.open().await;
        assert!(whole(&cache, &store).await.unwrap() == *bytes);
        assert_eq!(bound(&shelf, &store), inode(&shelf, id), "{verify:?}");
        assert_eq!(inode(&shelf, &table), first, "a proof makes another one");
        let by = verifier(&cache, store.image.id).await;
        assert_eq!((by, store.asked()), (Some(Verifier::Serve), 0));
    }
}

#[tokio::test]
async fn a_copy_that_was_not_moved_well_is_repaired() {
    for verify in ALL {
        let (shelf, store) = copied(verify).await;
        let path = shelf.path(store.image.id.as_str());
        flip(&path, SPAN + 7);
        let cache = shelf.open().await;
        for _ in 0..2 {
            assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
        }
        assert_eq!((store.asked(), store.sent()), (1, SPAN as u64));
        assert!(fs::read(path).unwrap() == store.image.bytes);
        assert_eq!(
            bound(&shelf, &store),
            inode(&shelf, store.image.id.as_str())
        );
    }
}

#[tokio::test]
async fn a_table_of_other_data_says_nothing_of_a_copy_that_was_moved() {
    for verify in ALL {
        let (shelf, mut store) = copied(verify).await;
        let other = Image::of(2 * SPAN + 100);
        fs::write(shelf.path(store.image.id.as_str()), &other.bytes).unwrap();
        // The image has other data by now, and somebody has put it there.
        store.image.bytes = other.bytes;
        let cache = shelf.open().await;
        assert!(whole(&cache, &store).await.unwrap() == store.image.bytes);
        assert_eq!(store.asked(), 0, "{verify:?}");
    }
}
