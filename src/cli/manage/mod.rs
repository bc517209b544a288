//! `glance-cache-manage`: what is cached and queued on a node, and changing it.

mod change;
mod choice;
mod fsck;
mod list;
mod nodes;
mod options;
mod pin;
mod place;
mod reach;
mod rules;
mod show;
mod top;
mod wait;
mod which;

pub use options::{Command, Options};

use std::ffi::OsString;
use std::time::Instant;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::console::Console;
use super::{Error, Exit, Result, completion};
use crate::config::{Program, Sources};
use change::Kind;
use nodes::Everywhere;
use place::Place;

/// Reads the command line and does what it says, on the streams of this process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    match Options::try_parse_from(arguments) {
        Ok(options) => Console::of_process(|console| run(&options, console)),
        Err(error) => {
            // Where nobody reads the help there is nothing to be done.
            let _ = error.print();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
                ErrorKind::InvalidSubcommand => Exit::Failure,
                _ => Exit::Usage,
            }
        }
    }
}

/// Does what the options say.
pub fn run(options: &Options, console: &mut Console<'_>) -> Exit {
    let began = Instant::now();
    let exit = obey(options, console).unwrap_or_else(|error| {
        console.say(error.sentence());
        if options.debug {
            console.causes(&error);
        }
        Exit::Failure
    });
    if options.verbose && !options.json {
        let took = format!("Completed in {:.4} sec.", began.elapsed().as_secs_f64());
        if console.result(took).is_err() {
            return Exit::Failure;
        }
    }
    exit
}

fn obey(options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let open = || Place::open(options);
    match &options.command {
        Command::Fsck(wanted) => Ok(fsck::run(wanted, options, console)),
        Command::Help { command } => help(command.as_deref(), console),
        Command::Completions { shell } => completions(*shell, console),
        Command::ListNodes { node_timeout, .. } => nodes::all(*node_timeout, options, console),
        Command::ListCached {
            choice, everywhere, ..
        } => {
            if everywhere.all_nodes {
                nodes::cached(everywhere, choice, options, console)
            } else {
                list::cached(&open()?, choice, options, console)
            }
        }
        Command::ListQueued { everywhere, .. } => {
            if everywhere.all_nodes {
                nodes::queued(everywhere, options, console)
            } else {
                list::queued(&open()?, options, console)
            }
        }
        Command::Show { id } => {
            let [id] = options::image_ids(id.as_slice())?[..] else {
                return Err(Error::NoId);
            };
            show::show(&open()?, id, options, console)
        }
        Command::Top { once, interval } => top::top(open()?, *once, *interval, options, console),
        Command::ListPinned { .. } => pin::list(&open()?, options, console),
        Command::Pin { which, everywhere } => {
            if everywhere.all_nodes {
                nodes::pin(everywhere, which, options, console)
            } else {
                pin::pin(&open()?, which, options, console)
            }
        }
        Command::Unpin { which, everywhere } => {
            if everywhere.all_nodes {
                nodes::unpin(everywhere, which, options, console)
            } else {
                pin::unpin(&open()?, which, options, console)
            }
        }
        Command::QueueImage {
            which,
            everywhere,
            wait,
            timeout,
        } => {
            let patience = wait.then_some(*timeout);
            if everywhere.all_nodes {
                nodes::queue(everywhere, which, patience, options, console)
            } else {
                change::queue(&open, which, patience, options, console)
            }
        }
        Command::DeleteCachedImage { ids, everywhere } => {
            delete(Kind::Cached, ids, everywhere, options, console)
        }
        Command::DeleteQueuedImage { ids, everywhere } => {
            delete(Kind::Queued, ids, everywhere, options, console)
        }
        Command::DeleteAllCachedImages { everywhere, .. } => {
            delete_all(Kind::Cached, everywhere, options, console)
        }
        Command::DeleteAllQueuedImages { everywhere, .. } => {
            delete_all(Kind::Queued, everywhere, options, console)
        }
        Command::PrefetchRules {
            name,
            config_file,
            config_dir,
        } => {
            let sources = Sources {
                files: config_file.clone(),
                dirs: config_dir.clone(),
                ..Sources::new(Program::Cache)
            };
            rules::run(&sources, name.as_deref(), options, console)
        }
    }
}

fn delete(
    kind: Kind,
    ids: &[String],
    everywhere: &Everywhere,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    let ids = options::image_ids(ids)?;
    if everywhere.all_nodes {
        return nodes::delete(everywhere, kind, &ids, options, console);
    }
    change::delete(&|| Place::open(options), kind, &ids, options, console)
}

fn delete_all(
    kind: Kind,
    everywhere: &Everywhere,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<Exit> {
    if everywhere.all_nodes {
        return nodes::delete_all(everywhere, kind, options, console);
    }
    change::delete_all(&|| Place::open(options), kind, options, console)
}

fn help(command: Option<&str>, console: &mut Console<'_>) -> Result<Exit> {
    let mut tool = Options::command();
    tool.build();
    let Some(name) = command else {
        console.result(tool.render_help())?;
        return Ok(Exit::Success);
    };
    if let Some(command) = tool.find_subcommand_mut(name) {
        console.result(without_reach(command.clone()).render_help())?;
        return Ok(Exit::Success);
    }
    console.say(format!(
        "Unknown command: {name}. `glance-cache-manage help` lists those there are."
    ));
    Ok(Exit::Failure)
}

/// The command with its own options alone: how the API is reached is the same for all.
fn without_reach(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| match arg.get_help_heading() {
            Some(reach::HEADING) => arg.hide(true),
            _ => arg,
        })
        .after_help("`glance-cache-manage help` shows how the API is reached.")
}

fn completions(shell: clap_complete::Shell, console: &mut Console<'_>) -> Result<Exit> {
    let script = completion::script(shell, Options::command());
    console.result(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Success)
}
