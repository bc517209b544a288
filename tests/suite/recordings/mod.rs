//! Recorded conversations with the original, replayed with the real server: the wire as a contract.
//!
//! They lie in `tests/recordings`, a folder an area. An answer is compared in its status, the headers that matter,
//! all of its JSON, its data by size and hash, and an error by its kind and its sentence. What differs from run to
//! run has a name on both sides (`normalise`).

mod altered;
mod bodies;
mod callers;
mod compare;
mod expectation;
mod fixtures;
mod normalise;
mod run;
mod scenario;
mod sentence;
mod server;
mod web;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use run::Run;
use scenario::Scenario;
use server::Server;

/// Scenarios that do not pass yet, and why. One that begins to pass has to leave.
const NOT_YET: &[(&str, &str)] = &[
    ("stage-lifecycle", "images are not imported"),
    ("stores-copy", "images are not imported"),
    ("stores-import", "images are not imported"),
];

/// A test per area, and the list of them all.
macro_rules! areas {
    ($($test:ident: $area:literal,)*) => {
        $(
            #[test]
            fn $test() {
                replay($area);
            }
        )*

        const AREAS: &[&str] = &[$($area),*];
    };
}

areas! {
    the_cache_is_as_recorded: "cache",
    cors_is_as_recorded: "cors",
    the_health_check_is_as_recorded: "healthcheck",
    identity_is_as_recorded: "identity",
    data_is_as_recorded: "image-data",
    formats_are_as_recorded: "image-formats",
    actions_are_as_recorded: "images-actions",
    creating_is_as_recorded: "images-create",
    deleting_is_as_recorded: "images-delete",
    lists_are_as_recorded: "images-list",
    members_are_as_recorded: "images-members",
    patches_are_as_recorded: "images-patch",
    showing_is_as_recorded: "images-show",
    tags_are_as_recorded: "images-tags",
    info_is_as_recorded: "info",
    limits_are_as_recorded: "limits",
    locations_are_as_recorded: "locations",
    policy_is_as_recorded: "policy",
    protections_are_as_recorded: "protections",
    routes_are_as_recorded: "routes",
    schemas_are_as_recorded: "schemas",
    staging_is_as_recorded: "stage",
    stores_are_as_recorded: "stores",
    versions_are_as_recorded: "versions",
}

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// The scenarios of an area, by the names of their files.
fn files(area: &str) -> BTreeMap<String, Scenario> {
    let files = fs::read_dir(recordings().join("scenarios").join(area)).expect("a folder");
    let read = |file: fs::DirEntry| {
        let name = file.file_name().into_string().expect("a name");
        (name, Scenario::read(&file.path()))
    };
    files.map(|file| read(file.expect("a file"))).collect()
}

/// The same, so that those that can share a server follow on each other.
fn scenarios(area: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<_> = files(area).into_values().collect();
    scenarios.sort_by(|one, other| {
        let order = |scenario: &Scenario| {
            (
                scenario.profile.clone(),
                scenario.fresh,
                scenario.name.clone(),
            )
        };
        order(one).cmp(&order(other))
    });
    scenarios
}

/// What goes wrong with a scenario, up to `enough` of it. The server is left for the next one.
fn failures(scenario: &Scenario, server: &mut Option<Server>, enough: usize) -> Vec<String> {
    match Server::ready_for(scenario, server.take()) {
        Ok(mut ready) => {
            let failures = Run::new(scenario, &ready).failures();
            let failures: Vec<_> = failures.take(enough).collect();
            ready.tidy(failures.is_empty());
            *server = Some(ready);
            failures
        }
        Err(why) => vec![why],
    }
}

fn replay(area: &str) {
    let mut complaints = Vec::new();
    let mut server = None;
    for scenario in scenarios(area) {
        let name = &scenario.name;
        let excuse = NOT_YET.iter().find(|(excused, _)| excused == name);
        let enough = if excuse.is_some() { 1 } else { usize::MAX };
        let failures = failures(&scenario, &mut server, enough);
        match excuse {
            None if !failures.is_empty() => {
                let (profile, failures) = (&scenario.profile, failures.concat());
                complaints.push(format!("{name} ({profile}) fails:\n{failures}"));
            }
            Some(_) if failures.is_empty() => {
                complaints.push(format!("{name} passes now: take it off the list"));
            }
            Some((_, why)) => println!("not yet: {name}: {why}"),
            None => (),
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn folders() -> BTreeSet<String> {
    let folders = fs::read_dir(recordings().join("scenarios")).expect("a folder");
    let name = |folder: fs::DirEntry| folder.file_name().into_string().expect("a name");
    folders
        .map(|folder| name(folder.expect("a folder")))
        .collect()
}

#[test]
fn every_area_has_a_test() {
    assert_eq!(
        AREAS
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>(),
        folders()
    );
}

#[test]
fn a_scenario_stands_in_the_folder_of_its_area_with_its_steps() {
    for area in AREAS {
        for scenario in scenarios(area) {
            assert_eq!(scenario.area, *area, "{}", scenario.name);
            assert!(!scenario.steps.is_empty(), "{}", scenario.name);
        }
    }
}

/// The other replay, of `.ci/recordings.sh`, has a list of what passes.
#[test]
fn what_is_demanded_of_a_release_is_what_passes_here() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/recordings.txt");
    let Ok(list) = fs::read_to_string(list) else {
        println!("skipped: there is no list of recordings");
        return;
    };
    let demanded: BTreeSet<_> = list.lines().collect();
    for area in AREAS {
        for (file, scenario) in files(area) {
            let excused = NOT_YET.iter().any(|(name, _)| *name == scenario.name);
            let demanded = demanded.contains(area) || demanded.contains(&*format!("{area}/{file}"));
            assert!(demanded != excused, "{area}/{file}");
        }
    }
}

#[test]
fn who_is_excused_exists() {
    let all = AREAS.iter().flat_map(|area| scenarios(area));
    let all: BTreeSet<_> = all.map(|scenario| scenario.name).collect();
    for (name, why) in NOT_YET {
        assert!(all.contains(*name) && !why.is_empty(), "{name}");
    }
}
