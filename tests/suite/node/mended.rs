//! `glance-cache-manage fsck` on what the service stands on beside the copies: the sum of what is taken, the index.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, symlink};
use std::process::Command;

use super::MIB;
use super::fsck::{fsck, is_clean, is_mended, stopped};

#[test]
fn the_sum_by_which_room_is_given_away_is_checked() {
    let (site, images) = stopped(&[MIB]);
    let path = site.cache(".glance/space.lock");
    let falsify = || {
        let line = fs::read_to_string(&path).unwrap();
        let mut words: Vec<String> = line.split_ascii_whitespace().map(String::from).collect();
        assert_eq!(words[4], MIB.to_string(), "{line}");
        // What is of another time than the directory is not believed anyway.
        let found = fs::metadata(site.cache("")).unwrap();
        words[1] = found.mtime().to_string();
        words[2] = found.mtime_nsec().to_string();
        words[4] = "1".to_owned();
        let file = File::options().write(true).open(&path).unwrap();
        let width = line.len() - 1;
        let line = format!("{:<width$}\n", words.join(" "));
        file.write_all_at(line.as_bytes(), 0).unwrap();
    };
    let told = format!("space.lock: says that 1 bytes are taken, and {MIB} are");
    falsify();
    is_mended(&site, &told);
    let node = site.start();
    falsify();
    is_mended(&site, &told);
    node.serves(&images[0]);
    node.stop();
    is_clean(&site);
}

/// A process may die between the file of a part and the first span in it.
#[test]
fn a_part_that_has_no_span_leaves_at_a_start_with_its_table() {
    let (site, _) = stopped(&[]);
    let node = site.start();
    let image = node.image(MIB);
    assert_eq!(node.range(&image, "bytes=0-9").status, 206);
    node.kill();
    let [part, table] = ["partial", "spans"].map(|dir| format!(".glance/{dir}/{}", image.id));
    let table = File::options().write(true).open(site.cache(table));
    // Of its one span there is no checksum.
    table.unwrap().write_all_at(&[0; 32], 256).unwrap();
    site.start().kill();
    assert!(!site.cache(part).exists());
    is_clean(&site);
}

/// SQLite holds no column to its type.
#[test]
fn a_row_that_is_no_row_keeps_nobody_from_the_index() {
    let (site, _) = stopped(&[MIB]);
    let index = rusqlite::Connection::open(site.cache("cache.db")).unwrap();
    index
        .execute_batch(
            "UPDATE cached_images SET size = 'big', hits = 'many', last_accessed = 'late';
             INSERT INTO cached_images (image_id, size, hits, last_accessed, last_modified)
             VALUES ('nonsense', 'a', 'b', 'c', 'd');",
        )
        .unwrap();
    drop(index);
    let mended = fsck(&site, &["--verify", "--repair"]);
    assert_eq!(mended.code, 0, "{mended:?}");
    is_clean(&site);
    let node = site.start();
    let hits = || node.listing().into_values().next();
    assert_eq!(hits(), Some(0));
    node.stop();
}

#[test]
fn what_stands_in_the_place_of_the_index_is_named() {
    let (site, _) = stopped(&[MIB]);
    let index = site.cache("cache.db");
    fs::remove_file(&index).unwrap();
    fs::create_dir(&index).unwrap();
    let found = fsck(&site, &["--repair"]);
    assert_eq!(found.code, 1, "{found:?}");
    let told = "cache.db: is a directory in the place of the index";
    assert!(found.out.contains(told), "{found:?}");
    assert!(found.out.contains("move it out of the cache"), "{found:?}");
    fs::remove_dir(&index).unwrap();
    symlink("/nowhere/index", &index).unwrap();
    let found = fsck(&site, &["--repair"]);
    assert_eq!(found.code, 1, "{found:?}");
    let told = "cache.db: is a link that leads nowhere in the place of the index";
    assert!(found.out.contains(told), "{found:?}");
    fs::remove_file(&index).unwrap();
    is_mended(&site, "is not there, and there are copies");
}

#[test]
fn a_directory_that_was_restored_from_a_backup_loses_nothing() {
    let (site, images) = stopped(&[5 * MIB, MIB]);
    let backup = site.path("backup");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(site.path("cache"))
        .arg(&backup)
        .status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(site.path("cache")).unwrap();
    fs::rename(backup, site.path("cache")).unwrap();
    let told = fsck(&site, &["--repair"]);
    assert_eq!(told.code, 0, "{told:?}");
    let moved = format!("note: {}: lies in another file than", images[0].id);
    assert!(told.out.contains(&moved), "{told:?}");

    for image in &images {
        fs::remove_file(site.stored(image)).unwrap();
    }
    let node = site.start();
    for image in &images {
        node.serves(image);
    }
    assert_eq!(
        node.lines_with(&["verified the copy of image"]),
        0,
        "none is hashed"
    );
    assert_eq!(
        node.lines_with(&["lies in another file, and was found right"]),
        2
    );
    node.stop();
    is_clean(&site);
    let told = fsck(&site, &[]);
    assert!(!told.out.contains("another file"), "{told:?}");
}
