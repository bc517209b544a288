//! `glance-cache-pruner`: takes the cache back to its limit.

use clap::Parser;
use serde_json::json;

use super::console::Console;
use super::job::{self, JobOptions};
use super::{Exit, Result, units};
use crate::cache::Pruned;

const NAME: &str = "glance-cache-pruner";

/// Takes the cache back to its limit: the images that were not used for longest leave.
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
    let pruned = match job::directory(&config, &options.job, console)? {
        None => Pruned { files: 0, bytes: 0 },
        Some(directory) if options.job.dry_run => {
            let leaving = directory.plan_prune()?;
            Pruned {
                files: leaving.len() as u64,
                bytes: leaving.iter().map(|image| image.size).sum(),
            }
        }
        Some(directory) => directory.prune()?,
    };
    options.job.report(
        console,
        &words(pruned.files, pruned.bytes, options.job.dry_run),
        &json!({
            "dry_run": options.job.dry_run,
            "total_files_pruned": pruned.files,
            "total_bytes_pruned": pruned.bytes,
        }),
    )?;
    Ok(Exit::Success)
}

fn words(files: u64, bytes: u64, dry_run: bool) -> String {
    let verb = if dry_run { "Would prune" } else { "Pruned" };
    match files {
        0 => format!("{verb} nothing: the cache is within its limit"),
        1 => format!("{verb} 1 image, {}", units::size(bytes)),
        _ => format!("{verb} {files} images, {}", units::size(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_in_words() {
        assert_eq!(
            words(0, 0, false),
            "Pruned nothing: the cache is within its limit"
        );
        assert_eq!(words(1, 1536, true), "Would prune 1 image, 1.5 KiB");
        assert_eq!(words(2, 3 << 30, false), "Pruned 2 images, 3.0 GiB");
    }
}
