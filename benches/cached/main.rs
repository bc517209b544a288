//! What it costs to list a cache, of a thousand copies and of a hundred thousand: `GET /v2/cache` from the router to
//! the last byte, without a socket, and `glance-cache-manage list-cached` on the directory, sorted and cut. Each copy
//! should cost the same. `cargo bench --bench cached`, or `just bench-cached`.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use clap::Parser;
use glance::cache::Cache;
use glance::clock::Clock;
use glance::config::{Config, Program, Sources};
use glance::db::Db;
use glance::domain::ImageId;
use glance::ops::{Glance, Parts};
use glance::policy::Policy;
use glance::server;
use glance::store::Registry;
use glance::telemetry::counters::Counters;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// How many times the cost of a copy may be, where there are a hundred times as many.
const WANTED: f64 = 1.5;

/// Measures lists of cached images.
#[derive(Debug, Parser)]
struct Args {
    /// Copies in the smaller and in the larger cache.
    #[arg(long, num_args = 2, default_values_t = [1000, 100_000])]
    copies: Vec<u32>,
    /// How often each list is asked for.
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// What `cargo bench` passes, and `cargo test --benches` does not.
    #[arg(long, hide = true)]
    bench: bool,
}

const LISTS: [&str; 4] = [
    "GET /v2/cache",
    "list-cached",
    "list-cached --sort hits --limit 25",
    "list-cached --json",
];

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    if !args.bench {
        println!("a debug build is not worth measuring: cargo bench --bench cached");
        return Ok(());
    }
    let mut measured = Vec::new();
    for copies in &args.copies {
        measured.push(measure(*copies, args.rounds).await?);
    }
    println!(
        "{:<38}{:>16}{:>16}{:>8}  wanted",
        "time, and its ratio for each copy", args.copies[0], args.copies[1], "ratio"
    );
    let each = |time: Duration, copies: u32| time.as_secs_f64() / f64::from(copies);
    for (list, (few, many)) in LISTS.iter().zip(measured[0].iter().zip(&measured[1])) {
        let ratio = each(*many, args.copies[1]) / each(*few, args.copies[0]);
        let verdict = if ratio <= WANTED { "" } else { ": MISSED" };
        let milliseconds = |time: &Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        println!(
            "{list:<38}{:>16}{:>16}{ratio:>8.2}  <= {WANTED}{verdict}",
            milliseconds(few),
            milliseconds(many),
        );
    }
    Ok(())
}

/// How long each list takes at least: whatever else the machine does can only add to it.
async fn measure(copies: u32, rounds: u32) -> Result<[Duration; 4]> {
    let node = Node::with_copies(copies).await?;
    let mut least = [Duration::MAX; 4];
    for _ in 0..rounds {
        for (list, least) in LISTS.iter().zip(&mut least) {
            let start = Instant::now();
            match list.strip_prefix("list-cached") {
                Some(options) => node.tool(options)?,
                None => ensure!(node.listed().await? == copies as usize, "some are missing"),
            }
            *least = start.elapsed().min(*least);
        }
    }
    Ok(least)
}

/// A service without a socket, and the directory with all its state.
struct Node {
    router: Router,
    dir: TempDir,
}

impl Node {
    async fn with_copies(copies: u32) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        configure(dir.path())?;
        let cached = dir.path().join("cache");
        std::fs::create_dir(&cached)?;
        for _ in 0..copies {
            File::create(cached.join(ImageId::random().as_str()))?.set_len(1)?;
        }
        let sources = Sources {
            files: vec![dir.path().join("glance-api.conf")],
            environment: [].into(),
            ..Sources::new(Program::Api)
        };
        let config = Config::load(&sources)?.config;
        let cache = config.cache.clone().expect("a cache is configured");
        let (clock, counters) = (Clock::system(), Counters::default());
        let glance = Glance::new(Parts {
            cache: Some(Cache::open(cache, clock.clone(), counters.clone()).await),
            stores: Registry::open(&config.stores).await?,
            keystone: None,
            limits: None,
            peers: None,
            policy: Policy::load(&config.policy)?,
            db: Db::open(&config.database).await?,
            counters,
            clock,
            config,
        });
        let api = server::router::router(glance.clone());
        Ok(Self {
            router: server::service(&glance, api, CancellationToken::new()),
            dir,
        })
    }

    /// Asks for the list, and says how many copies are in it.
    async fn listed(&self) -> Result<usize> {
        let request = Request::builder().uri("/v2/cache").body(Body::empty())?;
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{status}");
        let listing: Value = serde_json::from_slice(&body)?;
        Ok(listing["cached_images"].as_array().map_or(0, Vec::len))
    }

    fn tool(&self, options: &str) -> Result<()> {
        let output = Command::new(env!("CARGO_BIN_EXE_glance-cache-manage"))
            .arg("list-cached")
            .args(options.split_whitespace())
            .arg("--cache-dir")
            .arg(self.dir.path().join("cache"))
            .output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    }
}

fn configure(dir: &Path) -> Result<()> {
    let at = dir.display();
    std::fs::create_dir(dir.join("images"))?;
    std::fs::write(dir.join("policy.yaml"), "cache_list: \"\"\n")?;
    std::fs::write(
        dir.join("glance-api.conf"),
        format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nenabled_import_methods = []\n\
             image_cache_dir = {at}/cache\nimage_cache_driver = sqlite\n\
             [database]\nconnection = sqlite:///{at}/glance.db\n\
             [glance_store]\nstores = file\ndefault_store = file\n\
             filesystem_store_datadir = {at}/images\n\
             [oslo_policy]\npolicy_file = {at}/policy.yaml\n\
             [paste_deploy]\nflavor = cachemanagement\n"
        ),
    )?;
    Ok(())
}
