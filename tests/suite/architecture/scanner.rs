//! The scanner finds what it is to find.

use super::Source;

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
