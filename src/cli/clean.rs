//! `glance-cache-cleaner`: takes away bad data and what nobody fetches any more.

use clap::Parser;
use serde_json::json;

use super::console::Console;
use super::job::{self, JobOptions};
use super::{Exit, Result};

const NAME: &str = "glance-cache-cleaner";

/// Takes away data that was not what it should be, and partial files that nobody writes to any more.
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

/// Reads the command line and cleans, on the streams of this process.
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Exit {
    job::main(arguments, run)
}

fn run(options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let config = options.job.config(NAME)?;
    let files = match job::directory(&config, &options.job, console)? {
        None => 0,
        Some(directory) if options.job.dry_run => directory.plan_clean()?.len() as u64,
        Some(directory) => directory.clean()?,
    };
    options.job.report(
        console,
        &words(files, options.job.dry_run),
        &json!({ "dry_run": options.job.dry_run, "total_files_cleaned": files }),
    )?;
    Ok(Exit::Success)
}

fn words(files: u64, dry_run: bool) -> String {
    let verb = if dry_run { "Would remove" } else { "Removed" };
    match files {
        0 => format!("{verb} nothing: there is no waste"),
        1 => format!("{verb} 1 file"),
        _ => format!("{verb} {files} files"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_in_words() {
        assert_eq!(words(0, true), "Would remove nothing: there is no waste");
        assert_eq!(words(1, false), "Removed 1 file");
        assert_eq!(words(2, false), "Removed 2 files");
    }
}
