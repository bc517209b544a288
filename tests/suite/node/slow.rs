//! Many who read slowly: what they cost in memory and open files has a bound.

use std::fs;

use super::process::Node;
use super::site::Site;
use super::{KIB, MIB};
use crate::support::until;

const READERS: usize = 300;

/// Bytes that a reader who does not read may cost.
const EACH: usize = 256 * KIB;

/// Bytes of memory that the process has.
fn memory(node: &Node) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() * KIB
}

fn open_files(node: &Node) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap();
    open.count()
}

#[test]
fn hundreds_of_slow_readers_take_little_memory_and_two_open_files_each() {
    let site = Site::new();
    let node = site.start();
    let image = node.image(32 * MIB);
    node.serves(&image);
    node.caches(&image);
    let (idle, open) = (memory(&node), open_files(&node));

    let mut readers: Vec<_> = (0..READERS).map(|_| node.open(&image).unwrap()).collect();
    let mut most = 0;
    for round in 0..3 {
        for reader in &mut readers {
            let read = reader.read(10 * KIB).unwrap();
            let at = round * 10 * KIB;
            assert!(read == image.data[at..at + 10 * KIB]);
        }
        most = most.max(memory(&node));
    }
    let files = open_files(&node);
    println!("{READERS} readers: {most} bytes after {idle}, {files} files after {open}");
    assert!(most < idle + READERS * EACH, "{most} after {idle}");
    assert!(files <= open + 2 * READERS + 16, "{files} after {open}");

    drop(readers);
    until("their files are closed", || open_files(&node) <= open + 16);
    node.serves(&image);
    node.stop();
}
