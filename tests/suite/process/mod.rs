//! `glance-api` as a service manager sees it: how it starts, what signals do, what it says.

mod check;
mod ending;
mod reload;
mod slow;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{API, PATIENCE, Running, plain, until, unused_port};

/// A directory with a configuration in which every caller may do everything, and its log.
struct Home {
    dir: TempDir,
    port: u16,
}

impl Home {
    /// With `more` of `[DEFAULT]`, or of sections after it.
    fn with(more: &str) -> Self {
        let home = Self {
            dir: tempfile::tempdir().unwrap(),
            port: unused_port(),
        };
        let rules = ["add_image", "get_image", "modify_image", "upload_image"];
        let rules = rules.map(|rule| format!("{rule}: \"\"\n"));
        home.write("policy.yaml", &rules.concat());
        home.configure(more);
        home
    }

    fn configure(&self, more: &str) {
        let dir = self.dir.path().display();
        let text = format!(
            "[database]\nconnection = sqlite:///{dir}/glance.db\n[paste_deploy]\nflavor = \n\
             [oslo_policy]\npolicy_file = {dir}/policy.yaml\n\
             [glance_store]\nfilesystem_store_datadir = {dir}/images\n\
             [DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {}\nlog_file = {dir}/api.log\n{more}\n",
            self.port
        );
        self.write("api.conf", &text);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = plain(API);
        command.arg("--config-file").arg(self.path("api.conf"));
        command
    }

    /// What `--check-config` says.
    fn check(&self) -> Output {
        self.command().arg("--check-config").output().unwrap()
    }

    fn start(self) -> Server {
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let running = Server {
            child: Running::start(&mut command),
            home: self,
        };
        until("it listens", || running.try_connect().is_some());
        running
    }
}

/// A service that runs. It is killed where a test ends early.
struct Server {
    child: Running,
    home: Home,
}

impl Server {
    fn try_connect(&self) -> Option<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.home.port)).ok()
    }

    fn connect(&self) -> TcpStream {
        let client = self.try_connect().expect("it listens");
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// One request on a connection of its own.
    fn ask(&self, request: &str) -> String {
        ask(
            &mut self.connect(),
            &format!("{request}connection: close\r\n"),
            "",
        )
    }

    /// Makes an image, and gives the head of an upload of so many bytes to it.
    fn upload_head(&self, size: usize) -> String {
        let document = "{\"disk_format\": \"raw\", \"container_format\": \"bare\"}";
        let head = format!(
            "POST /v2/images HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n",
            document.len()
        );
        let created = ask(&mut self.connect(), &head, document);
        let location = created.split("/v2/images/").nth(1);
        let id = &location.unwrap_or_else(|| panic!("{created}"))[..36];
        format!(
            "PUT /v2/images/{id}/file HTTP/1.1\r\nconnection: close\r\n\
             content-type: application/octet-stream\r\ncontent-length: {size}\r\n"
        )
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path("api.log")).unwrap()
    }

    fn wait(&mut self) -> i32 {
        self.child.wait().code().expect("an exit code")
    }
}

/// The answer to a request on that connection: all of it that comes at once with its head.
fn ask(client: &mut TcpStream, head: &str, body: &str) -> String {
    let request = format!("{head}host: x\r\n\r\n{body}");
    client.write_all(request.as_bytes()).unwrap();
    read_answer(client)
}

fn read_answer(client: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                return text;
            }
        }
        match client.read(&mut buffer).unwrap() {
            0 => return text,
            length => text += &String::from_utf8_lossy(&buffer[..length]),
        }
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}
