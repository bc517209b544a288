//! The house stands: arrows point down, siblings never meet, files are short.
//!
//! Sources are read as tokens, so that comments and texts don't count, and paths inside macros do. `crate::`,
//! `self::` and `super::` paths are followed to the layer in which they end; binaries reach the library as
//! `glance::`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use walkdir::WalkDir;

mod paths;
mod scanner;

use paths::{collect, resolved};

/// The layers, from the roof down. One may use those below its line, and nothing else.
///
/// `daemon` is what starts and stops the service, and so stands on `server`. `telemetry` and `config` stand
/// on `domain`: an operator chooses among its values (the hash of images, for one), and the domain itself
/// needs no settings.
const HOUSE: [&[&str]; 10] = [
    &["bin"],
    &["daemon", "cli"],
    &["server"],
    &["ops"],
    &["auth", "policy"],
    &["db", "store", "cache", "inspect", "events", "client"],
    &["telemetry"],
    &["config"],
    &["domain"],
    &["stream", "clock"],
];

/// Binaries are doors: they parse arguments, load the configuration and call one of these.
const BEHIND_DOORS: [&str; 7] = [
    "daemon",
    "cli",
    "client",
    "cache",
    "telemetry",
    "config",
    "clock",
];

/// Crates that belong to some layers alone.
const ROOMS: [(&str, &[&str]); 9] = [
    ("anyhow", &["bin", "daemon"]),
    ("axum", &["server", "daemon"]),
    ("hyper", &["server", "daemon"]),
    ("clap", &["bin", "cli"]),
    ("sqlx", &["db"]),
    ("rusqlite", &["cache", "db"]),
    ("saphyr", &["policy"]),
    ("prometheus_client", &["telemetry"]),
    ("ratatui", &["cli"]),
];

const MAX_LINES: usize = 400;

#[test]
fn arrows_point_down() {
    let problems: Vec<_> = sources("src").iter().flat_map(Source::problems).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn files_are_short() {
    let long: Vec<_> = ["src", "tests", "benches", "fuzz/fuzz_targets"]
        .into_iter()
        .flat_map(sources)
        .map(|source| (source.path, source.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:#?}");
}

/// A source file, by its path under the folder that was looked through.
struct Source {
    path: PathBuf,
    text: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let sources: Vec<_> = WalkDir::new(&folder)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(&folder).unwrap().to_owned(),
        })
        .collect();
    assert!(!sources.is_empty(), "no sources in {}", folder.display());
    sources
}

impl Source {
    /// Where the file is in the tree of modules: `ops/import/mod.rs` is `[ops, import]`.
    fn module(&self) -> Vec<String> {
        let path = self.path.with_extension("");
        let mut names: Vec<_> = path
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        if names.last().is_some_and(|name| name == "mod") {
            names.pop();
        }
        names
    }

    fn problems(&self) -> BTreeSet<String> {
        let module = self.module();
        let layer = module[0].clone();
        if layer == "lib" {
            return BTreeSet::new();
        }
        let tokens: TokenStream = self.text.parse().unwrap();
        let mut paths = Vec::new();
        collect(tokens, &module, &mut paths);
        paths
            .iter()
            .filter_map(|(module, path)| problem(&layer, module, path))
            .map(|problem| format!("{}: {problem}", self.path.display()))
            .collect()
    }
}

/// What is wrong with a `path` that `module` of `layer` uses.
fn problem(layer: &str, module: &[String], path: &[String]) -> Option<String> {
    let Some(own) = rank(layer) else {
        return Some(format!("{layer} has no place in the house"));
    };
    let first = path.first()?;
    let spelled = path.join("::");
    if let Some((name, layers)) = ROOMS.iter().find(|(name, _)| name == first) {
        return (!layers.contains(&layer))
            .then(|| format!("{layer} uses {spelled}: {name} is for {layers:?}"));
    }
    let used = if layer == "bin" {
        // A binary is a crate of its own: only the library is another layer.
        (first == "glance").then(|| path[1..].to_vec())?
    } else {
        resolved(module, path)?
    };
    let Some(target) = used.first() else {
        return Some(format!("{spelled} takes the whole house"));
    };
    if target == layer {
        return None;
    }
    let Some(other) = rank(target) else {
        return Some(format!("{spelled} is in no layer"));
    };
    if layer == "bin" && !BEHIND_DOORS.contains(&target.as_str()) {
        return Some(format!("{spelled} is not behind a door: {BEHIND_DOORS:?}"));
    }
    (other <= own).then(|| {
        let direction = if other == own { "sideways" } else { "up" };
        format!("{spelled} points {direction}: from {layer} to {target}")
    })
}

fn rank(layer: &str) -> Option<usize> {
    HOUSE.iter().position(|line| line.contains(&layer))
}
