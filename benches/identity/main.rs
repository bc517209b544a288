//! What it costs to know who is asking, and to judge whether it may: `cargo bench --bench identity`.
//!
//! `GET /v2/images/{id}` of a service that checks tokens, with one that it knows already, beside one that asks
//! nobody. Both are the release build, asked from outside over one connection each, and take turns. And a
//! judgement of the policy by itself, in this process.

mod keystone;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use glance::config::PolicyConfig;
use glance::domain::Caller;
use glance::policy::{Policy, Target};

use keystone::{Keystone, TOKEN};

const ROUNDS: usize = 9;
const REQUESTS: u32 = 1000;
const JUDGEMENTS: u32 = 100_000;
/// A known token may cost so many times what no token costs.
const WANTED: f64 = 2.0;

fn main() -> Result<()> {
    // `cargo bench` passes it, and `cargo test --benches` does not.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("a debug build is not worth measuring: cargo bench --bench identity");
        return Ok(());
    }
    tokens()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(judgements())
}

fn tokens() -> Result<()> {
    let keystone = Keystone::start()?;
    let mut open = Client::of("caching", "")?;
    let account = format!(
        "[keystone_authtoken]\nauth_url = http://{}\nauth_type = password\nusername = glance\n\
         password = secret\nproject_name = service\n",
        keystone.address
    );
    let mut checked = Client::of("keystone+caching", &account)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(open.round()?);
        with.push(checked.round()?);
    }
    let (without, with) = (median(without), median(with));
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    let verdict = if ratio < WANTED { "ok" } else { "MISSED" };
    println!("GET /v2/images/ID, nobody asked      {without:>10.1?}");
    println!(
        "GET /v2/images/ID, a known token     {with:>10.1?}  {ratio:.2} times, < {WANTED}: {verdict}"
    );
    println!("Keystone was asked about it {} times", keystone.asked());
    Ok(())
}

async fn judgements() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("policy.yaml");
    fs::write(&file, "delete_image: role:admin\n")?;
    // So old that it need not be read again.
    thread::sleep(Duration::from_secs(3));
    let sites = [
        ("built-in rules", PolicyConfig::default()),
        (
            "with a policy file",
            PolicyConfig {
                file: Some(file),
                dirs: vec![dir.path().join("policy.d")],
                ..PolicyConfig::default()
            },
        ),
    ];
    let caller = Caller {
        project_id: Some("p".to_owned()),
        roles: vec!["member".to_owned(), "reader".to_owned()],
        ..Caller::default()
    };
    let target = Target::from([("project_id", "p".into()), ("visibility", "private".into())]);
    for (what, config) in sites {
        let policy = Policy::load(&config)?;
        ensure!(policy.allows(&caller, "get_image", &target).await);
        let start = Instant::now();
        for _ in 0..JUDGEMENTS {
            ensure!(policy.allows(&caller, "get_image", &target).await);
        }
        println!(
            "get_image judged, {what:<18} {:>10.1?}",
            start.elapsed() / JUDGEMENTS
        );
    }
    Ok(())
}

/// A service with one image, and a connection to it.
struct Client {
    child: Child,
    stream: BufReader<TcpStream>,
    id: String,
    _dir: tempfile::TempDir,
}

impl Client {
    fn of(flavor: &str, more: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let conf = configure(dir.path(), address, flavor, more)?;
        let log = fs::File::create(dir.path().join("log"))?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_glance-api"))
            .arg("--config-file")
            .arg(conf)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let Some(stream) = connected(address) else {
            child.kill()?;
            child.wait()?;
            let log = fs::read_to_string(dir.path().join("log"))?;
            anyhow::bail!("the service does not start: {log}");
        };
        let mut client = Self {
            child,
            stream: BufReader::new(stream),
            id: String::new(),
            _dir: dir,
        };
        let made = client.ask("POST", "/v2/images", r#"{"name": "an image"}"#)?;
        let image: serde_json::Value = serde_json::from_slice(&made)?;
        let id = image["id"].as_str();
        id.with_context(|| String::from_utf8_lossy(&made).into_owned())?
            .clone_into(&mut client.id);
        Ok(client)
    }

    /// What a request took.
    fn round(&mut self) -> Result<Duration> {
        let path = format!("/v2/images/{}", self.id);
        let start = Instant::now();
        for _ in 0..REQUESTS {
            self.ask("GET", &path, "")?;
        }
        Ok(start.elapsed() / REQUESTS)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Vec<u8>> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nX-Auth-Token: {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            ensure!(
                self.stream.read_line(&mut line)? > 0,
                "the service hangs up"
            );
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        ensure!(status.contains(" 20"), "{method} {path}: {status}");
        Ok(answer)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It is gone already, or ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connected(address: SocketAddr) -> Option<TcpStream> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        if let Ok(stream) = TcpStream::connect(address) {
            stream.set_nodelay(true).ok()?;
            return Some(stream);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

fn configure(
    dir: &Path,
    address: SocketAddr,
    flavor: &str,
    more: &str,
) -> Result<std::path::PathBuf> {
    let (at, port) = (dir.display(), address.port());
    for name in ["images", "cache", "staging"] {
        fs::create_dir(dir.join(name))?;
    }
    fs::write(dir.join("policy.yaml"), "context_is_admin: '@'\n")?;
    let conf = dir.join("glance-api.conf");
    let text = format!(
        "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\nimage_cache_dir = {at}/cache\n\
         image_cache_driver = sqlite\nnode_staging_uri = file://{at}/staging\n\
         [paste_deploy]\nflavor = {flavor}\n\
         [database]\nconnection = sqlite:///{at}/glance.db\n\
         [glance_store]\nstores = file\ndefault_store = file\nfilesystem_store_datadir = {at}/images\n\
         [oslo_policy]\npolicy_file = {at}/policy.yaml\n{more}"
    );
    fs::write(&conf, text)?;
    Ok(conf)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
