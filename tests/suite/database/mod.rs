//! The database as a process among others: its schema, `glance-manage`, servers that go away.

mod away;
mod manage;
mod schema;

use std::process::{Command, Stdio};

use crate::support::{Database, mysql, postgres};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
const SERVER: &str = env!("CARGO_BIN_EXE_glance-api");

/// An empty database on each server that answers.
fn on_each_server() -> Vec<Database> {
    [mysql(), postgres()]
        .into_iter()
        .flatten()
        .map(|server| Database::empty_on(&server))
        .collect()
}

/// How a program ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// Runs a program with a configuration of this database.
fn run(program: &str, url: &str, more: &str, arguments: &[&str]) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("glance-api.conf");
    let text = format!("[DEFAULT]\nbind_port = 0\n[database]\nconnection = {url}\n{more}\n");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(program)
        .env_clear()
        .arg("--config-file")
        .arg(&file)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn manage(url: &str, arguments: &[&str]) -> Ended {
    run(MANAGE, url, "", arguments)
}
