//! `glance-cache-pruner`: takes the cache back to its limit.

use clap::Parser;
use serde_json::json;

use super::console::Console;
use super::job::{self, JobOptions};
use super::{Exit, Result};
use crate::cache::{Directory, Pruned};
use crate::domain::units;

const NAME: &str = "glance-cache-pruner";

/// Takes the cache back to its limit: images leave in the order that is configured
#[derive(Debug, Parser)]
#[command(name = NAME, version)]
pub struct Options {
    #[command(flatten)]
    job: JobOptions,
}

impl AsRef<JobOptions> for Options {
    fn as_ref(&self) -> &JobOptions {
        &self.job
    }
}

/// Reads the command line and prunes, on the streams of this process.
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Exit {
    job::main(arguments, run)
}

fn run(options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let config = options.job.config(NAME)?;
    let (pruned, over) = match job::directory(&config, &options.job, console)? {
        None => (Pruned::default(), 0),
        Some(directory) if options.job.dry_run => {
            let leaving = directory.plan_prune()?;
            let bytes = leaving.iter().map(|image| image.size).sum();
            let files = leaving.len() as u64;
            (Pruned { files, bytes }, over(&directory, bytes)?)
        }
        Some(directory) => (directory.prune()?, over(&directory, 0)?),
    };
    options.job.report(
        console,
        &words(pruned, over, options.job.dry_run),
        &json!({
            "dry_run": options.job.dry_run,
            "total_files_pruned": pruned.files,
            "total_bytes_pruned": pruned.bytes,
        }),
    )?;
    Ok(Exit::Success)
}

/// Bytes over the limit that are there when so many have left.
fn over(directory: &Directory, leaving: u64) -> Result<u64> {
    let there = directory.survey()?;
    Ok(there
        .used
        .saturating_sub(leaving.saturating_add(there.limit)))
}

fn words(pruned: Pruned, over: u64, dry_run: bool) -> String {
    let verb = if dry_run { "Would prune" } else { "Pruned" };
    let bytes = units::size(pruned.bytes);
    let done = match pruned.files {
        0 if over == 0 => format!("{verb} nothing: the cache is within its limit"),
        0 => format!("{verb} nothing"),
        1 => format!("{verb} 1 image, {bytes}"),
        files => format!("{verb} {files} images, {bytes}"),
    };
    match over {
        0 => done,
        over => format!(
            "{done}: the cache is {} over its limit by what is pinned, brought in, or not its own",
            units::size(over)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_in_words() {
        let pruned = |files, bytes| Pruned { files, bytes };
        assert_eq!(
            words(pruned(0, 0), 0, false),
            "Pruned nothing: the cache is within its limit"
        );
        let one = words(pruned(1, 1536), 0, true);
        assert_eq!(one, "Would prune 1 image, 1.5 KiB");
        let two = words(pruned(2, 3 << 30), 1024, false);
        assert_eq!(
            two,
            "Pruned 2 images, 3.0 GiB: the cache is 1.0 KiB over its limit by what is pinned, brought in, or not its own"
        );
    }
}
