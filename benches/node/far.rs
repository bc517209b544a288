//! The service before a far store, one that gives so many bytes a second and counts how often it is read.
//!
//! It is the same service, put together here, as the configuration knows no such store. And it is a process
//! of its own, this program again, so that its memory is its own as well.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::routing::get;
use glance::cache::Cache;
use glance::clock::Clock;
use glance::config::stores::DriverConfig;
use glance::config::{Config, Program, Sources};
use glance::db::Db;
use glance::ops::peers::Peers;
use glance::ops::{Glance, Parts};
use glance::policy::Policy;
use glance::server::listener::{self, Limits, Plain};
use glance::server::{router, service};
use glance::store::{FileStore, Registry, Throttled};
use glance::telemetry::counters::Counters;
use tokio_util::sync::CancellationToken;

use crate::http;

/// Where the number of bytes can be asked for that the store gave.
const READ: &str = "/read";

/// The bytes that the store behind the service at `address` gave so far.
pub fn read(address: SocketAddr) -> Result<u64> {
    let answer = http::call(address, "GET", READ, &http::Body::None)?;
    Ok(std::str::from_utf8(&answer)?.parse()?)
}

/// Serves until it is killed, from a store that is read at `rate` bytes a second.
pub fn serve(conf: PathBuf, rate: u64) -> Result<()> {
    let sources = Sources {
        files: vec![conf],
        ..Sources::new(Program::Api)
    };
    let config = Config::load(&sources)?.config;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(config, rate))
}

async fn run(config: Config, rate: u64) -> Result<()> {
    let socket = listener::bind(&config.api)?;
    let files = config
        .stores
        .stores
        .iter()
        .find_map(|store| match &store.driver {
            DriverConfig::File(driver) => Some(driver),
            _ => None,
        });
    let files = FileStore::open(files.context("no file store")?, None).await?;
    let store = Arc::new(Throttled::new(files, rate));
    let clock = Clock::system();
    let counters = Counters::default();
    let cache = config.cache.clone().context("no cache")?;
    let db = Db::open(&config.database).await?;
    let glance = Glance::new(Parts {
        peers: Peers::new(&cache, &db, None)?,
        db,
        stores: Registry::of_one("file", Arc::clone(&store) as _),
        cache: Some(Cache::open(cache, clock.clone(), counters.clone()).await),
        keystone: None,
        limits: None,
        policy: Policy::load(&config.policy)?,
        config,
        clock,
        counters,
    });
    let stop = CancellationToken::new();
    let routes = service(&glance, router::router(glance.clone()), stop.clone())
        .route(READ, get(async move || store.bytes().to_string()));
    let limits = Limits::of(&glance.config.api);
    listener::serve(socket, Plain, routes, limits, stop).await;
    Ok(())
}
