//! The service as a process: what starts it, what runs between requests, what ends it.
//!
//! The address comes first: a second process that was started by mistake finds it taken before it has
//! touched anything. Requests that come before the rest is open wait in the backlog. The end goes the other
//! way around: no new requests, then the running ones, then what runs between them, then cache and
//! database, which write what they still hold.

mod files;
mod jobs;
mod notify;
mod reload;
mod report;
mod schedule;
mod signals;
mod welcome;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Keystone;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::{Config, Sources, Written, hide_passwords};
use crate::db::Db;
use crate::ops::peers::Peers;
use crate::ops::{Glance, Parts};
use crate::policy::Policy;
use crate::server::listener::{self, BindError, Limits, Plain};
use crate::server::{metrics, router, service};
use crate::store::Registry;
use crate::telemetry::counters::Counters;
use crate::{client, db, policy, store, telemetry};
use notify::Notify;
use reload::Reload;
use signals::{Signal, Signals};

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("cannot catch signals")]
    Signals(#[source] io::Error),
    /// The URL is without its password.
    #[error("cannot open the database {url}")]
    Db { url: String, source: db::Error },
    #[error("cannot open the image stores")]
    Stores(#[from] store::Error),
    #[error("cannot use the policy")]
    Policy(#[from] policy::Error),
    #[error("cannot ask Keystone")]
    Keystone(#[from] client::Error),
    #[error("cannot ask other nodes by [image_cache] peer_ca_file")]
    Peers(#[source] client::Error),
}

/// What the service starts with.
#[derive(Debug)]
pub struct Start {
    pub config: Config,
    /// Reopened on SIGHUP.
    pub telemetry: telemetry::Handle,
    /// What was written there.
    pub written: Written,
    /// From these SIGHUP reads the configuration again.
    pub sources: Sources,
}

/// Reads the policy as a start does, and fails where that would; what else a start needs, the summary of the
/// configuration tells.
pub fn check(config: &Config) -> Result<(), Error> {
    Policy::load(&config.policy)?;
    if let Some(cache) = &config.cache {
        Peers::api(cache).map_err(Error::Peers)?;
    }
    Ok(())
}

/// Runs the service until SIGTERM or SIGINT, and returns when the last request is done.
pub async fn run(start: Start) -> Result<(), Error> {
    let Start {
        config,
        telemetry,
        written,
        sources,
    } = start;
    files::allow_many();
    let mut signals = Signals::catch().map_err(Error::Signals)?;
    let notify = Notify::from_env();
    let socket = listener::bind(&config.api)?;
    let address = socket
        .local_addr()
        .unwrap_or_else(|_| SocketAddr::new(config.api.bind_host, config.api.bind_port));
    let metrics = match config.metrics.listen {
        Some(address) => Some(listener::bind_metrics(address)?),
        None => None,
    };
    let glance = open(config).await?;

    let stop = CancellationToken::new();
    let between = TaskTracker::new();
    jobs::start(&glance, &stop, &between);
    let routes = service(&glance, router::router(glance.clone()), stop.clone());
    let limits = Limits::of(&glance.config.api);
    let serving = listener::serve(socket, Plain, routes, limits, stop.clone());
    let serving = tokio::spawn(serving);
    if let Some(socket) = metrics {
        let routes = metrics::service(&glance);
        // Whoever waits for a number does not keep the service from ending.
        between.spawn(listener::serve(
            socket,
            Plain,
            routes,
            limits.at_once(),
            stop.clone(),
        ));
    }

    notify.ready();
    tracing::info!(%address, "listening on {address}");
    welcome::print(&glance.config, address);
    let reload = Reload {
        telemetry,
        sources,
        started_with: written,
        glance: glance.clone(),
    };
    loop {
        match signals.next().await {
            Signal::Reload => {
                notify.reloading();
                reload.run().await;
                notify.ready();
            }
            // It takes a while, in which we may be asked to end.
            Signal::Report => drop(tokio::spawn(report::write(glance.clone()))),
            Signal::End => break,
        }
    }

    notify.stopping();
    let most = limits.notice + limits.drain;
    tracing::info!("ending: finishing what runs, at most {most:?}");
    stop.cancel();
    tokio::select! {
        _ = serving => {}
        () = signals.end() => tracing::warn!("asked again: not waiting for what runs"),
    }
    between.close();
    let idle = async {
        glance.finish().await;
        between.wait().await;
    };
    if timeout(PATIENCE, idle).await.is_err() {
        tracing::warn!("a job between requests did not end in {PATIENCE:?}, leaving it");
    }
    close(&glance).await;
    tracing::info!("ended");
    Ok(())
}

/// How long a job between requests may take to notice that it should end.
const PATIENCE: Duration = Duration::from_secs(5);

async fn open(config: Config) -> Result<Glance, Error> {
    let clock = Clock::system();
    let db = Db::open(&config.database)
        .await
        .map_err(|source| Error::Db {
            url: hide_passwords(&config.database.connection),
            source,
        })?;
    let stores = Registry::open(&config.stores).await?;
    let policy = Policy::load(&config.policy)?;
    let keystone = match config.authtoken.as_ref() {
        Some(authtoken) => Some(Keystone::new(authtoken, clock.clone())?),
        None => None,
    };
    let counters = Counters::default();
    let limits = match &config.limits {
        Some(limits) => Some(client::Limits::new(limits)?),
        None => None,
    };
    let cache = match &config.cache {
        Some(cache) => Some(Cache::open(cache.clone(), clock.clone(), counters.clone()).await),
        None => None,
    };
    let peers = match &config.cache {
        Some(cache) => Peers::new(cache, &db, keystone.as_ref()).map_err(Error::Peers)?,
        None => None,
    };
    Ok(Glance::new(Parts {
        config,
        db,
        stores,
        cache,
        policy,
        keystone,
        limits,
        peers,
        clock,
        counters,
    }))
}

async fn close(glance: &Glance) {
    if let Some(cache) = &glance.cache {
        cache.close().await;
    }
    glance.db.close().await;
}
