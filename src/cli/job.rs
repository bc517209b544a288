//! A job that cron runs: read the configuration, do it once, say nothing when all is well.
//!
//! With `--schedule` it stays and does that again and again; a run that fails does not end it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use chrono::Local;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser};
use tracing::level_filters::LevelFilter;

use super::console::Console;
use super::oslo::OsloOptions;
use super::{Error, Exit, Result};
use crate::cache::Directory;
use crate::clock::Clock;
use crate::config::{CacheConfig, LogConfig, Program, Schedule, Sources, ToolConfig};
use crate::telemetry;

/// The clock may be set while we sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed, wholly or in part; 2 the command line makes no sense.
Without --config-file and --config-dir, glance-api.conf and then glance-cache.conf are looked for in
~/.glance, ~, /etc/glance and /etc.";

/// What the jobs have in common on their command lines.
#[derive(Debug, Args)]
// Given twice, the last counts; shortened as far as it stays clear: as it always was.
#[command(after_help = EXIT_CODES, args_override_self = true, infer_long_args = true)]
pub struct JobOptions {
    /// Read this configuration file; may be given several times, the last one wins.
    #[arg(long, value_name = "PATH")]
    pub config_file: Vec<PathBuf>,
    /// Read the *.conf files of this directory.
    #[arg(long, value_name = "DIR")]
    pub config_dir: Vec<PathBuf>,
    /// Say what is done.
    #[arg(short, long)]
    pub verbose: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print a report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Stay, and run when this says: five fields as crontab(5) has them, or six with seconds first.
    #[arg(long, value_name = "CRON", value_parser = Schedule::parse)]
    pub schedule: Option<Schedule>,
    #[command(flatten)]
    pub oslo: OsloOptions,
}

impl JobOptions {
    /// The configuration that the options name; `program` names the log file where there is only a
    /// directory for it.
    pub fn config(&self, program: &str) -> Result<ToolConfig> {
        let sources = Sources {
            files: self.config_file.clone(),
            dirs: self.config_dir.clone(),
            flags: self.oslo.flags(),
            ..Sources::new(Program::Cache)
        };
        let loaded = ToolConfig::load(&sources, program)?;
        self.log(loaded.config.log.clone())?;
        for warning in &loaded.warnings {
            // The service warns of them; here they would come with every run.
            tracing::info!("{warning}");
        }
        Ok(loaded.config)
    }

    /// Sets the log up. Without a file for it, only what is wrong may break the silence.
    fn log(&self, mut config: LogConfig) -> Result<()> {
        if config.file.is_none() && !self.verbose && !self.oslo.debug {
            config.levels.push(("glance".to_owned(), LevelFilter::WARN));
        }
        match telemetry::init(&config, Clock::system()) {
            // From the second run of a schedule on.
            Ok(_) | Err(telemetry::Error::Twice(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Says what was done: as JSON if that is wanted, in words if those are, to nobody otherwise.
    pub fn report(
        &self,
        console: &mut Console<'_>,
        words: &str,
        json: &serde_json::Value,
    ) -> Result<()> {
        if self.json {
            console.json(json)
        } else if self.verbose || self.dry_run {
            console.result(words)
        } else {
            Ok(())
        }
    }
}

/// The cache that is configured.
pub fn cache_of(config: &ToolConfig) -> Result<&CacheConfig> {
    config.cache.as_ref().ok_or(Error::NoCache)
}

/// The configured cache; none where its directory does not exist yet, so that there is nothing to do.
pub fn directory(
    config: &ToolConfig,
    options: &JobOptions,
    console: &mut Console<'_>,
) -> Result<Option<Directory>> {
    let cache = cache_of(config)?;
    if matches!(cache.dir.try_exists(), Ok(false)) {
        if options.verbose {
            console.say(format!("{} does not exist yet", cache.dir.display()));
        }
        return Ok(None);
    }
    super::directory::open(cache).map(Some)
}

/// Reads the command line of a job and runs it, on the streams of this process.
pub fn main<T: Parser + CommandFactory + AsRef<JobOptions>>(
    arguments: impl IntoIterator<Item = OsString>,
    run: impl Fn(&T, &mut Console<'_>) -> Result<Exit>,
) -> Exit {
    match T::try_parse_from(arguments) {
        Ok(options) if options.as_ref().oslo.completes::<T>() => Exit::Success,
        Ok(options) => Console::of_process(|console| keep(&options, console, &run)),
        Err(error) => {
            // Where nobody reads the help there is nothing to be done.
            let _ = error.print();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
                _ => Exit::Usage,
            }
        }
    }
}

fn keep<T: AsRef<JobOptions>>(
    options: &T,
    console: &mut Console<'_>,
    run: &impl Fn(&T, &mut Console<'_>) -> Result<Exit>,
) -> Exit {
    let Some(schedule) = &options.as_ref().schedule else {
        return once(options, console, run);
    };
    let clock = Clock::system();
    let mut last = clock.now().with_timezone(&Local);
    while let Some(next) = schedule.next_after(&last) {
        sleep_until(&next, &clock);
        once(options, console, run);
        last = clock.now().with_timezone(&Local).max(next);
    }
    console.say("The schedule names no time that will ever come.");
    Exit::Failure
}

fn once<T: AsRef<JobOptions>>(
    options: &T,
    console: &mut Console<'_>,
    run: &impl Fn(&T, &mut Console<'_>) -> Result<Exit>,
) -> Exit {
    run(options, console).unwrap_or_else(|error| {
        console.say(error.sentence());
        if options.as_ref().oslo.debug {
            console.causes(&error);
        }
        Exit::Failure
    })
}

fn sleep_until(next: &chrono::DateTime<Local>, clock: &Clock) {
    while let Ok(left) = (next.to_utc() - clock.now()).to_std() {
        if left.is_zero() {
            break;
        }
        thread::sleep(left.min(LONGEST_SLEEP));
    }
}
