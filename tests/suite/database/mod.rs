//! The database as a process among others: its schema, `glance-manage`, servers that go away.

mod away;
mod manage;
mod schema;

use crate::support::{self, API, Database, Ended, MANAGE, mysql, plain, postgres};

/// An empty database on each server that answers.
fn on_each_server() -> Vec<Database> {
    [mysql(), postgres()]
        .into_iter()
        .flatten()
        .map(|server| Database::empty_on(&server))
        .collect()
}

/// Runs a program with a configuration of this database.
fn run(program: &str, url: &str, more: &str, arguments: &[&str]) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("glance-api.conf");
    let text = format!("[DEFAULT]\nbind_port = 0\n[database]\nconnection = {url}\n{more}\n");
    std::fs::write(&file, text).unwrap();
    let mut command = plain(program);
    command.arg("--config-file").arg(&file).args(arguments);
    support::run(&mut command)
}

fn manage(url: &str, arguments: &[&str]) -> Ended {
    run(MANAGE, url, "", arguments)
}
