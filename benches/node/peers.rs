//! A node that brings an image in from the copy of another one, beside one that reads the store behind a slow line.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::far;
use crate::http::{self, Body};
use crate::service::Service;
use crate::table::Table;

/// A line of 50 Mbit/s.
const RATE: u64 = 6_250_000;

const PATIENCE: Duration = Duration::from_secs(30);

/// Who may ask the first node, which has a copy, and who may not.
pub fn beside(server: &Path, size: u64, table: &mut Table) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let start = |command: &mut Command, name: &str, asks: bool| {
        let more = format!(
            "[DEFAULT]\nimage_cache_driver = centralized_db\nimage_cache_dir = {}\n\
             [image_cache]\npeers = {asks}\n[paste_deploy]\nflavor = cachemanagement\n",
            dir.path().join(name).display()
        );
        Service::with(command, dir.path(), &more)
    };
    let behind_a_line = |name, asks| {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--rate", &RATE.to_string()]);
        start(&mut command, name, asks)
    };
    let first = start(&mut Command::new(server), "first", false)?;
    let image = first.image(size)?;
    let path = format!("/v2/images/{image}/file");
    let fetched = |service: &Service| {
        let begun = Instant::now();
        let bytes = http::download(service.address(), &path)?;
        ensure!(bytes == size, "{bytes} bytes in place of {size}");
        anyhow::Ok(begun.elapsed())
    };
    fetched(&first)?;
    let (asks, reads) = (behind_a_line("asks", true)?, behind_a_line("reads", false)?);
    wait_until_told(&asks, &image)?;
    let (near, far) = (fetched(&asks)?, fetched(&reads)?);
    table.at_most("the copy of another node", near, "the store", far, 0.1);
    table.count(
        "bytes of it that the store gave",
        far::read(asks.address())?,
        0,
    );
    Ok(())
}

/// Waits until a node knows that another one has the image.
fn wait_until_told(node: &Service, image: &str) -> Result<()> {
    let path = format!("/v2/cache/nodes/{image}");
    let begun = Instant::now();
    while http::call(node.address(), "GET", &path, &Body::None)? == b"[]" {
        ensure!(begun.elapsed() < PATIENCE, "nobody is told of the copy");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
