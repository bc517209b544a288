//! Fetching through the API of this node.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::Fetched;
use crate::cache::Directory;
use crate::cli::watch::Watch;
use crate::cli::{Result, directory};
use crate::client::{Address, Credentials, Error, ImageApi, Trust};
use crate::config::{CacheConfig, ToolConfig};
use crate::domain::ImageId;

/// A look at the directory costs little, and a small image is there in an instant.
const POLL: Duration = Duration::from_millis(200);

/// What the API was asked for.
#[derive(Debug, Default)]
pub struct Requested {
    accepted: Vec<ImageId>,
    refused: Vec<(String, String)>,
}

/// Asks the API for every image. One that it refuses does not keep it from being asked for the others; an
/// API that cannot be asked at all is an error.
pub async fn request(
    config: &ToolConfig,
    queue: &[ImageId],
) -> std::result::Result<Requested, Error> {
    let api = service_api(config)?;
    let mut requested = Requested::default();
    for id in queue {
        match api.fetch(*id).await {
            Ok(()) => requested.accepted.push(*id),
            Err(error @ (Error::NotFound { .. } | Error::Refused { .. })) => {
                requested.refused.push((id.to_string(), error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(requested)
}

/// The API of this node, asked by the service's own account where there is one.
fn service_api(config: &ToolConfig) -> std::result::Result<ImageApi, Error> {
    let listening = || config.api.bind_host.to_string();
    let host = config.api_url.clone().unwrap_or_else(listening);
    let trust = Trust {
        bundle: config.keystone.ca_file.clone(),
        insecure: config.keystone.insecure,
        own: config.keystone.own_certificate(),
    };
    ImageApi::new(
        Address::new(&host, config.api.bind_port)?,
        Credentials::of_service(&config.keystone),
        trust,
    )
}

/// Stays until every image is in the directory, or nothing has moved for as long as `patience`.
pub fn follow(
    requested: Requested,
    directory: &Directory,
    config: &CacheConfig,
    patience: Duration,
) -> Result<Fetched> {
    let mut watch = Watch::new(&requested.accepted);
    let mut seen = Signs::default();
    let mut moved = Instant::now();
    loop {
        watch.observe(&directory::state(directory)?);
        let signs = Signs::of(&watch, config);
        if signs != seen {
            seen = signs;
            moved = Instant::now();
        }
        if watch.is_over() || moved.elapsed() > patience {
            break;
        }
        thread::sleep(POLL);
    }

    let mut failed = requested.refused;
    let lost = "it left the queue; the log of glance-api says why";
    failed.extend(watch.failed.into_iter().map(|id| (id, lost.to_owned())));
    failed.extend(watch.pending.into_iter().map(|image| {
        let waited = patience.as_secs();
        let why = format!(
            "it is still queued and nothing has moved for {waited} seconds; the log of glance-api says why"
        );
        (image.id, why)
    }));
    Ok(Fetched {
        cached: watch.cached,
        failed,
        ..Fetched::default()
    })
}

/// What moves while images come in: fewer are missing, and partial files are written to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Signs {
    done: usize,
    written: HashMap<String, SystemTime>,
}

impl Signs {
    fn of(watch: &Watch, config: &CacheConfig) -> Self {
        let written = watch.pending.iter().filter_map(|image| {
            let time = directory::written(config, &image.id)?;
            Some((image.id.clone(), time))
        });
        Self {
            done: watch.cached.len() + watch.failed.len(),
            written: written.collect(),
        }
    }
}
