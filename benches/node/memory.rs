//! The anonymous memory of a process and its children while something goes on. What the page cache holds is not
//! its own.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

const EVERY: Duration = Duration::from_millis(20);

/// What came of a piece of work, and the most memory that was seen meanwhile, in bytes.
pub struct Watch<T> {
    pub value: T,
    pub most: u64,
}

impl<T> Watch<T> {
    /// Does `work` and watches the process `pid`.
    pub fn during(pid: u32, work: impl FnOnce() -> Result<T>) -> Result<Self> {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut most = anonymous(pid)?;
                while !done.load(Ordering::Relaxed) {
                    thread::sleep(EVERY);
                    most = most.max(anonymous(pid)?);
                }
                Ok(most)
            });
            let value = work();
            done.store(true, Ordering::Relaxed);
            let most: Result<u64> = watch.join().ok().context("the watch panicked")?;
            Ok(Self {
                value: value?,
                most: most?,
            })
        })
    }
}

fn anonymous(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: u64 = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .context("no RssAnon")?
        .parse()?;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = children
        .split_whitespace()
        .map(|pid| anonymous(pid.parse()?));
    Ok(kib * 1024 + children.sum::<Result<u64>>()?)
}
