//! What one node can do, beside nginx serving the same file: downloads from a warm cache, uploads, and the memory
//! all of it takes. Beside nginx and Varnish as caching proxies: a stampede on a cold cache, ranges, and the memory
//! that thousands of slow readers take. What it costs to check a copy before it leaves, and what the copy of another
//! node saves. `cargo bench --bench node`, or `just bench`.
//!
//! Everything is measured from outside, on the release build, in one run: what is compared takes turns, and
//! medians are shown. The ratios say more than the rates, for the machine is in both sides of them.

mod edge;
mod far;
mod hashes;
mod http;
mod memory;
mod nginx;
mod origin;
mod peers;
mod proxy;
mod service;
mod table;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use memory::Watch;
use nginx::Nginx;
use service::Service;
use table::Table;

const MIB: u64 = 1024 * 1024;

/// Bytes per second of the store behind a cold cache.
const STORE_RATE: u64 = 100_000_000;

/// What a start may take, from nothing to the first answer.
const START: Duration = Duration::from_millis(200);

/// Measures one node.
#[derive(Debug, Parser)]
struct Args {
    /// The server to measure.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_glance-api"))]
    server: PathBuf,
    /// The size of the image that one client downloads or uploads, in MiB; a crowd shares one of an eighth.
    #[arg(long, default_value_t = 1024)]
    size: u64,
    /// How often each side of a comparison has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// What to measure; all of it where nothing is named.
    #[arg(value_enum)]
    what: Vec<What>,
    /// Be the service before the far store.
    #[arg(long, hide = true)]
    config_file: Option<PathBuf>,
    /// Bytes per second of that store.
    #[arg(long, hide = true, default_value_t = STORE_RATE)]
    rate: u64,
    /// What `cargo bench` passes, and `cargo test --benches` does not.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Start,
    Idle,
    Warm,
    Upload,
    Cold,
    Ranges,
    Slow,
    Verify,
    Peers,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(conf) = args.config_file {
        return far::serve(conf, args.rate);
    }
    if !args.bench {
        println!("a debug build is not worth measuring: cargo bench --bench node");
        return Ok(());
    }
    let open = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: open.maximum,
            ..open
        },
    )?;
    let mut table = Table::default();
    let wanted = |what| args.what.is_empty() || args.what.contains(&what);
    if wanted(What::Start) {
        start(&args, &mut table)?;
    }
    let dir = tempfile::tempdir()?;
    let service = Service::start(&mut Command::new(&args.server), dir.path())?;
    if wanted(What::Idle) {
        idle(&service, &mut table)?;
    }
    if wanted(What::Warm) {
        for (clients, size) in [(1, args.size * MIB), (64, args.size * MIB / 8)] {
            warm(&service, clients, size, args.rounds, &mut table)?;
        }
    }
    if wanted(What::Upload) {
        upload(&service, args.size * MIB, args.rounds, &mut table)?;
    }
    drop(service);
    if wanted(What::Cold) {
        for clients in [32, 256] {
            edge::cold(clients, &mut table)?;
        }
    }
    if wanted(What::Ranges) {
        edge::ranges(&mut table)?;
    }
    if wanted(What::Slow) {
        edge::slow(2000, &mut table)?;
    }
    if wanted(What::Verify) {
        verify::costs(
            &args.server,
            args.size * MIB / 4,
            2 * args.rounds + 1,
            &mut table,
        )?;
    }
    if wanted(What::Peers) {
        peers::beside(&args.server, args.size * MIB / 32, &mut table)?;
    }
    println!("{table}");
    Ok(())
}

/// A service that nobody has asked anything.
fn idle(service: &Service, table: &mut Table) -> Result<()> {
    let run = Watch::during(service.pid(), || {
        thread::sleep(Duration::from_secs(2));
        Ok(())
    })?;
    table.memory("idle", run.most, 30);
    Ok(())
}

/// Starts without any configuration.
fn start(args: &Args, table: &mut Table) -> Result<()> {
    let starts: Result<Vec<_>> = (0..args.rounds)
        .map(|_| Ok(Service::first_answer(&args.server)?.as_secs_f64()))
        .collect();
    let taken = median(starts?).map(Duration::from_secs_f64);
    table.within("start to first answer", taken.unwrap_or_default(), START);
    Ok(())
}

/// Downloads of what is in the cache.
fn warm(
    service: &Service,
    clients: usize,
    size: u64,
    rounds: usize,
    table: &mut Table,
) -> Result<()> {
    let image = service.image(size)?;
    let path = format!("/v2/images/{image}/file");
    // Brings it in.
    rate(service.address(), &path, 1, size)?;
    let file = service.cached(&image)?;
    let nginx = Nginx::start(&file)?;

    let run = Watch::during(service.pid(), || {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(rate(service.address(), &path, clients, size)?);
            if let Some(nginx) = &nginx {
                theirs.push(rate(nginx.address(), "/", clients, size)?);
            }
        }
        Ok((median(ours), median(theirs)))
    })?;
    let (ours, theirs) = run.value;
    let name = format!("warm download, {clients} at once");
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => table.ratio(&name, ours, "nginx", theirs, 0.7),
        (ours, _) => table.skipped(&name, ours.unwrap_or_default(), "nginx is not installed"),
    }
    table.memory(&name, run.most, 60);
    service.delete(&image)
}

/// Uploads, beside the slower of the two hashes that each of them needs.
fn upload(service: &Service, size: u64, rounds: usize, table: &mut Table) -> Result<()> {
    let piece = http::noise(8 * MIB);
    let run = Watch::during(service.pid(), || {
        let (mut uploads, mut hashes) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let image = service.record()?;
            let start = Instant::now();
            service.put(&image, &piece, size)?;
            uploads.push(per_second(size, start));
            service.delete(&image)?;
            hashes.push(hashes::slower(&piece, size));
        }
        Ok((median(uploads), median(hashes)))
    })?;
    if let (Some(ours), Some(hash)) = run.value {
        table.ratio("upload", ours, "the slower hash", hash, 0.6);
        match hashes::openssl(size) {
            Some(theirs) => table.beside("the slower hash", hash, "OpenSSL's", theirs),
            None => table.skipped("the slower hash", hash, "no Python to ask OpenSSL"),
        }
    }
    table.memory("upload", run.most, 60);
    Ok(())
}

/// Bytes per second of `clients` that download `path` at once, from the start of all to the end of the last.
fn rate(address: SocketAddr, path: &str, clients: usize, size: u64) -> Result<f64> {
    crowd(clients, size, || http::download(address, path))
}

/// The same of whatever each of them does.
fn crowd(clients: usize, size: u64, download: impl Fn() -> Result<u64> + Sync) -> Result<f64> {
    let ready = Barrier::new(clients + 1);
    thread::scope(|scope| {
        let downloads: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    download()
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        for download in downloads {
            let got = download.join().ok().context("a client panicked")??;
            ensure!(got == size, "{got} bytes in place of {size}");
        }
        Ok(per_second(size * clients as u64, start))
    })
}

#[expect(clippy::cast_precision_loss, reason = "a rate is no ledger")]
fn per_second(bytes: u64, start: Instant) -> f64 {
    bytes as f64 / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
