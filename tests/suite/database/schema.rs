//! The schema on servers, beside the original's.
//!
//! `tests/data/db/mysql.tsv` and `postgres.tsv` are what `mysql.sql` and `postgres.sql` say of a database that the
//! original made. Where `GLANCE_ORIGINAL` is a Python that has it (with `PyMySQL` and `psycopg2`), it makes another.

use std::process::{Command, Stdio};

use super::*;

const FACTS: [(&str, &str); 2] = [
    (
        include_str!("../../data/db/mysql.sql"),
        include_str!("../../data/db/mysql.tsv"),
    ),
    (
        include_str!("../../data/db/postgres.sql"),
        include_str!("../../data/db/postgres.tsv"),
    ),
];

/// What a database says of its schema, and what the original's said.
fn facts(database: &Database) -> (Vec<String>, Vec<String>) {
    let (question, expected) = FACTS[usize::from(database.url().starts_with("postgres"))];
    let mut said = database.ask(question, "fact");
    said.sort_unstable();
    let mut expected: Vec<_> = expected.lines().map(str::to_owned).collect();
    expected.sort_unstable();
    (said, expected)
}

#[test]
fn a_schema_that_we_make_on_a_server_is_that_of_the_original() {
    for database in on_each_server() {
        assert_eq!(manage(database.url(), &["db", "sync"]).code, 0);
        let (said, expected) = facts(&database);
        assert_eq!(said, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_the_original_makes_is_used_as_it_is() {
    let Ok(python) = std::env::var("GLANCE_ORIGINAL") else {
        println!("skipped: GLANCE_ORIGINAL names no Python that has the original");
        return;
    };
    for database in on_each_server() {
        let url = database
            .url()
            .replace("mysql://", "mysql+pymysql://")
            .replace("postgresql://", "postgresql+psycopg2://");
        let made = original(&python, &url);
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let before = facts(&database);
        assert_eq!(before.0, before.1);

        let current = "Database is up to date. No upgrades needed.\n";
        assert_eq!(manage(&url, &["db", "check"]).out, current);
        let db = glance::db::Db::open(&glance::config::DatabaseConfig::at(&url))
            .await
            .unwrap();
        let query = glance::domain::query::ImageQuery::default();
        assert_eq!(db.images(&query).await.unwrap(), Some(Vec::new()));
        db.close().await;
        assert_eq!(facts(&database), before);
    }
}

/// `glance-manage db sync` of the original.
fn original(python: &str, url: &str) -> std::process::Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("glance-api.conf");
    std::fs::write(&file, format!("[database]\nconnection = {url}\n")).unwrap();
    Command::new(python)
        .args([
            "-c",
            "import sys; from glance.cmd.manage import main; sys.exit(main())",
        ])
        .arg("--config-file")
        .arg(&file)
        .args(["db", "sync"])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}
