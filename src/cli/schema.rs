//! `glance-manage`: makes the schema of the database, says how old it is, and explains the policy.
//!
//! It may be ended at any moment. What a transaction had begun is undone, and where the engine has none for its
//! schema the next run goes on.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use super::console::Console;
use super::policy;
use super::{Error, Exit, Result};
use crate::clock::Clock;
use crate::config::{DatabaseConfig, ManageConfig, Program, Sources, hide_passwords};
use crate::db::{self, SchemaState};
use crate::telemetry;

const NAME: &str = "glance-manage";

/// The head of the branch of changes that a running older service bears.
const EXPANDED: &str = "2024_1_expand01";

/// `db check`: the schema is to be made or expanded first.
const TO_EXPAND: u8 = 3;
/// `db check`: the schema is expanded, and what is superfluous has yet to go.
const TO_CONTRACT: u8 = 5;

const EXIT_CODES: &str = "\
Exit codes: 0 done, or nothing to do; 1 failed; 2 the command line makes no sense; of \"db check\" also 3 the schema is
to be made or expanded, 5 it is to be contracted; of \"policy check\" 0 allowed, 1 denied.
Without --config-file and --config-dir, glance-api.conf and then glance-manage.conf are looked for in
~/.glance, ~, /etc/glance and /etc.";

/// Looks after the database, and explains the policy.
#[derive(Debug, Parser)]
#[command(name = NAME, version, after_help = EXIT_CODES)]
struct Options {
    /// Read this configuration file; may be given several times, the last one wins.
    #[arg(long, global = true, value_name = "PATH")]
    config_file: Vec<PathBuf>,
    /// Read the *.conf files of this directory.
    #[arg(long, global = true, value_name = "DIR")]
    config_dir: Vec<PathBuf>,
    /// Log in detail.
    #[arg(short, long, global = true)]
    debug: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Does something with the schema of the database.
    Db {
        #[command(subcommand)]
        action: Action,
    },
    /// Says which rules are in force, and what they make of a caller.
    Policy {
        #[command(subcommand)]
        action: policy::Action,
    },
    #[command(name = "db_sync", hide = true)]
    DbSync { version: Option<String> },
    #[command(name = "db_check", hide = true)]
    DbCheck,
    #[command(name = "db_version", hide = true)]
    DbVersion,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Action {
    /// Makes the schema in an empty database.
    Sync,
    /// Says whether there is anything to do, by its exit code too.
    Check,
    /// Prints the revision of the schema.
    Version,
}

/// Reads the command line and does what it says, on the streams of this process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(error) => {
            // Where nobody reads the help there is nothing to be done.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
                _ => Exit::Usage,
            }
            .into();
        }
    };
    Console::of_process(|console| {
        run(&options, console).unwrap_or_else(|error| {
            console.say(format!("ERROR: {}", error.sentence()));
            Exit::Failure.into()
        })
    })
}

fn run(options: &Options, console: &mut Console<'_>) -> Result<ExitCode> {
    let config = options.config()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    runtime.block_on(async {
        let action = match &options.command {
            Command::Policy { action } => return policy::run(action, config, console).await,
            Command::Db { action } => *action,
            Command::DbSync { .. } => Action::Sync,
            Command::DbCheck => Action::Check,
            Command::DbVersion => Action::Version,
        };
        let state = patiently(&config.database, console, db::schema_state).await?;
        match action {
            Action::Sync => sync(&config.database, &state, console).await,
            Action::Check => check(&state, console),
            Action::Version => version(&state, console),
        }
    })
}

async fn sync(
    config: &DatabaseConfig,
    state: &SchemaState,
    console: &mut Console<'_>,
) -> Result<ExitCode> {
    if *state == SchemaState::Current {
        console.result("Database is up to date. No migrations needed.")?;
        return Ok(ExitCode::SUCCESS);
    }
    patiently(config, console, db::make_schema).await?;
    console.result("Database is synced successfully.")?;
    Ok(ExitCode::SUCCESS)
}

fn check(state: &SchemaState, console: &mut Console<'_>) -> Result<ExitCode> {
    let (code, sentence) = match state {
        SchemaState::Current => (0, "Database is up to date. No upgrades needed."),
        SchemaState::Other(heads) if heads.iter().any(|head| head == EXPANDED) => (
            TO_CONTRACT,
            "Your database is not up to date. Your next step is to run `glance-manage db contract` of the original.",
        ),
        SchemaState::Other(_) | SchemaState::Unversioned => (
            TO_EXPAND,
            "Your database is not up to date. Your first step is to run `glance-manage db expand` of the original.",
        ),
        SchemaState::Empty | SchemaState::Unfinished => (
            TO_EXPAND,
            "Your database is not up to date. Your first step is to run `glance-manage db sync`.",
        ),
    };
    console.result(sentence)?;
    Ok(ExitCode::from(code))
}

fn version(state: &SchemaState, console: &mut Console<'_>) -> Result<ExitCode> {
    match state {
        SchemaState::Current => console.result(db::REVISION)?,
        SchemaState::Other(heads) => console.result(heads.join("\n"))?,
        SchemaState::Empty | SchemaState::Unfinished | SchemaState::Unversioned => console.result(
            "Database is either not under migration control or under legacy migration control, please run \
             \"glance-manage db sync\" to place the database under alembic migration control.",
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Does `work`, again and again while the server is away and `max_retries` allow it.
pub(super) async fn patiently<T>(
    config: &DatabaseConfig,
    console: &mut Console<'_>,
    work: impl AsyncFn(&DatabaseConfig) -> db::Result<T>,
) -> Result<T> {
    // A file does not come back by itself.
    let is_file = config.connection.starts_with("sqlite");
    let mut left = if is_file { Some(0) } else { config.retries };
    loop {
        match work(config).await {
            Err(db::Error::Unavailable(why)) if left != Some(0) => {
                left = left.map(|left| left - 1);
                console.say(format!(
                    "The database is away ({why}), trying again in {:?}",
                    config.retry_interval
                ));
                tokio::time::sleep(config.retry_interval).await;
            }
            result => {
                return result.map_err(|source| Error::Database {
                    url: hide_passwords(&config.connection),
                    source,
                });
            }
        }
    }
}

impl Options {
    fn config(&self) -> Result<ManageConfig> {
        let sources = Sources {
            files: self.config_file.clone(),
            dirs: self.config_dir.clone(),
            flags: self
                .debug
                .then(|| ("debug", "true".to_owned()))
                .into_iter()
                .collect(),
            ..Sources::new(Program::Manage)
        };
        let loaded = ManageConfig::load(&sources, NAME)?;
        let mut log = loaded.config.log.clone();
        if log.file.is_none() && !self.debug {
            let warnings = tracing::level_filters::LevelFilter::WARN;
            log.levels.push(("glance".to_owned(), warnings));
        }
        telemetry::init(&log, Clock::system())?;
        for warning in &loaded.warnings {
            // The service warns of them.
            tracing::info!("{warning}");
        }
        Ok(loaded.config)
    }
}
