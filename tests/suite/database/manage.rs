//! `glance-manage db`.

use std::time::{Duration, Instant};

use super::*;
use crate::support::unused_port;

const MADE: &str = "Database is synced successfully.\n";
const CURRENT: &str = "2024_1_contract01\n";

/// An empty database of each kind: those of servers that answer, and a file that is not there yet.
fn of_each_kind(dir: &tempfile::TempDir) -> Vec<Database> {
    let mut databases = on_each_server();
    databases.push(Database::file(&dir.path().join("glance.db")));
    databases
}

#[test]
fn a_schema_is_made_once_and_then_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    for database in of_each_kind(&dir) {
        let ask = |arguments: &[&str]| {
            let ended = manage(database.url(), arguments);
            assert_eq!(ended.err, "", "{ended:?}");
            (ended.code, ended.out)
        };
        let (code, said) = ask(&["db", "check"]);
        assert_eq!(code, 3);
        assert!(said.contains("`glance-manage db sync`"), "{said}");
        let (code, said) = ask(&["db", "version"]);
        assert_eq!(code, 0);
        assert!(said.contains("not under migration control"), "{said}");

        assert_eq!(ask(&["db", "sync"]), (0, MADE.to_owned()));
        let nothing = "Database is up to date. No migrations needed.\n".to_owned();
        assert_eq!(ask(&["db", "sync"]), (0, nothing.clone()));
        assert_eq!(ask(&["db_sync"]), (0, nothing));
        let nothing = "Database is up to date. No upgrades needed.\n".to_owned();
        assert_eq!(ask(&["db", "check"]), (0, nothing.clone()));
        assert_eq!(ask(&["db_check"]), (0, nothing));
        assert_eq!(ask(&["db", "version"]), (0, CURRENT.to_owned()));
        assert_eq!(ask(&["db_version"]), (0, CURRENT.to_owned()));
    }
}

#[test]
fn who_looks_after_a_schema_needs_no_file_of_the_service() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::file(&dir.path().join("glance.db"));
    for missing in [
        "[DEFAULT]\nproperty_protection_file = /nowhere/protections.conf",
        "[oslo_policy]\npolicy_file = /nowhere/policy.yaml",
        "[paste_deploy]\nconfig_file = /nowhere/paste.ini",
        "[DEFAULT]\nnode_staging_uri = file:///nowhere",
    ] {
        let ask = |arguments: &[&str]| run(MANAGE, database.url(), missing, arguments);
        let synced = ask(&["db", "sync"]);
        assert_eq!((synced.code, &*synced.err), (0, ""), "{missing}");
        let checked = ask(&["db", "check"]);
        assert_eq!((checked.code, &*checked.err), (0, ""), "{missing}");
    }
    // Who asks for the rules is told.
    let missing = "[DEFAULT]\nproperty_protection_file = /nowhere/protections.conf";
    let listed = run(MANAGE, database.url(), missing, &["policy", "list"]);
    assert_eq!(listed.code, 1);
    assert!(
        listed.err.contains("property_protection_file"),
        "{listed:?}"
    );
}

#[test]
fn many_who_make_a_schema_at_once_make_one() {
    let dir = tempfile::tempdir().unwrap();
    for database in of_each_kind(&dir) {
        let codes: Vec<_> = std::thread::scope(|threads| {
            let url = database.url();
            let running = [(); 3].map(|()| threads.spawn(|| manage(url, &["db", "sync"])));
            running.map(|run| run.join().unwrap()).into()
        });
        assert!(codes.iter().all(|ended| ended.code == 0), "{codes:?}");
        assert_eq!(manage(database.url(), &["db", "version"]).out, CURRENT);
    }
}

#[test]
fn a_schema_that_was_interrupted_is_made_to_the_end() {
    let Some(server) = mysql() else { return };
    let database = Database::empty_on(&server);
    for begun in [
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
        "CREATE TABLE node_reference (node_reference_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
         node_reference_url VARCHAR(255) NOT NULL UNIQUE)",
    ] {
        database.run(begun);
    }
    assert_eq!(manage(database.url(), &["db", "check"]).code, 3);
    assert_eq!(manage(database.url(), &["db", "sync"]).out, MADE);
    assert_eq!(manage(database.url(), &["db", "check"]).code, 0);
}

#[test]
fn another_revision_is_refused_with_what_to_run() {
    for database in on_each_server() {
        assert_eq!(manage(database.url(), &["db", "sync"]).code, 0);
        for (revision, code) in [("zed_contract01", 3), ("2024_1_expand01", 5)] {
            database.run(&format!(
                "UPDATE alembic_version SET version_num = '{revision}'"
            ));
            assert_eq!(manage(database.url(), &["db", "check"]).code, code);
            let ended = manage(database.url(), &["db", "sync"]);
            assert_eq!(ended.code, 1);
            assert!(ended.err.contains(revision), "{ended:?}");
            assert!(ended.err.contains("of Glance 2024.1 or later"), "{ended:?}");
        }
        database.run("DELETE FROM alembic_version");
        database.run("DROP TABLE alembic_version");
        let ended = manage(database.url(), &["db", "sync"]);
        assert!(ended.err.contains("no alembic_version"), "{ended:?}");
    }
}

#[test]
fn the_service_does_not_start_without_a_schema_and_says_what_to_run() {
    for database in on_each_server() {
        let ended = run(API, database.url(), "", &[]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(
            ended
                .err
                .contains("it is empty: run \"glance-manage db sync\""),
            "{ended:?}"
        );
    }
}

#[test]
fn a_server_that_is_away_is_tried_again_as_often_as_configured() {
    let port = unused_port();
    for scheme in ["mysql+pymysql", "postgresql+psycopg2"] {
        let url = format!("{scheme}://glance:secret@127.0.0.1:{port}/glance");
        let start = Instant::now();
        let ended = run(
            MANAGE,
            &url,
            "max_retries = 2\nretry_interval = 1",
            &["db", "sync"],
        );
        assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
        assert_eq!(ended.err.matches("trying again").count(), 2, "{ended:?}");
        assert!(ended.err.contains("glance:***@127.0.0.1"), "{ended:?}");
        assert!(!ended.err.contains("secret"), "{ended:?}");
        assert!(start.elapsed() > Duration::from_secs(2));
    }
}

#[test]
fn a_wrong_url_is_refused_with_its_place() {
    let ended = manage("mysql://glance:secret@db", &["db", "sync"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .err
            .contains("glance-api.conf:4: [database] connection = mysql://glance:***@db: must be"),
        "{ended:?}"
    );
}

#[test]
fn the_command_line_is_explained() {
    let ended = manage("sqlite:////nowhere/glance.db", &["db"]);
    assert_eq!(ended.code, 2);
    let ended = manage("sqlite:////nowhere/glance.db", &["--help"]);
    assert_eq!(ended.code, 0);
    assert!(ended.out.contains("Exit codes"), "{ended:?}");
}
