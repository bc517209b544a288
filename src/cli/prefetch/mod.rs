//! `glance-cache-prefetcher`: fetches what is queued, now.
//!
//! The API of this node does it where it answers: it knows who may and what is already on its way. Where
//! it is down, the image is read straight from the store that the configuration names.

mod api;
mod straight;

use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tokio::runtime;

use super::console::Console;
use super::job::{self, JobOptions};
use super::{Error, Exit, Result};
use crate::client;
use crate::domain::ImageId;

const NAME: &str = "glance-cache-prefetcher";

/// Fetches the images that are queued, through the API of this node or, where that is down, straight from
/// the store.
#[derive(Debug, Parser)]
#[command(name = NAME, version)]
pub struct Options {
    #[command(flatten)]
    job: JobOptions,
    /// Give up when nothing moves for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

impl AsRef<JobOptions> for Options {
    fn as_ref(&self) -> &JobOptions {
        &self.job
    }
}

/// Reads the command line and fetches, on the streams of this process.
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Exit {
    job::main(arguments, run)
}

/// What became of the queue.
#[derive(Debug, Default)]
pub struct Fetched {
    pub cached: Vec<String>,
    /// Not fetched, and no longer wished for: they were deleted.
    pub gone: Vec<String>,
    /// With the reason why not.
    pub failed: Vec<(String, String)>,
}

fn run(options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let config = options.job.config(NAME)?;
    let Some(directory) = job::directory(&config, &options.job, console)? else {
        report(options, console, &Fetched::default())?;
        return Ok(Exit::Success);
    };
    let queue: Vec<_> = directory.queued()?.iter().map(|queued| queued.id).collect();
    if queue.is_empty() || options.job.dry_run {
        report(options, console, &would_fetch(&queue, options.job.dry_run))?;
        return Ok(Exit::Success);
    }

    // The straight way reads and writes at the same time, hashes beside it and waits for disks.
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let patience = Duration::from_secs(options.timeout);
    let fetched = match runtime.block_on(api::request(&config, &queue)) {
        Ok(requested) => api::follow(requested, &directory, job::cache_of(&config)?, patience)?,
        Err(client::Error::Unreachable { address, .. }) => runtime
            .block_on(straight::fetch(&config, &queue))
            .map_err(|reason| Error::NoWay { address, reason })?,
        Err(error) => return Err(error.into()),
    };

    for (id, reason) in &fetched.failed {
        console.say(format!("Image {id} is not cached: {reason}"));
    }
    report(options, console, &fetched)?;
    Ok(if fetched.failed.is_empty() {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// A report of nothing done, with the queue in it where that was the question.
fn would_fetch(queue: &[ImageId], dry_run: bool) -> Fetched {
    Fetched {
        cached: if dry_run {
            queue.iter().map(ToString::to_string).collect()
        } else {
            Vec::new()
        },
        ..Fetched::default()
    }
}

fn report(options: &Options, console: &mut Console<'_>, fetched: &Fetched) -> Result<()> {
    let failed: Vec<_> = fetched
        .failed
        .iter()
        .map(|(id, reason)| json!({ "image_id": id, "reason": reason }))
        .collect();
    let verb = if options.job.dry_run {
        "Would fetch"
    } else {
        "Fetched"
    };
    let words = match fetched.cached.as_slice() {
        [] => format!("{verb} nothing"),
        ids => ids
            .iter()
            .map(|id| format!("{verb} image {id}"))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    let json = json!({
        "dry_run": options.job.dry_run,
        "cached": fetched.cached,
        "deleted": fetched.gone,
        "failed": failed,
    });
    options.job.report(console, &words, &json)
}
