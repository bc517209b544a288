//! The house stands: arrows point down, siblings never meet, files are short.
//!
//! Sources are read as tokens, so that comments and texts don't count, and paths inside macros do. `crate::`,
//! `self::` and `super::` paths are followed to the layer in which they end; binaries reach the library as
//! `glance::`.

use std::collections::BTreeSet;
use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};
use walkdir::WalkDir;

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
    let problems: Vec<_> = sources().iter().flat_map(Source::problems).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|source| (source.path, source.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines: {long:#?}");
}

/// A source file, by its path under `src/`.
struct Source {
    path: PathBuf,
    text: String,
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources: Vec<_> = WalkDir::new(&src)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(&src).unwrap().to_owned(),
        })
        .collect();
    assert!(!sources.is_empty(), "no sources in {}", src.display());
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

/// The path from the root of the crate; none where it leads into another crate or names a local thing.
fn resolved(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let mut at = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => module.to_vec(),
        _ => return None,
    };
    for name in path {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => {
                at.pop();
            }
            name => at.push(name.to_owned()),
        }
    }
    Some(at)
}

type Tokens = Peekable<token_stream::IntoIter>;

/// Every path of more than one name, with the module that it stands in.
fn collect(tokens: TokenStream, module: &[String], paths: &mut Vec<(Vec<String>, Vec<String>)>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "mod" => {
                let mut inner = module.to_vec();
                inner.extend(tokens.next().map(|name| name.to_string()));
                if let Some(TokenTree::Group(body)) = tokens.next() {
                    collect(body.stream(), &inner, paths);
                }
            }
            TokenTree::Ident(name) => {
                let mut found = Vec::new();
                follow(vec![name.to_string()], &mut tokens, &mut found);
                // A single name is local, but for `use anyhow;`, which nobody writes.
                let found = found.into_iter().filter(|path| path.len() > 1);
                paths.extend(found.map(|path| (module.to_vec(), path)));
            }
            TokenTree::Group(group) => collect(group.stream(), module, paths),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Goes along `::name`, `::{...}` and `::*` as far as they lead.
fn follow(mut path: Vec<String>, tokens: &mut Tokens, paths: &mut Vec<Vec<String>>) {
    loop {
        let mut ahead = tokens.clone();
        if !(is_colon(ahead.next()) && is_colon(ahead.next())) {
            break;
        }
        match ahead.next() {
            Some(TokenTree::Ident(name)) => {
                path.push(name.to_string());
                *tokens = ahead;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                *tokens = ahead;
                return branches(&path, group.stream(), paths);
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                *tokens = ahead;
                // All that is in there: the path ends with itself.
                path.push("self".to_owned());
            }
            _ => break,
        }
    }
    paths.push(path);
}

/// The alternatives of `path::{a, b::c, d::{e, f}}`.
fn branches(path: &[String], inside: TokenStream, paths: &mut Vec<Vec<String>>) {
    let mut tokens = inside.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "as" => {
                tokens.next();
            }
            TokenTree::Ident(name) => {
                let mut path = path.to_vec();
                path.push(name.to_string());
                follow(path, &mut tokens, paths);
            }
            TokenTree::Punct(star) if star.as_char() == '*' => {
                paths.push(path.iter().cloned().chain(["self".to_owned()]).collect());
            }
            _ => {}
        }
    }
}

fn is_colon(token: Option<TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

mod scanner {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let source = Source {
            path: path.into(),
            text: text.to_owned(),
        };
        source.problems().into_iter().collect()
    }

    #[track_caller]
    fn refused(path: &str, text: &str, why: &str) {
        let problems = problems(path, text);
        assert!(
            problems.len() == 1 && problems[0].contains(why),
            "{text}: {problems:?}"
        );
    }

    #[track_caller]
    fn accepted(path: &str, text: &str) {
        assert_eq!(problems(path, text), [""; 0], "{text}");
    }

    #[test]
    fn a_path_down_is_accepted() {
        accepted("ops/download.rs", "use crate::cache::Lookup;");
        accepted(
            "ops/import/mod.rs",
            "use super::download; use super::super::db;",
        );
        accepted(
            "server/error.rs",
            "fn f() { crate::ops::Error::from(crate::stream::x()) }",
        );
        accepted(
            "db/mod.rs",
            "use crate::config::{DatabaseConfig as C}; use crate::db::images;",
        );
    }

    #[test]
    fn a_path_up_is_refused() {
        refused(
            "db/mod.rs",
            "use crate::ops::Glance;",
            "points up: from db to ops",
        );
        refused(
            "domain/image.rs",
            "fn f() { crate::config::load() }",
            "points up",
        );
        refused(
            "cache/fill.rs",
            "impl From<crate::server::Fault> for X {}",
            "points up",
        );
    }

    #[test]
    fn a_path_sideways_is_refused() {
        refused(
            "cache/fill.rs",
            "use crate::store::Store;",
            "points sideways",
        );
        refused("stream.rs", "use crate::clock::Clock;", "points sideways");
    }

    #[test]
    fn every_name_of_a_group_is_looked_at() {
        refused(
            "db/mod.rs",
            "use crate::{config::DatabaseConfig, domain::{Image, member::{self, Member}}, ops::Error};",
            "crate::ops::Error points up",
        );
    }

    #[test]
    fn super_is_followed_out_of_the_layer() {
        refused(
            "db/images.rs",
            "use super::super::store::Store;",
            "points sideways",
        );
        refused("db/mod.rs", "pub use super::ops;", "points up");
        refused(
            "db/mod.rs",
            "mod tests { use super::super::ops::Glance; }",
            "points up",
        );
        accepted(
            "db/mod.rs",
            "mod tests { use super::*; use self::images::x; }",
        );
    }

    #[test]
    fn macros_count_and_comments_and_texts_do_not() {
        refused(
            "db/mod.rs",
            "fn f() { info!(\"{}\", crate::ops::x()) }",
            "points up",
        );
        accepted(
            "db/mod.rs",
            "//! crate::ops\n/* crate::ops::x */ const X: &str = \"crate::ops::x\"; // crate::ops::x",
        );
    }

    #[test]
    fn the_whole_house_at_once_is_refused() {
        refused("ops/mod.rs", "use crate::*;", "the whole house");
        refused("ops/mod.rs", "use super::*;", "the whole house");
    }

    #[test]
    fn what_is_in_no_layer_is_refused() {
        refused("ops/mod.rs", "use crate::utils::x;", "is in no layer");
        refused(
            "utils.rs",
            "use std::fs;",
            "utils has no place in the house",
        );
    }

    #[test]
    fn binaries_are_doors() {
        accepted(
            "bin/glance-api.rs",
            "use glance::daemon; use anyhow::Result; use crate::own;",
        );
        refused(
            "bin/glance-api.rs",
            "use glance::ops::Glance;",
            "not behind a door",
        );
    }

    #[test]
    fn crates_stay_in_their_rooms() {
        refused(
            "ops/mod.rs",
            "fn f() -> anyhow::Result<()> {}",
            "anyhow is for",
        );
        refused("cache/index.rs", "use sqlx::Row;", "sqlx is for");
        accepted("db/images.rs", "use sqlx::Row;");
    }
}
