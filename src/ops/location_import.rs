//! What follows on the answer to a new location: finding the data, making the image active, hashing.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};

use super::access::owns;
use super::hashing::hashed;
use super::images::stored;
use super::locations::has_formats;
use super::{Error, Glance, Result};
use crate::db;
use crate::domain::checksum::{Checksums, HashAlgorithm, SecureHash};
use crate::domain::location::{Moves, NoPlace};
use crate::domain::property::TASK_LOCK;
use crate::domain::task::TaskEnd;
use crate::domain::{Caller, Image, ImageId, Location, Status};
use crate::store;
use crate::store::registry::Reader;

/// Who asks right after the answer finds the image as it was, with the lock of its task. The original needs
/// that long to begin, and what it looks like meanwhile is recorded.
const BEFORE: Duration = Duration::from_millis(600);
/// How often somebody who hashes looks whether there still is an image.
const LOOK: Duration = Duration::from_secs(1);
/// The pause before data is asked for once more.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a change is made anew when another request was faster.
const ATTEMPTS: usize = 4;

/// What failures are told as, whatever they are.
const FAILED: &str = "Task failed due to Internal Error";

/// A location on its way to an image.
#[derive(Debug)]
pub(super) struct LocationImport {
    pub(super) caller: Caller,
    pub(super) image: ImageId,
    /// The task that stands for this.
    pub(super) task: String,
    pub(super) location: Location,
    /// The digest that the data is said to have.
    pub(super) promised: Option<SecureHash>,
}

impl Glance {
    /// Does the work, and writes down how it went.
    pub(super) async fn import_location(&self, work: LocationImport) {
        let (id, task) = (work.image, &work.task);
        let end = match self.until_the_end(self.work_on(&work)).await {
            Some(Ok(true)) => TaskEnd::Success(json!({"image_id": id.as_str()})),
            // Somebody took the lock and ended it.
            Some(Ok(false)) => return,
            Some(Err(error)) => {
                warn!(image.id = %id, error = &error as &dyn std::error::Error,
                    "the new location of image {id} is not taken: {error}");
                TaskEnd::Failure(FAILED.to_owned())
            }
            None => {
                warn!(image.id = %id, "the service ends before the new location of image {id} is taken");
                if let Err(error) = self.take_location_back(id, |_| false).await {
                    info!(image.id = %id, "image {id} keeps its location: {error}");
                }
                TaskEnd::Failure(FAILED.to_owned())
            }
        };
        let ended = self.end_task(task, &end).await;
        let unlocked = self.db.unlock_image(id, task).await;
        if let Err(error) = ended.and(unlocked.map_err(Error::from)) {
            warn!(image.id = %id, %error, "image {id} stays locked by task {task}: {error}");
        }
    }

    /// False where there is nothing to do any more.
    async fn work_on(&self, work: &LocationImport) -> Result<bool> {
        tokio::time::sleep(BEFORE).await;
        let begun = self.db.begin_task(&work.task, self.clock.now()).await?;
        if begun {
            self.bring_location_in(work).await?;
        }
        Ok(begun)
    }

    async fn bring_location_in(&self, work: &LocationImport) -> Result<()> {
        let id = work.image;
        let edited = self.put_location_in(work).await?;
        if !self.config.image.hash_locations {
            return Ok(());
        }
        let Some(promised) = &work.promised else {
            return self.hash_afterwards(&edited).await;
        };
        let proven = match self.digests(&edited, promised.algorithm).await {
            Ok(found) if found.secure.as_ref() == Some(promised) => {
                self.note_digests(id, &found, Status::Importing).await
            }
            Ok(_) => Err(NoPlace::Invalid.into()),
            Err(error) => Err(error),
        };
        if proven.is_err() {
            // As in the original, one on a web server, where nothing can be deleted, stays noted until
            // there is data.
            let on_the_web = |location: &Location| location.scheme().starts_with("http");
            self.take_location_back(id, on_the_web).await?;
        }
        proven
    }

    /// Gives the image its location, again where somebody else changed it while the web server was asked.
    async fn put_location_in(&self, work: &LocationImport) -> Result<Image> {
        for _ in 0..ATTEMPTS {
            let image = self.locked_by(work).await?;
            let mut edited = image.clone();
            let mut location = work.location.clone();
            self.name_store(&mut location);
            // One that did not keep its promise makes room.
            edited.locations.clear();
            (self.place_at(&work.caller, &mut edited, location, 0)).await?;
            has_formats(&edited)?;
            edited.status = match &work.promised {
                Some(_) if self.config.image.hash_locations => Status::Importing,
                Some(promised) => {
                    edited.checksums.secure = Some(promised.clone());
                    Status::Active
                }
                None => Status::Active,
            };
            if self.config.image.hash_locations {
                let promised = work.promised.as_ref().map(|promised| promised.algorithm);
                edited.checksums.announced = promised.or(Some(self.image_rules().hash));
            }
            let moves = Moves {
                from: image.locations.clone(),
                removed: image.locations.clone(),
                added: edited.locations.clone(),
                ..Moves::default()
            };
            edited.updated_at = self.clock.now();
            let kept = stored(&edited);
            let written = self.move_image(&work.caller, &kept, &image, Some(&moves));
            match written.await {
                Ok(_) => return Ok(edited),
                Err(Error::Db(db::Error::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// The image, as long as it waits for data, the task has it and its caller may change it.
    async fn locked_by(&self, work: &LocationImport) -> Result<Image> {
        let image = self.db.image(work.image).await?;
        let image = image.ok_or_else(|| Error::NoSuchImage(work.image.to_string()))?;
        if image.properties.get(TASK_LOCK) != Some(&Some(work.task.clone())) {
            return Err(NoPlace::Busy.into());
        }
        owns(&work.caller, &image)?;
        let status = image.status;
        if status == Status::Queued {
            Ok(image)
        } else {
            Err(NoPlace::Status {
                verb: "add",
                status,
            }
            .into())
        }
    }

    /// The image is active already: without its digests it is as good as without those of its client.
    async fn hash_afterwards(&self, image: &Image) -> Result<()> {
        let id = image.id;
        match self.digests(image, self.image_rules().hash).await {
            Ok(found) => self.note_digests(id, &found, Status::Active).await,
            Err(error @ Error::NoSuchImage(_)) => Err(error),
            Err(error) => {
                warn!(image.id = %id, %error, "image {id} stays without digests: {error}");
                Ok(())
            }
        }
    }

    /// Reads the data for its digests, several times if need be.
    async fn digests(&self, image: &Image, algorithm: HashAlgorithm) -> Result<Checksums> {
        let mut left = self.config.image.hash_retries;
        loop {
            match self.digests_once(image, algorithm).await {
                Err(Error::Store(error)) if left > 0 => {
                    left -= 1;
                    info!(image.id = %image.id, "hashing image {} once more: {error}", image.id);
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other,
            }
        }
    }

    async fn digests_once(&self, image: &Image, algorithm: HashAlgorithm) -> Result<Checksums> {
        let (_, blob) = self.stores.read(image, None, Reader::Service, 0).await?;
        let algorithms = [HashAlgorithm::Md5, algorithm];
        let (mut bytes, digests) = hashed(blob.bytes, algorithms).map_err(store::Error::Failed)?;
        let mut looked = Instant::now();
        while let Some(chunk) = bytes.next().await {
            chunk.map_err(store::Error::Failed)?;
            if looked.elapsed() > LOOK {
                self.still_there(image.id).await?;
                looked = Instant::now();
            }
        }
        let [md5, value] = digests.finish().await.map_err(store::Error::Failed)?;
        Ok(Checksums {
            md5: Some(md5),
            secure: Some(SecureHash { algorithm, value }),
            announced: None,
        })
    }

    async fn still_there(&self, id: ImageId) -> Result<()> {
        let image = self.db.image(id).await?;
        image.map_or_else(|| Err(Error::NoSuchImage(id.to_string())), |_| Ok(()))
    }

    /// Notes digests, and lets the image be active.
    async fn note_digests(&self, id: ImageId, found: &Checksums, from: Status) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let image = self.db.image(id).await?;
            let mut image = image.ok_or_else(|| Error::NoSuchImage(id.to_string()))?;
            let was = image.clone();
            if was.status == from {
                image.status = Status::Active;
            }
            image.checksums = found.clone();
            image.updated_at = self.clock.now();
            match self.db.update_image(&image, &was).await {
                Err(db::Error::Conflict { .. }) => {}
                other => return Ok(other.map(drop)?),
            }
        }
        Err(Error::Conflict)
    }

    /// Lets the image wait for data again, and notes no more places but those that stay.
    async fn take_location_back(&self, id: ImageId, stays: fn(&Location) -> bool) -> Result<()> {
        let Some(mut image) = self.db.image(id).await? else {
            return Ok(());
        };
        let moves = Moves {
            from: image.locations.clone(),
            removed: (image.locations.iter())
                .filter(|location| !stays(location))
                .cloned()
                .collect(),
            ..Moves::default()
        };
        image.status = Status::Queued;
        image.size = None;
        image.checksums = Checksums::default();
        image.updated_at = self.clock.now();
        let back = self
            .db
            .update_and_move(&image, Status::Importing, Some(&moves));
        back.await?;
        Ok(())
    }
}
