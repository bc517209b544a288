//! `fsck`: whether a cache directory keeps its rules, and making it keep them.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::json;
use tokio::runtime;

use super::Options;
use crate::cache::{Expected, Finding, Fsck, Outcome, Record, Records, Repair, Scope, What};
use crate::cli::console::Console;
use crate::cli::{Error, Exit, Result};
use crate::clock::Clock;
use crate::config::{CacheConfig, DatabaseConfig, Program, Sources, ToolConfig, hide_passwords};
use crate::db::Db;
use crate::domain::ImageId;

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
    let database = match &database {
        Some(config) => runtime.block_on(Known::ask(config, &cache, &fsck))?,
        None => Known::default(),
    };
    let scope = if wanted.verify {
        Scope::Bytes
    } else {
        Scope::Rules
    };
    let mut findings = fsck.check(&database.records, scope)?;
    findings.extend(database.told(&fsck)?);

    let repairs = wanted.repair && !options.dry_run;
    let outcomes = if repairs {
        let mut outcomes = fsck.repair(findings, &database.records)?;
        runtime.block_on(database.tell(&mut outcomes));
        outcomes
    } else {
        let unchanged = |finding| (finding, Outcome::Left(String::new()));
        findings.into_iter().map(unchanged).collect()
    };
    report(&outcomes, repairs, &fsck, options, console)?;
    let is_left = |(finding, outcome): &(Finding, Outcome)| {
        finding.is_wrong() && matches!(outcome, Outcome::Left(_))
    };
    Ok(if outcomes.iter().any(is_left) {
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

/// What the database knows.
#[derive(Default)]
struct Known {
    records: Records,
    /// This node, as others know it, and what they are told that it has.
    node: Option<(Db, i64, HashSet<ImageId>)>,
}

impl Known {
    async fn ask(config: &DatabaseConfig, cache: &CacheConfig, fsck: &Fsck) -> Result<Self> {
        let failed = |source| Error::Database {
            url: hide_passwords(&config.connection),
            source,
        };
        let db = Db::open(config).await.map_err(failed)?;
        let ids = fsck.images()?;
        let mut known = db.data_of(&ids).await.map_err(failed)?;
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
            Some(name) => db.told_by(name).await.map_err(failed)?,
            None => None,
        };
        let node = node.map(|(node, copies)| (db, node, copies.into_iter().collect()));
        Ok(Self { records, node })
    }

    /// Where the rows that other nodes read differ from what is here.
    fn told(&self, fsck: &Fsck) -> Result<Vec<Finding>> {
        let Some((_, _, told)) = &self.node else {
            return Ok(Vec::new());
        };
        let here: HashSet<ImageId> = fsck.copies()?.into_iter().collect();
        let mut findings: Vec<Finding> = (told.difference(&here))
            .map(|id| Finding::new(id.as_str(), What::ToldInVain, Repair::Tell(*id)))
            .collect();
        findings.extend((here.difference(told)).map(|id| {
            let why = "a service tells it when it starts, or within a minute";
            Finding::new(id.as_str(), What::Untold, Repair::Nothing(why))
        }));
        findings.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(findings)
    }

    /// Takes rows away that speak of no copy.
    async fn tell(&self, outcomes: &mut [(Finding, Outcome)]) {
        let Some((db, node, _)) = &self.node else {
            return;
        };
        let gone: Vec<ImageId> = (outcomes.iter())
            .filter_map(|(finding, _)| match finding.repair {
                Repair::Tell(id) => Some(id),
                _ => None,
            })
            .collect();
        if let Err(error) = db.tell_copies(*node, &[], &gone).await {
            for (finding, outcome) in outcomes {
                if matches!(finding.repair, Repair::Tell(_)) {
                    *outcome = Outcome::Left(error.to_string());
                }
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
        let kind = if finding.is_wrong() { "" } else { "note: " };
        console.result(format!(
            "{kind}{finding}; {}",
            words(finding, outcome, repairs)
        ))?;
    }
    let remain = (outcomes.iter())
        .filter(|(finding, outcome)| finding.is_wrong() && left(outcome))
        .count();
    let verdict = match (wrong, remain) {
        (0, _) => "nothing is wrong".to_owned(),
        (_, 0) => format!("{wrong} repaired"),
        _ if repairs => format!("{} repaired, {remain} left", wrong - remain),
        _ => format!("{wrong} wrong; --repair repairs what can be repaired"),
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
