//! `README.md` has the options that are ours, and files that are there.

use std::collections::BTreeMap;

use super::{cells, read, root};

/// Options of a section, with their defaults.
type Options = BTreeMap<String, String>;

/// The rows of the table in `README.md` whose first title is the section.
fn told(section: &str) -> Options {
    let text = read("README.md");
    let title = format!("`[{section}]`");
    let rows = text
        .lines()
        .map(cells)
        .skip_while(|cells| cells[0] != title);
    rows.skip(2)
        .take_while(|cells| cells.len() > 2)
        .map(|cells| [cells[0], cells[1]].map(|cell| cell.trim_matches('`').to_owned()))
        .map(|[option, default]| (option, default))
        .collect()
}

/// The rows of the table of all options.
fn known(section: &str) -> Options {
    let text = read("src/config/options.tsv");
    let rows = text.lines().map(|row| row.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row[0] == section)
        .map(|row| (row[1].to_owned(), row.get(3).unwrap_or(&"").to_string()))
        .collect()
}

#[test]
fn our_options_are_told_with_their_defaults() {
    for section in [
        "image_cache",
        "image_cache_prefetch:NAME",
        "metrics",
        "request_limits",
        "server",
    ] {
        let known = known(section);
        assert!(!known.is_empty(), "[{section}]");
        assert_eq!(told(section), known, "[{section}]");
    }
}

#[test]
fn files_that_are_named_are_there() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        let text = read(document);
        let names = text.split('`').skip(1).step_by(2);
        let places = [
            "etc/",
            "docs/",
            "tests/",
            "src/",
            ".ci/",
            "benches/",
            "migrations/",
        ];
        for name in names.filter_map(|code| code.split_whitespace().next()) {
            if places.iter().any(|place| name.starts_with(place)) {
                assert!(root().join(name).exists(), "{document}: there is no {name}");
            }
        }
    }
}
