//! `kill -9` during an upload: the image waits for data again, and none of what came stays.

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::http::Upload;
use super::process::{Image, Node};
use super::site::Site;
use super::{MIB, eventually};

const SIZE: usize = 2 * MIB;

/// How far an upload has come.
enum At {
    /// So many bytes were sent, so long ago.
    Sent(usize, Duration),
    /// The data lies in its place, and the database does not know.
    Placed,
}

/// Begins an upload of the bytes that `image` is to have, and waits for its file.
fn begin(site: &Site, node: &Node, image: &Image) -> Upload {
    let mut upload = Upload::begin(node.address, &image.file(), SIZE).unwrap();
    upload.send(&image.data[..SIZE / 2]).unwrap();
    eventually(|| hidden(site, image));
    upload
}

/// The name of an upload that the database does not know of yet.
pub(super) fn hidden(site: &Site, image: &Image) -> Option<String> {
    let mut names = site.files("images").into_iter();
    names.find(|name| name.starts_with(&format!(".{}.", image.id)))
}

fn status(node: &Node, image: &Image) -> String {
    let shown = node.get(&format!("/v2/images/{}", image.id)).json();
    shown["status"].as_str().unwrap().to_owned()
}

fn waits_for_data(site: &Site, node: &Node, image: &Image) {
    eventually(|| (status(node, image) == "queued").then_some(()));
    eventually(|| {
        site.files("images")
            .iter()
            .all(|name| !name.contains(&image.id))
            .then_some(())
    });
}

#[test]
fn killed_during_an_upload_or_before_its_commit_a_node_lets_the_image_be_uploaded_again() {
    let site = Site::new();
    let mut node = site.start();
    let sent = [SIZE / 2, SIZE - 1].map(|bytes| At::Sent(bytes, Duration::ZERO));
    let whole = [0, 1, 2, 4, 8].map(|ms| At::Sent(SIZE, Duration::from_millis(ms)));
    for at in sent
        .into_iter()
        .chain(whole)
        .chain([At::Placed, At::Placed])
    {
        let image = node.planned(SIZE);
        let mut upload = begin(&site, &node, &image);
        let held = match at {
            At::Sent(bytes, later) => {
                upload.send(&image.data[SIZE / 2..bytes]).unwrap();
                thread::sleep(later);
                None
            }
            At::Placed => {
                let held = site.database().hold();
                upload.send(&image.data[SIZE / 2..]).unwrap();
                eventually(|| site.stored(&image).exists().then_some(()));
                Some(held)
            }
        };
        let certain = held.is_some();
        node.kill();
        drop(held);
        node = site.start();
        // With all of it sent, the commit may have come first.
        if certain || status(&node, &image) != "active" {
            waits_for_data(&site, &node, &image);
            assert_eq!(node.upload(&image, &image.data).status, 204);
        }
        node.serves(&image);
        eventually(|| hidden(&site, &image).is_none().then_some(()));
    }
    node.stop();
}

/// Whether the process has a file open.
fn has_open(node: &Node, path: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap();
    // They come and go.
    let mut files = open.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    files.any(|file| file == path)
}

#[test]
fn a_node_that_starts_takes_back_the_uploads_of_dead_nodes_and_of_no_others() {
    let site = Site::new();
    let [dead, alive, other] = [site.start(), site.start(), site.start()];
    let images = [&dead, &alive].map(|node| node.planned(SIZE));
    let [lost, taken] = &images;
    let mut uploads =
        [(&dead, lost), (&alive, taken)].map(|(node, image)| begin(&site, node, image));
    let held = site.database().hold();
    for (upload, image) in uploads.iter_mut().zip(&images) {
        upload.send(&image.data[SIZE / 2..]).unwrap();
        eventually(|| site.stored(image).exists().then_some(()));
    }
    dead.kill();
    let left = site.path("images").join(hidden(&site, lost).unwrap());
    assert!(
        File::open(&left).unwrap().try_lock().is_ok(),
        "its lock has gone with it"
    );

    let node = site.start();
    // It waits for the database. Nobody tries the lock meanwhile: it would take that for somebody who lives.
    eventually(|| has_open(&node, &left).then_some(()));
    drop(held);
    let [_, upload] = uploads;
    assert_eq!(upload.answer().unwrap().status, 204);
    waits_for_data(&site, &node, lost);
    node.serves(taken);
    assert_eq!(other.upload(lost, &lost.data).status, 204);
    for node in [&node, &alive, &other] {
        node.serves(lost);
    }
    assert_eq!(site.files("images").len(), 2);
}
