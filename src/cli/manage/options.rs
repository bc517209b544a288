//! The command line of `glance-cache-manage`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand};

use super::choice::Choice;
use super::fsck::Wanted;
use super::nodes::Everywhere;
use super::reach::Reach;
use super::which::Which;
use crate::cli::{Error, Result};
use crate::domain::ImageId;

const EXIT_CODES: &str = "\
Exit codes: 0 done, or answered with no; 1 failed, wholly or in part, or nobody answered; 2 the command line makes no sense; as in the original 1 for an unknown command or without ids.
Results go to standard output, everything else to standard error.";

const FSCK: &str = "\
A line for each finding says what is wrong and what a repair does. The service may run meanwhile.
With a configuration that names a database, copies are also held against the records of their images.
What is not the cache's and in nobody's way is left alone, and told of in a note, as is all else that breaks no rule.
Exit codes: 0 nothing is wrong, or all was repaired, whatever the notes say; 1 something is wrong (with --repair: and was
left); 2 not everything could be checked, such as an index that somebody holds or a database that is away.";

/// Looks after the images that a node has cached.
#[derive(Debug, Parser)]
#[command(
    name = "glance-cache-manage",
    version,
    after_help = EXIT_CODES,
    disable_help_subcommand = true,
    // Options may be shortened as far as they stay clear, as they always could.
    infer_long_args = true,
    // Given twice, the last counts, as it always did.
    args_override_self = true,
    next_help_heading = "Options for every command"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,

    /// Print more verbose output.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Print debugging output.
    #[arg(short, long, global = true)]
    pub debug: bool,
    /// Ask for no confirmation.
    #[arg(short, long, global = true)]
    pub force: bool,
    /// Print results as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Print sizes in binary units and times from now.
    #[arg(long, global = true)]
    pub human: bool,
    /// Say what would change, and change nothing.
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Work on this cache directory, without an API.
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,

    #[command(flatten)]
    pub reach: Reach,
}

/// What stands behind a command that wants nothing: no more than the original does anybody mind.
#[derive(Debug, clap::Args)]
pub struct Ignored {
    #[arg(hide = true)]
    words: Vec<String>,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Output help for one of the commands below.
    Help {
        /// The command; without one all are listed.
        command: Option<String>,
    },
    /// List all images currently cached.
    ListCached {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        everywhere: Everywhere,
        #[command(flatten)]
        more: Ignored,
    },
    /// List all images currently queued for caching.
    ListQueued {
        #[command(flatten)]
        everywhere: Everywhere,
        #[command(flatten)]
        more: Ignored,
    },
    /// Show everything that is known of one image: its state, its file, its spans.
    Show {
        /// The image, by its id.
        #[arg(value_name = "IMAGE_ID")]
        id: Option<String>,
    },
    /// Watch the cache: space, hit ratio, fills in progress and the images that are used most. q quits.
    Top {
        /// Print one frame as text, and end.
        #[arg(long)]
        once: bool,
        /// Seconds from one look to the next.
        #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = moment)]
        interval: Duration,
    },
    /// Queue images for caching.
    QueueImage {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        everywhere: Everywhere,
        /// Stay until the images are cached; fail if one cannot be.
        #[arg(long)]
        wait: bool,
        /// With --wait, give up after so many seconds.
        #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
        timeout: Duration,
    },
    /// Delete images from the cache.
    DeleteCachedImage {
        /// The images, by their ids.
        #[arg(value_name = "IMAGE_ID")]
        ids: Vec<String>,
        #[command(flatten)]
        everywhere: Everywhere,
    },
    /// Delete all images from the cache.
    DeleteAllCachedImages {
        #[command(flatten)]
        everywhere: Everywhere,
        #[command(flatten)]
        more: Ignored,
    },
    /// Delete images from the queue.
    DeleteQueuedImage {
        /// The images, by their ids.
        #[arg(value_name = "IMAGE_ID")]
        ids: Vec<String>,
        #[command(flatten)]
        everywhere: Everywhere,
    },
    /// Delete all images from the queue.
    DeleteAllQueuedImages {
        #[command(flatten)]
        everywhere: Everywhere,
        #[command(flatten)]
        more: Ignored,
    },
    /// Ask for what the rules of this node's configuration want; with --dry-run show what each wants and why,
    /// what of it is here, and whether it fits.
    PrefetchRules {
        /// One rule; without it all of them.
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Read this configuration file; may be given several times, the last one wins.
        #[arg(long, value_name = "PATH")]
        config_file: Vec<PathBuf>,
        /// Read the *.conf files of this directory.
        #[arg(long, value_name = "DIR")]
        config_dir: Vec<PathBuf>,
    },
    /// Check whether the cache directory keeps its rules: the one that is configured, or --cache-dir.
    #[command(after_help = FSCK)]
    Fsck(Wanted),
    /// Keep images in the cache: their copies never leave to make room.
    Pin {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        everywhere: Everywhere,
    },
    /// Let copies of images leave like others; with --tag and --property also of those that were pinned by just these.
    Unpin {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        everywhere: Everywhere,
    },
    /// List all images that are pinned.
    ListPinned {
        #[command(flatten)]
        more: Ignored,
    },
    /// List the nodes that share the database, with what each told that it has, and whether it answers.
    ListNodes {
        /// Give a node up that has not answered for so long.
        #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = moment)]
        node_timeout: Duration,
        #[command(flatten)]
        more: Ignored,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell that reads it.
        shell: clap_complete::Shell,
    },
}

/// A time that is neither nothing nor forever.
pub(super) fn moment(text: &str) -> std::result::Result<Duration, String> {
    let seconds = text
        .parse::<f64>()
        .ok()
        .filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or("0.1 to 3600".to_owned())
}

fn seconds(text: &str) -> std::result::Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}

/// Reads image ids, each once, in any spelling of a UUID. One that is none spoils all: nothing has been
/// done yet.
pub fn image_ids(texts: &[String]) -> Result<Vec<ImageId>> {
    if texts.is_empty() {
        return Err(Error::NoId);
    }
    let mut ids = Vec::with_capacity(texts.len());
    let mut seen = HashSet::with_capacity(texts.len());
    for text in texts {
        let id = ImageId::from_str(text)
            .or_else(|_| match uuid::Uuid::parse_str(text) {
                Ok(uuid) => uuid.hyphenated().to_string().parse(),
                Err(_) => text.parse(),
            })
            .map_err(|_| Error::NotAnId(text.clone()))?;
        if seen.insert(id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
impl Options {
    /// Reads a command line whatever the variables of the shell that runs the tests.
    pub(super) fn read(line: &[&str]) -> Self {
        use clap::{CommandFactory, FromArgMatches};
        let tool = Self::command().mut_args(|arg| arg.env(None));
        Self::from_arg_matches(&tool.get_matches_from(line)).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9";

    fn parse(line: &str) -> Options {
        Options::read(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        for line in [
            "glance-cache-manage -fv -H h -p 80 list-cached",
            "glance-cache-manage list-cached -fv -H h -p 80",
            "glance-cache-manage -H h list-cached -p 80 --force --verb",
        ] {
            let options = parse(line);
            assert!(options.force && options.verbose, "{line}");
            assert_eq!(
                (options.reach.host.as_str(), options.reach.port),
                ("h", 80),
                "{line}"
            );
        }
    }

    #[test]
    fn the_old_spellings_are_understood() {
        let old =
            parse("glance-cache-manage -A t -I u -K p -R r -T j -N a -S noauth list-queued").reach;
        let mixed = parse(
            "glance-cache-manage list-queued --auth_token t --os_username u --os_password p \
             --os_region_name r --os_project_name j --os_auth_url a --os_auth_strategy noauth",
        )
        .reach;
        for reach in [old, mixed] {
            let given = [
                reach.os_auth_token,
                reach.os_username,
                reach.os_password,
                reach.os_region_name,
                reach.os_project_name,
                reach.os_auth_url,
                reach.strategy,
            ];
            let given = given.map(Option::unwrap_or_default);
            assert_eq!(given, ["t", "u", "p", "r", "j", "a", "noauth"]);
        }
    }

    #[test]
    fn ids_are_read_in_any_spelling_and_each_once() {
        let texts = [
            ID,
            "6b7bd5b9c5e04f3ba0be5d0e4dc8c2b9",
            "{6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9}",
        ];
        let ids = image_ids(&texts.map(str::to_owned)).unwrap();
        assert_eq!(ids, [ID.parse().unwrap()]);
    }

    #[test]
    fn what_is_no_id_is_refused_by_name() {
        let error = image_ids(&[ID.to_owned(), "../../etc/passwd".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Image ID '../../etc/passwd' is not a valid UUID."
        );
    }

    #[test]
    fn a_command_without_its_id_is_told_so() {
        let error = image_ids(&[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "No image is named: write its ID behind the command"
        );
    }
}
