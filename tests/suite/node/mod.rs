//! Whole processes on throw-away state: what holds when the real binaries run, are killed, and share a disk.

mod crash;
mod damage;
mod full;
mod http;
mod jobs;
mod limit;
mod original;
mod process;
mod published;
mod queue;
mod siblings;
mod site;
mod stampede;
mod stop;
mod uploads;

use std::thread;
use std::time::{Duration, Instant};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// As long as anything may take on a machine that does much else.
const LONG: Duration = Duration::from_mins(1);

/// Asks until there is an answer, or for long enough.
fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Asks until there is an answer, which is to come.
#[track_caller]
fn eventually<T>(ask: impl FnMut() -> Option<T>) -> T {
    wait_for(ask).expect("it never came")
}
