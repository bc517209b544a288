//! Fetching straight from the store, for a node whose API is down.

use std::time::Duration;

use super::Fetched;
use crate::cache::{Cache, Expected, Lookup};
use crate::cli::database;
use crate::clock::Clock;
use crate::config::ToolConfig;
use crate::db::Db;
use crate::domain::{ImageId, Status};
use crate::ops::source::StoreSource;
use crate::store::Registry;
use crate::telemetry::counters::Counters;

/// How often to look whether another process is done with an image.
const POLL: Duration = Duration::from_millis(200);

/// Reads every image from its store into the cache; an error where neither database nor store can be asked.
pub async fn fetch(config: &ToolConfig, queue: &[ImageId]) -> Result<Fetched, String> {
    let cache = config.cache.clone().ok_or("no cache is configured")?;
    let db = database::open(config).await?;
    let stores = Registry::open(&config.stores)
        .await
        .map_err(|error| error.to_string())?;
    let cache = Cache::open(cache, Clock::system(), Counters::default()).await;

    let mut fetched = Fetched::default();
    for id in queue {
        match fetch_one(&db, &stores, &cache, config.stores.patience, *id).await {
            Ok(Outcome::Cached) => fetched.cached.push(id.to_string()),
            Ok(Outcome::Gone) => fetched.gone.push(id.to_string()),
            Err(reason) => fetched.failed.push((id.to_string(), reason)),
        }
    }
    cache.close().await;
    db.close().await;
    Ok(fetched)
}

/// What became of a wish that is settled.
enum Outcome {
    Cached,
    /// The image was deleted.
    Gone,
}

async fn fetch_one(
    db: &Db,
    stores: &Registry,
    cache: &Cache,
    patience: Duration,
    id: ImageId,
) -> Result<Outcome, String> {
    let image = match db.image(id).await {
        Ok(Some(image)) if image.status == Status::Active => image,
        Ok(Some(image)) => return Err(format!("it is {}, not active", image.status)),
        Ok(None) => return without_image(db, cache, id).await,
        Err(error) => return Err(error.to_string()),
    };
    let expected = Expected {
        size: image.size,
        checksums: image.checksums.clone(),
    };
    loop {
        match cache.lookup(id, &expected).await {
            Lookup::Cached(_) => break,
            // Another process is at it. Should it fail, it is our turn.
            Lookup::Growing(_) => tokio::time::sleep(POLL).await,
            Lookup::Part(_) => return Err("only a part of it is here".to_owned()),
            Lookup::Bypass(why) => return Err(why.to_string()),
            Lookup::Missing(claim) => {
                let source = StoreSource::new(stores, &image, patience, &Counters::default(), None);
                let supply = source
                    .supply(&claim)
                    .await
                    .map_err(|error| error.to_string())?;
                claim
                    .fill_whole(supply)
                    .await
                    .map_err(|error| error.to_string())?;
                break;
            }
        }
    }
    cache.unqueue(id).await.map_err(|error| error.to_string())?;
    Ok(Outcome::Cached)
}

/// As the service has it: who wished for an image that was deleted waits in vain, and one that the database
/// never knew may be known to the database that an operator meant.
async fn without_image(db: &Db, cache: &Cache, id: ImageId) -> Result<Outcome, String> {
    match db.image_existed(id).await {
        Ok(true) => {}
        Ok(false) => return Err("the database knows no such image".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    cache.unqueue(id).await.map_err(|error| error.to_string())?;
    tracing::warn!(image.id = %id, "image {id} is not fetched and leaves the queue: it was deleted");
    Ok(Outcome::Gone)
}
