//! A configuration for people: `--print-config` and `--check-config`.

use std::fmt::Write as _;
use std::path::Path;

use super::error::Error;
use super::ini::{self, Settings};
use super::obstacles::{Trouble, database_file, is_of_this_machine};
use super::options::{self, Kind, Known};
use super::stores::DriverConfig;
use super::{CacheConfig, Config, Loaded, MetricsConfig, StoresConfig, metrics, secrecy};

/// Every option that has a value, as a configuration file, with secrets hidden.
pub fn print(loaded: &Loaded<Config>) -> Result<String, Error> {
    let settings = &loaded.settings;
    let mut text = String::new();
    let mut current = "";
    let lone = |known: &&Known| known.section != options::RULE;
    for known in options::all().iter().filter(lone) {
        let lines = lines(settings, known.section, known)?;
        if !lines.is_empty() && current != known.section {
            let gap = if current.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{}]", known.section);
            current = known.section;
        }
        text.push_str(&lines);
    }
    let stores = settings.section("DEFAULT").dict("enabled_backends")?;
    for section in stores.iter().map(|(store, _)| ini::normal(store)) {
        let _ = writeln!(text, "\n[{section}]");
        for known in options::all()
            .iter()
            .filter(|known| known.section == "glance_store")
        {
            if settings.entry(&section, known.option).is_some() {
                text.push_str(&lines(settings, &section, known)?);
            }
        }
    }
    for section in settings.rule_sections() {
        let _ = writeln!(text, "\n[{section}]");
        for known in options::all().iter().filter(|known| !lone(known)) {
            text.push_str(&lines(settings, section, known)?);
        }
    }
    Ok(text)
}

/// The lines that set an option to what it is.
fn lines(settings: &Settings, section: &str, known: &Known) -> Result<String, Error> {
    let values = match known.kind {
        Kind::Removed => return Ok(String::new()),
        Kind::Multi => settings.all_values(section, known.option)?,
        _ => settings.value(section, known.option)?.into_iter().collect(),
    };
    let mut text = String::new();
    for value in values {
        let shown = ini::escape(&secrecy::shown(known, &value.text)).replace('\n', "\n    ");
        let quotes = if is_kept_by_quotes(&shown) { "\"" } else { "" };
        let _ = writeln!(text, "{} = {quotes}{shown}{quotes}", known.option);
    }
    Ok(text)
}

/// Whether a value would lose blanks or quotes at its ends if it stood bare. Over several lines
/// it never has them, and quotes would stay.
fn is_kept_by_quotes(text: &str) -> bool {
    let quoted = |quote: char| text.starts_with(quote) && text.ends_with(quote);
    !text.contains('\n') && (text.trim() != text || quoted('"') || quoted('\''))
}

/// What a start would do.
#[derive(Debug)]
pub struct Summary {
    /// A line for each thing, with what is wrong with it on this machine.
    pub text: String,
    /// Nothing was found for which the service would refuse to start.
    pub starts: bool,
}

/// What a start with this configuration would do.
pub fn summary(loaded: &Loaded<Config>) -> Summary {
    let config = &loaded.config;
    let files: Vec<String> = loaded
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let sources = if files.is_empty() {
        "none, the built-in configuration".to_owned()
    } else {
        files.join(", ")
    };
    let filters: Vec<String> = config
        .pipeline
        .filters
        .iter()
        .map(ToString::to_string)
        .collect();
    let flavor = match config.pipeline.flavor.as_str() {
        "" => "default",
        flavor => flavor,
    };
    let is_here = is_of_this_machine(config.api.bind_host);
    let host = if is_here {
        ""
    } else {
        " (is no address of this machine)"
    };
    let lines = [
        ("Configuration", sources),
        ("Pipeline", format!("{flavor}: {}", filters.join(" "))),
        (
            "Listener",
            format!("{}:{}{host}", config.api.bind_host, config.api.bind_port),
        ),
        ("Database", database(config)),
        ("Stores", stores(&config.stores)),
        (
            "Cache",
            match &config.cache {
                None => "off: image_cache_dir is not set".to_owned(),
                Some(dir) if config.pipeline.caches() => cache(dir),
                Some(dir) => format!(
                    "{}; downloads go past it, for the pipeline has no cache filter",
                    cache(dir)
                ),
            },
        ),
        ("Policy", policy(config)),
        ("Metrics", metrics(config)),
        (
            "Log",
            config
                .log
                .file
                .as_deref()
                .map_or("standard error".to_owned(), |file| {
                    format!("{}{}", file.display(), Trouble::at_file(file))
                }),
        ),
    ];
    let mut text = String::new();
    for (name, what) in lines {
        let _ = writeln!(text, "{name:14}{what}");
    }
    for rule in config.cache.iter().flat_map(|cache| &cache.rules) {
        let _ = writeln!(text, "{:14}{}: {}", "Prefetch", rule.name, rule.when());
    }
    for warning in &loaded.warnings {
        let _ = writeln!(text, "{:14}{warning}", "Warning");
    }
    let log = config.log.file.as_deref().map(Trouble::at_file);
    let database = database_file(&config.database.connection);
    let database = database.is_some_and(|file| Trouble::at_database(&file).is_obstacle());
    let stores = directories(&config.stores).any(|dir| Trouble::at(dir).is_unmakable());
    Summary {
        text,
        starts: is_here && !stores && !database && matches!(log, None | Some(Trouble::None)),
    }
}

fn stores(stores: &StoresConfig) -> String {
    let store = |store: &super::stores::StoreConfig| {
        let what = match &store.driver {
            DriverConfig::File(file) => {
                let dirs: Vec<String> = file.dirs.iter().map(|(dir, _)| shown(dir)).collect();
                dirs.join(", ")
            }
            DriverConfig::Http(_) => "read from web servers".to_owned(),
            DriverConfig::Absent { driver } => format!("{driver}, which this build cannot reach"),
        };
        let default = if store.id == stores.default {
            ", the default"
        } else {
            ""
        };
        format!("{} ({what}{default})", store.id)
    };
    let stores: Vec<String> = stores.stores.iter().map(store).collect();
    stores.join("; ")
}

fn cache(cache: &CacheConfig) -> String {
    let schedule = |schedule: &Option<super::Schedule>| {
        schedule
            .as_ref()
            .map_or("never".to_owned(), ToString::to_string)
    };
    format!(
        "{} up to {} bytes, pruned at \"{}\", cleaned at \"{}\"",
        shown(&cache.dir),
        cache.max_size,
        schedule(&cache.prune_schedule),
        schedule(&cache.clean_schedule)
    )
}

fn metrics(config: &Config) -> String {
    let MetricsConfig {
        listen,
        path,
        authenticate,
    } = &config.metrics;
    let own = listen.map(|address| format!("{address}{}", metrics::PATH));
    let beside = path.as_ref().map(|path| format!("{path} beside the API"));
    let places: Vec<String> = own.into_iter().chain(beside).collect();
    match (places.join(", "), authenticate) {
        (places, _) if places.is_empty() => "off: [metrics] sets no listen and no path".to_owned(),
        (places, true) => format!("{places}, for callers who may list the cache"),
        (places, false) => format!("{places}, for everybody"),
    }
}

fn policy(config: &Config) -> String {
    if config.policy.allow_all {
        return "everybody may do everything".to_owned();
    }
    match config.policy.file.as_deref() {
        Some(file) if file.exists() => format!("{} over the defaults", file.display()),
        Some(file) => format!("the defaults; {} (does not exist)", file.display()),
        None => "the defaults".to_owned(),
    }
}

fn database(config: &Config) -> String {
    let url = &config.database.connection;
    let trouble = database_file(url).map_or(Trouble::None, |file| Trouble::at_database(&file));
    format!("{}{trouble}", secrecy::hide_passwords(url))
}

/// The directories in which stores keep files.
fn directories(stores: &StoresConfig) -> impl Iterator<Item = &Path> {
    let dirs = stores
        .stores
        .iter()
        .filter_map(|store| match &store.driver {
            DriverConfig::File(file) => Some(&file.dirs),
            DriverConfig::Http(_) | DriverConfig::Absent { .. } => None,
        });
    dirs.flatten().map(|(dir, _)| dir.as_path())
}

/// A directory that the service makes where it is missing.
fn shown(dir: &Path) -> String {
    format!("{}{}", dir.display(), Trouble::at(dir))
}
