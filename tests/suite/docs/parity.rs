//! `docs/parity.md` stays true: every feature has its row, and what a row names exists.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use walkdir::WalkDir;

use super::{cells, read, root};

const FEATURES: usize = 303;
const STATES: [&str; 3] = ["works", "differs", "not yet"];

/// A feature of the original, and what became of it.
struct Row {
    number: usize,
    group: String,
    state: String,
    shown_by: Vec<String>,
    remarks: String,
}

fn rows(text: &str) -> Vec<Row> {
    let mut group = String::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut group);
        }
        let cells = cells(line);
        let Ok(number) = cells[0].parse() else {
            continue;
        };
        // A feature may have a bar in its name, so the state is found from the end.
        let [.., state, shown_by, remarks] = cells[..] else {
            panic!("row {number} has too few cells");
        };
        rows.push(Row {
            number,
            group: group.clone(),
            state: state.to_owned(),
            shown_by: shown_by
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            remarks: remarks.to_owned(),
        });
    }
    rows
}

/// The functions of all tests, Rust and Python.
fn functions() -> HashSet<String> {
    let files = ["src", "tests"]
        .into_iter()
        .flat_map(|dir| WalkDir::new(root().join(dir)));
    let mut names = HashSet::new();
    for file in files.map(|entry| entry.unwrap().into_path()) {
        if !file
            .extension()
            .is_some_and(|ending| ending == "rs" || ending == "py")
        {
            continue;
        }
        for line in fs::read_to_string(&file).unwrap().lines() {
            let words = line
                .trim_start()
                .split(['(', '<'])
                .next()
                .unwrap_or_default();
            let mut words = words.split_whitespace().rev();
            if let (Some(name), Some("fn" | "def")) = (words.next(), words.next()) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// The file of a recorded conversation.
fn file(name: &str) -> String {
    format!("{name}.yaml")
}

#[test]
fn every_feature_has_one_row_with_a_state() {
    let rows = rows(&read("docs/parity.md"));
    let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=FEATURES).collect::<Vec<_>>());
    for Row {
        number,
        state,
        shown_by,
        remarks,
        ..
    } in &rows
    {
        assert!(STATES.contains(&state.as_str()), "{number}: {state}");
        assert!(
            state != "works" || !shown_by.is_empty(),
            "{number}: nothing shows it"
        );
        assert!(
            state != "differs" || !remarks.is_empty(),
            "{number}: nothing says how it differs"
        );
    }
}

#[test]
fn what_shows_a_feature_exists() {
    let functions = functions();
    let demanded = read(".ci/recordings.txt");
    let demanded: HashSet<&str> = demanded.lines().map(str::trim).collect();
    let recordings = root().join("tests/recordings/scenarios");
    let mut problems = Vec::new();
    for row in rows(&read("docs/parity.md")) {
        for name in &row.shown_by {
            let problem = match name.split_once('/') {
                None if functions.contains(name) => continue,
                None => "is no test",
                Some((area, _)) if !demanded.contains(area) && !demanded.contains(&*file(name)) => {
                    "is not demanded by .ci/recordings.txt"
                }
                Some(_) if !recordings.join(file(name)).is_file() => "is no recording",
                Some(_) => continue,
            };
            problems.push(format!("{}: {name} {problem}", row.number));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_groups_are_counted_right() {
    let text = read("docs/parity.md");
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for row in rows(&text) {
        for group in [row.group, "**All**".to_owned()] {
            let state = STATES.iter().position(|state| *state == row.state).unwrap();
            counts.entry(group).or_default()[state] += 1;
        }
    }
    for (group, [works, differs, not_yet]) in counts {
        let line = format!("| {group} | {works} | {differs} | {not_yet} |");
        assert!(
            text.lines().any(|found| found == line),
            "should be there: {line}"
        );
    }
}
