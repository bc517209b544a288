//! `fsck`: whether a cache directory keeps its rules, and making it keep them.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::runtime;
use tokio::time::sleep;

use super::Options;
use crate::cache::{
    Expected, Finding, Fsck, Outcome, Record, Records, Repair, Scope, Weight, What,
};
use crate::cli::console::Console;
use crate::cli::{Error, Exit, Result};
use crate::clock::Clock;
use crate::config::{CacheConfig, DatabaseConfig, Program, Sources, ToolConfig, hide_passwords};
use crate::db::{self, Db};
use crate::domain::ImageId;

/// How often one looks at rows that tell of no copy, and how long one waits for the next look: a service tells of what
/// came and went within a few seconds.
const LOOKS: u32 = 9;
const MOMENT: Duration = Duration::from_millis(500);

/// What `fsck` is told.
#[derive(Debug, clap::Args)]
pub struct Wanted {
    /// Repair what is wrong.
    #[arg(long)]
    pub repair: bool,
    /// Read every byte and compare it with its checksum.
    #[arg(long)]
    pub verify: bool,
    /// Read this configuration file; may be given several times, the last one wins.
    #[arg(long, value_name = "PATH")]
    pub config_file: Vec<PathBuf>,
    /// Read the *.conf files of this directory.
    #[arg(long, value_name = "DIR")]
    pub config_dir: Vec<PathBuf>,
}

/// Checks, and says what is wrong, a line each.
pub fn run(wanted: &Wanted, options: &Options, console: &mut Console<'_>) -> Exit {
    check(wanted, options, console).unwrap_or_else(|error| {
        console.say(error.sentence());
        if options.debug {
            console.causes(&error);
        }
        Exit::Unchecked
    })
}

fn check(wanted: &Wanted, options: &Options, console: &mut Console<'_>) -> Result<Exit> {
    let (cache, database) = sources(wanted, options)?;
    if !cache.dir.is_dir() {
        return Err(Error::NoDirectory(cache.dir));
    }
    let fsck = Fsck::open(&cache, Clock::system())?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::Runtime)?;
    let mut unasked = Vec::new();
    let database = match &database {
        Some(config) => {
            let ids = fsck.images()?;
            let known = runtime.block_on(Known::ask(config, &cache, ids));
            known.unwrap_or_else(|error| {
                unasked.push(no_answer(&hide_passwords(&config.connection), &error));
                Known::default()
            })
        }
        None => Known::default(),
    };
    let scope = if wanted.verify {
        Scope::Bytes
    } else {
        Scope::Rules
    };
    let findings = fsck.check(&database.records, scope)?;
    let repairs = wanted.repair && !options.dry_run;
    let unchanged = |finding| (finding, Outcome::Left(String::new()));
    let mut outcomes = if repairs {
        fsck.repair(findings, &database.records)?
    } else {
        findings.into_iter().map(unchanged).collect()
    };
    // Of what has just left as well.
    let mut told = runtime.block_on(database.told(&fsck))?;
    if repairs {
        runtime.block_on(database.tell(&mut told));
    }
    outcomes.extend(told);
    outcomes.extend(unasked.into_iter().map(unchanged));
    report(&outcomes, repairs, &fsck, options, console)?;
    let is_left = |(finding, outcome): &(Finding, Outcome)| {
        finding.is_wrong() && matches!(outcome, Outcome::Left(_))
    };
    let is_unchecked = |(finding, _): &(Finding, Outcome)| finding.is_unchecked();
    Ok(if outcomes.iter().any(is_unchecked) {
        Exit::Unchecked
    } else if outcomes.iter().any(is_left) {
        Exit::Failure
    } else {
        Exit::Success
    })
}

/// The cache, and the database where the configuration names one that can be asked.
fn sources(wanted: &Wanted, options: &Options) -> Result<(CacheConfig, Option<DatabaseConfig>)> {
    let given = !wanted.config_file.is_empty() || !wanted.config_dir.is_empty();
    if let (Some(dir), false) = (&options.cache_dir, given) {
        return Ok((CacheConfig::at(dir.clone()), None));
    }
    let sources = Sources {
        files: wanted.config_file.clone(),
        dirs: wanted.config_dir.clone(),
        ..Sources::new(Program::Cache)
    };
    let config = ToolConfig::load(&sources, "glance-cache-manage")?.config;
    let mut cache = config.cache.ok_or(Error::NoCache)?;
    if let Some(dir) = &options.cache_dir {
        cache.dir.clone_from(dir);
    }
    Ok((cache, config.database))
}

/// A database that is away: the directory is checked without it.
fn no_answer(url: &str, error: &db::Error) -> Finding {
    let later = Repair::Nothing("ask again when it answers");
    Finding::new(url, What::NoAnswer(error.to_string()), later)
}

/// What the database knows.
#[derive(Default)]
struct Known {
    records: Records,
    /// Where the rows of this node stand, and its number there.
    node: Option<(Db, i64)>,
    /// The address of the database, without its password.
    url: String,
}

impl Known {
    /// What it knows of these images. Nothing is made where there is none.
    async fn ask(
        config: &DatabaseConfig,
        cache: &CacheConfig,
        ids: Vec<ImageId>,
    ) -> db::Result<Self> {
        let state = db::schema_state(config).await?;
        state.refusal().map_or(Ok(()), Err)?;
        let db = Db::open(config).await?;
        let mut known = db.data_of(&ids).await?;
        let records = ids.into_iter().map(|id| {
            let record = match known.remove(&id) {
                Some(Some(data)) => Record::Image(Expected {
                    size: data.size,
                    checksums: data.checksums,
                }),
                Some(None) => Record::Deleted,
                None => Record::Unknown,
            };
            (id, record)
        });
        let records: Records = records.collect();
        let node = match &cache.node_name {
            Some(name) => db.number_of(name).await?,
            None => None,
        };
        Ok(Self {
            records,
            node: node.map(|node| (db, node)),
            url: hide_passwords(&config.connection),
        })
    }

    /// Where the rows that other nodes read differ from what is here; all of it is left as it is. A service writes its
    /// rows a moment later: what passes is nothing wrong.
    async fn told(&self, fsck: &Fsck) -> Result<Vec<(Finding, Outcome)>> {
        let Some((db, node)) = &self.node else {
            return Ok(Vec::new());
        };
        let mut in_vain: Option<HashSet<ImageId>> = None;
        let mut untold = Vec::new();
        for look in 0..LOOKS {
            if look > 0 {
                sleep(MOMENT).await;
            }
            let told = match db.copies_of(*node).await {
                Ok(told) => told,
                Err(error) => {
                    let finding = no_answer(&self.url, &error);
                    return Ok(vec![(finding, Outcome::Left(String::new()))]);
                }
            };
            let told: HashSet<ImageId> = told.into_iter().map(|copy| copy.id).collect();
            let here: HashSet<ImageId> = fsck.copies()?.into_iter().collect();
            let mut gone: HashSet<ImageId> = told.difference(&here).copied().collect();
            if let Some(before) = &in_vain {
                gone.retain(|id| before.contains(id));
            }
            let is_over = gone.is_empty();
            in_vain = Some(gone);
            untold = here.difference(&told).copied().collect();
            if is_over {
                break;
            }
        }
        let why = "a service tells it when it starts, or within a minute";
        let in_vain = in_vain.into_iter().flatten();
        let in_vain = in_vain.map(|id| (id, What::ToldInVain, Repair::Tell(id)));
        let untold = untold.into_iter();
        let untold = untold.map(|id| (id, What::Untold, Repair::Nothing(why)));
        let mut findings: Vec<(Finding, Outcome)> = (in_vain.chain(untold))
            .map(|(id, what, repair)| Finding::new(id.as_str(), what, repair))
            .map(|finding| (finding, Outcome::Left(String::new())))
            .collect();
        findings.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
        Ok(findings)
    }

    /// Takes rows away that speak of no copy.
    async fn tell(&self, outcomes: &mut [(Finding, Outcome)]) {
        let Some((db, node)) = &self.node else {
            return;
        };
        let gone: Vec<ImageId> = (outcomes.iter())
            .filter_map(|(finding, _)| match finding.repair {
                Repair::Tell(id) => Some(id),
                _ => None,
            })
            .collect();
        let done = db.tell_copies(*node, &[], &gone).await;
        for (finding, outcome) in outcomes {
            if matches!(finding.repair, Repair::Tell(_)) {
                *outcome = match &done {
                    Ok(()) => Outcome::Done,
                    Err(error) => Outcome::Left(error.to_string()),
                };
            }
        }
    }
}

fn report(
    outcomes: &[(Finding, Outcome)],
    repairs: bool,
    fsck: &Fsck,
    options: &Options,
    console: &mut Console<'_>,
) -> Result<()> {
    let wrong = outcomes.iter().filter(|(finding, _)| finding.is_wrong());
    let wrong = wrong.count();
    let left = |outcome: &Outcome| matches!(outcome, Outcome::Left(_));
    let counts = fsck.counts()?;
    if options.json {
        let findings = outcomes.iter().map(|(finding, outcome)| {
            json!({
                "path": finding.path.display().to_string(),
                "what": finding.what.to_string(),
                "wrong": finding.is_wrong(),
                "checked": !finding.is_unchecked(),
                "repair": words(finding, outcome, repairs),
                "repaired": !left(outcome),
            })
        });
        return console.json(&json!({
            "findings": findings.collect::<Vec<_>>(),
            "copies": counts.copies,
            "parts": counts.parts,
            "queued": counts.queued,
        }));
    }
    for (finding, outcome) in outcomes {
        let kind = match finding.weight() {
            Weight::Wrong => "",
            Weight::Note => "note: ",
            Weight::Unchecked => "not checked: ",
        };
        console.result(format!(
            "{kind}{finding}; {}",
            words(finding, outcome, repairs)
        ))?;
    }
    let remain = (outcomes.iter())
        .filter(|(finding, outcome)| finding.is_wrong() && left(outcome))
        .count();
    let all = !outcomes.iter().any(|(finding, _)| finding.is_unchecked());
    let verdict = match (wrong, remain) {
        (0, _) if all => "nothing is wrong".to_owned(),
        (0, _) => "nothing wrong was found".to_owned(),
        (_, 0) => format!("{wrong} repaired"),
        _ if repairs => format!("{} repaired, {remain} left", wrong - remain),
        _ => format!("{wrong} wrong; --repair repairs what can be repaired"),
    };
    let verdict = if all {
        verdict
    } else {
        format!("{verdict}; not everything could be checked")
    };
    console.result(format!(
        "{} copies, {} parts, {} queued: {verdict}",
        counts.copies, counts.parts, counts.queued
    ))
}

fn words(finding: &Finding, outcome: &Outcome, repairs: bool) -> String {
    match outcome {
        Outcome::Left(why) if repairs && !matches!(finding.repair, Repair::Nothing(_)) => {
            format!("left alone: {why}")
        }
        Outcome::Left(_) => finding.repair.words(false),
        Outcome::Done => finding.repair.words(true),
    }
}
